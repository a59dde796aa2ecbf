//! Lists as they come, odd ones included.

use super::*;

#[test]
fn i06_a_price_per_token_becomes_one_per_million_digit_by_digit() {
    let file = read(
        br#"{
            "sample_spec": {"input_cost_per_token": 0, "output_cost_per_token": 0},
            "a": {"input_cost_per_token": 3e-06, "output_cost_per_token": 0.000015,
                  "cache_creation_input_token_cost": "3.75e-06", "cache_read_input_token_cost": 3E-7,
                  "litellm_provider": "anthropic", "max_tokens": 8192},
            "b": {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
                  "cache_creation_input_token_cost_above_1hr": 6e-06},
            "images": {"input_cost_per_image": 0.02}
        }"#,
    )
    .unwrap();
    let shown = |model: &str| serde_json::to_string(&file.prices[model]).unwrap();
    assert_eq!(
        shown("a"),
        r#"{"input_usd_per_mtok":"3","output_usd_per_mtok":"15","cache_write_5m_usd_per_mtok":"3.75","cache_write_1h_usd_per_mtok":"3.75","cache_read_usd_per_mtok":"0.3"}"#
    );
    assert_eq!(
        shown("b"),
        r#"{"input_usd_per_mtok":"1.25","output_usd_per_mtok":"10","cache_write_5m_usd_per_mtok":"1.25","cache_write_1h_usd_per_mtok":"6","cache_read_usd_per_mtok":"1.25"}"#
    );
    assert_eq!((file.prices.len(), file.without_price, file.refused.len()), (2, 1, 0));
}

#[test]
fn i06_what_cannot_be_kept_exactly_is_told_and_not_rounded() {
    let refused = |entry: &str| {
        let file = read(format!(r#"{{"m": {entry}}}"#).as_bytes()).unwrap();
        assert!(file.prices.is_empty(), "{entry}");
        let Refused { field, message, .. } = file.refused.into_iter().next().unwrap();
        format!("{field}: {message}")
    };
    for (input, told) in [
        ("8.000000000000001e-19", "has more than 12 digits after the point"),
        ("-1e-06", "must not be negative"),
        ("1e50000000", "too many digits or too large an exponent"),
        ("1.1", "must be at most 1000000"),
        ("\"free\"", "not a decimal number"),
    ] {
        let entry = format!(r#"{{"input_cost_per_token": {input}, "output_cost_per_token": 0}}"#);
        assert_eq!(refused(&entry), format!("input_cost_per_token: {told}"));
    }
    assert_eq!(refused("7"), "model: must be an object, each member once");
}

#[test]
fn a_model_that_stands_twice_counts_as_it_stood_first() {
    let entry = |price| format!(r#""m": {{"input_cost_per_token": {price}, "output_cost_per_token": 0}}"#);
    let file = read(format!("{{{},{}}}", entry("1e-6"), entry("2e-6")).as_bytes()).unwrap();
    assert_eq!(file.prices["m"].rates.input_usd_per_mtok.to_string(), "1");
    assert_eq!(file.refused[0].field, "model");
}

/// The rates of a tier, as `input output write write-1h read`.
fn rates(rates: &Rates) -> String {
    rates.named().map(|(_, rate)| rate.to_string()).join(" ")
}

fn only(entry: &str) -> Price {
    let mut file = read(format!(r#"{{"m": {entry}}}"#).as_bytes()).unwrap();
    assert_eq!(file.refused, []);
    file.prices.remove("m").unwrap()
}

#[test]
fn long_input_and_other_services_become_tiers() {
    let price = only(
        r#"{"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
            "cache_read_input_token_cost": 3e-07, "cache_creation_input_token_cost": 3.75e-06,
            "cache_creation_input_token_cost_above_1hr": 6e-06,
            "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
            "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
            "cache_read_input_token_cost_above_200k_tokens": 6e-07,
            "input_cost_per_token_priority": 5e-06, "output_cost_per_token_priority": 3e-05,
            "input_cost_per_token_flex": 1.5e-06, "input_cost_per_token_above_1m_tokens_flex": 2e-06,
            "input_cost_per_request": 0.001, "max_output_tokens": 64000,
            "search_context_cost_per_query": {"search_context_size_low": 0.005, "search_context_size_medium": 0.01}}"#,
    );
    assert_eq!(rates(&price.rates), "3 15 3.75 6 0.3");
    let tiers = price.terms.tiers.iter();
    let told: Vec<_> = tiers
        .map(|tier| format!("{}>{}: {}", tier.service.name(), tier.above_input_tokens, rates(&tier.rates)))
        .collect();
    assert_eq!(
        told,
        [
            "standard>200000: 6 22.5 7.5 12 0.6",
            "priority>0: 5 30 3.75 6 0.3",
            "priority>200000: 6 30 7.5 12 0.6",
            "flex>0: 1.5 15 3.75 6 0.3",
            "flex>200000: 6 22.5 7.5 12 0.6",
            "flex>1000000: 2 15 3.75 6 0.3",
        ]
    );
    assert_eq!(price.terms.per_request_usd.to_string(), "0.001");
    assert_eq!(price.terms.per_web_search_usd.to_string(), "0.01");
    assert_eq!(price.terms.max_output_tokens, Some(64_000));
}

#[test]
fn members_that_are_no_price_are_passed_over() {
    let price = only(
        r#"{"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "input_cost_per_audio_token": 1e-4,
            "input_cost_per_token_batches": 5e-07, "input_cost_per_token_above_x_tokens": 1,
            "input_cost_per_token_above_0k_tokens": 1, "cache_read_input_token_cost": null,
            "output_cost_per_reasoning_token": "?", "mode": "chat"}"#,
    );
    assert_eq!((rates(&price.rates).as_str(), price.terms), ("1 2 1 1 1", Terms::default()));
}

#[test]
fn i06_a_tier_that_cannot_be_kept_exactly_refuses_its_model() {
    for (member, told) in [
        (r#""input_cost_per_token_above_200k_tokens": -1"#, "must not be negative"),
        (r#""output_cost_per_token_flex": 1e50000000"#, "too many digits or too large an exponent"),
        (r#""output_cost_per_image": 10001"#, "must be at most 10000"),
        (r#""search_context_cost_per_query": 1"#, "must be an object"),
    ] {
        let entry =
            format!(r#"{{"m": {{"input_cost_per_token": 1, "output_cost_per_token": 1, {member}}}}}"#);
        let file = read(entry.as_bytes()).unwrap();
        let Refused { field, message, .. } = &file.refused[0];
        assert_eq!(message, told);
        assert!(member.contains(field.as_str()), "{field}");
        assert!(file.prices.is_empty());
    }
    let twice = r#"{"m": {"input_cost_per_token": 0, "output_cost_per_token": 0,
                         "input_cost_per_token_above_200k_tokens": 0, "input_cost_per_token_above_200000_tokens": 0}}"#;
    assert_eq!(read(twice.as_bytes()).unwrap().refused[0].message, "is told in two ways");
}

/// What a feed may do to us (C-23): each is told, and nothing of it counts.
#[test]
fn c23_odd_feeds_are_refused_as_a_whole() {
    let renamed = br#"{"m": {"input_price_per_token": 1e-6, "output_price_per_token": 1e-6}}"#;
    assert_eq!(read(renamed).unwrap_err().to_string(), "invalid: the list holds no price that could be read");
    let whole = br#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}, "n": {}}"#;
    for end in 0..whole.len() {
        let problem = read(&whole[..end]).unwrap_err();
        assert_eq!(problem.code(), Code::MalformedJson, "half a file of {end} bytes");
    }
    assert_eq!(read(b"[]").unwrap_err().to_string(), "invalid: the body must be an object");
    assert!(read(b"{}").is_err());
}
