//! What may stand in a line as it is, and what only as an escape (C-26).

/// Control characters, line ends of every kind among them, and marks that turn the writing direction.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is harmful, as people write it in programs.
pub(super) fn escaped(message: &str) -> String {
    replaced(message, |c, safe| safe.extend(c.escape_unicode()))
}

/// What is harmful in a JSON document, as JSON has it. Such characters only stand within texts there.
pub(super) fn json_escaped(document: &str) -> String {
    replaced(document, |c, safe| *safe += &format!("\\u{:04x}", u32::from(c)))
}

fn replaced(text: &str, replace: impl Fn(char, &mut String)) -> String {
    if !text.chars().any(is_harmful) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len() + 16), |mut safe, c| {
        if is_harmful(c) {
            replace(c, &mut safe);
        } else {
            safe.push(c);
        }
        safe
    })
}
