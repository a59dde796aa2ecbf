//! Any text as an amount: refused or kept exactly, and always at once (I-06). Ten milliseconds are the
//! limit on one input; an unoptimised or traced run is given more by `AMOUNT_MILLIS`.

#![no_main]

use std::time::{Duration, Instant};

use actors::{
    money::Money,
    pricing::{Consumed, Price, Rates},
};
use libfuzzer_sys::fuzz_target;
use protocol::Usage;

fuzz_target!(|input: (&str, u64)| {
    let (text, tokens) = input;
    let begin = Instant::now();
    if let Ok(amount) = Money::parse(text) {
        // Written without an exponent it may have more digits than are taken in.
        let again = Money::parse(&amount.to_string());
        assert!(again.is_err() || again.as_ref() == Ok(&amount), "{text} became {amount}");
        let rates = Rates { input_usd_per_mtok: amount.clone(), ..Rates::default() };
        let usage = Usage { input_tokens: tokens, ..Usage::default() };
        let cost = Price::from(rates).cost(&Consumed::tokens(usage), &amount);
        assert_eq!(cost, amount.times(tokens).per_million() * &amount);
    }
    let limit = std::env::var("AMOUNT_MILLIS").ok().and_then(|millis| millis.parse().ok()).unwrap_or(10);
    assert!(begin.elapsed() < Duration::from_millis(limit), "{} bytes", text.len());
});
