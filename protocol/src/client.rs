//! Which program is asking, by what it says of itself.
//!
//! A user agent is a claim and no proof: whoever wants to be taken for another program is. What rules about programs
//! keep is order among those who mean well.

/// What the user agent of Claude Code begins with, as [`folded`].
const CLAUDE_CODE: &str = "claudecli/";

/// A text as names of programs are compared: case, `-` and `_` do not count.
#[must_use]
pub fn folded(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// The program behind a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    name: String,
    is_claude_code: bool,
}

impl Client {
    /// The one with this user agent, which is empty where there was none. `header` looks a header up by its
    /// lower-case name: what is taken for Claude Code has all its marks, the user agent, `x-app: cli` and the betas.
    pub fn of<'h>(user_agent: &str, header: &dyn Fn(&str) -> Option<&'h str>) -> Self {
        let named = Self::like(user_agent);
        let marked = header("x-app") == Some("cli") && header("anthropic-beta").is_some();
        Self { is_claude_code: named.is_claude_code && marked, ..named }
    }

    /// One with this user agent and whatever else programs of that name send.
    #[must_use]
    pub fn like(user_agent: &str) -> Self {
        let name = folded(user_agent.trim());
        let is_claude_code = name.starts_with(CLAUDE_CODE);
        Self { name, is_claude_code }
    }

    /// The whole user agent, [`folded`]; empty where there was none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where Claude Code is run from, [`folded`], such as `cli` or `sdkpy`; none for other programs.
    #[must_use]
    pub fn claude_code(&self) -> Option<&str> {
        if !self.is_claude_code {
            return None;
        }
        // claude-cli/2.1.329 (external, sdk-cli)
        let (_, run_from) = self.name.split_once("(external, ").unwrap_or_default();
        Some(run_from.split([',', ')']).next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "claude-cli/2.1.329 (external, sdk-cli)";

    #[test]
    fn what_is_taken_for_claude_code_has_all_its_marks() {
        let seen = |agent: &str, headers: &[(&str, &'static str)]| {
            let header =
                |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            Client::of(agent, &header).claude_code().map(str::to_owned)
        };
        let marks = [("x-app", "cli"), ("anthropic-beta", "claude-code-20250219")];
        assert_eq!(seen(AGENT, &marks).as_deref(), Some("sdkcli"));
        assert_eq!(seen("Claude-CLI/1.0", &marks).as_deref(), Some(""));
        assert_eq!(
            seen("claude-cli/2 (external, claude-vscode, agent)", &marks).as_deref(),
            Some("claudevscode")
        );
        assert_eq!(seen(AGENT, &marks[..1]), None);
        assert_eq!(seen(AGENT, &marks[1..]), None);
        assert_eq!(seen(AGENT, &[("x-app", "other"), marks[1]]), None);
        assert_eq!(seen("curl/8.5.0 claude-cli/2", &marks), None);
        assert_eq!(Client::like(AGENT).claude_code(), Some("sdkcli"), "as far as one can be like it");
    }

    #[test]
    fn case_and_dashes_do_not_count() {
        assert_eq!(Client::like(" Codex_CLI-rs/0.4 ").name(), "codexclirs/0.4");
        assert_eq!(Client::default().name(), "");
    }
}
