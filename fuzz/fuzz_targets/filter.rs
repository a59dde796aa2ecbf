//! Any bytes through the usage filter, cut anywhere: the output is the same as uncut, a part of the
//! input, and a second filter finds nothing more to take out of what is sound.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::openai_chat::filter::UsageFilter;

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (sizes, bytes) = input;
    let filtered = |chunks: &[&[u8]]| {
        let mut filter = UsageFilter::new();
        let mut out = Vec::new();
        chunks.iter().for_each(|chunk| filter.push(chunk, &mut out));
        filter.finish(&mut out);
        out
    };
    let mut chunks = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle().take(bytes.len()) {
        let (chunk, behind) = rest.split_at(usize::from(*size).min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    let whole = filtered(&[bytes]);
    assert_eq!(filtered(&chunks), whole);

    let mut kept = whole.iter().copied().peekable();
    for byte in bytes {
        kept.next_if_eq(byte);
    }
    assert!(kept.next().is_none(), "the filter only takes away");
});
