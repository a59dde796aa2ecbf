//! `price`: what models cost.

use std::path::PathBuf;

use awc::http::Method;
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    client::escaped,
    desk::{Desk, PageArgs, with_query},
    exit::{Done, Failure},
    fields::{self, FieldArgs, given},
    progress::spinner,
    remote::Remote,
    table::{Column, column},
};

const COLUMNS: &[Column] = &[
    column("MODEL", "/model"),
    column("SOURCE", "/source"),
    column("INPUT USD/M", "/input_usd_per_mtok"),
    column("OUTPUT USD/M", "/output_usd_per_mtok"),
    column("CACHE READ", "/cache_read_usd_per_mtok"),
    column("WRITE 5M", "/cache_write_5m_usd_per_mtok").wide(),
    column("WRITE 1H", "/cache_write_1h_usd_per_mtok").wide(),
    column("FROM", "/effective_from"),
];

const IMPORTS: &[Column] = &[
    column("AT", "/imported_at"),
    column("ORIGIN", "/origin"),
    column("PRICES", "/prices"),
    column("SHA256", "/sha256"),
];

const UNPRICED: &[Column] = &[column("MODEL", "/model"), column("REQUESTS", "/requests")];

/// What models cost.
#[derive(Debug, Subcommand)]
pub(super) enum Price {
    /// List those in force.
    Ls {
        /// manual, imported or builtin.
        #[arg(long)]
        source: Option<String>,
        /// Those of one provider: id or name.
        #[arg(long, conflicts_with = "source")]
        provider: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Every price a model had, has and will have.
    Show {
        /// The model.
        model: String,
    },
    /// Set the price of a model.
    Set {
        /// The model.
        model: String,
        /// At this provider alone: id or name.
        #[arg(long)]
        provider: Option<String>,
        /// Dollars per million tokens that go in.
        #[arg(long = "input-usd", value_name = "USD")]
        input: Option<String>,
        /// Dollars per million tokens that come out.
        #[arg(long = "output-usd", value_name = "USD")]
        output_price: Option<String>,
        /// Dollars per million tokens read from the cache.
        #[arg(long = "cache-read-usd", value_name = "USD")]
        cache_read: Option<String>,
        /// From when on, as in 2030-01-31T12:00:00Z; now unless given.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        #[command(flatten)]
        fields: FieldArgs,
    },
    /// Remove what was set; an imported price counts again.
    Rm {
        /// The model.
        model: String,
        /// At this provider alone: id or name.
        #[arg(long)]
        provider: Option<String>,
    },
    /// Take in a price list in LiteLLM's form.
    Import {
        /// The file (`-`: standard input).
        file: PathBuf,
        #[command(flatten)]
        how: ImportArgs,
    },
    /// Take in the list at the address that prices.source_url names.
    ImportSource {
        #[command(flatten)]
        how: ImportArgs,
    },
    /// The lists that were taken in.
    Imports {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Models that were served without a price since the start.
    Unpriced,
}

/// How a list is taken in.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Only tell what would change.
    #[arg(long)]
    dry_run: bool,
    /// Take prices that move far.
    #[arg(long)]
    accept_large_changes: bool,
}

impl ImportArgs {
    fn path(&self, path: &str) -> String {
        let mut query = Vec::new();
        query.extend(self.dry_run.then(|| ("dry_run", "true".to_owned())));
        query.extend(self.accept_large_changes.then(|| ("accept_large_changes", "true".to_owned())));
        with_query(path, &query)
    }
}

impl Price {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { source, provider, page } => {
                let query: Vec<_> = source.map(|source| ("source", source)).into_iter().collect();
                let path = match provider {
                    Some(provider) => format!("/providers/{}/prices", desk.provider(&provider).await?),
                    None => "/prices".to_owned(),
                };
                desk.out.list(&desk.list(&path, &query, &page).await?, COLUMNS, "/model")
            }
            Self::Show { model } => {
                let body = desk.list(&path(&desk, None, &model).await?, &[], &PageArgs::default()).await?;
                desk.out.list(&body, COLUMNS, "/effective_from")
            }
            Self::Set { model, provider, input, output_price, cache_read, from, fields } => {
                let members = given([
                    ("input_usd_per_mtok", input.map(Value::from)),
                    ("output_usd_per_mtok", output_price.map(Value::from)),
                    ("cache_read_usd_per_mtok", cache_read.map(Value::from)),
                    ("effective_from", from.map(Value::from)),
                ]);
                let path = path(&desk, provider.as_deref(), &model).await?;
                desk.change(Method::PUT, &path, fields.body(members)?, "/model").await
            }
            Self::Rm { model, provider } => {
                let path = path(&desk, provider.as_deref(), &model).await?;
                desk.remove(&path, &format!("the price of {model}")).await
            }
            Self::Import { file, how } => {
                take_in(&desk, &how.path("/prices/import"), Some(fields::file(&file)?)).await
            }
            Self::ImportSource { how } => take_in(&desk, &how.path("/prices/import/source"), None).await,
            Self::Imports { page } => {
                desk.out.list(&desk.list("/prices/imports", &[], &page).await?, IMPORTS, "/sha256")
            }
            Self::Unpriced => {
                let body = desk.list("/prices/unpriced", &[], &PageArgs::default()).await?;
                desk.out.list(&body, UNPRICED, "/model")
            }
        }
    }
}

async fn take_in(desk: &Desk, path: &str, list: Option<Bytes>) -> Done {
    let bar = spinner(&desk.out, "taking in prices");
    let reply = desk.send(Method::POST, path, list).await;
    bar.finish_and_clear();
    desk.out.object(&reply?.body, "/sha256")
}

async fn path(desk: &Desk, provider: Option<&str>, model: &str) -> Result<String, Failure> {
    let prices = format!("/prices/{}", escaped(model));
    Ok(match provider {
        Some(provider) => format!("/providers/{}{prices}", desk.provider(provider).await?),
        None => prices,
    })
}
