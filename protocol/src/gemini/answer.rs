//! A whole Gemini answer: the same object that a stream sends in pieces, or a count, or vectors.

use super::stream::{self, Chunk};
use crate::format::Operation;
use crate::gather::Data;
use crate::reading::{Mark, Reading};

pub(crate) fn read(operation: Operation, body: Data<'_>, reading: &mut Reading) -> Mark {
    let json = match body {
        Data::Whole(json) => json,
        Data::Giant { tail, .. } => return stream::giant(tail, reading),
    };
    let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(json) else { return Mark::Unreadable };
    let mark = stream::take(&chunk, json, reading);
    let as_expected = match operation {
        Operation::CountTokens => chunk.total_tokens.is_some(),
        Operation::Embed => chunk.embedding.is_some() || chunk.embeddings.is_some(),
        Operation::Generate | Operation::Compact => chunk.is_an_answer(),
    };
    match mark {
        Mark::Error => Mark::Error,
        _ if as_expected => {
            reading.ended = true;
            reading.usage_final = reading.usage.is_some();
            Mark::End
        }
        _ => Mark::Unreadable,
    }
}
