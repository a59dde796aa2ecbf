//! A conversation recognised by how it begins, for callers that send no session mark.
//!
//! The same for turn 1 and turn n, which rules out most of the request: later messages, the tool
//! list (it grows), cache markers (they move, and turn text into blocks and back). What stays is
//! the text of the instructions and of the first user message.
//!
//! Texts are hashed as they stand in the JSON, escapes and all: one client spells the same text
//! the same way every time, and a first message of a megabyte need not be decoded.

use std::borrow::Cow;
use std::hash::Hasher as _;
use std::ops::ControlFlow;

use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// Of each text, this many bytes tell it apart well enough.
const TEXT_BYTES: usize = 16 * 1024;

/// How deep texts are looked for: a content, its parts, a block, its text. Each level is scanned
/// again, so that unbounded depth would be work without end.
const NESTED: u8 = 4;

/// Claude Code's first system block: bookkeeping that changes from request to request.
const BILLING_LINE: &str = "\"x-anthropic-billing-header";

pub(crate) struct Fingerprint {
    hasher: SipHasher13,
    empty: bool,
    /// The first user message was taken in.
    opened: bool,
    /// Somebody but the user has spoken since.
    goes_on: bool,
}

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self { hasher: SipHasher13::new(), empty: true, opened: false, goes_on: false }
    }

    /// Takes in the text of instructions: a string, blocks, or an object with parts.
    pub(crate) fn system(&mut self, content: &str) {
        self.texts(1, content, NESTED);
    }

    /// Takes in the text of the first user message.
    pub(crate) fn user(&mut self, content: &str) {
        self.opened = true;
        self.texts(2, content, NESTED);
    }

    /// Takes in one message after another; the answer says whether enough was seen.
    pub(crate) fn message(&mut self, role: Option<&str>, content: Option<&str>) -> ControlFlow<()> {
        match (role, content) {
            (Some("system" | "developer"), Some(content)) if !self.opened => self.system(content),
            (Some("user"), Some(content)) if !self.opened => self.user(content),
            (Some("system" | "developer" | "user"), _) => {}
            // The model, or a tool it has called.
            _ => self.goes_on = true,
        }
        if self.opened && self.goes_on { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether the conversation has had an answer before: only then can a provider know it.
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The fingerprint; of a request without any text, one of its own.
    pub(crate) fn finish(mut self, body: &[u8]) -> u128 {
        if self.empty {
            self.hasher.write(&body[..body.len().min(TEXT_BYTES)]);
        }
        self.hasher.finish128().into()
    }

    fn texts(&mut self, role: u8, content: &str, nested: u8) {
        let Some(nested) = nested.checked_sub(1) else { return };
        match content.as_bytes().first() {
            Some(b'"') => self.text(role, content),
            Some(b'[') => {
                for block in serde_json::from_str::<Vec<&RawValue>>(content).unwrap_or_default() {
                    self.texts(role, block.get(), nested);
                }
            }
            Some(b'{') => {
                let Ok(block) = serde_json::from_str::<Block<'_>>(content) else { return };
                if let Some(text) = block.text {
                    self.texts(role, text.get(), nested);
                } else if let Some(parts) = block.parts {
                    self.texts(role, parts.get(), nested);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, role: u8, quoted: &str) {
        if quoted.starts_with(BILLING_LINE) {
            return;
        }
        self.empty = false;
        self.hasher.write_u8(role);
        self.hasher.write_usize(quoted.len());
        self.hasher.write(&quoted.as_bytes()[..quoted.len().min(TEXT_BYTES)]);
    }
}

/// A content block (`text`), or Gemini's content (`parts`).
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    parts: Option<&'a RawValue>,
}

/// The outline of a message or input item, in any format.
#[derive(Deserialize)]
pub(crate) struct Outline<'a> {
    #[serde(borrow, default)]
    pub(crate) role: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) parts: Option<&'a RawValue>,
}

/// Looks at the messages of a list one by one until `each` has seen enough; those behind are not
/// even scanned.
pub(crate) fn each_message<'a>(list: &'a str, mut each: impl FnMut(Outline<'a>) -> ControlFlow<()>) {
    struct Messages<F>(F);

    impl<'a, F: FnMut(Outline<'a>) -> ControlFlow<()>> Visitor<'a> for Messages<F> {
        type Value = ();

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("a list of messages")
        }

        fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
            while let Some(message) = list.next_element()? {
                if (self.0)(message).is_break() {
                    // An error is how a visitor leaves early.
                    return Err(A::Error::custom("seen enough"));
                }
            }
            Ok(())
        }
    }

    // Not a list, or not messages: that is for the upstream to say.
    let _ = serde_json::Deserializer::from_str(list).deserialize_seq(Messages(&mut each));
}

/// Takes in instructions among the messages, the first one of the user, and whether there were answers.
pub(crate) fn opening(fingerprint: &mut Fingerprint, list: &str) {
    each_message(list, |message| {
        fingerprint.message(message.role.as_deref(), message.content.or(message.parts).map(RawValue::get))
    });
}
