//! Rules about the programs that callers use: a list of those that may be, and one of those that may not.
//!
//! A pattern is one of the names below, or a part of the user agent, or with `*` in it the whole of one. Case, `-`
//! and `_` do not count. Patterns are few and short, are taken apart when they are read, and are matched in time
//! that grows with the length of the user agent (C-14).

use std::fmt;

use protocol::{Client, client::folded};
use serde::{Deserialize, Serialize};

/// The most patterns of a list.
pub const MOST: usize = 50;
/// The longest pattern, in characters.
pub const LONGEST: usize = 64;

/// Names for Claude Code, which is known by more than its user agent, and where it is run from; both [`folded`].
const CLAUDE_CODE: [(&str, Option<&str>); 7] = [
    ("claudecode", None),
    ("claudecodecli", Some("cli")),
    ("claudecodeclisdk", Some("sdkcli")),
    ("claudecodevscode", Some("claudevscode")),
    ("claudecodesdkts", Some("sdkts")),
    ("claudecodesdkpy", Some("sdkpy")),
    ("claudecodeghaction", Some("claudecodegithubaction")),
];

/// Names of programs whose user agents have other names; both [`folded`].
const ALIASES: [(&str, &str); 2] = [("codexcli", "codex*"), ("droidcli", "factorycli/*")];

/// Which programs may be used. What is blocked is, whatever is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientRules {
    /// Those that may be; none means all.
    pub allowed: Vec<ClientPattern>,
    /// Those that may not.
    pub blocked: Vec<ClientPattern>,
}

impl ClientRules {
    /// Whether every program may be used.
    #[must_use]
    pub fn admit_all(&self) -> bool {
        self.allowed.is_empty() && self.blocked.is_empty()
    }

    /// Whether this program may be used.
    #[must_use]
    pub fn admit(&self, client: &Client) -> bool {
        let fits = |pattern: &ClientPattern| pattern.fits(client);
        !self.blocked.iter().any(fits) && (self.allowed.is_empty() || self.allowed.iter().any(fits))
    }
}

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientPattern {
    text: String,
    meaning: Meaning,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    /// Claude Code, run from there or from anywhere.
    ClaudeCode(Option<&'static str>),
    /// A part of the user agent.
    Part(String),
    /// What the user agent begins with, has in it in that order, and ends with.
    Whole { begins: String, between: Vec<String>, ends: String },
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPattern {
    /// Nothing, or too much.
    #[error("must have 1 to {LONGEST} characters")]
    Length,
    /// It would match what has no such name in it.
    #[error("must be printable ASCII with a letter, a digit or `*` in it")]
    Letters,
}

impl ClientPattern {
    /// Takes a pattern apart.
    ///
    /// # Errors
    /// [`NoPattern`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NoPattern> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(NoPattern::Length);
        }
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !printable || !text.bytes().any(|byte| byte.is_ascii_alphanumeric() || byte == b'*') {
            return Err(NoPattern::Letters);
        }
        Ok(Self { text: text.to_owned(), meaning: Meaning::of(&folded(text)) })
    }

    /// Whether it means this program. One that does not name itself is meant by none.
    #[must_use]
    pub fn fits(&self, client: &Client) -> bool {
        let name = client.name();
        !name.is_empty()
            && match &self.meaning {
                Meaning::ClaudeCode(from) => {
                    client.claude_code().is_some_and(|run_from| from.is_none_or(|from| from == run_from))
                }
                Meaning::Part(part) => name.contains(part.as_str()),
                Meaning::Whole { begins, between, ends } => is_made_of(name, begins, between, ends),
            }
    }
}

impl Meaning {
    fn of(name: &str) -> Self {
        if let Some((_, from)) = CLAUDE_CODE.iter().find(|(known, _)| *known == name) {
            return Self::ClaudeCode(*from);
        }
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, pattern)| pattern);
        match name.split_once('*') {
            None => Self::Part(name.to_owned()),
            Some((begins, rest)) => {
                let mut between: Vec<_> = rest.split('*').map(str::to_owned).collect();
                let ends = between.pop().unwrap_or_default();
                Self::Whole { begins: begins.to_owned(), between, ends }
            }
        }
    }
}

/// What stands between is looked for from the left, each behind the one before: never twice at the same place.
fn is_made_of(name: &str, begins: &str, between: &[String], ends: &str) -> bool {
    let inner = name.strip_prefix(begins).and_then(|rest| rest.strip_suffix(ends));
    let behind = |rest: &'_ str, part: &String| rest.find(part.as_str()).map(|at| at + part.len());
    let last = inner.and_then(|inner| {
        between.iter().try_fold(0, |at, part| behind(&inner[at..], part).map(|further| at + further))
    });
    last.is_some()
}

impl fmt::Display for ClientPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for ClientPattern {
    type Error = NoPattern;

    fn try_from(text: String) -> Result<Self, NoPattern> {
        Self::parse(&text)
    }
}

impl From<ClientPattern> for String {
    fn from(pattern: ClientPattern) -> Self {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AGENT: &str = "claude-cli/2.1.329 (external, sdk-cli)";

    #[track_caller]
    fn check(pattern: &str, agent: &str, expected: bool) {
        let pattern = ClientPattern::parse(pattern).unwrap();
        assert_eq!(pattern.fits(&Client::like(agent)), expected, "{pattern} {agent}");
    }

    #[test]
    fn names_mean_programs_by_what_those_call_themselves() {
        const ALL: [&str; 8] = [
            AGENT,
            "claude-cli/2.1.329 (external, cli)",
            "claude-cli/2.1.329 (external, claude-code-github-action)",
            "codex_cli_rs/0.4",
            "codex_exec/0.9 (Linux)",
            "GeminiCLI/0.1.0/gemini-2.5-pro (linux; x64)",
            "factory-cli/0.32.1",
            "",
        ];
        for (pattern, expected) in [
            ("claude-code", &ALL[..3]),
            ("Claude_Code", &ALL[..3]),
            ("claude-code-cli-sdk", &ALL[..1]),
            ("claude-code-cli", &ALL[1..2]),
            ("claude-code-gh-action", &ALL[2..3]),
            ("codex-cli", &ALL[3..5]),
            ("codex_exec", &ALL[4..5]),
            ("gemini_cli", &ALL[5..6]),
            ("droid_cli", &ALL[6..7]),
        ] {
            ALL.iter().for_each(|agent| check(pattern, agent, expected.contains(agent)));
        }
        let pretender = Client::of(AGENT, &|_| None);
        assert!(!ClientPattern::parse("claude-code").unwrap().fits(&pretender));
        assert!(ClientPattern::parse("claude-cli").unwrap().fits(&pretender), "its words are its words");
    }

    #[test]
    fn a_part_is_found_anywhere_and_a_star_makes_it_the_whole() {
        check("my-tool", "acme MyTool/2", true);
        check("my tool", "mytool/2", false);
        check("tool/2*", "acme tool/2", false);
        check("*tool/2", "acme tool/2", true);
        check("*tool/2", "acme tool/2.1", false);
        check("a*b*c", "a-b-c", true);
        check("a*b*c", "acb", false);
        check("a*bc*c", "abc", false);
        check("aa*aa", "aaa", false);
        check("*", "anything", true);
        check("**", "anything", true);
        check("*", "", false);
        check("curl", "", false);
    }

    #[test]
    fn c14_a_pattern_is_short_and_means_something() {
        for text in ["", "-", "_-_", "/", " ", "é", "a\n", "a\u{0}"] {
            assert!(ClientPattern::parse(text).is_err(), "{text:?}");
        }
        assert!(ClientPattern::parse(&"a".repeat(LONGEST)).is_ok());
        assert_eq!(ClientPattern::parse(&"a".repeat(LONGEST + 1)), Err(NoPattern::Length));
    }

    #[test]
    fn c14_a_heavy_pattern_costs_no_more_than_its_text_is_long() {
        // By trying all ways this one would take longer than the world is old.
        let pattern = ClientPattern::parse(&"a*".repeat(LONGEST / 2 - 1)).unwrap();
        let pattern = ClientPattern::parse(&format!("{pattern}b")).unwrap();
        assert!(!pattern.fits(&Client::like(&"a".repeat(512))));
        assert!(pattern.fits(&Client::like(&format!("{}b", "a".repeat(511)))));
    }

    #[test]
    fn what_is_blocked_is_blocked_whatever_is_allowed() {
        let patterns = |list: &[&str]| list.iter().map(|text| ClientPattern::parse(text).unwrap()).collect();
        let admits = |allowed: &[&str], blocked: &[&str], agent: &str| {
            let rules = ClientRules { allowed: patterns(allowed), blocked: patterns(blocked) };
            rules.admit(&Client::like(agent))
        };
        assert!(admits(&[], &[], ""));
        assert!(admits(&[], &["curl"], "") && !admits(&["curl"], &[], ""));
        assert!(admits(&["codex-cli"], &["codex_exec"], "codex_cli_rs/1"));
        assert!(!admits(&["codex-cli"], &["codex_exec"], "codex_exec/1"));
    }

    /// Whether a pattern matches, by trying all ways.
    fn tried(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|at| tried(rest, &name[at..])),
            Some((letter, rest)) => name.first() == Some(letter) && tried(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_star_matches_as_trying_all_ways_does(pattern in "[ab*]{0,3}\\*[ab*]{0,4}", name in "[ab]{1,8}") {
            let parsed = ClientPattern::parse(&pattern).unwrap();
            prop_assert_eq!(parsed.fits(&Client::like(&name)), tried(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn c14_nothing_that_is_typed_or_sent_makes_it_panic(pattern in "\\PC{0,80}", agent in "\\PC{0,200}") {
            if let Ok(pattern) = ClientPattern::parse(&pattern) {
                let _ = pattern.fits(&Client::of(&agent, &|_| Some("cli")));
            }
        }
    }
}
