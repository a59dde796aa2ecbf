//! `[ldap]`: signing in with the name and password of a directory. Off unless a server is named (C-23).

use std::{path::PathBuf, time::Duration};

use ldap3::{ldap_escape, parse_filter};
use url::Url;

use super::{
    Secret,
    typed::{ConfigError, Knob, Typed},
};
use crate::store::Role;

const ENABLED: &str = "ldap.enabled";
const URL: &str = "ldap.url";
const PLAIN: &str = "ldap.plain";
const CA_FILE: &str = "ldap.ca_file";
const BIND_DN: &str = "ldap.bind_dn";
const BIND_PASSWORD: &str = "ldap.bind_password";
const BIND_PASSWORD_FILE: &str = "ldap.bind_password_file";
const BASE: &str = "ldap.base";
const FILTER: &str = "ldap.filter";
const SUBJECT_ATTRIBUTE: &str = "ldap.subject_attribute";
const NAME_ATTRIBUTE: &str = "ldap.name_attribute";
const GROUP_BASE: &str = "ldap.group_base";
const ADMIN_FILTER: &str = "ldap.admin_filter";
const OPERATOR_FILTER: &str = "ldap.operator_filter";
const AUDITOR_FILTER: &str = "ldap.auditor_filter";
const ISSUER: &str = "ldap.issuer";
const CREATE_USERS: &str = "ldap.create_users";
const LABEL: &str = "ldap.label";
const TIMEOUT_MS: &str = "ldap.timeout_ms";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(ENABLED, &["LDAP_ENABLED"], Some("true")),
    Knob::new(URL, &["LDAP_URL"], None),
    Knob::new(PLAIN, &["LDAP_PLAIN"], Some("false")),
    Knob::new(CA_FILE, &["LDAP_TLS_CA_FILE"], None),
    Knob::new(BIND_DN, &["LDAP_BIND_DN"], None),
    Knob::secret(BIND_PASSWORD, &["LDAP_BIND_PASSWORD"]),
    Knob::new(BIND_PASSWORD_FILE, &["LDAP_BIND_PASSWORD_FILE"], None),
    Knob::new(BASE, &["LDAP_SEARCH_BASE"], None),
    Knob::new(FILTER, &["LDAP_SEARCH_FILTER"], Some("(uid={{username}})")),
    Knob::new(SUBJECT_ATTRIBUTE, &["LDAP_SUBJECT_ATTRIBUTE"], Some("entryUUID")),
    Knob::new(NAME_ATTRIBUTE, &["LDAP_USER_ATTR_USERNAME"], Some("uid")),
    Knob::new(GROUP_BASE, &["LDAP_GROUP_BASE"], None),
    Knob::new(ADMIN_FILTER, &["LDAP_ADMIN_FILTER"], None),
    Knob::new(OPERATOR_FILTER, &["LDAP_OPERATOR_FILTER"], None),
    Knob::new(AUDITOR_FILTER, &["LDAP_AUDITOR_FILTER"], None),
    Knob::new(ISSUER, &["LDAP_ISSUER"], Some("ldap")),
    Knob::new(CREATE_USERS, &["LDAP_CREATE_USERS"], Some("false")),
    Knob::new(LABEL, &["LDAP_LABEL"], Some("Directory")),
    Knob::new(TIMEOUT_MS, &["LDAP_TIMEOUT"], Some("5000")),
];

/// The filters that give roles, the highest first.
const ROLES: [(&str, Role); 3] =
    [(ADMIN_FILTER, Role::Admin), (OPERATOR_FILTER, Role::Operator), (AUDITOR_FILTER, Role::Auditor)];

/// Signing in with an account of a directory.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// Where it is; `ldaps` speaks TLS at once, `ldap` by StartTLS.
    pub url: Url,
    /// Whether `ldap` speaks no TLS at all.
    pub plain: bool,
    /// Authorities to be trusted beside the public ones and the system's.
    pub ca_file: Option<PathBuf>,
    /// Who looks people up, and with which password; nobody by name where there is none.
    pub account: Option<(String, Secret)>,
    /// Below what people are looked for.
    pub base: String,
    /// How they are found.
    pub filter: Filter,
    /// The attribute that tells somebody for ever.
    pub subject_attribute: String,
    /// The attribute that a new user is called after.
    pub name_attribute: String,
    /// Below what the filters of roles look.
    pub group_base: String,
    /// Which filter, finding something, gives which role, the highest first; where there are none, roles are
    /// not the directory's.
    pub roles: Vec<(Role, Filter)>,
    /// What the links of users call the directory.
    pub issuer: String,
    /// Whether somebody unknown becomes a user.
    pub create_users: bool,
    /// What the page calls it.
    pub label: String,
    /// How long all of a sign-in may take there.
    pub timeout: Duration,
}

/// A filter of a search, with places for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    const USERNAME: &str = "{{username}}";
    const DN: &str = "{{dn}}";

    fn parse(text: &str, places: &[&str]) -> Result<Self, String> {
        let filter = Self(text.to_owned());
        if !places.iter().any(|place| text.contains(place)) {
            // It would find the same for everybody.
            return Err(format!("must hold {}", places.join(" or ")));
        }
        let is_one = parse_filter(filter.of("x", "cn=x")).is_ok();
        if is_one { Ok(filter) } else { Err("is no search filter, such as (uid={{username}})".to_owned()) }
    }

    /// The filter for somebody. What they are called stays a text, whatever it holds.
    #[must_use]
    pub fn of(&self, username: &str, dn: &str) -> String {
        // Without braces, what was put into one place is no other place.
        let inert = |text: &str| ldap_escape(text).replace('{', "\\7b");
        self.0.replace(Self::USERNAME, &inert(username)).replace(Self::DN, &inert(dn))
    }
}

pub(super) fn meant(typed: &Typed) -> Result<Option<LdapSettings>, ConfigError> {
    if !typed.truth(ENABLED)? {
        return Ok(None);
    }
    let given = |key: &'static str| typed.get(key).map(str::trim).filter(|text| !text.is_empty());
    let text =
        |key| given(key).map(str::to_owned).ok_or_else(|| typed.wrong(key, "must not be empty".to_owned()));
    let account = account(typed)?;
    let plain = typed.truth(PLAIN)?;
    let Some(url) = given(URL) else {
        return match [BASE, BIND_DN].into_iter().find(|key| given(key).is_some()) {
            Some(key) => Err(typed.wrong(key, format!("has no effect without {URL}"))),
            None => Ok(None),
        };
    };
    let url = server(url, plain).map_err(|why| typed.wrong(URL, why))?;
    let base = given(BASE).ok_or_else(|| typed.wrong(BASE, format!("must be set where {URL} is")))?;
    let filter =
        |key, text, places: &[&str]| Filter::parse(text, places).map_err(|why| typed.wrong(key, why));
    let roles = ROLES.iter().filter_map(|(key, role)| Some((*key, *role, given(key)?)));
    Ok(Some(LdapSettings {
        url,
        plain,
        ca_file: given(CA_FILE).map(PathBuf::from),
        account,
        filter: filter(FILTER, &text(FILTER)?, &[Filter::USERNAME])?,
        subject_attribute: text(SUBJECT_ATTRIBUTE)?,
        name_attribute: text(NAME_ATTRIBUTE)?,
        group_base: given(GROUP_BASE).unwrap_or(base).to_owned(),
        roles: roles
            .map(|(key, role, text)| Ok((role, filter(key, text, &[Filter::USERNAME, Filter::DN])?)))
            .collect::<Result<_, _>>()?,
        base: base.to_owned(),
        issuer: text(ISSUER)?,
        create_users: typed.truth(CREATE_USERS)?,
        label: text(LABEL)?,
        timeout: Duration::from_millis(typed.number(TIMEOUT_MS, 100, 60_000)?),
    }))
}

/// Who looks people up. An empty password would sign in nobody, which many servers take for anybody.
fn account(typed: &Typed) -> Result<Option<(String, Secret)>, ConfigError> {
    let dn = typed.get(BIND_DN).map(str::trim).filter(|dn| !dn.is_empty());
    match (dn, typed.secret(BIND_PASSWORD, BIND_PASSWORD_FILE)?) {
        (Some(dn), Some(password)) => Ok(Some((dn.to_owned(), password))),
        (Some(_), None) => Err(typed.wrong(BIND_DN, format!("needs {BIND_PASSWORD}"))),
        (None, Some(_)) => Err(typed.wrong(BIND_PASSWORD, format!("has no effect without {BIND_DN}"))),
        (None, None) => Ok(None),
    }
}

fn server(text: &str, plain: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "must be a url".to_owned())?;
    match url.scheme() {
        "ldaps" if plain => return Err(format!("must begin with ldap:// where {PLAIN} is true")),
        "ldaps" | "ldap" => {}
        _ => return Err("must begin with ldaps:// or ldap://".to_owned()),
    }
    let is_bare = matches!(url.path(), "" | "/")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_bare || url.host_str().is_none_or(str::is_empty) {
        return Err("must name a host and nothing else, such as ldaps://directory.example".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(text: &str) -> Filter {
        Filter::parse(text, &[Filter::USERNAME, Filter::DN]).unwrap()
    }

    proptest! {
        /// What is put in is a text to the directory, the same one, whatever it holds.
        #[test]
        fn c19_a_name_changes_no_filter(name in "[\\PC(){}*\\\\&|!=\0]{0,12}", dn in "[a-z(){}*\\\\,=]{0,12}") {
            let filled = filter("(&(uid={{username}})(member={{dn}}))").of(&name, &dn);
            let escaped = |text: &str| text.bytes().map(|byte| format!("\\{byte:02x}")).collect::<String>();
            let expected = format!("(&(uid={})(member={}))", escaped(&name), escaped(&dn));
            let read = |filter: &str| format!("{:?}", parse_filter(filter).unwrap());
            prop_assert_eq!(read(&filled), read(&expected));
        }
    }

    #[test]
    fn c19_a_name_that_looks_like_a_place_is_none() {
        assert_eq!(filter("(uid={{username}})").of("{{dn}}", "cn=x"), "(uid=\\7b\\7bdn}})");
    }
}
