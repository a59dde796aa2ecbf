//! Tables for people: columns that point into JSON, and the way each kind of value is written.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use tabled::{
    builder::Builder,
    settings::{Padding, Style as Frame},
};

/// How the value of a column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    /// A span given in microseconds.
    Micros,
    /// A word that says how well something is.
    State,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    head: &'static str,
    /// A JSON pointer into the entry.
    at: &'static str,
    shape: Shape,
    wide: bool,
    /// The least width where rows come one by one.
    width: usize,
}

/// A column with what stands at `at`.
pub(super) const fn column(head: &'static str, at: &'static str) -> Column {
    Column { head, at, shape: Shape::Plain, wide: false, width: 8 }
}

impl Column {
    /// Only with `--wide`.
    pub(super) const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// A span given in microseconds.
    pub(super) const fn micros(mut self) -> Self {
        self.shape = Shape::Micros;
        self
    }

    /// A word that says how well something is.
    pub(super) const fn state(mut self) -> Self {
        self.shape = Shape::State;
        self
    }

    /// At least so wide where rows come one by one.
    pub(super) const fn at_least(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    fn written(&self, entry: &Value, colour: bool) -> String {
        let value = entry.pointer(self.at);
        match self.shape {
            Shape::Plain => plain(value),
            Shape::Micros => value.and_then(Value::as_u64).map_or_else(|| "-".to_owned(), micros),
            Shape::State => state(&plain(value), colour),
        }
    }
}

/// Entries as a table.
pub(super) fn rows(entries: &[Value], columns: &[Column], wide: bool, headers: bool, colour: bool) -> String {
    let shown: Vec<&Column> = columns.iter().filter(|column| wide || !column.wide).collect();
    let mut table = Builder::default();
    if headers {
        table.push_record(shown.iter().map(|column| bold(column.head, colour)));
    }
    for entry in entries {
        table.push_record(shown.iter().map(|column| column.written(entry, colour)));
    }
    if !headers && entries.is_empty() {
        return String::new();
    }
    aligned(table)
}

/// The same for entries that come one by one: columns have widths of their own.
pub(super) fn rows_of_width(
    entries: &[Value],
    columns: &[Column],
    wide: bool,
    headers: bool,
    colour: bool,
) -> String {
    let shown: Vec<&Column> = columns.iter().filter(|column| wide || !column.wide).collect();
    let line = |cells: Vec<(String, usize)>| {
        let padded: Vec<String> = cells.into_iter().map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = Vec::new();
    if headers {
        let head = line(shown.iter().map(|column| (column.head.to_owned(), column.width)).collect());
        lines.push(bold(&head, colour));
    }
    for entry in entries {
        lines.push(line(shown.iter().map(|column| (column.written(entry, false), column.width)).collect()));
    }
    lines.join("\n")
}

/// One thing as lines of name and value, the members of its objects with dotted names.
pub(super) fn pairs(thing: &Value, colour: bool) -> String {
    let mut found = Vec::new();
    flatten("", thing, &mut found);
    let mut table = Builder::default();
    for (name, value) in found {
        table.push_record([bold(&name, colour), value]);
    }
    aligned(table)
}

fn flatten(prefix: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{prefix}[{index}]"), value, found);
            }
        }
        other => found.push((prefix.to_owned(), plain(Some(other)))),
    }
}

fn aligned(table: Builder) -> String {
    let mut table = table.build();
    table.with(Frame::empty()).with(Padding::new(0, 2, 0, 0));
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// A value as people read it.
pub(super) fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Bool(truth)) => if *truth { "yes" } else { "no" }.to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| plain(Some(item))).collect::<Vec<_>>().join(","),
        Some(Value::Object(members)) if members.is_empty() => "-".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// Text from elsewhere must not move the cursor or begin a line: names and user agents are anyone's.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn micros(span: u64) -> String {
    match span {
        0..1_000 => format!("{span}us"),
        1_000..1_000_000 => format!("{}.{}ms", span / 1_000, span % 1_000 / 100),
        _ => format!("{}.{}s", span / 1_000_000, span % 1_000_000 / 100_000),
    }
}

fn bold(text: &str, colour: bool) -> String {
    let style = Style::new().bold();
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A word in the colour of what it says.
pub(super) fn state(word: &str, colour: bool) -> String {
    if !colour || word == "-" {
        return word.to_owned();
    }
    let hue = match word {
        "running" | "closed" | "ok" | "ready" | "complete" | "yes" => AnsiColor::Green,
        "half_open" | "degraded" | "warning" | "draining" | "caller_left" => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    let style = hue.on_default();
    format!("{style}{word}{style:#}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let columns =
            [column("NAME", "/name"), column("AT", "/deep/at").micros(), column("NOTE", "/note").wide()];
        let entries =
            [json!({"name": "a", "deep": {"at": 1_234_567}}), json!({"name": "longer", "note": "x"})];
        assert_eq!(rows(&entries, &columns, false, true, false), "NAME    AT\na       1.2s\nlonger  -");
        assert_eq!(rows(&entries, &columns, true, false, false), "a       1.2s  -\nlonger  -     x");
        assert_eq!(rows(&[], &columns, false, false, false), "");
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let columns = [column("STATE", "/state").state(), column("NAME", "/name")];
        let shown = rows(&[json!({"state": "open", "name": "x"})], &columns, false, false, true);
        assert_eq!(shown, "\u{1b}[31mopen\u{1b}[0m  x");
    }

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        assert_eq!(plain(Some(&json!("a\u{1b}[2Jb\nc"))), "a\u{fffd}[2Jb\u{fffd}c");
    }

    #[test]
    fn one_thing_is_told_with_dotted_names() {
        let thing = json!({"id": 1, "limits": {"rpm": null}, "groups": ["a", "b"], "tries": [{"ok": true}]});
        assert_eq!(
            pairs(&thing, false),
            "id           1\nlimits.rpm   -\ngroups       a,b\ntries[0].ok  yes"
        );
    }
}
