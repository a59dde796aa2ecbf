//! Configuration as a whole: where values come from, and what is said about wrong ones.

use std::{
    collections::HashMap,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono_tz::Tz;
use tempfile::NamedTempFile;

use super::{
    Config, ConfigError, Flags, load_with, log::LogFormat, secrets::KeySource, server::Placement,
    store::StoreUrl,
};
use crate::journal::recorder::{JournalSettings, Sync};

mod elsewhere;
mod sealing;

const TOKEN: &str = "hT7kq2ZwPm4LsVx9";

#[derive(Default)]
struct Typed {
    file: Option<NamedTempFile>,
    environment: HashMap<&'static str, &'static str>,
    flags: Flags,
}

impl Typed {
    fn file(mut self, text: &str) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        self.flags.config = Some(file.path().to_owned());
        self.file = Some(file);
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.insert(name, value);
        self
    }

    fn flags(mut self, set: impl FnOnce(&mut Flags)) -> Self {
        set(&mut self.flags);
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        load_with(&self.flags, |name| self.environment.get(name).map(Into::into))
    }

    /// What is wrong, without the path of the file.
    fn error(&self) -> String {
        let text = self.load().unwrap_err().to_string();
        match &self.flags.config {
            Some(path) => text.replace(&path.display().to_string(), "FILE"),
            None => text,
        }
    }
}

fn typed() -> Typed {
    Typed::default()
}

#[test]
fn without_any_settings_there_is_a_whole_configuration() {
    let config = typed().load().unwrap();
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:23000");
    assert_eq!((config.server.workers, config.server.placement), (None, Placement::Auto));
    assert_eq!(config.server.max_body_bytes, 32 << 20);
    assert_eq!(config.server.drain_timeout, Duration::from_secs(600));
    assert!(config.server.trusted_proxies.is_empty());
    assert_eq!(config.server.metrics_listen, None);
    assert_eq!(config.store.url, StoreUrl::Sqlite("./data/pointsman.db".into()));
    assert!(config.store.auto_migrate);
    assert_eq!(config.journal, JournalSettings::new(Path::new("./data")));
    assert_eq!(config.routing.session_ttl, Duration::from_secs(300));
    assert_eq!(config.log.level, log::LevelFilter::Info);
    assert!(config.secrets.admin_token.is_none());
    assert!(matches!(config.secrets.sealing_key, KeySource::DataDirectory));
    assert!(config.warnings.is_empty());
}

#[test]
fn later_places_win_over_earlier_ones() {
    let file = "[server]\nport = 1\nlisten_addr = \"::1\"\n[routing]\nsession_ttl_s = 60\n";
    let all = typed()
        .file(file)
        .env("APP_PORT", "2")
        .env("SESSION_TTL", "61")
        .flags(|flags| flags.port = Some("3".into()));
    let config = all.load().unwrap();
    assert_eq!(config.server.listen.to_string(), "[::1]:3");
    assert_eq!(config.routing.session_ttl, Duration::from_secs(61));

    let told: HashMap<_, _> = config
        .describe()
        .iter()
        .map(|one| (one.key, format!("{:?} from {}", one.value, one.origin)))
        .collect();
    assert_eq!(told["server.port"], "Some(\"3\") from flag --port");
    assert_eq!(told["routing.session_ttl_s"], "Some(\"61\") from environment SESSION_TTL");
    assert_eq!(told["server.listen_addr"], "Some(\"::1\") from file");
    assert_eq!(told["log.level"], "Some(\"info\") from default");
    assert_eq!(told["admin_token"], "None from default");
}

#[test]
fn a_full_file_is_understood() {
    let file = r#"
        data_dir = "/var/lib/pointsman"
        [server]
        listen_addr = "localhost"
        port = 80
        workers = 1
        placement = "beside"
        max_body_bytes = 67108864
        drain_timeout_s = 30
        trusted_proxies = ["10.0.0.0/8", "::1"]
        [store]
        url = "postgres://u:p@db/x"
        pool_size = 3
        pool_wait_ms = 100
        query_deadline_ms = 200
        auto_migrate = false
        [journal]
        max_bytes = 67108864
        sync = "always"
        drain_rows_per_s = 100
        [routing]
        session_ttl_s = 1
        max_attempts = 2
        request_deadline_s = 3
        [log]
        level = "debug"
        format = "json"
    "#;
    let config = typed().file(file).load().unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:80");
    assert_eq!(config.server.placement, Placement::Beside);
    let proxies: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
    let StoreUrl::Postgres(url) = &config.store.url else { panic!() };
    assert_eq!(url.reveal(), "postgres://u:p@db/x");
    assert_eq!((config.store.pool_size, config.store.auto_migrate), (3, false));
    assert_eq!((config.journal.max_bytes, config.journal.sync), (64 << 20, Sync::Always));
    assert_eq!(config.journal.data_dir, PathBuf::from("/var/lib/pointsman"));
    assert_eq!((config.routing.max_attempts, config.routing.request_deadline.as_secs()), (2, 3));
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn errors_name_the_key_and_where_the_value_came_from() {
    for (typed, expected) in [
        (typed().file("[server]\nporrt = 1"), "FILE: unknown key `server.porrt`"),
        (typed().file("[extra.deep]\nkey = 1"), "FILE: unknown key `extra.deep.key`"),
        (typed().file("server = 1"), "FILE: unknown key `server`"),
        (
            typed().file("[server]\nport = 1.5"),
            "server.port: must be text, a number, true or false, or a list of those (from file)",
        ),
        (
            typed().file("[server]\nport = 65536"),
            "server.port: must be a whole number from 0 to 65535, not `65536` (from file)",
        ),
        (
            typed().env("APP_PORT", "http"),
            "server.port: must be a whole number from 0 to 65535, not `http` (from environment APP_PORT)",
        ),
        (
            typed().env("LISTEN_ADDR", "0.0.0.0:80"),
            "server.listen_addr: must be an IP address, not `0.0.0.0:80`; the port is server.port \
             (from environment LISTEN_ADDR)",
        ),
        (
            typed().file("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]"),
            "server.trusted_proxies: `10.0.0.0/33` is neither an IP address nor a network such as \
             10.0.0.0/8 (from file)",
        ),
        (
            typed().env("METRICS_ADDR", "9464"),
            "server.metrics_listen: must be an IP address with a port, such as 127.0.0.1:9464, not `9464` \
             (from environment METRICS_ADDR)",
        ),
        (
            typed().file("[server]\nplacement = \"beside\"\nworkers = 2"),
            "server.placement: `beside` needs server.workers = 1 (from file)",
        ),
        (
            typed().env("AUTO_MIGRATE", "maybe"),
            "store.auto_migrate: must be true or false, not `maybe` (from environment AUTO_MIGRATE)",
        ),
        (
            typed().env("DSN", "mysql://u:hunter2@h/d"),
            "store.url: must begin with postgres:// or sqlite: (from environment DSN)",
        ),
        (
            typed().env("DSN", "postgres://a").env("DATABASE_URL", "postgres://b"),
            "store.url: differs from DATABASE_URL; set only one of them (from environment DSN)",
        ),
        (
            typed().flags(|flags| flags.database_url = Some("sqlite::memory:".into())),
            "store.url: must name a file; a database in memory would be lost at once (from flag --database-url)",
        ),
        (
            typed().file("[store]\npool_wait_ms = 11000"),
            "store.pool_wait_ms: must not be longer than store.query_deadline_ms (from file)",
        ),
        (
            typed().file("[journal]\nmax_bytes = 1"),
            "journal.max_bytes: must be a whole number from 67108864 to 1099511627776, not `1` (from file)",
        ),
        (
            typed().env("LOG_LEVEL", "loud"),
            "log.level: must be one of off, error, warn, info, debug, trace, not `loud` \
             (from environment LOG_LEVEL)",
        ),
        (
            typed().env("SEALING_KEY", "short"),
            "sealing_key: a sealing key is 32 bytes, written in hex or base64 (from environment SEALING_KEY)",
        ),
        (
            typed().env("SESSION_TTL", "0"),
            "routing.session_ttl_s: must be a whole number from 1 to 86400, not `0` (from environment SESSION_TTL)",
        ),
    ] {
        assert_eq!(typed.error(), expected);
    }
}

#[test]
fn a_broken_file_is_reported_by_line_and_without_its_text() {
    let error = typed().file("data_dir = \"x\"\nadmin_token = hunter2hunter2\n").error();
    assert!(error.starts_with("FILE: line 2: "), "{error}");
    assert!(!error.contains("hunter2hunter2"), "{error}");
    let missing = typed().flags(|flags| flags.config = Some("/nowhere/p.toml".into())).load().unwrap_err();
    assert_eq!(missing.to_string(), "/nowhere/p.toml: No such file or directory (os error 2)");
}

#[test]
fn c01_a_weak_admin_token_ends_the_start() {
    for (token, why) in [
        ("", "has fewer than 16 characters"),
        ("change-me", "has fewer than 16 characters"),
        ("change-me-change-me", "looks like an example value"),
    ] {
        let error = typed().env("ADMIN_TOKEN", token).error();
        assert_eq!(error, format!("admin_token: {why} (from environment ADMIN_TOKEN)"));
    }
    let config = typed().env("ADMIN_TOKEN", TOKEN).load().unwrap();
    assert_eq!(config.secrets.admin_token.unwrap().reveal(), TOKEN);
}

#[test]
fn empty_variables_count_as_unset_except_for_secrets() {
    let config = typed().env("APP_PORT", "").env("DSN", "").env("REDIS_URL", "").load().unwrap();
    assert_eq!(config.server.listen.port(), 23000);
    assert!(config.warnings.is_empty());
    assert!(typed().env("SEALING_KEY", "").load().is_err());
}

#[test]
fn a_variable_that_nothing_reads_yet_is_warned_about() {
    let config = typed().env("REDIS_URL", "redis://r").load().unwrap();
    assert_eq!(config.warnings, ["REDIS_URL is set but has no effect in this version"]);
}

#[test]
fn the_time_zone_is_that_of_the_process_and_utc_where_it_has_none() {
    let zone = |value| typed().env("TZ", value).load().unwrap().time_zone;
    assert_eq!(zone("Asia/Tokyo"), Tz::Asia__Tokyo);
    assert_eq!(zone(":Europe/Berlin"), Tz::Europe__Berlin);
    assert_eq!(zone(""), Tz::UTC);
    assert_eq!(
        typed().env("TZ", "Mars/Olympus").error(),
        "time_zone: must be a time zone such as Europe/Berlin, not `Mars/Olympus` (from environment TZ)"
    );
}

#[test]
fn c08_no_secret_is_shown() {
    let config = typed()
        .env("ADMIN_TOKEN", TOKEN)
        .env("SEALING_KEY", "cacacacacacacacacacacacacacacacacacacacacacacacacacacacacacacaca")
        .env("DATABASE_URL", "postgres://user:hunter2@db/x?password=hunter3")
        .load()
        .unwrap();
    let shown = format!("{config:?}");
    for secret in [TOKEN, "cacaca", "hunter2", "hunter3"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let url = config.describe().iter().find(|one| one.key == "store.url").unwrap();
    assert_eq!(url.value.as_deref(), Some("postgres://user:…@db/x?…"));
}

#[test]
fn a_key_given_twice_is_refused() {
    let both = typed().env("SEALING_KEY", "x").env("SEALING_KEY_FILE", "/run/secrets/key");
    assert_eq!(
        both.error(),
        "sealing_key: set only one of this and sealing_key_file (from environment SEALING_KEY)"
    );
    let file = typed().env("SEALING_KEY_FILE", "/run/secrets/key").load().unwrap();
    let KeySource::File(path) = file.secrets.sealing_key else { panic!() };
    assert_eq!(path, PathBuf::from("/run/secrets/key"));
    let both = typed().env("SEALING_KEY_ALSO", "x").env("SEALING_KEY_ALSO_FILE", "/run/secrets/keys");
    assert_eq!(
        both.error(),
        "sealing_key_also: set only one of this and sealing_key_also_file (from environment SEALING_KEY_ALSO)"
    );
}

#[test]
fn traces_are_configured_as_opentelemetry_says() {
    let off = typed().load().unwrap().traces;
    assert_eq!((off.url, off.service_name.as_str(), off.propagate), (None, "pointsman", false));
    let general = typed().env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example/otlp/");
    let url = |typed: &Typed| typed.load().unwrap().traces.url.map(|url| url.to_string());
    assert_eq!(url(&general).as_deref(), Some("https://collector.example/otlp/v1/traces"));
    let special = general.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://10.0.0.1:4318/in?a=b");
    assert_eq!(url(&special).as_deref(), Some("http://10.0.0.1:4318/in?a=b"), "as it is");
    let ranked = special
        .env("OTEL_EXPORTER_OTLP_HEADERS", "a=1")
        .env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "Authorization=Basic%20x, b=2");
    let config = ranked.load().unwrap();
    let headers: Vec<_> =
        config.traces.headers.iter().map(|(name, value)| (&**name, value.reveal())).collect();
    assert_eq!(headers, [("authorization", "Basic x"), ("b", "2")]);
    assert!(!format!("{config:?}").contains("Basic"), "headers are secrets");
    assert_eq!(url(&ranked.env("OTEL_SDK_DISABLED", "true")), None);
}

#[test]
fn what_is_wrong_with_a_setting_of_traces_is_said_without_its_secret() {
    for (name, value, said) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://collector.example",
            "traces.endpoint: must begin with https://",
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://8.8.8.8:4318", "traces.endpoint: must begin with https://"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "ftp://collector",
            "traces.endpoint: must begin with https:// or http://",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://a:b@collector.example",
            "traces.endpoint: must not hold a user",
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "traces.protocol: must be one of http/protobuf, not `grpc`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "canary", "traces.headers: must be name=value pairs"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=canary%0a", "traces.headers: must be name=value pairs"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "traces.sampler: must be one of"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "traces.sample_ratio: must be a share from 0 to 1"),
    ] {
        let error = typed().env(name, value).error();
        assert!(error.starts_with(said) && !error.contains("canary"), "{error}");
    }
}
