//! `[prices]`: where prices come from besides the admin API. From nowhere, unless somebody says so (C-23).

use url::{Host, Url};

use super::typed::{ConfigError, Knob, Typed};

const SOURCE_URL: &str = "prices.source_url";

pub(super) const KNOBS: &[Knob] = &[Knob::new(SOURCE_URL, &["PRICES_SOURCE_URL"], None)];

/// Where prices come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSettings {
    /// The address of a price list, which an operator may have fetched.
    pub source_url: Option<Url>,
}

pub(super) fn meant(typed: &Typed) -> Result<PriceSettings, ConfigError> {
    let source_url = typed.get(SOURCE_URL).filter(|text| !text.trim().is_empty());
    let source_url = source_url.map(|text| address(text).map_err(|why| typed.wrong(SOURCE_URL, why)));
    Ok(PriceSettings { source_url: source_url.transpose()? })
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|_| "must be a url".to_owned())?;
    let this_machine = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    // Whoever can change the list on its way can change what everybody pays.
    if url.scheme() != "https" && !(url.scheme() == "http" && this_machine) {
        return Err("must begin with https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must not hold a user name, a password or a fragment".to_owned());
    }
    Ok(url)
}
