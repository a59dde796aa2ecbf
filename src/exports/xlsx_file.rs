//! An export as a workbook, on as many sheets as it needs. Texts are written as texts, so none is a formula (C-13).
//!
//! Rows go to an unnamed file beside it as they come, so that memory does not grow with them, and are packed at
//! the end.

use std::{fs::File, io, path::Path};

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::columns::{COLUMNS, Cell};

/// Rows a sheet can hold, by its format; the first is the heading.
const ROWS_OF_SHEET: u32 = 1_048_576;
/// UTF-16 units a cell can hold, by its format.
const UNITS_OF_CELL: usize = 32_767;
/// What stands around the content of a cell in the unpacked file, about.
const AROUND_A_CELL: u64 = 40;
/// How wide a column is shown, in characters.
const WIDTH: f64 = 16.0;

/// A workbook that is being written.
pub(super) struct XlsxFile {
    workbook: Workbook,
    file: File,
    sheets: usize,
    /// The next row of the last sheet.
    row: u32,
    /// What lies on the disk unpacked, about.
    bytes: u64,
    rows_of_sheet: u32,
}

impl XlsxFile {
    /// One that will be in `file`, with its rows in the meantime in `directory`.
    pub(super) fn begin(file: File, directory: &Path) -> io::Result<Self> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(directory).map_err(failed)?;
        let mut book = Self { workbook, file, sheets: 0, row: 0, bytes: 0, rows_of_sheet: ROWS_OF_SHEET };
        book.turn_over()?;
        Ok(book)
    }

    pub(super) fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        if self.row == self.rows_of_sheet {
            self.turn_over()?;
        }
        let sheet = self.workbook.worksheet_from_index(self.sheets - 1).map_err(failed)?;
        for (column, cell) in (0..).zip(cells) {
            self.bytes += put(sheet, self.row, column, cell).map_err(failed)?;
        }
        self.row += 1;
        Ok(())
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packs it, which takes a while.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.workbook.save_to_writer(self.file).map_err(failed)
    }

    /// The next sheet.
    fn turn_over(&mut self) -> io::Result<()> {
        self.sheets += 1;
        let sheet = self.workbook.add_worksheet_with_constant_memory().map_err(failed)?;
        head(sheet, self.sheets).map_err(failed)?;
        self.row = 1;
        Ok(())
    }
}

fn head(sheet: &mut Worksheet, number: usize) -> Result<(), XlsxError> {
    sheet.set_name(if number == 1 { "requests".to_owned() } else { format!("requests {number}") })?;
    sheet.set_freeze_panes(1, 0)?;
    let bold = Format::new().set_bold();
    for (column, (heading, _)) in (0..).zip(COLUMNS) {
        sheet.set_column_width(column, WIDTH)?;
        sheet.write_string_with_format(0, column, heading, &bold)?;
    }
    Ok(())
}

/// Writes a cell, and says how much that took.
fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell) -> Result<u64, XlsxError> {
    let content = match cell {
        Cell::Empty => return Ok(0),
        Cell::Number(digits) => {
            match as_number(digits) {
                Some(number) => sheet.write_number(row, column, number)?,
                None => sheet.write_string(row, column, digits)?,
            };
            digits.len()
        }
        Cell::Text(text) => {
            let text = fitting(text);
            sheet.write_string(row, column, text)?;
            text.len()
        }
    };
    Ok(content as u64 + AROUND_A_CELL)
}

/// The number a workbook can hold, where it says the same digits. Of an amount with more of them than that, text
/// keeps every one (I-06).
fn as_number(digits: &str) -> Option<f64> {
    digits.parse::<f64>().ok().filter(|number| number.to_string() == digits)
}

/// As much of the text as a cell can hold.
fn fitting(text: &str) -> &str {
    let mut units = 0;
    let beyond = text.char_indices().find(|(_, char)| {
        units += char.len_utf16();
        units > UNITS_OF_CELL
    });
    beyond.map_or(text, |(at, _)| &text[..at])
}

fn failed(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_one_where_it_keeps_its_digits() {
        for digits in ["0", "-0.25", "0.000000000001", "999.999999999999", "9007199254740992"] {
            assert_eq!(as_number(digits).map(|number| number.to_string()).as_deref(), Some(digits));
        }
        for digits in ["9007199254740993", "1234567.123456789012", "0.1234567890123456789"] {
            assert_eq!(as_number(digits), None);
        }
    }

    #[test]
    fn a_text_too_long_for_a_cell_is_cut_between_characters() {
        assert_eq!(fitting("模型"), "模型");
        assert_eq!(fitting(&"a".repeat(40_000)).len(), UNITS_OF_CELL);
        // Each of these takes two units.
        assert_eq!(fitting(&"😀".repeat(40_000)).chars().count(), UNITS_OF_CELL / 2);
    }

    #[test]
    fn what_does_not_fit_on_a_sheet_goes_on_on_another() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.xlsx");
        let mut book = XlsxFile::begin(File::create(&path).unwrap(), home.path()).unwrap();
        book.rows_of_sheet = 3;
        for row in 0..5 {
            book.row(&[Cell::Text("=1+1".to_owned()), Cell::Empty, Cell::Number(row.to_string())]).unwrap();
        }
        assert!(book.bytes() > 5 * AROUND_A_CELL);
        book.finish().unwrap();
        let book = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
        let names: Vec<_> = book.file_names().map(Result::unwrap).collect();
        assert_eq!(names.iter().filter(|name| name.starts_with("xl/worksheets/sheet")).count(), 3);
    }
}
