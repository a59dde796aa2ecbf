//! The file an export is written to, of either kind.

use std::{fs::File, io, path::Path};

use actors::exports::shelf::FileFormat;

use super::{columns::Cell, csv_file::CsvFile, xlsx_file::XlsxFile};

/// A file that is being written.
pub(super) enum Paper {
    Csv(Box<CsvFile>),
    Xlsx(Box<XlsxFile>),
}

impl Paper {
    /// Begins with the heading. What it needs in the meantime lies in `directory`.
    pub(super) fn begin(format: FileFormat, file: File, directory: &Path) -> io::Result<Self> {
        Ok(match format {
            FileFormat::Csv => Self::Csv(Box::new(CsvFile::begin(file)?)),
            FileFormat::Xlsx => Self::Xlsx(Box::new(XlsxFile::begin(file, directory)?)),
        })
    }

    pub(super) fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        match self {
            Self::Csv(file) => file.row(cells),
            Self::Xlsx(file) => file.row(cells),
        }
    }

    /// What lies on the disk by now, about.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Csv(file) => file.bytes(),
            Self::Xlsx(file) => file.bytes(),
        }
    }

    /// Writes what is left. May take a while.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv(file) => file.finish(),
            Self::Xlsx(file) => file.finish(),
        }
    }
}
