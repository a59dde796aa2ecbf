//! What lists of users, keys and providers are narrowed and ordered by.

use clap::{Args, ValueEnum};

/// What these lists have in common.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// In the order of `name`, `created_at`, …; with a `-` in front from the last to the first.
    #[arg(long, value_name = "MEMBER", allow_hyphen_values = true)]
    sort: Option<String>,
}

/// What they have in common of filters.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// With this text in it, capitals or not.
    #[arg(long, short, value_name = "TEXT")]
    search: Option<String>,
    /// In this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only those that are turned on, or off.
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

/// How a user or a key stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Status {
    /// Turned on, and its end has not come.
    Active,
    /// Active, and its end comes within a week.
    Expiring,
    /// Its end has come.
    Expired,
    /// Turned off.
    Disabled,
}

impl Status {
    /// As the API calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }
}

impl ListArgs {
    /// As parameters, with those that only one noun has.
    pub(super) fn query(
        &self,
        own: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Vec<(&'static str, String)> {
        let mut query = self.filter.query(own);
        query.extend(self.sort.clone().map(|sort| ("sort", sort)));
        query
    }
}

impl FilterArgs {
    /// The same without an order.
    pub(super) fn query(
        &self,
        own: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Vec<(&'static str, String)> {
        let common = [
            ("q", self.search.clone()),
            ("group", self.group.clone()),
            ("enabled", self.enabled.map(|enabled| enabled.to_string())),
        ];
        common.into_iter().chain(own).filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
