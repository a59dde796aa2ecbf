//! Where the server is, who is asking, and how answers are shown: the options every command takes.

use std::{
    env, fs,
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::exit::{Exit, Failure};

/// Variables the token is looked for in, the first one winning.
const TOKEN_VARIABLES: [&str; 2] = ["POINTSMAN_TOKEN", "ADMIN_TOKEN"];

/// Where a server is that was started without any settings.
pub(super) const DEFAULT_SERVER: &str = "http://127.0.0.1:23000";

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// What the API said, to the byte.
    Json,
    /// One entry a line.
    Ndjson,
    /// The same as JSON, in YAML.
    Yaml,
    /// Only what names each entry: for loops.
    Name,
}

/// The options every command takes.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// The server to talk to.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "POINTSMAN_SERVER",
        hide_env_values = true,
        default_value = DEFAULT_SERVER,
        help_heading = "Server and output"
    )]
    pub(super) server: String,
    /// The file with the admin token (`-`: standard input). Otherwise POINTSMAN_TOKEN, ADMIN_TOKEN, or a prompt.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Server and output")]
    pub(super) token_file: Option<PathBuf>,
    /// Refused: whoever lists the processes would read it.
    #[arg(long, global = true, hide = true, value_name = "TOKEN")]
    pub(super) token: Option<String>,
    /// Trust these certificate authorities (PEM) too.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Server and output")]
    pub(super) ca: Option<PathBuf>,
    /// How long an answer may take.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=3600),
        help_heading = "Server and output"
    )]
    pub(super) timeout: u32,
    /// How answers are shown.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FORM",
        default_value = "table",
        help_heading = "Server and output"
    )]
    pub(super) output: Format,
    /// No line of headings above a table.
    #[arg(long, global = true, help_heading = "Server and output")]
    pub(super) no_headers: bool,
    /// All columns of a table.
    #[arg(long, global = true, help_heading = "Server and output")]
    pub(super) wide: bool,
    /// No notes and no progress on standard error.
    #[arg(long, short, global = true, help_heading = "Server and output")]
    pub(super) quiet: bool,
}

impl Remote {
    /// Refuses what must not be given like this.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.token.is_some() {
            return Err(Failure::usage(
                "--token is refused: a command line can be read by everyone on this machine and stays in the \
                 history of the shell; use --token-file, POINTSMAN_TOKEN, or the prompt",
            ));
        }
        Ok(())
    }

    /// The admin token; asked for at the terminal where nothing else gives one.
    pub(super) fn find_token(&self) -> Result<String, Failure> {
        if let Some(path) = &self.token_file {
            return secret_in(path);
        }
        for name in TOKEN_VARIABLES {
            if let Some(token) = env::var(name).ok().filter(|token| !token.is_empty()) {
                return Ok(token);
            }
        }
        ask_for("admin token")?.ok_or_else(|| {
            let text = "no admin token: use --token-file, POINTSMAN_TOKEN or ADMIN_TOKEN";
            Failure::new(Exit::Forbidden, text)
        })
    }
}

/// The secret in a file, or on standard input, without the end of its line.
pub(super) fn secret_in(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let text = text.map_err(|error| Failure::new(Exit::No, format!("{}: {error}", path.display())))?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(Failure::new(Exit::No, format!("{}: holds nothing", path.display())));
    }
    Ok(secret.to_owned())
}

/// Asks for a secret at the terminal without showing it; none where there is no terminal.
pub(super) fn ask_for(what: &str) -> Result<Option<String>, Failure> {
    let line = ask_for_line(what)?;
    Ok(line.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()))
}

/// The same as it was typed, with the spaces around it.
pub(super) fn ask_for_line(what: &str) -> Result<Option<String>, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    write!(io::stderr(), "{what}: ")?;
    let before = tcgetattr(&stdin).map_err(io::Error::from)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(io::Error::from)?;
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &before).map_err(io::Error::from)?;
    writeln!(io::stderr())?;
    read?;
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}
