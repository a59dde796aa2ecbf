//! The family of a model: its name without date, snapshot and variant marks, so that a conversation
//! stays in one place when only the snapshot changes. When in doubt, names stay apart.

/// The family of a model, as a part of its name.
///
/// `claude-sonnet-4-5-20250929` is of `claude-sonnet-4-5`, `gpt-4o-2024-08-06` of `gpt-4o`; `gpt-5`
/// and `gpt-5-mini` are families of their own.
#[must_use]
pub fn family(model: &str) -> &str {
    let mut name = model.strip_prefix("models/").unwrap_or(model);
    // `claude-sonnet-4-5[1m]`, `claude-sonnet-4-5@20250929`
    if let Some(at) = name.find(['[', '@']).filter(|at| *at > 0) {
        name = &name[..at];
    }
    loop {
        match without_mark(name) {
            Some(shorter) if !shorter.is_empty() => name = shorter,
            _ => return name,
        }
    }
}

/// The name without its last mark, if it ends in one.
fn without_mark(name: &str) -> Option<&str> {
    if let Some(shorter) = name.strip_suffix("-latest") {
        return Some(shorter);
    }
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (rest, last) = name.rsplit_once('-')?;
    // A day in eight digits, or a numbered snapshot of Gemini.
    if (digits(last, 8) && last.starts_with("20")) || (digits(last, 3) && last.starts_with('0')) {
        return Some(rest);
    }
    // A day as month and day, as OpenAI's older snapshots have it (`gpt-4-0613`).
    if digits(last, 4) && is_day(&last[..2], &last[2..]) {
        return Some(rest);
    }
    // `2024-08-06`, `preview-05-06`
    let (rest, month) = rest.rsplit_once('-')?;
    if !digits(last, 2) || !digits(month, 2) || !is_day(month, last) {
        return None;
    }
    match rest.rsplit_once('-') {
        Some((rest, year)) if digits(year, 4) && year.starts_with("20") => Some(rest),
        Some((_, "preview" | "exp")) => Some(rest),
        _ => None,
    }
}

fn is_day(month: &str, day: &str) -> bool {
    let within = |text: &str, last| text.parse::<u8>().is_ok_and(|number| (1..=last).contains(&number));
    within(month, 12) && within(day, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_snapshots_fall_away() {
        for (model, expected) in [
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
            ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5"),
            ("claude-opus-4-1@20250805", "claude-opus-4-1"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4-0613", "gpt-4"),
            ("gemini-2.0-flash-001", "gemini-2.0-flash"),
            ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro-preview"),
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ] {
            assert_eq!(family(model), expected, "{model}");
            assert_eq!(family(expected), expected, "a family is its own family");
        }
    }

    #[test]
    fn what_is_another_model_stays_another_family() {
        for apart in [
            ["claude-opus-4-1", "claude-sonnet-4-5"],
            ["claude-sonnet-4-5", "claude-sonnet-4"],
            ["claude-sonnet-4-5", "claude-haiku-4-5"],
            ["gpt-5", "gpt-5-mini"],
            ["gpt-5", "gpt-5-codex"],
            ["gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"],
            ["gemini-2.5-pro", "gemini-2.5-flash"],
            ["llama3-70b-8192", "llama3-8b-8192"],
        ] {
            assert_ne!(family(apart[0]), family(apart[1]), "{apart:?}");
        }
        assert_eq!(family("20250929"), "20250929");
        assert_eq!(family("-latest"), "-latest");
        assert_eq!(family(""), "");
    }
}
