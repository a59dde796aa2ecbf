//! What was asked, and what is answered, in no vendor's words.
//!
//! Every format reads its body into [`Asked`] and writes an [`Answer`]; what to say is decided here, once.

use protocol::Usage;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::filling::fitting;
use super::script::{Script, ToolWish};

/// How much of a prompt or of a tool's result an answer repeats.
const MOST_ECHOED: usize = 400;
/// Tools that run commands, as the agents call them.
const SHELLS: [&str; 7] =
    ["Bash", "exec_command", "shell_command", "shell", "local_shell", "run_shell_command", "bash"];

/// What a request asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) stream: bool,
    /// The last text of the user's own.
    pub(super) prompt: String,
    /// The result of a tool that came in after the prompt.
    pub(super) tool_result: Option<String>,
    pub(super) tools: Vec<Tool>,
    /// The schema that the answer has to fit.
    pub(super) json_schema: Option<Value>,
    /// Whether a Chat stream is to report its usage.
    pub(super) include_usage: bool,
}

/// A tool on offer.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) schema: Value,
    pub(super) takes: Takes,
}

/// What a tool is called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Json,
    /// Any text at all (custom tools of the Responses API).
    Text,
}

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    /// Compact JSON, or the text of a tool that takes text.
    pub(super) arguments: String,
    pub(super) takes: Takes,
}

impl Call {
    /// The arguments as a JSON value.
    pub(super) fn arguments_value(&self) -> Value {
        serde_json::from_str(&self.arguments).unwrap_or_else(|_| Value::String(self.arguments.clone()))
    }
}

/// An answer: perhaps a thought, then either text or a call. Pieces are what one event carries.
#[derive(Debug)]
pub(super) struct Answer {
    /// The number of the request, for ids.
    pub(super) number: u64,
    pub(super) thought: Vec<String>,
    pub(super) text: Vec<String>,
    pub(super) call: Option<Call>,
    pub(super) usage: Usage,
}

impl Answer {
    /// Decides what to say. `text` is the prompt without its directives.
    pub(super) fn compose(asked: &Asked, script: &Script, text: &str, number: u64) -> Self {
        let thought =
            if script.think { words(&format!("thinking about: {}", head(text))) } else { Vec::new() };
        let call = match (&script.tool, &asked.tool_result) {
            (Some(wish), None) => call(&asked.tools, wish, text, number),
            _ => None,
        };
        let text = if call.is_some() { Vec::new() } else { pieces(asked, script, text) };
        let said =
            count(&thought) + count(&text) + call.as_ref().map_or(0, |call| count_words(&call.arguments));
        let usage = script.usage.over(count_words(&asked.prompt), said, count(&thought));
        Self { number, thought, text, call, usage }
    }

    /// The whole thought.
    pub(super) fn whole_thought(&self) -> String {
        self.thought.concat()
    }

    /// The whole text.
    pub(super) fn whole_text(&self) -> String {
        self.text.concat()
    }
}

fn pieces(asked: &Asked, script: &Script, text: &str) -> Vec<String> {
    if let Some(events) = script.events {
        let word = text.split(' ').next().unwrap_or_default();
        return (1..=events).map(|event| format!("{word}:{event} ")).collect();
    }
    let echo = format!("echo: {}", head(text));
    if let Some(schema) = &asked.json_schema {
        return words(&fitting(schema, &echo).to_string());
    }
    match &asked.tool_result {
        Some(result) => words(&format!("tool said: {} {echo}", head(result.trim()))),
        None => words(&echo),
    }
}

fn call(tools: &[Tool], wish: &ToolWish, text: &str, number: u64) -> Option<Call> {
    let named = |name: &str| tools.iter().find(|tool| tool.name == name);
    let tool = match &wish.name {
        Some(name) => named(name),
        None => SHELLS.iter().find_map(|shell| named(shell)).or_else(|| tools.first()),
    }?;
    let arguments = match (&wish.arguments, tool.takes) {
        (Some(arguments), _) => arguments.to_string(),
        (None, Takes::Json) => fitting(&tool.schema, text).to_string(),
        (None, Takes::Text) => head(text).to_owned(),
    };
    Some(Call { id: format!("call_demo_{number}"), name: tool.name.clone(), arguments, takes: tool.takes })
}

/// Picks the prompt: the last text that is the user's own. Agents add texts wrapped in angle brackets.
pub(super) fn prompt_of<'a>(texts: impl DoubleEndedIterator<Item = &'a str>) -> String {
    texts.rev().find(|text| !text.trim_start().starts_with('<')).unwrap_or_default().to_owned()
}

/// The signature of something that must come back as it was made: a thought, a call.
pub(super) fn seal(content: &str) -> String {
    hex::encode(Sha256::digest(format!("sealed:{content}")))
}

fn head(text: &str) -> &str {
    text.char_indices().nth(MOST_ECHOED).map_or(text, |(end, _)| &text[..end])
}

/// One piece per word; the spaces stay, so that the pieces make the text again.
fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

pub(super) fn count_words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

fn count(pieces: &[String]) -> u64 {
    count_words(&pieces.concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::script;
    use super::*;

    fn answer(asked: &Asked) -> Answer {
        let (script, text) = script::read(&asked.prompt).unwrap();
        Answer::compose(asked, &script, &text, 7)
    }

    fn asked(prompt: &str) -> Asked {
        let tool = |name: &str| Tool {
            name: name.into(),
            schema: json!({"properties": {"command": {"type": "string"}}, "required": ["command"]}),
            takes: Takes::Json,
        };
        Asked { prompt: prompt.into(), tools: vec![tool("Read"), tool("Bash")], ..Asked::default() }
    }

    #[test]
    fn the_prompt_is_repeated_and_its_words_are_counted() {
        let answer = answer(&asked("nonce-1 ünï"));
        assert_eq!(answer.whole_text(), "echo: nonce-1 ünï");
        assert_eq!(answer.text.len(), 3);
        assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (2, 3));
    }

    #[test]
    fn a_long_prompt_is_repeated_in_part() {
        assert_eq!(
            answer(&asked(&"ä".repeat(5_000))).whole_text().chars().count(),
            "echo: ".len() + MOST_ECHOED
        );
    }

    #[test]
    fn every_piece_of_a_counted_answer_carries_the_first_word() {
        assert_eq!(answer(&asked("[[events 3]] n1 rest")).text, ["n1:1 ", "n1:2 ", "n1:3 "]);
    }

    #[test]
    fn a_shell_is_preferred_and_a_named_tool_is_taken() {
        assert_eq!(answer(&asked("[[tool]] go")).call.unwrap().name, "Bash");
        assert_eq!(answer(&asked("[[tool Read]] go")).call.unwrap().name, "Read");
        assert!(answer(&asked("[[tool Gone]] go")).call.is_none());
    }

    #[test]
    fn after_the_tools_result_the_answer_is_text() {
        let mut asked = asked("[[tool]] go");
        asked.tool_result = Some("it ran".into());
        assert_eq!(answer(&asked).whole_text(), "tool said: it ran echo: go");
    }

    #[test]
    fn json_that_was_demanded_fits_its_schema() {
        let mut asked = asked("name it");
        asked.json_schema = Some(json!({"properties": {"title": {"type": "string"}}, "required": ["title"]}));
        assert_eq!(answer(&asked).whole_text(), r#"{"title":"echo: name it"}"#);
    }

    #[test]
    fn texts_that_agents_add_are_not_the_prompt() {
        let texts = ["<env>x</env>", "mine", " <system-reminder>y</system-reminder>"];
        assert_eq!(prompt_of(texts.into_iter()), "mine");
    }
}
