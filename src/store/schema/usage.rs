//! The tables of sums that are kept beside the request log.

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::Usd;

    usage_hours (facet, subject, hour) {
        facet -> Text,
        subject -> Text,
        hour -> BigInt,
        requests -> BigInt,
        errors -> BigInt,
        input_tokens -> BigInt,
        cache_read_tokens -> BigInt,
        cache_write_tokens -> BigInt,
        output_tokens -> BigInt,
        reasoning_tokens -> BigInt,
        cost -> Usd,
        duration_us -> BigInt,
        took_250ms -> BigInt,
        took_500ms -> BigInt,
        took_1000ms -> BigInt,
        took_2000ms -> BigInt,
        took_5000ms -> BigInt,
        took_10000ms -> BigInt,
        took_30000ms -> BigInt,
        took_60000ms -> BigInt,
        firsts -> BigInt,
        first_us -> BigInt,
        first_100ms -> BigInt,
        first_250ms -> BigInt,
        first_500ms -> BigInt,
        first_1000ms -> BigInt,
        first_2000ms -> BigInt,
        first_5000ms -> BigInt,
        first_10000ms -> BigInt,
        first_30000ms -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::Usd;

    usage_days (facet, day, subject) {
        facet -> Text,
        subject -> Text,
        day -> BigInt,
        requests -> BigInt,
        errors -> BigInt,
        input_tokens -> BigInt,
        cache_read_tokens -> BigInt,
        cache_write_tokens -> BigInt,
        output_tokens -> BigInt,
        reasoning_tokens -> BigInt,
        cost -> Usd,
        duration_us -> BigInt,
        took_250ms -> BigInt,
        took_500ms -> BigInt,
        took_1000ms -> BigInt,
        took_2000ms -> BigInt,
        took_5000ms -> BigInt,
        took_10000ms -> BigInt,
        took_30000ms -> BigInt,
        took_60000ms -> BigInt,
        firsts -> BigInt,
        first_us -> BigInt,
        first_100ms -> BigInt,
        first_250ms -> BigInt,
        first_500ms -> BigInt,
        first_1000ms -> BigInt,
        first_2000ms -> BigInt,
        first_5000ms -> BigInt,
        first_10000ms -> BigInt,
        first_30000ms -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    usage_attempts (provider_id, hour, outcome) {
        provider_id -> BigInt,
        hour -> BigInt,
        outcome -> Text,
        attempts -> BigInt,
        firsts -> BigInt,
        first_us -> BigInt,
        first_100ms -> BigInt,
        first_250ms -> BigInt,
        first_500ms -> BigInt,
        first_1000ms -> BigInt,
        first_2000ms -> BigInt,
        first_5000ms -> BigInt,
        first_10000ms -> BigInt,
        first_30000ms -> BigInt,
    }
}
