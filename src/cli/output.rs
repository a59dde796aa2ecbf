//! How answers are shown: as tables for people, or as the API said them.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{
    exit::{Done, Exit, Failure},
    remote::{Format, Remote},
    table::{self, Column},
};

/// Where answers go, and in which form.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) format: Format,
    pub(super) quiet: bool,
    headers: bool,
    wide: bool,
    colour: bool,
}

/// A page of a list, its entries as they came.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Page {
    pub(super) items: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(super) next_cursor: Option<String>,
}

impl Output {
    /// As the options say; colours only for a terminal, and never against `NO_COLOR`.
    pub(super) fn new(remote: &Remote) -> Self {
        let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never && io::stdout().is_terminal();
        Self {
            format: remote.output,
            quiet: remote.quiet,
            headers: !remote.no_headers,
            wide: remote.wide,
            colour,
        }
    }

    /// A list, with `name` pointing to what names an entry.
    pub(super) fn list(&self, body: &[u8], columns: &[Column], name: &str) -> Done {
        match self.format {
            Format::Json => print(body),
            Format::Yaml => print(yaml(body)?.as_bytes()),
            Format::Ndjson => {
                let lines: Vec<String> = page(body)?.items.iter().map(|item| one_line(item.get())).collect();
                if lines.is_empty() { Ok(()) } else { print(lines.join("\n").as_bytes()) }
            }
            Format::Name => {
                let names: Vec<String> =
                    values(body)?.iter().map(|item| table::plain(item.pointer(name))).collect();
                if names.is_empty() { Ok(()) } else { print(names.join("\n").as_bytes()) }
            }
            Format::Table => {
                let page = page(body)?;
                self.rows(&values(body)?, columns)?;
                if let Some(cursor) = page.next_cursor {
                    self.note(&format!("there is more: --all, or --cursor {cursor}"));
                }
                Ok(())
            }
        }
    }

    /// One thing, with `name` pointing to what names it.
    pub(super) fn object(&self, body: &[u8], name: &str) -> Done {
        match self.format {
            Format::Json => print(body),
            Format::Yaml => print(yaml(body)?.as_bytes()),
            Format::Ndjson => print(one_line(&String::from_utf8_lossy(body)).as_bytes()),
            Format::Name => print(table::plain(parsed(body)?.pointer(name)).as_bytes()),
            Format::Table => print(table::pairs(&parsed(body)?, self.colour).as_bytes()),
        }
    }

    /// Rows without a page around them.
    pub(super) fn rows(&self, items: &[Value], columns: &[Column]) -> Done {
        print(table::rows(items, columns, self.wide, self.headers, self.colour).as_bytes())
    }

    /// Entries as they come, one after the other; the first time with headings.
    pub(super) fn follow(
        &self,
        items: &[Box<RawValue>],
        columns: &[Column],
        name: &str,
        first: bool,
    ) -> Done {
        for item in items {
            let value: Value = parsed(item.get().as_bytes())?;
            match self.format {
                Format::Table => {}
                Format::Name => print(table::plain(value.pointer(name)).as_bytes())?,
                Format::Yaml => print(format!("---\n{}", yaml(item.get().as_bytes())?).as_bytes())?,
                Format::Json | Format::Ndjson => print(one_line(item.get()).as_bytes())?,
            }
        }
        if self.format != Format::Table || (items.is_empty() && !first) {
            return Ok(());
        }
        let values: Result<Vec<Value>, Failure> =
            items.iter().map(|item| parsed(item.get().as_bytes())).collect();
        let text = table::rows_of_width(&values?, columns, self.wide, self.headers && first, self.colour);
        print(text.as_bytes())
    }

    /// Whether words may be coloured.
    pub(super) const fn colour(&self) -> bool {
        self.colour
    }

    /// What people may want to know beside the answer.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            // If nobody hears it there is nothing else to do about it.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Something that is ours and not the API's, in the wanted form.
    pub(super) fn own(&self, value: &impl Serialize, name: &str) -> Done {
        let body = serde_json::to_vec(value).map_err(|error| Failure::new(Exit::No, error))?;
        self.object(&body, name)
    }
}

/// Writes to standard output, and ends the line.
pub(super) fn print(text: &[u8]) -> Done {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    if !text.is_empty() && !text.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// A page as it came.
pub(super) fn page(body: &[u8]) -> Result<Page, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::new(Exit::No, "the answer is not a list"))
}

fn values(body: &[u8]) -> Result<Vec<Value>, Failure> {
    page(body)?.items.iter().map(|item| parsed(item.get().as_bytes())).collect()
}

fn parsed(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::new(Exit::No, "the answer is not JSON"))
}

/// YAML of JSON. Money is text here as there, and stands in quotes where it looks like a number.
fn yaml(body: &[u8]) -> Result<String, Failure> {
    serde_norway::to_string(&parsed(body)?).map_err(|error| Failure::new(Exit::No, error))
}

/// JSON without the ends of lines that only make it look nice; in JSON none stands within a text.
fn one_line(json: &str) -> String {
    json.lines().map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::{one_line, yaml};

    #[test]
    fn money_stays_text_in_yaml() {
        let shown = yaml(br#"{"cost_usd": "1.10", "count": 3, "none": null}"#).unwrap();
        assert_eq!(shown, "cost_usd: '1.10'\ncount: 3\nnone: null\n");
    }

    #[test]
    fn what_is_written_over_many_lines_becomes_one() {
        assert_eq!(one_line("{\n  \"a\": 1.10\n}"), "{\"a\": 1.10}");
    }
}
