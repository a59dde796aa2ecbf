//! The real thing: the built binary as a process of its own, with everything it says kept.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use pointsman::{
    config::Config,
    secrets::{digest::Digester, sealing::Sealer, sealing_key},
    store::{NewProvider, Store},
};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::rig::{configuration, furnish};

/// How long a start may take on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Where a server lives between its starts: its directory, its database, a key that opens it.
pub(crate) struct Premises {
    directory: TempDir,
    config: Config,
    pub(crate) key: String,
}

impl Premises {
    /// A migrated database with these providers and one key, before any server has seen it.
    pub(crate) async fn with(providers: Vec<NewProvider>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = configuration(&directory);
        fs::create_dir_all(&config.data_dir).unwrap();
        let keys = config.secrets.load_keyring(&config.data_dir).unwrap();
        let store = Store::open(&config.store, Sealer::with(&keys)).unwrap();
        store.migrate().await.unwrap();
        let digest_key = store.digest_key(&keys).await.unwrap();
        let key = furnish(&store, &Digester::for_api_keys(&digest_key), providers).await;
        Self { directory, config, key }
    }

    /// The database, as whoever comes later finds it.
    pub(crate) fn store(&self) -> Store {
        let keys = self.config.secrets.load_keyring(&self.config.data_dir).unwrap();
        Store::open(&self.config.store, Sealer::with(&keys)).unwrap()
    }

    /// Every file of the server: database, journals, keys.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![self.directory.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { directories.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// The file of the sealing key.
    pub(crate) fn sealing_key_file(&self) -> PathBuf {
        self.config.data_dir.join(sealing_key::FILE_NAME)
    }

    /// Starts the server and waits until it serves.
    pub(crate) async fn start(&self, name: &str, log_level: &str, environment: &[(&str, &str)]) -> Process {
        let path = |what: &str| self.directory.path().join(format!("{name}.{what}"));
        let (stdout, stderr) = (path("stdout"), path("stderr"));
        let child = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(["serve", "--listen-addr", "127.0.0.1", "--port", "0", "--log-level", log_level])
            .arg("--data-dir")
            .arg(&self.config.data_dir)
            .arg("--database-url")
            .arg(format!("sqlite:{}", self.directory.path().join("house.db").display()))
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Process { child, address, stdout, stderr };
        process.address = process.serving().await;
        process
    }
}

/// A server that runs; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output.
    pub(crate) fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has written to standard error: its log.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// The address it says it serves at.
    async fn serving(&mut self) -> SocketAddr {
        let start = Instant::now();
        loop {
            let said = self.stderr();
            let address = said.split_once("serving on http://").and_then(|(_, rest)| rest.lines().next());
            if let Some(address) = address.and_then(|address| address.trim().parse().ok()) {
                return address;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < STARTS_WITHIN, "{ended:?} {said}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends SIGTERM, as an init system does.
    pub(crate) fn terminate(&self) {
        // The standard library has no word for it.
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Sends SIGKILL, and waits until it is dead.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end; says how it ended and after how long.
    pub(crate) async fn end(&mut self, within: Duration) -> (ExitStatus, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            assert!(start.elapsed() < within, "it does not end: {}", self.stderr());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}
