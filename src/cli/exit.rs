//! How a command ends: a code for scripts, a text for people.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

/// Why a command did not do what was asked, as a script sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// The server, or this machine, said no.
    No = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The server can't be reached.
    Unreachable = 3,
    /// The token is missing, wrong, or not allowed to do this.
    Forbidden = 4,
    /// There is no such thing.
    NotFound = 5,
    /// It collides with what is there.
    Conflict = 6,
    /// What was looked at is not ready, not sound, or not done in time.
    Unwell = 7,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

/// Every exit code with its meaning, for help and manual.
pub(super) const CODES: [(u8, &str); 9] = [
    (0, "done"),
    (Exit::No as u8, "the server said no, or something here failed"),
    (Exit::Usage as u8, "the command line makes no sense"),
    (Exit::Unreachable as u8, "the server cannot be reached"),
    (Exit::Forbidden as u8, "not signed in, or not allowed"),
    (Exit::NotFound as u8, "there is no such thing"),
    (Exit::Conflict as u8, "it collides with what is there"),
    (Exit::Unwell as u8, "not ready, not sound, or not done in time"),
    (Exit::Interrupted as u8, "interrupted"),
];

/// The codes as a table.
pub(super) fn codes_text() -> String {
    CODES
        .iter()
        .fold("Exit codes:".to_owned(), |text, (code, meaning)| format!("{text}\n  {code:<4} {meaning}"))
}

/// A command that did not do what was asked.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    text: String,
    /// Nobody reads what we write, as behind `head`: there is nothing wrong and nothing to say.
    silent: bool,
}

impl Failure {
    /// With a text for people.
    pub(super) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self { exit, text: text.to_string(), silent: false }
    }

    /// The command line makes no sense.
    pub(super) fn usage(text: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// What was found is bad, and was already told as the command's own result.
    pub(super) const fn told(exit: Exit) -> Self {
        Self { exit, text: String::new(), silent: false }
    }

    /// How it ends.
    pub(super) const fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells it, and gives the code to end with.
    pub(super) fn finish(&self) -> ExitCode {
        if self.silent {
            return ExitCode::SUCCESS;
        }
        if !self.text.is_empty() {
            // If nobody hears it there is nothing else to do about it.
            let _ = writeln!(io::stderr(), "pointsman: {}", self.text);
        }
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::No, format!("{error:#}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self { silent, ..Self::new(Exit::No, error) }
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::new(Exit::No, format!("database: {error}"))
    }
}

/// How every command ends.
pub(super) type Done = Result<(), Failure>;
