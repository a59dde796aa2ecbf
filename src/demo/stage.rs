//! The stage of the demo: two scripted upstreams, two providers, a user with a key, prices, and three
//! lines to paste. Everything lives in a throw-away directory and is gone when the demo ends.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use actors::{
    ledger::limits::Limits,
    money::Money,
    pricing::{Price, Rates},
    provider::card::{BreakerSettings, Credential, Kind, Timeouts},
    restrictions::{ProviderRestrictions, Restrictions},
};
use anyhow::Context;
use chrono::Utc;
use protocol::Format;
use serde_json::json;
use tempfile::TempDir;

use super::upstream::{self, Options, Running};
use crate::{
    boot::House,
    config::{self, Config, Flags},
    secrets::digest::NewApiKey,
    store::{NewKey, NewProvider, NewUser, PriceSource, Role, Store},
};

/// Model, and dollars per million tokens of input and output; caches cost in the usual proportions.
const PRICES: [(&str, &str, &str); 3] =
    [("claude-demo-1", "3", "15"), ("gpt-demo-1", "1.25", "10"), ("gemini-demo-1", "0.5", "3")];

/// When set, the last line printed is one for programs.
const FOR_PROGRAMS: &str = "POINTSMAN_DEMO_JSON";

/// Everything the demo needs for as long as it runs.
pub struct Stage {
    config: Config,
    /// Removed when the stage is dropped.
    _directory: TempDir,
    north: Running,
    south: Running,
}

impl Stage {
    /// Starts the upstreams and prepares a configuration.
    ///
    /// # Errors
    /// When a port or a directory can't be had, or the settings make no sense.
    pub fn set(mut flags: Flags) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("pointsman-demo-").tempdir()?;
        flags.data_dir = Some(directory.path().join("data").display().to_string());
        flags.database_url = Some(format!("sqlite:{}", directory.path().join("demo.db").display()));
        flags.listen_addr.get_or_insert_with(|| "127.0.0.1".to_owned());
        let config = config::load(&flags).context("configuration")?;
        let upstream = |name: &str| {
            let credential = Some(credential(name));
            upstream::start_with(Options { credential, ..Options::default() })
        };
        let (north, south) = (upstream("north")?, upstream("south")?);
        Ok(Self { config, _directory: directory, north, south })
    }

    /// How the house is to be built.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Furnishes the house that has opened, and says what to try.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn open(&self, house: House) -> anyhow::Result<()> {
        let House { address, store, current, digester, new_admin_token, .. } = house;
        for (name, upstream, priority) in [("north", &self.north, 0), ("south", &self.south, 1)] {
            store.create_provider(provider(name, upstream.base_url(), priority)).await?;
        }
        let prices =
            PRICES.iter().map(|(model, input, output)| Ok(((*model).to_owned(), price(input, output)?)));
        let prices = prices.collect::<anyhow::Result<_>>()?;
        store.put_prices(PriceSource::Manual, Utc::now(), prices).await?;
        let key = NewApiKey::generate(&digester);
        make_user(&store, &key).await?;
        current.load().await?;
        let token = new_admin_token.unwrap_or_else(|| "$ADMIN_TOKEN".to_owned());
        let base = format!("http://{address}");
        self.print(&base, key.reveal(), &token)?;
        Ok(())
    }

    fn print(&self, base: &str, key: &str, token: &str) -> io::Result<()> {
        let north = self.north.base_url();
        let mut out = io::stdout().lock();
        let ask = |prompt: &str, stream: bool| {
            let body = json!({
                "model": "claude-demo-1",
                "max_tokens": 1_000,
                "stream": stream,
                "messages": [{"role": "user", "content": prompt}],
            });
            format!(
                "curl -sN {base}/v1/messages -H 'x-api-key: {key}' -H 'content-type: application/json' -d '{body}'"
            )
        };
        writeln!(
            out,
            "\nThe demo is ready: two providers, `north` first and `south` behind it. Paste these into another terminal.\n"
        )?;
        writeln!(
            out,
            "1. A stream, an event every 100 ms:\n\n{}\n",
            ask("Mind the gap [[slow 100ms]]", true)
        )?;
        let fail = json!({"mode": "fail", "status": 500});
        writeln!(
            out,
            "2. A failover: `north` is told to fail, and `south` answers (see x-pointsman-provider):\n\n\
             curl -s {north}/_script -d '{fail}' >/dev/null; {} -i\n",
            ask("Which way?", false)
        )?;
        writeln!(
            out,
            "3. Why it went there: the last request, with its decision chain, usage and cost:\n\n\
             T='authorization: Bearer {token}'; curl -s -H \"$T\" {base}/api/v1/requests/$(curl -s -H \"$T\" \
             '{base}/api/v1/requests?limit=1' | sed -E 's/.*\"id\":\"([^\"]+)\".*/\\1/')\n"
        )?;
        writeln!(out, "   `north` works again after: curl -s {north}/_script -d '{{\"mode\":\"ok\"}}'")?;
        writeln!(out, "   For a client of your own: base URL {base}, key {key}; end with Ctrl-C.\n")?;
        if std::env::var_os(FOR_PROGRAMS).is_some() {
            let line = json!({
                "base_url": base, "key": key, "admin_url": base, "admin_token": token,
                "upstream": north, "backup": self.south.base_url(),
            });
            writeln!(out, "POINTSMAN_DEMO {line}")?;
        }
        out.flush()
    }
}

fn credential(provider: &str) -> String {
    format!("credential-of-{provider}")
}

fn provider(name: &str, base_url: String, priority: i32) -> NewProvider {
    NewProvider {
        name: name.to_owned(),
        kind: Kind::Claude,
        base_url,
        credential: Credential::new(credential(name)),
        formats: Format::ALL.to_vec(),
        weight: 1,
        priority,
        cost_multiplier: Money::one(),
        groups: Vec::new(),
        allowed_models: Vec::new(),
        restrictions: ProviderRestrictions::default(),
        model_redirects: BTreeMap::new(),
        limits: Limits::default(),
        // Back soon after it was told to work again: nobody waits half an hour for a demo.
        breaker: BreakerSettings { open_ms: 10_000, ..BreakerSettings::default() },
        timeouts: Timeouts::default(),
        allow_private_network: true,
        enabled: true,
        notes: "made by the demo".to_owned(),
    }
}

fn price(input: &str, output: &str) -> anyhow::Result<Price> {
    let (input, output) = (Money::parse(input)?, Money::parse(output)?);
    let of_input = |factor: &str| anyhow::Ok(input.clone() * &Money::parse(factor)?);
    Ok(Price::from(Rates {
        cache_write_5m_usd_per_mtok: of_input("1.25")?,
        cache_write_1h_usd_per_mtok: of_input("2")?,
        cache_read_usd_per_mtok: of_input("0.1")?,
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
    }))
}

async fn make_user(store: &Store, key: &NewApiKey) -> anyhow::Result<()> {
    let (groups, tags) = (Vec::new(), vec!["demo".to_owned()]);
    let role = Role::User;
    let (name, limits) = ("demo".to_owned(), Limits::default());
    let user = NewUser {
        name,
        role,
        groups,
        tags,
        limits,
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
    };
    let user = store.create_user(user).await?;
    let new = NewKey {
        name: "demo key".to_owned(),
        groups: Vec::new(),
        limits,
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
        web_login: false,
    };
    store.create_key(user.id, key, new).await?;
    Ok(())
}
