//! What is shown while something takes long: on standard error, and only to a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;

/// How often it moves.
const TICK: Duration = Duration::from_millis(120);

/// Something that takes long and does not know how long.
pub(super) fn spinner(out: &Output, text: &str) -> ProgressBar {
    if out.quiet {
        return ProgressBar::hidden();
    }
    // Without a terminal on standard error indicatif draws nothing.
    let bar = ProgressBar::new_spinner().with_message(text.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// Something that takes long, of which so many bytes are to be done.
pub(super) fn bytes(out: &Output, text: &str, total: u64) -> ProgressBar {
    bar(out, text, total, "{msg} {bar:30} {bytes}/{total_bytes} {elapsed}")
}

/// The same in rows; how many there are is told later.
pub(super) fn rows(out: &Output, text: &str) -> ProgressBar {
    bar(out, text, 0, "{msg} {bar:30} {human_pos}/{human_len} rows {elapsed}")
}

fn bar(out: &Output, text: &str, total: u64, template: &str) -> ProgressBar {
    if out.quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total).with_message(text.to_owned());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
