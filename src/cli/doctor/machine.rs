//! What the machine gives: the data directory, the sealing key, the port, open files.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use rustix::{
    fs::statvfs,
    process::{Resource, getrlimit},
};

use super::{finding::Finding, server::is_ours};
use crate::{boot::pid_file, config::Config};

/// Less free space than this and the journal soon can't be written.
const TIGHT: u64 = 200 << 20;
const SPARE: u64 = 2 << 30;
/// A connection to a caller and one to a provider for each request, and some for files.
const OPEN_FILES: u64 = 4_096;

pub(super) async fn look(config: &Config, findings: &mut Vec<Finding>) {
    directory(&config.data_dir, findings);
    findings.push(port(config.server.listen).await);
    findings.push(open_files(&config.data_dir));
}

fn directory(path: &Path, findings: &mut Vec<Finding>) {
    const CHECK: &str = "data_dir";
    let shown = path.display();
    let mend =
        format!("make {shown} a directory that the server's user may write to, or set data_dir (DATA_DIR)");
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The nearest one that is there decides whether it can be made.
            let above = path.ancestors().skip(1).find(|above| above.is_dir() || above.as_os_str().is_empty());
            let above = above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            findings.push(match tempfile::tempfile_in(above) {
                Ok(_) => Finding::ok(CHECK, format!("{shown} is not there yet: the first start makes it")),
                Err(error) => Finding::bad(CHECK, format!("{shown} cannot be made: {error}"), mend),
            });
            return;
        }
        Err(error) => {
            findings.push(Finding::bad(CHECK, format!("{shown}: {error}"), mend));
            return;
        }
    };
    if let Err(error) = tempfile::tempfile_in(path) {
        findings.push(Finding::bad(CHECK, format!("{shown} is not writable: {error}"), mend));
        return;
    }
    let mode = found.permissions().mode() & 0o777;
    findings.push(if mode & 0o077 == 0 {
        Finding::ok(CHECK, format!("{shown} is writable, mode {mode:04o}"))
    } else {
        let cause = format!("{shown} has mode {mode:04o}: others may look into it");
        Finding::warning(CHECK, cause, format!("chmod 0700 {shown}"))
    });
    findings.push(space(path));
    findings.extend(leftovers(path));
}

fn space(path: &Path) -> Finding {
    const CHECK: &str = "free_space";
    let Ok(found) = statvfs(path) else { return Finding::skipped(CHECK, "the system does not tell") };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let cause = format!("{} MiB free at {}", free >> 20, path.display());
    let mend = "make room, or move data_dir to a larger disk: on a full one new requests are refused";
    match free {
        ..TIGHT => Finding::bad(CHECK, cause, mend),
        TIGHT..SPARE => Finding::warning(CHECK, cause, mend),
        _ => Finding::ok(CHECK, cause),
    }
}

/// Damaged parts of the journal await somebody.
fn leftovers(path: &Path) -> Option<Finding> {
    let folders = [path.to_owned(), path.join("journal")];
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let damaged = files.filter(|file| file.path().extension().is_some_and(|end| end == "damaged")).count();
    let cause = format!("{damaged} damaged parts of the journal lie beside it");
    let mend = "keep them for whoever looks into it, check the disk, then move them away";
    (damaged > 0).then(|| Finding::warning("journal", cause, mend))
}

async fn port(listen: SocketAddr) -> Finding {
    const CHECK: &str = "port";
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok(CHECK, format!("{listen} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if is_ours(listen.port()).await {
                return Finding::ok(CHECK, format!("a Pointsman answers on {listen}"));
            }
            let port = listen.port();
            let cause = format!("{listen} is taken by another program");
            let mend = format!("`ss -ltnp sport = :{port}` names it: stop it, or set server.port (APP_PORT)");
            Finding::bad(CHECK, cause, mend)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::bad(
            CHECK,
            format!("{listen}: {error}"),
            "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); or set server.port (APP_PORT)",
        ),
        Err(error) => Finding::bad(
            CHECK,
            format!("{listen}: {error}"),
            "set server.listen_addr (LISTEN_ADDR) to an address of this machine, or 0.0.0.0",
        ),
    }
}

/// Of the server that runs, else of whom it would be started by.
fn open_files(data_dir: &Path) -> Finding {
    const CHECK: &str = "open_files";
    let running = pid_file::running(data_dir).ok().flatten();
    let limit = running.and_then(limit_of).or_else(|| getrlimit(Resource::Nofile).current);
    match limit {
        Some(limit) if limit < OPEN_FILES => Finding::warning(
            CHECK,
            format!("at most {limit} open files, which is about {} requests at once", limit / 2),
            "raise it: `ulimit -n 65536`, LimitNOFILE=65536 in a unit, or ulimits in a compose file",
        ),
        Some(limit) => Finding::ok(CHECK, format!("at most {limit}")),
        None => Finding::ok(CHECK, "without a bound"),
    }
}

fn limit_of(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
