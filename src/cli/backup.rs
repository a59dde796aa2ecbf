//! `backup`: a copy of the database that a new server can start from, checked before it gets its name.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    pin::pin,
    thread,
    time::Duration,
};

use clap::Args;
use tokio::{process::Command, sync::oneshot, time::sleep};
use tokio_postgres::config::{Host, SslMode};

use super::{
    exit::{Done, Exit, Failure},
    output::Output,
    process_args::SettingsArgs,
    progress::{bytes, spinner},
    remote::Remote,
    stop::Stop,
};
use crate::{
    config::{self, Config, Secret, secrets::KeySource, store::StoreUrl},
    secrets::{keyring::OLD_FILE_NAME as OLD_SEALING_KEY, sealing_key::FILE_NAME as SEALING_KEY},
    store::backup::{check_sqlite, copy_sqlite},
};

/// Copy the database while the server runs. PostgreSQL's is made by pg_dump.
#[derive(Debug, Args)]
#[command(
    after_help = "To restore: stop the server. SQLite: put the file where store.url points to (by default \
    pointsman.db in the data directory), without files named -wal and -shm beside it. PostgreSQL: pg_restore \
    --clean --if-exists --dbname=DATABASE FILE. Put the sealing key back too, and start the server; it brings an \
    older database up to its own version."
)]
pub(super) struct Backup {
    /// Where the copy goes.
    file: PathBuf,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Backup {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let out = Output::new(remote);
        let config = config::load(&self.settings.clone().into())
            .map_err(|error| Failure::new(Exit::No, format!("configuration: {error}")))?;
        let file = &self.file;
        // A room of its own: SQLite may put files beside the copy, and nobody else reads in it meanwhile.
        let room = draft(file, self.force)?;
        let copy = room.join("copy");
        // From here on an interrupt is ours: no half backup is left behind.
        let mut stop = Stop::listen()?;
        fs::DirBuilder::new().mode(0o700).create(&room)?;
        let made = tokio::select! {
            made = make(&out, &config.store.url, &copy) => made,
            () = stop.asked() => {
                let text = format!("interrupted: {} is not written", file.display());
                Err(Failure::new(Exit::Interrupted, text))
            }
        };
        let kept = made.and_then(|()| Ok(keep(&copy, file)?));
        clear(&room);
        kept?;
        tell(&out, &config, file)
    }
}

async fn make(out: &Output, url: &StoreUrl, copy: &Path) -> Done {
    match url {
        StoreUrl::Sqlite(database) => sqlite(out, database, copy).await,
        StoreUrl::Postgres(url) => postgres(out, url, copy).await,
    }
}

/// Gives the copy its name.
fn keep(copy: &Path, file: &Path) -> io::Result<()> {
    fs::set_permissions(copy, fs::Permissions::from_mode(0o600))?;
    fs::File::open(copy)?.sync_all()?;
    fs::rename(copy, file)
}

/// Takes the room away with what is in it. It gets another name first: whoever still copies then finds no place where
/// to begin another file.
fn clear(room: &Path) {
    let gone = room.with_added_extension("gone");
    // What can't be removed is hidden, and not taken for a backup.
    let _ = fs::rename(room, &gone).and_then(|()| fs::remove_dir_all(&gone));
}

/// Beside its final place, so that the name only ever means a whole file. Refused where one is there already, unless
/// it may be replaced.
pub(super) fn draft(file: &Path, replace: bool) -> Result<PathBuf, Failure> {
    if file.exists() && !replace {
        return Err(Failure::new(Exit::Conflict, format!("{}: exists; --force replaces it", file.display())));
    }
    let name =
        file.file_name().ok_or_else(|| Failure::usage(format!("{}: not a file name", file.display())))?;
    let draft = file.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    Ok(draft)
}

async fn sqlite(out: &Output, database: &Path, copy: &Path) -> Done {
    let total = fs::metadata(database).map_or(0, |found| found.len());
    let bar = bytes(out, "copying", total);
    let (from, to) = (database.to_owned(), copy.to_owned());
    let mut copying = pin!(aside(move || copy_sqlite(&from, &to)));
    let copied = loop {
        tokio::select! {
            copied = &mut copying => break copied,
            () = sleep(Duration::from_millis(100)) => {
                bar.set_position(fs::metadata(copy).map_or(0, |found| found.len()));
            }
        }
    };
    bar.finish_and_clear();
    copied??;
    let bar = spinner(out, "checking the copy");
    let copy = copy.to_owned();
    let flaws = aside(move || check_sqlite(&copy)).await;
    bar.finish_and_clear();
    match flaws??.first() {
        None => Ok(()),
        Some(flaw) => Err(Failure::new(Exit::Unwell, format!("the database is damaged: {flaw}"))),
    }
}

/// Does what blocks, on a thread that nobody waits for when the process ends.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let (tell, told) = oneshot::channel();
    thread::Builder::new().spawn(move || drop(tell.send(work())))?;
    told.await.map_err(|error| Failure::new(Exit::No, error))
}

async fn postgres(out: &Output, url: &Secret, copy: &Path) -> Done {
    let mut dump = Command::new("pg_dump");
    dump.args(["--format=custom", "--no-owner", "--no-password", "--file"]).arg(copy);
    // By way of the environment: a command line can be read by everyone.
    for (name, value) in variables(url)? {
        dump.env(name, value);
    }
    run(out, "pg_dump", dump).await?;
    // A dump whose list can be read is whole: it stands at its end.
    let mut list = Command::new("pg_restore");
    list.arg("--list").arg(copy);
    run(out, "pg_restore", list).await
}

async fn run(out: &Output, name: &'static str, mut command: Command) -> Done {
    let bar = spinner(out, &format!("{name} runs"));
    // Where nobody waits for it any more, it ends as well.
    let ended = command.kill_on_drop(true).output().await;
    bar.finish_and_clear();
    let ended = ended.map_err(|error| {
        Failure::new(
            Exit::No,
            format!("{name}: {error}; it comes with PostgreSQL's client programs (postgresql-client)"),
        )
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(Failure::new(Exit::No, format!("{name}: {}", said.trim())))
}

/// The same connection in the variables of PostgreSQL's own programs.
fn variables(url: &Secret) -> Result<Vec<(&'static str, String)>, Failure> {
    let config: tokio_postgres::Config =
        url.reveal().parse().map_err(|error| Failure::new(Exit::No, format!("store.url: {error}")))?;
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
    let tls = match config.get_ssl_mode() {
        SslMode::Disable => "disable",
        SslMode::Require => "require",
        _ => "prefer",
    };
    let mut found =
        vec![("PGHOST", hosts.join(",")), ("PGPORT", ports.join(",")), ("PGSSLMODE", tls.to_owned())];
    found.extend(config.get_user().map(|user| ("PGUSER", user.to_owned())));
    found.extend(config.get_dbname().map(|name| ("PGDATABASE", name.to_owned())));
    found
        .extend(config.get_password().map(|word| ("PGPASSWORD", String::from_utf8_lossy(word).into_owned())));
    found.extend(config.get_options().map(|options| ("PGOPTIONS", options.to_owned())));
    found.retain(|(_, value)| !value.is_empty());
    Ok(found)
}

fn tell(out: &Output, config: &Config, file: &Path) -> Done {
    let size = fs::metadata(file)?.len();
    out.own(&serde_json::json!({ "file": file, "bytes": size, "store": config.store.url.kind() }), "/file")?;
    let key = match &config.secrets.sealing_key {
        KeySource::Given(_) => "in the variable SEALING_KEY".to_owned(),
        KeySource::File(path) => format!("in {}", path.display()),
        KeySource::DataDirectory => {
            let (key, old) = (config.data_dir.join(SEALING_KEY), config.data_dir.join(OLD_SEALING_KEY));
            let old = if old.exists() { format!(" and in {}", old.display()) } else { String::new() };
            format!("in {}{old}", key.display())
        }
    };
    out.note(&format!(
        "the sealing key is NOT in it: it is {key}. Keep it elsewhere; without it no credential in this backup \
         opens and no key of a caller is known. `pointsman backup --help` tells how to restore."
    ));
    if env::var_os("SEALING_KEY").is_none() && matches!(config.secrets.sealing_key, KeySource::DataDirectory)
    {
        out.note("records that still wait in the journal are not in it; a running server posts them within moments");
    }
    Ok(())
}
