//! An export or a backup that is interrupted: nothing of it stays, neither here nor on the server.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};

use crate::house::{Said, TOKEN, command, text};

const PATIENCE: Duration = Duration::from_secs(30);

/// How far the server comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It never has the file.
    Writing,
    /// It sends the first bytes of the file, and no others.
    Sending,
    /// It is gone after the first look.
    Away,
}

/// A server that has one export, and tells what it is asked.
struct Server {
    url: String,
    asked: Receiver<String>,
}

impl Server {
    fn open(stage: Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        drop(thread::spawn(move || serve(&listener, stage, &tell)));
        Self { url, asked }
    }

    fn asks(&self, expected: &str) {
        let heard = self.asked.recv_timeout(PATIENCE).unwrap();
        assert_eq!(heard, expected);
    }
}

fn serve(listener: &TcpListener, stage: Stage, tell: &Sender<String>) {
    let mut hangs = Vec::new();
    loop {
        let (mut socket, _) = listener.accept().unwrap();
        let Some(asked) = read(&socket) else { continue };
        if tell.send(asked.clone()).is_err() {
            return;
        }
        let is_last = stage == Stage::Away && asked == "GET /api/v1/exports/7";
        let state = if stage == Stage::Sending { "done" } else { "running" };
        let view = format!(
            r#"{{"id":"7","state":"{state}","rows_written":1,"rows_expected":9,"bytes":900,"error":null}}"#
        );
        let length = if asked.ends_with("/file") { 900 } else { view.len() };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        let (head, body) = match asked.split_once(' ').unwrap() {
            ("DELETE", _) => ("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(), ""),
            (_, "/api/v1/exports/7/file") => (head, "half a line"),
            _ => (head, &*view),
        };
        // Whoever was interrupted while it asked has hung up.
        let _ = write!(socket, "{head}{body}");
        if asked.ends_with("/file") {
            hangs.push(socket);
        }
        if is_last {
            return;
        }
    }
}

/// Method and path of a request, which is read to its end; none where somebody was ended before it was sent.
fn read(socket: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(socket);
    let (mut first, mut length) = (String::new(), 0);
    lines.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    lines.take(length).read_to_end(&mut Vec::new()).ok()?;
    Some(first.rsplit_once(' ')?.0.to_owned())
}

fn export(server: &Server, file: &Path, more: &[&str]) -> Child {
    let environment = [("POINTSMAN_SERVER", &*server.url), ("POINTSMAN_TOKEN", TOKEN)];
    let mut export = command(&environment, &[&["request", "export", text(file)], more].concat());
    export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupted(child: Child) -> Said {
    ended("INT", child)
}

/// By that signal.
fn ended(signal: &str, child: Child) -> Said {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    child.wait_with_output().unwrap().into()
}

fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(2));
    }
}

fn entries(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn whatever_ends_it_cancels_what_the_server_is_writing() {
    for signal in ["INT", "TERM", "HUP"] {
        let (home, server) = (tempfile::tempdir().unwrap(), Server::open(Stage::Writing));
        let file = home.path().join("log.csv");
        let export = export(&server, &file, &[]);
        server.asks("POST /api/v1/exports");
        server.asks("GET /api/v1/exports/7");
        let said = ended(signal, export);
        assert_eq!((said.code, &*said.out), (130, ""), "{signal}");
        let told =
            format!("interrupted: {} is not written, and nothing of it stays on the server", text(&file));
        assert_eq!(said.err, format!("pointsman: {told}\n"), "{signal}");
        let last: Vec<_> = server.asked.try_iter().filter(|asked| asked.starts_with("DELETE")).collect();
        assert_eq!(last, ["DELETE /api/v1/exports/7"; 2], "cancelled, and then removed");
        assert!(entries(home.path()).is_empty(), "{signal}");
    }
}

#[test]
fn an_interrupt_on_the_way_leaves_no_half_file_and_the_one_that_was_there() {
    let (home, server) = (tempfile::tempdir().unwrap(), Server::open(Stage::Sending));
    let file = home.path().join("log.csv");
    fs::write(&file, "the last one").unwrap();
    let export = export(&server, &file, &["--force"]);
    for asked in ["POST /api/v1/exports", "GET /api/v1/exports/7", "GET /api/v1/exports/7/file"] {
        server.asks(asked);
    }
    let draft = home.path().join(format!(".log.csv.{}", export.id()));
    until(|| fs::read_to_string(&draft).unwrap_or_default() == "half a line");
    let said = interrupted(export);
    assert_eq!(said.code, 130, "{said:?}");
    assert_eq!(entries(home.path()), ["log.csv"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "the last one");
    server.asks("DELETE /api/v1/exports/7");
}

#[test]
fn an_interrupt_while_the_server_is_away_says_what_stays_there() {
    let (home, server) = (tempfile::tempdir().unwrap(), Server::open(Stage::Away));
    let file = home.path().join("log.csv");
    let export = export(&server, &file, &[]);
    server.asks("POST /api/v1/exports");
    server.asks("GET /api/v1/exports/7");
    let said = interrupted(export);
    assert_eq!(said.code, 130, "{said:?}");
    assert!(said.err.contains("the server was not told"), "{said:?}");
    assert!(said.err.contains("DELETE /api/v1/exports/7"), "{said:?}");
    assert!(entries(home.path()).is_empty());
}

fn backup(environment: &[(&str, &str)], args: &[&str]) -> Child {
    let mut backup = command(environment, &[&["backup"], args].concat());
    backup.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn left_nothing(said: &Said, target: &Path, file: &Path) {
    assert_eq!((said.code, &*said.out), (130, ""), "{said:?}");
    assert_eq!(said.err, format!("pointsman: interrupted: {} is not written\n", text(file)));
    assert!(entries(target).is_empty(), "{:?}", entries(target));
}

#[test]
fn an_interrupted_copy_of_a_database_leaves_nothing() {
    let (home, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = home.path().join("pointsman.db");
    // So much that copying and checking it takes a while.
    let rows = "CREATE TABLE lines (line); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE \
                i < 600000) INSERT INTO lines SELECT randomblob(120) FROM n; CREATE INDEX by_line ON lines (line)";
    SqliteConnection::establish(text(&database)).unwrap().batch_execute(rows).unwrap();
    let file = target.path().join("copy.db");
    let backup = backup(&[], &[text(&file), "--data-dir", text(home.path())]);
    until(|| !entries(target.path()).is_empty());
    left_nothing(&interrupted(backup), target.path(), &file);
}

#[test]
fn an_interrupted_dump_leaves_nothing_and_ends_pg_dump() {
    let (home, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dump, pid) = (home.path().join("pg_dump"), home.path().join("pid"));
    // It writes half, and then takes for ever.
    let script = format!("#!/bin/sh\nprintf half >\"$5\"\necho $$ >{}\nexec sleep 600\n", text(&pid));
    fs::write(&dump, script).unwrap();
    fs::set_permissions(&dump, fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", text(home.path()), env::var("PATH").unwrap());
    let file = target.path().join("copy.dump");
    let args =
        [text(&file), "--data-dir", text(home.path()), "--database-url", "postgres://nobody@127.0.0.1/none"];
    let backup = backup(&[("PATH", &path)], &args);
    until(|| fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n')));
    left_nothing(&ended("TERM", backup), target.path(), &file);
    let pid = fs::read_to_string(&pid).unwrap();
    // Nothing runs there, or only its name is left for somebody to fetch.
    let runs = || fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| !line.is_empty());
    until(|| !runs());
}
