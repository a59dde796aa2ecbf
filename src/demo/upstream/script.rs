//! Directives: what a prompt asks the upstream to do. Pure; the table is in the module header above.

use std::time::Duration;

use protocol::Usage;
use serde_json::Value;

/// More events than this are not built for one answer.
const MOST_EVENTS: usize = 100_000;
/// How far a stream gets when a directive that spoils it names no number.
const SPOILED_AFTER: usize = 3;

/// How one request goes. The default is a plain, quick, whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Script {
    /// Answer with an error, or not at all, instead.
    pub(super) failure: Option<Failure>,
    /// Call a tool, if one is offered.
    pub(super) tool: Option<ToolWish>,
    /// Think first.
    pub(super) think: bool,
    /// The number of pieces to answer with.
    pub(super) events: Option<usize>,
    /// Counts to report instead of counted words.
    pub(super) usage: UsageWish,
    /// Silence before the head.
    pub(super) wait: Duration,
    /// A pause before each event.
    pub(super) pause: Duration,
    /// Re-cut the bytes of a stream in pieces of this size.
    pub(super) split: Option<usize>,
    /// How the body ends.
    pub(super) fate: Fate,
}

/// An answer that never starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The vendor's error of this status; only for the first `times` requests with the same prompt, if given.
    Status { status: u16, retry_after_seconds: Option<u32>, times: Option<u32> },
    /// The vendor's error for a prompt that is too long.
    Overflow,
    /// No answer, while the connection stays open.
    Silence,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fate {
    /// With the protocol's end mark.
    #[default]
    Complete,
    /// After so many events the connection breaks.
    CutAfter(usize),
    /// After so many events nothing more comes.
    SilentAfter(usize),
    /// After so many events the vendor's error event comes.
    ErrorAfter(usize),
}

/// Which tool to call, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ToolWish {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<Value>,
}

/// Counts that a prompt dictates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UsageWish {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cache_read: u64,
    pub(super) cache_write_5m: u64,
    pub(super) cache_write_1h: u64,
    pub(super) reasoning: Option<u64>,
}

impl UsageWish {
    /// The dictated counts, and the counted ones where nothing was dictated.
    pub(super) fn over(self, input: u64, output: u64, reasoning: u64) -> Usage {
        Usage {
            input_tokens: self.input.unwrap_or(input),
            cache_read_tokens: self.cache_read,
            cache_write_5m_tokens: self.cache_write_5m,
            cache_write_1h_tokens: self.cache_write_1h,
            output_tokens: self.output.unwrap_or(output),
            reasoning_tokens: self.reasoning.unwrap_or(reasoning),
        }
    }
}

/// Reads the directives of a prompt, and returns the prompt without them. Double brackets around
/// anything that is not a directive are text; a directive with a wrong argument is an error.
pub(super) fn read(prompt: &str) -> Result<(Script, String), String> {
    let mut script = Script::default();
    let mut text = String::new();
    let mut rest = prompt;
    while let Some(start) = rest.find("[[") {
        let Some(length) = rest[start..].find("]]") else { break };
        let directive = &rest[start + 2..start + length];
        let end = start + length + 2;
        if script.follow(directive.trim()).ok_or_else(|| format!("wrong directive [[{directive}]]"))? {
            text.push_str(&rest[..start]);
        } else {
            text.push_str(&rest[..end]);
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
    Ok((script, text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

impl Script {
    /// `Some(false)` when the word is no directive, `None` when its argument makes no sense.
    fn follow(&mut self, directive: &str) -> Option<bool> {
        let (word, argument) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
        let argument = argument.trim();
        let after = |default: usize| if argument.is_empty() { Some(default) } else { argument.parse().ok() };
        match word {
            "tool" => self.tool = Some(tool_wish(argument)?),
            "think" => self.think = true,
            "events" => self.events = Some(argument.parse().ok().filter(|n| *n <= MOST_EVENTS)?),
            "usage" => self.usage = usage_wish(argument)?,
            "wait" => self.wait = duration(argument)?,
            "slow" => self.pause = duration(argument)?,
            "split" => self.split = Some(argument.parse().ok().filter(|size| *size > 0)?),
            "error" => self.failure = Some(status(argument)?),
            "overflow" => self.failure = Some(Failure::Overflow),
            "hang" if argument.is_empty() => self.failure = Some(Failure::Silence),
            "hang" => self.fate = Fate::SilentAfter(argument.parse().ok()?),
            "cut" => self.fate = Fate::CutAfter(after(SPOILED_AFTER)?),
            "error-in-stream" => self.fate = Fate::ErrorAfter(after(SPOILED_AFTER)?),
            _ => return Some(false),
        }
        Some(true)
    }
}

fn tool_wish(argument: &str) -> Option<ToolWish> {
    let (name, json) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let arguments = if json.trim().is_empty() { None } else { Some(serde_json::from_str(json).ok()?) };
    Some(ToolWish { name: Some(name.to_owned()).filter(|name| !name.is_empty()), arguments })
}

fn usage_wish(argument: &str) -> Option<UsageWish> {
    let mut wish = UsageWish::default();
    for pair in argument.split_whitespace() {
        let (name, count) = pair.split_once('=')?;
        let count: u64 = count.parse().ok()?;
        match name {
            "input" => wish.input = Some(count),
            "output" => wish.output = Some(count),
            "cache_read" => wish.cache_read = count,
            "cache_write_5m" => wish.cache_write_5m = count,
            "cache_write_1h" => wish.cache_write_1h = count,
            "reasoning" => wish.reasoning = Some(count),
            _ => return None,
        }
    }
    Some(wish)
}

fn status(argument: &str) -> Option<Failure> {
    let mut words = argument.split_whitespace();
    let status = words.next()?.parse().ok().filter(|status| (300..=599).contains(status))?;
    let (mut retry_after_seconds, mut times) = (None, None);
    for pair in words {
        match pair.split_once('=')? {
            ("retry-after", seconds) => retry_after_seconds = Some(seconds.parse().ok()?),
            ("times", count) => times = Some(count.parse().ok()?),
            _ => return None,
        }
    }
    Some(Failure::Status { status, retry_after_seconds, times })
}

/// `50ms` or `2s`.
fn duration(argument: &str) -> Option<Duration> {
    match argument.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse().ok().map(Duration::from_millis),
        None => argument.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn script(prompt: &str) -> Script {
        read(prompt).unwrap().0
    }

    #[test]
    fn a_prompt_without_directives_is_answered_plainly() {
        assert_eq!(read("say  hello\n please").unwrap(), (Script::default(), "say hello please".into()));
    }

    #[test]
    fn directives_are_taken_out_of_the_text() {
        let (script, text) = read("alpha [[think]] beta [[events 3]]gamma").unwrap();
        assert_eq!(text, "alpha beta gamma");
        assert_eq!(script, Script { think: true, events: Some(3), ..Script::default() });
    }

    #[test]
    fn double_brackets_of_a_shell_script_are_text() {
        let prompt = "if [[ -f x ]]; then [[ open";
        assert_eq!(read(prompt).unwrap(), (Script::default(), prompt.into()));
    }

    #[test]
    fn an_error_carries_its_status_its_delay_and_how_often_it_strikes() {
        assert_eq!(
            script("[[error 429 retry-after=2 times=1]]").failure,
            Some(Failure::Status { status: 429, retry_after_seconds: Some(2), times: Some(1) })
        );
        assert_eq!(script("[[overflow]]").failure, Some(Failure::Overflow));
        assert_eq!(script("[[hang]]").failure, Some(Failure::Silence));
    }

    #[test]
    fn a_spoiled_stream_gets_as_far_as_it_is_told() {
        assert_eq!(script("[[cut 7]]").fate, Fate::CutAfter(7));
        assert_eq!(script("[[cut]]").fate, Fate::CutAfter(3));
        assert_eq!(script("[[error-in-stream 0]]").fate, Fate::ErrorAfter(0));
        assert_eq!(script("[[hang 2]]").fate, Fate::SilentAfter(2));
    }

    #[test]
    fn times_are_written_with_their_unit() {
        assert_eq!(script("[[slow 50ms]]").pause, Duration::from_millis(50));
        assert_eq!(script("[[wait 2s]]").wait, Duration::from_secs(2));
    }

    #[test]
    fn a_tool_is_named_with_its_arguments_or_left_open() {
        assert_eq!(script("[[tool]]").tool, Some(ToolWish::default()));
        assert_eq!(
            script(r#"[[tool Bash {"command":"echo hi"}]]"#).tool,
            Some(ToolWish { name: Some("Bash".into()), arguments: Some(json!({"command": "echo hi"})) })
        );
    }

    #[test]
    fn dictated_counts_go_before_counted_ones() {
        let usage = script("[[usage input=10 cache_read=5 reasoning=2]]").usage.over(1, 7, 0);
        assert_eq!((usage.input_tokens, usage.output_tokens), (10, 7));
        assert_eq!((usage.cache_read_tokens, usage.reasoning_tokens), (5, 2));
    }

    #[test]
    fn a_wrong_argument_is_an_error_not_a_plain_answer() {
        for prompt in [
            "[[error]]",
            "[[error 200]]",
            "[[slow 50]]",
            "[[events many]]",
            "[[split 0]]",
            "[[cut x]]",
            "[[usage in=1]]",
        ] {
            assert!(read(prompt).unwrap_err().contains(prompt), "{prompt}");
        }
    }
}
