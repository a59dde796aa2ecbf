//! A server of its own for one story, and the command line that asks it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// What every house takes as its admin token.
pub(crate) const TOKEN: &str = "hT7kq2ZwPm4LsVx9";
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Both kinds of output.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// The output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// The binary with nothing in its environment but this.
pub(crate) fn command(environment: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.env_clear().envs(environment.iter().copied()).args(args).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(environment: &[(&str, &str)], args: &[&str]) -> Said {
    command(environment, args).output().unwrap().into()
}

/// A server that runs.
pub(crate) struct House {
    directory: TempDir,
    child: Child,
    pub(crate) url: String,
}

impl House {
    pub(crate) fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut house = Self { child: started(&directory, &[]), directory, url: String::new() };
        house.serves();
        house
    }

    /// Waits until it serves, and finds out where.
    fn serves(&mut self) {
        let start = Instant::now();
        self.url.clear();
        while self.url.is_empty() {
            let text = fs::read_to_string(self.path("log")).unwrap();
            assert!(start.elapsed() < PATIENCE, "{text}");
            if let Some((_, rest)) = text.split_once("serving on http://")
                && let Some(address) = rest.split_whitespace().next()
            {
                self.url = format!("http://{address}");
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as an init system does.
    pub(crate) fn end(&mut self) {
        // The standard library has no word for it.
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(self.ended());
    }

    /// Starts it again on the same data, with these variables.
    pub(crate) fn again(&mut self, environment: &[(&str, &str)]) {
        self.child = started(&self.directory, environment);
        self.serves();
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Asks this house, signed in.
    pub(crate) fn ask(&self, args: &[&str]) -> Said {
        run(&[("POINTSMAN_SERVER", &self.url), ("POINTSMAN_TOKEN", TOKEN)], args)
    }

    /// The same, and it must be done.
    pub(crate) fn must(&self, args: &[&str]) -> String {
        let said = self.ask(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.out
    }

    /// A provider of that name.
    pub(crate) fn provider(&self, name: &str, base_url: &str) {
        let credential = self.file("credential", "sk-of-a-provider-1234");
        let args = ["provider", "add", name, "--kind", "claude", "--base-url", base_url, "--credential-file"];
        self.must(&[&args[..], &[credential.to_str().unwrap(), "--allow-private-network"]].concat());
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            sleep(Duration::from_millis(10));
        }
        false
    }
}

/// A server on what is in that directory, with these variables.
fn started(directory: &TempDir, environment: &[(&str, &str)]) -> Child {
    let log = directory.path().join("log");
    let data = directory.path().join("data").display().to_string();
    let args = ["serve", "--listen-addr", "127.0.0.1", "--port", "0", "--data-dir", &data];
    command(&[environment, &[("ADMIN_TOKEN", TOKEN)]].concat(), &args)
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap()
}

impl Drop for House {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
