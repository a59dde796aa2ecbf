//! A request as the dispatcher needs to know it: who is asked for what, in which conversation,
//! and how much it may come to. Read once, strictly, from path, headers and body.

use std::ops::Range;

use crate::body::Malformed;
use crate::edit::Edit;
use crate::format::{Format, Operation};
use crate::target::Target;
use crate::{anthropic, gemini, openai_chat, openai_responses};

/// How the caller wants the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Streaming {
    /// Whole, in one JSON document.
    No,
    /// As server-sent events.
    Sse,
    /// As a JSON array that grows (Gemini's stream without `alt=sse`).
    JsonArray,
}

/// What the caller itself said about which conversation this is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionMark {
    /// The header or field it came in.
    pub source: &'static str,
    /// The conversation's id, as sent.
    pub id: String,
}

/// A request, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The API spoken.
    pub format: Format,
    /// What is asked of it.
    pub operation: Operation,
    /// The model as asked for; Gemini's percent-decoded.
    pub model: String,
    /// Where the body holds the model, quotes included; `None` when only the path does.
    pub model_span: Option<Range<usize>>,
    /// How the answer is wanted.
    pub stream: Streaming,
    /// The bound the caller set on the tokens of one answer.
    pub max_output_tokens: Option<u64>,
    /// How many answers are asked for; the bound above is for each of them.
    pub answers: u64,
    /// The conversation, as marked by the caller.
    pub session: Option<SessionMark>,
    /// An id of something that lives at one provider only (`previous_response_id`,
    /// `conversation`, `cachedContent`): where it was made, this request must go.
    pub continues: Option<String>,
    /// Tells conversations apart that carry no mark. The model is not in it.
    pub fingerprint: u128,
    /// Whether the conversation has had an answer before. One that has not is at home nowhere yet, whatever
    /// others began with the same words.
    pub goes_on: bool,
    /// Whether the answer will tell its usage as things stand.
    pub usage_asked: bool,
    /// What to change in the body so that it does, when it would not.
    pub usage_edit: Option<Edit>,
    /// Length of the body.
    pub body_bytes: usize,
}

/// Reads a request. `header` looks a header up by its lower-case name.
pub fn read<'h>(
    target: &Target<'_>,
    header: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Result<Call, Malformed> {
    match target.format {
        Format::Anthropic => anthropic::request::read(target.operation, header, body),
        Format::OpenaiChat => openai_chat::request::read(target.operation, header, body),
        Format::OpenaiResponses => openai_responses::request::read(target.operation, header, body),
        Format::Gemini => {
            let path = target.path.ok_or(Malformed::Missing("model"))?;
            gemini::request::read(path, body)
        }
    }
}

/// The longest session id that is taken for one.
const MAX_ID_BYTES: usize = 256;

impl SessionMark {
    /// A mark, if the id can be one: a made-up kilobyte is no conversation.
    pub(crate) fn new(source: &'static str, id: &str) -> Option<Self> {
        sound_id(id).then(|| Self { source, id: id.to_owned() })
    }

    /// The first of these headers that holds an id.
    pub(crate) fn from_headers<'h>(
        header: &dyn Fn(&str) -> Option<&'h str>,
        names: &[&'static str],
    ) -> Option<Self> {
        names.iter().find_map(|name| Self::new(name, header(name)?))
    }
}

/// Whether this can be the id of something.
pub(crate) fn sound_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
}
