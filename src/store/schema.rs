//! The tables, once for both backends: `Ts`, `Usd`, `Doc` and `Uid` are our own column types, everything
//! else means the same in PostgreSQL and SQLite. Columns stand in the order of the migrations.

mod usage;

pub(super) use self::usage::{usage_attempts, usage_days, usage_hours};

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use crate::store::types::{Doc, Ts};

    users (id) {
        id -> BigInt,
        name -> Text,
        role -> Text,
        groups -> Doc,
        tags -> Doc,
        expires_at -> Nullable<Ts>,
        enabled -> Bool,
        created_at -> Ts,
        updated_at -> Ts,
        limits -> Doc,
        version -> BigInt,
        restrictions -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
    use crate::store::types::{Doc, Ts};

    api_keys (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        digest -> Binary,
        prefix -> Text,
        last_four -> Text,
        groups -> Doc,
        expires_at -> Nullable<Ts>,
        enabled -> Bool,
        web_login -> Bool,
        created_at -> Ts,
        updated_at -> Ts,
        limits -> Doc,
        version -> BigInt,
        old_digest -> Nullable<Binary>,
        old_until -> Nullable<Ts>,
        restrictions -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Integer, Text};
    use crate::store::types::{Doc, Ts, Usd};

    providers (id) {
        id -> BigInt,
        version -> BigInt,
        name -> Text,
        kind -> Text,
        base_url -> Text,
        credential -> Binary,
        formats -> Doc,
        weight -> Integer,
        priority -> Integer,
        cost_multiplier -> Usd,
        groups -> Doc,
        allowed_models -> Doc,
        model_redirects -> Doc,
        limits -> Doc,
        breaker -> Doc,
        timeouts -> Doc,
        allow_private_network -> Bool,
        enabled -> Bool,
        notes -> Text,
        created_at -> Ts,
        updated_at -> Ts,
        restrictions -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Doc, Ts, Usd};

    model_prices (id) {
        id -> BigInt,
        model -> Text,
        source -> Text,
        effective_from -> Ts,
        input_usd_per_mtok -> Usd,
        output_usd_per_mtok -> Usd,
        cache_write_5m_usd_per_mtok -> Usd,
        cache_write_1h_usd_per_mtok -> Usd,
        cache_read_usd_per_mtok -> Usd,
        terms -> Nullable<Doc>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::{Doc, Ts};

    provider_prices (id) {
        id -> BigInt,
        provider_id -> BigInt,
        model -> Text,
        effective_from -> Ts,
        price -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::Ts;

    price_imports (id) {
        id -> BigInt,
        imported_at -> Ts,
        origin -> Text,
        sha256 -> Text,
        prices -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
    use crate::store::types::{Doc, Ts, Uid, Usd};

    requests (id) {
        id -> Uid,
        started_at -> Ts,
        minute -> BigInt,
        duration_us -> BigInt,
        user_id -> Nullable<BigInt>,
        key_id -> Nullable<BigInt>,
        format -> Nullable<Text>,
        operation -> Nullable<Text>,
        model -> Nullable<Text>,
        upstream_model -> Nullable<Text>,
        streamed -> Bool,
        session -> Nullable<Text>,
        provider_id -> Nullable<BigInt>,
        status -> Integer,
        ending -> Text,
        error_kind -> Nullable<Text>,
        error_message -> Nullable<Text>,
        ttfb_us -> Nullable<BigInt>,
        input_tokens -> BigInt,
        cache_read_tokens -> BigInt,
        cache_write_5m_tokens -> BigInt,
        cache_write_1h_tokens -> BigInt,
        output_tokens -> BigInt,
        reasoning_tokens -> BigInt,
        settlement -> Text,
        cost -> Nullable<Usd>,
        reserved -> Nullable<Usd>,
        details -> Nullable<Doc>,
        client_address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        bytes_up -> BigInt,
        bytes_down -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
    use crate::store::types::{Uid, Usd};

    attempts (request_id, ordinal) {
        request_id -> Uid,
        ordinal -> Integer,
        provider_id -> BigInt,
        provider_name -> Text,
        outcome -> Text,
        status -> Nullable<Integer>,
        started_us -> BigInt,
        head_us -> Nullable<BigInt>,
        first_frame_us -> Nullable<BigInt>,
        total_us -> BigInt,
        retried_stale -> Bool,
        sent -> Bool,
        error -> Nullable<Text>,
        settlement -> Nullable<Text>,
        cost -> Nullable<Usd>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::{Doc, Ts};

    settings (key) {
        key -> Text,
        value -> Doc,
        updated_at -> Ts,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::Usd;

    ledger_balances (account, minute) {
        account -> Text,
        minute -> BigInt,
        cost -> Usd,
        requests -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Ts, Uid, Usd};

    ledger_entries (id) {
        id -> BigInt,
        account -> Text,
        minute -> BigInt,
        kind -> Text,
        span -> Nullable<Text>,
        amount -> Usd,
        until -> Nullable<Ts>,
        request_id -> Nullable<Uid>,
        note -> Text,
        created_at -> Ts,
        ordinal -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Doc, Ts};

    audit_log (id) {
        id -> BigInt,
        at -> Ts,
        who -> Text,
        action -> Text,
        subject -> Text,
        before -> Nullable<Doc>,
        after -> Nullable<Doc>,
        address -> Nullable<Text>,
        batch -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use crate::store::types::Ts;

    idempotent_requests (id) {
        id -> Binary,
        owner -> Text,
        fingerprint -> Binary,
        process -> Text,
        answer -> Nullable<Binary>,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
    use crate::store::types::Ts;

    console_sessions (id) {
        id -> BigInt,
        digest -> Binary,
        way -> Text,
        user_id -> Nullable<BigInt>,
        key_id -> Nullable<BigInt>,
        role -> Text,
        read_only -> Bool,
        proof -> Nullable<Binary>,
        created_at -> Ts,
        seen_at -> Ts,
        expires_at -> Ts,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::Ts;

    user_passwords (user_id) {
        user_id -> BigInt,
        hash -> Text,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Doc, Ts};

    trash (id) {
        id -> BigInt,
        kind -> Text,
        row_id -> BigInt,
        name -> Text,
        document -> Doc,
        who -> Nullable<Text>,
        deleted_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::Ts;

    user_identities (id) {
        id -> BigInt,
        user_id -> BigInt,
        issuer -> Text,
        subject -> Text,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::Binary;
    use crate::store::types::Ts;

    spent_tickets (digest) {
        digest -> Binary,
        expires_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Doc, Ts};

    batches (id) {
        id -> BigInt,
        kind -> Text,
        document -> Doc,
        who -> Nullable<Text>,
        made_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary};
    use crate::store::types::Ts;

    digest_key (id) {
        id -> BigInt,
        sealed -> Binary,
        made_at -> Ts,
    }
}

diesel::joinable!(api_keys -> users (user_id));
diesel::joinable!(console_sessions -> users (user_id));
diesel::joinable!(console_sessions -> api_keys (key_id));
diesel::joinable!(user_passwords -> users (user_id));
diesel::joinable!(user_identities -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(api_keys, users, console_sessions, user_passwords);
diesel::allow_tables_to_appear_in_same_query!(user_identities, users);
