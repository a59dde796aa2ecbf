//! `[oidc]`: signing in at an OpenID Connect provider. Off unless an issuer is named (C-23).

use std::net::IpAddr;

use url::{Host, Url};

use super::{
    Secret,
    typed::{ConfigError, Knob, Typed},
};
use crate::store::Role;

const ISSUER: &str = "oidc.issuer";
const CLIENT_ID: &str = "oidc.client_id";
const CLIENT_SECRET: &str = "oidc.client_secret";
const CLIENT_SECRET_FILE: &str = "oidc.client_secret_file";
const PUBLIC_URL: &str = "oidc.public_url";
const SCOPES: &str = "oidc.scopes";
const NAME_CLAIM: &str = "oidc.name_claim";
const EMAIL_CLAIM: &str = "oidc.email_claim";
const GROUPS_CLAIM: &str = "oidc.groups_claim";
const ROLES: &str = "oidc.roles";
const ALLOWED_DOMAINS: &str = "oidc.allowed_domains";
const ALLOWED_GROUPS: &str = "oidc.allowed_groups";
const CREATE_USERS: &str = "oidc.create_users";
const LABEL: &str = "oidc.label";
const ALLOW_PRIVATE_NETWORK: &str = "oidc.allow_private_network";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(ISSUER, &["OIDC_ISSUER"], None),
    Knob::new(CLIENT_ID, &["OIDC_CLIENT_ID"], None),
    Knob::secret(CLIENT_SECRET, &["OIDC_CLIENT_SECRET"]),
    Knob::new(CLIENT_SECRET_FILE, &["OIDC_CLIENT_SECRET_FILE"], None),
    Knob::new(PUBLIC_URL, &["OIDC_PUBLIC_URL"], None),
    Knob::new(SCOPES, &["OIDC_SCOPES"], Some("profile,email")),
    Knob::new(NAME_CLAIM, &["OIDC_NAME_CLAIM"], Some("preferred_username")),
    Knob::new(EMAIL_CLAIM, &["OIDC_EMAIL_CLAIM"], Some("email")),
    Knob::new(GROUPS_CLAIM, &["OIDC_GROUPS_CLAIM"], Some("groups")),
    Knob::new(ROLES, &["OIDC_ROLES"], Some("")),
    Knob::new(ALLOWED_DOMAINS, &["OIDC_ALLOWED_DOMAINS"], Some("")),
    Knob::new(ALLOWED_GROUPS, &["OIDC_ALLOWED_GROUPS"], Some("")),
    Knob::new(CREATE_USERS, &["OIDC_CREATE_USERS"], Some("false")),
    Knob::new(LABEL, &["OIDC_LABEL"], Some("Single sign-on")),
    Knob::new(ALLOW_PRIVATE_NETWORK, &["OIDC_ALLOW_PRIVATE_NETWORK"], Some("false")),
];

/// Signing in at a provider.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The provider, letter by letter as it calls itself.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// What we show there; none for a public client.
    pub client_secret: Option<Secret>,
    /// Where browsers find this house.
    pub public_url: Url,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that a new user is called after.
    pub name_claim: String,
    /// The claim that holds an address for mail.
    pub email_claim: String,
    /// The claim that holds groups.
    pub groups_claim: String,
    /// Which value of the groups gives which role; where there are none, roles are not the provider's.
    pub roles: Vec<(String, Role)>,
    /// Whose addresses end so may come in; everybody's where there are none.
    pub allowed_domains: Vec<String>,
    /// Who is in one of these may come in; everybody where there are none.
    pub allowed_groups: Vec<String>,
    /// Whether somebody unknown becomes a user.
    pub create_users: bool,
    /// What the button says.
    pub label: String,
    /// Whether the provider may be on a private address.
    pub allow_private_network: bool,
}

pub(super) fn meant(typed: &Typed) -> Result<Option<OidcSettings>, ConfigError> {
    let given = |key: &'static str| typed.get(key).map(str::trim).filter(|text| !text.is_empty());
    let allow_private_network = typed.truth(ALLOW_PRIVATE_NETWORK)?;
    let client_secret = typed.secret(CLIENT_SECRET, CLIENT_SECRET_FILE)?;
    let (issuer, client_id, public_url) = (given(ISSUER), given(CLIENT_ID), given(PUBLIC_URL));
    let Some(issuer) = issuer else {
        return match [CLIENT_ID, PUBLIC_URL].into_iter().find(|key| given(key).is_some()) {
            Some(key) => Err(typed.wrong(key, format!("has no effect without {ISSUER}"))),
            None => Ok(None),
        };
    };
    let missing = |key: &'static str| typed.wrong(key, format!("must be set where {ISSUER} is"));
    let client_id = client_id.ok_or_else(|| missing(CLIENT_ID))?;
    let public_url = public_url.ok_or_else(|| missing(PUBLIC_URL))?;
    provider(issuer, allow_private_network).map_err(|why| typed.wrong(ISSUER, why))?;
    Ok(Some(OidcSettings {
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        client_secret,
        public_url: own(public_url).map_err(|why| typed.wrong(PUBLIC_URL, why))?,
        scopes: list(typed, SCOPES),
        name_claim: claim(typed, NAME_CLAIM)?,
        email_claim: claim(typed, EMAIL_CLAIM)?,
        groups_claim: claim(typed, GROUPS_CLAIM)?,
        roles: list(typed, ROLES)
            .iter()
            .map(|pair| role(pair).map_err(|why| typed.wrong(ROLES, why)))
            .collect::<Result<_, _>>()?,
        allowed_domains: list(typed, ALLOWED_DOMAINS).iter().map(|name| name.to_ascii_lowercase()).collect(),
        allowed_groups: list(typed, ALLOWED_GROUPS),
        create_users: typed.truth(CREATE_USERS)?,
        label: claim(typed, LABEL)?,
        allow_private_network,
    }))
}

/// Texts separated by commas.
fn list(typed: &Typed, key: &'static str) -> Vec<String> {
    let text = typed.get(key).unwrap_or_default();
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn claim(typed: &Typed, key: &'static str) -> Result<String, ConfigError> {
    typed.read(key, |text| if text.is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) })
}

fn role(pair: &str) -> Result<(String, Role), String> {
    let role = pair.rsplit_once('=').and_then(|(value, role)| {
        Some((value.trim().to_owned(), Role::from_name(role.trim())?)).filter(|(value, _)| !value.is_empty())
    });
    let roles = Role::ALL.map(Role::name).join(", ");
    role.ok_or_else(|| format!("must be value=role pairs, with one of {roles} as role"))
}

/// Who can change the provider's answers on their way can sign in as anybody, so it speaks TLS, save where
/// its network is trusted.
fn provider(text: &str, allow_private_network: bool) -> Result<(), String> {
    let url = address(text)?;
    if url.scheme() == "http" && !(allow_private_network || is_loopback(&url)) {
        return Err("must begin with https://".to_owned());
    }
    Ok(())
}

fn own(text: &str) -> Result<Url, String> {
    let url = address(text)?;
    let here = is_loopback(&url) || url.domain() == Some("localhost");
    if url.scheme() == "http" && !here {
        return Err("must begin with https://, save for this machine".to_owned());
    }
    if url.path() != "/" {
        return Err("must not hold a path".to_owned());
    }
    Ok(url)
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "must be a url".to_owned())?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("must begin with https://".to_owned());
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must not hold a user name, a password, a query or a fragment".to_owned());
    }
    Ok(url)
}

/// Whether it is spelled as an address of this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        _ => false,
    }
}
