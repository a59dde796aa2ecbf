//! An export as CSV: RFC 4180, UTF-8, a heading first. Spreadsheets take what begins like a formula for one, so
//! such a text gets a quote in front (C-13); a number stays one, also below zero.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Write},
};

use super::columns::{COLUMNS, Cell};

/// What a formula begins with, also as wide as a Chinese character.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A file that is being written.
pub(super) struct CsvFile(csv::Writer<Counted>);

/// Where it goes, and how much went.
struct Counted {
    file: File,
    bytes: u64,
}

impl CsvFile {
    pub(super) fn begin(file: File) -> io::Result<Self> {
        let file = Counted { file, bytes: 0 };
        let mut csv = csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(file);
        csv.write_record(COLUMNS.map(|(heading, _)| heading))?;
        Ok(Self(csv))
    }

    pub(super) fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        for cell in cells {
            match cell {
                Cell::Empty => self.0.write_field("")?,
                Cell::Number(digits) => self.0.write_field(digits)?,
                Cell::Text(text) => self.0.write_field(defused(text).as_bytes())?,
            }
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.get_ref().bytes
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The text such that no spreadsheet takes it for a formula. What can't be seen in front of a formula does not
/// hide it.
fn defused(text: &str) -> Cow<'_, str> {
    let unseen = |char: char| {
        char.is_whitespace() || char.is_control() || matches!(char, '\u{feff}' | '\u{200b}'..='\u{200f}')
    };
    let formula = text.trim_start_matches(unseen).starts_with(FORMULA);
    // Some take the rest of such a text for another cell.
    let breaks = text.starts_with(['\t', '\r', '\n']);
    if formula || breaks { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_what_begins_like_a_formula_is_text() {
        for bad in [
            "=HYPERLINK(\"http://evil.example\",\"click\")",
            "+1+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "  =1",
            "\t=1",
            "\r=1",
            "\n=1",
            "\ttext",
            "\u{a0}=1",
            "\u{3000}＝1",
            "＝1",
            "＋1",
            "－1",
            "＠1",
            "\u{feff}=1",
            "\u{200b}=1",
            "\u{1}=1",
        ] {
            assert_eq!(defused(bad), format!("'{bad}"), "{bad:?}");
        }
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.csv");
        let mut file = CsvFile::begin(File::create(&path).unwrap()).unwrap();
        let mut cells = [const { Cell::Empty }; COLUMNS.len()];
        cells[0] = Cell::Number("-0.25".to_owned());
        cells[1] = Cell::Text("-0.25".to_owned());
        file.row(&cells).unwrap();
        file.finish().unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        let row = written.lines().nth(1).unwrap();
        assert!(row.starts_with("-0.25,'-0.25,,"), "a number stays one: {row}");
        for good in ["", "gpt-5", "claude-cli/2.0 (=1)", "1-2", "模型", "'=1", "a\tb", "019a-…"] {
            assert_eq!(defused(good), good);
        }
    }
}
