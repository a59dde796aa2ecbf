//! Any bytes as an answer, cut anywhere: the reading and the events are the same as uncut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::sse::{Data, Framer};
use protocol::tap::{Shape, Tap};
use protocol::{Format, Operation, refusal};

fuzz_target!(|input: (u8, Vec<u8>, &[u8])| {
    let (selector, sizes, bytes) = input;
    let format = Format::ALL[usize::from(selector % 4)];
    let shape = [Shape::Sse, Shape::JsonArray, Shape::Whole][usize::from(selector / 4 % 3)];
    let operation =
        [Operation::Generate, Operation::CountTokens, Operation::Embed][usize::from(selector / 16 % 3)];

    let read = |chunks: &[&[u8]]| {
        let mut tap = Tap::new(format, operation, shape);
        chunks.iter().for_each(|chunk| tap.push(chunk));
        let cut = refusal::cut(format, &tap.cut_here("m", "r"));
        tap.finish();
        (tap.stage(), format!("{:?}", tap.reading()), cut)
    };
    let events = |chunks: &[&[u8]]| {
        let mut framer = Framer::new();
        let mut events = Vec::new();
        let mut keep = |event: protocol::sse::Event<'_>| {
            let data = match event.data {
                Data::Whole(data) => data.to_vec(),
                Data::Giant { head, tail } => [head, tail].concat(),
            };
            events.push((event.name.to_vec(), data));
        };
        chunks.iter().for_each(|chunk| framer.push(chunk, &mut keep));
        framer.finish(&mut keep);
        events
    };

    let mut chunks = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle().take(bytes.len()) {
        let (chunk, behind) = rest.split_at(usize::from(*size).min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    assert_eq!(read(&chunks), read(&[bytes]));
    assert_eq!(events(&chunks), events(&[bytes]));
});
