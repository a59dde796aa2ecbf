//! `request export`: has the server write a file of its log, watches over it, and brings it here.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use awc::http::Method;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{
    backup::draft,
    desk::Desk,
    exit::{Done, Exit, Failure},
    filters::{Filter, Period, members},
    progress,
    stop::Stop,
};

/// How often is looked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a server may be away before it counts as gone, with all of its exports.
const PATIENCE: Duration = Duration::from_secs(60);

/// What sort of file.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileFormat {
    /// Text with commas.
    Csv,
    /// A workbook.
    Xlsx,
}

/// Which file, and what goes into it.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Where it goes.
    file: PathBuf,
    /// What sort of file [default: as its name ends].
    #[arg(long)]
    format: Option<FileFormat>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    period: Period,
}

/// How far it is, as the API says it.
#[derive(Debug, Deserialize)]
struct View {
    id: String,
    state: String,
    rows_written: u64,
    rows_expected: Option<u64>,
    bytes: u64,
    error: Option<String>,
}

impl Export {
    pub(super) async fn run(self, desk: &Desk) -> Done {
        let draft = draft(&self.file, self.force)?;
        let order = self.order(desk).await?;
        // From here on an interrupt is ours: what runs on the server is not left behind.
        let mut stop = Stop::listen()?;
        let body = serde_json::to_vec(&order).map_err(|error| Failure::new(Exit::No, error))?;
        let ordered = desk.send(Method::POST, "/exports", Some(body.into())).await?;
        let path = format!("/exports/{}", view(&ordered.body)?.id);
        let fetched = tokio::select! {
            fetched = fetch(desk, &path, &draft) => fetched,
            () = stop.asked() => Err(Failure::told(Exit::Interrupted)),
        };
        let kept = fetched.and_then(|done| {
            fs::rename(&draft, &self.file)?;
            Ok(done)
        });
        let is_gone = tokio::select! {
            is_gone = forget(desk, &path) => is_gone,
            // Who interrupts twice does not want to wait for the server either.
            () = stop.asked() => false,
        };
        match kept {
            Ok(done) => desk
                .out
                .own(&json!({"file": self.file, "rows": done.rows_written, "bytes": done.bytes}), "/file"),
            Err(failure) => {
                // Half a file is worse than none.
                let _ = fs::remove_file(&draft);
                Err(if failure.exit() == Exit::Interrupted {
                    self.interrupted(&path, is_gone)
                } else {
                    failure
                })
            }
        }
    }

    /// What an interrupt has left.
    fn interrupted(&self, path: &str, is_gone: bool) -> Failure {
        let there = if is_gone {
            "and nothing of it stays on the server".to_owned()
        } else {
            format!("but the server was not told; there it goes after a day, or by DELETE /api/v1{path}")
        };
        Failure::new(
            Exit::Interrupted,
            format!("interrupted: {} is not written, {there}", self.file.display()),
        )
    }

    async fn order(&self, desk: &Desk) -> Result<Value, Failure> {
        let format = match self.format {
            Some(FileFormat::Csv) => "csv",
            Some(FileFormat::Xlsx) => "xlsx",
            None => match self.file.extension().and_then(|end| end.to_str()) {
                Some("csv") => "csv",
                Some("xlsx") => "xlsx",
                _ => return Err(Failure::usage("the file ends neither in .csv nor in .xlsx; say --format")),
            },
        };
        let mut query = self.filter.query(desk).await?;
        query.extend(self.period.query());
        let mut order = Map::from_iter([("format".to_owned(), json!(format))]);
        order.extend(members(query));
        Ok(Value::Object(order))
    }
}

fn view(body: &[u8]) -> Result<View, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::new(Exit::No, "the answer is not an export"))
}

/// Waits for the file, and brings it.
async fn fetch(desk: &Desk, path: &str, draft: &Path) -> Result<View, Failure> {
    let done = watch(desk, path).await?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let bar = progress::bytes(&desk.out, "fetching", done.bytes);
    let from = format!("{path}/file");
    let take = |piece: &[u8]| {
        bar.inc(piece.len() as u64);
        file.write_all(piece)
    };
    let fetched = desk.client.download(&from, take).await;
    bar.finish_and_clear();
    fetched?;
    file.sync_all()?;
    if file.metadata()?.len() != done.bytes {
        return Err(Failure::new(Exit::Unwell, "the file broke off on its way"));
    }
    Ok(done)
}

/// Looks until it has ended, also past a server that does not answer for a while.
async fn watch(desk: &Desk, path: &str) -> Result<View, Failure> {
    let bar = progress::rows(&desk.out, "writing");
    let mut heard_at = Instant::now();
    let ended = loop {
        match desk.client.get(path).await {
            Ok(reply) => {
                heard_at = Instant::now();
                let view = view(&reply.body)?;
                bar.set_length(view.rows_expected.unwrap_or_default().max(view.rows_written));
                bar.set_position(view.rows_written);
                match &*view.state {
                    "waiting" => bar.set_message("waiting for others"),
                    "running" => bar.set_message("writing"),
                    "done" => break Ok(view),
                    state => {
                        let why = view.error.unwrap_or_else(|| "somebody did not want it".to_owned());
                        break Err(Failure::new(Exit::No, format!("the export is {state}: {why}")));
                    }
                }
            }
            Err(failure) if failure.exit() == Exit::NotFound => {
                let text = "the export is gone: the server was started anew, or somebody removed it";
                break Err(Failure::new(Exit::NotFound, text));
            }
            Err(failure) if failure.exit() == Exit::Unreachable && heard_at.elapsed() < PATIENCE => {}
            Err(failure) => break Err(failure),
        }
        sleep(LOOK_EVERY).await;
    };
    bar.finish_and_clear();
    ended
}

/// Leaves nothing on the server: one under way is cancelled first. Says whether that is so.
async fn forget(desk: &Desk, path: &str) -> bool {
    for _ in 0..2 {
        if let Err(failure) = desk.send(Method::DELETE, path, None).await {
            return failure.exit() == Exit::NotFound;
        }
    }
    true
}
