//! The writing of one export: waits for its turn, copies page by page, and rests as long as each took, so that
//! whoever is served notices little of it.

use std::{io, time::Duration};

use actors::{
    exports::{
        Clerk, Pass,
        messages::{Ended, Turn},
        shelf::{FileFormat, Halt, Written},
    },
    ids::ExportId,
    supervisor::Mailbox,
};
use tempfile::NamedTempFile;
use tokio::time::{Instant, sleep};

use super::{columns::COLUMNS, files::Files, lines::Lines, paper::Paper};
use crate::store::StoreError;

/// The longest rest between two pages, whatever they took.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// One that is to be written.
pub(super) struct Copying {
    pub(super) id: ExportId,
    pub(super) format: FileFormat,
    pub(super) lines: Lines,
    pub(super) files: Files,
    pub(super) clerk: Mailbox<Clerk>,
}

/// Why there is no file. What is shown tells nothing of the machine.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Halted(#[from] Halt),
    #[error("the disk is nearly full")]
    DiskLow,
    #[error("the file could not be written; the log says why")]
    File(#[from] io::Error),
    #[error("the database did not answer; the log says more")]
    Store(#[from] StoreError),
}

impl Copying {
    /// Writes it to its end. Only what is whole gets its name.
    pub(super) async fn run(mut self) {
        let id = self.id;
        let Ok(pass) = self.clerk.ask(Turn(id)).await else {
            // It was cancelled, which is told already, or the clerk lost the question.
            return self.clerk.tell(Ended { id, end: Err("its turn never came".to_owned()) });
        };
        match self.write(&pass).await {
            Ok(written) => pass.end(Ok(written)),
            Err(failure) => {
                if !matches!(failure, Failure::Halted(_)) {
                    log::warn!("export {id} came to nothing: {failure} ({failure:?})");
                }
                self.files.remove(id, self.format);
                pass.end(Err(failure.to_string()));
            }
        }
    }

    async fn write(&mut self, pass: &Pass) -> Result<Written, Failure> {
        let mut written = Written { expected: Some(self.lines.count().await?), ..Written::default() };
        pass.went(written).await?;
        // Without a name of its own it goes by itself, also when this breaks off.
        let file = self.files.begin()?;
        let mut paper = Paper::begin(self.format, file.reopen()?, self.files.directory())?;
        let mut began = Instant::now();
        while let Some(lines) = self.lines.page().await? {
            if !self.files.has_room()? {
                return Err(Failure::DiskLow);
            }
            for line in &lines {
                paper.row(&COLUMNS.map(|(_, cell)| cell(line)))?;
            }
            written.rows += lines.len() as u64;
            written.bytes = paper.bytes();
            pass.went(written).await?;
            sleep(began.elapsed().min(LONGEST_REST)).await;
            began = Instant::now();
        }
        self.finish(paper, file, written, pass).await
    }

    async fn finish(
        &self,
        paper: Paper,
        file: NamedTempFile,
        mut written: Written,
        pass: &Pass,
    ) -> Result<Written, Failure> {
        let finished = tokio::task::spawn_blocking(move || paper.finish()).await;
        finished.map_err(io::Error::other)??;
        written.bytes = file.as_file().metadata()?.len();
        self.files.keep(file, self.id, self.format)?;
        // Whoever removes it from here on finds the file; whoever did before is heard of now.
        pass.went(written).await?;
        Ok(written)
    }
}
