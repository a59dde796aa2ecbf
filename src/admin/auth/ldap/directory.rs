//! The directory: who has a name there, and whether a password is theirs.
//!
//! Each sign-in has a connection of its own: what a connection may do hangs on who was bound last, and one that
//! is shared would now and then answer for somebody else. It is spoken on in a task of its own, since the
//! crate panics at answers that make no sense; the task ends, and nothing else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, ResultEntry, Scope, SearchEntry,
    SearchOptions, SearchResult, drive,
};
use rustls::ClientConfig;
use tokio::{sync::Semaphore, time::timeout};
use uuid::Uuid;

use crate::{
    admin::{
        auth::elsewhere::{Person, fit_name},
        values::identifier_rule,
    },
    config::ldap::LdapSettings,
    store::Role,
    upstream::{TlsSetup, tls_config},
};

/// How many are signed in at once; the others wait for their turn.
const AT_ONCE: usize = 8;
/// The most bytes of a name that is looked up. No user's name is longer.
const NAME_BYTES: usize = 256;
/// Asks for entries without their attributes.
const NO_ATTRIBUTES: &[&str] = &["1.1"];
/// What Active Directory tells somebody by: sixteen bytes, which people write as a GUID.
const OBJECT_GUID: &str = "objectGUID";

// Codes of RFC 4511, 4.1.9.
const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
/// What a refused password, a locked account and the like are told by. Other codes speak of the directory.
const REFUSALS: [u32; 6] = [19, 32, 48, 49, 50, 53];

/// The directory.
pub struct Directory {
    line: Line,
    turns: Arc<Semaphore>,
}

/// Why the directory says neither yes nor no.
#[derive(Debug, thiserror::Error)]
pub(in crate::admin) enum Fault {
    #[error("can't be reached: {0}")]
    Unreachable(#[from] LdapError),
    #[error("does not answer within {0:?}")]
    Late(Duration),
    #[error("answers what makes no sense")]
    Odd,
    #[error("too many are signing in")]
    Busy,
    #[error("does not let ldap.bind_dn in: {0}")]
    Account(LdapResult),
    #[error("answers a search with {0}")]
    Search(LdapResult),
    #[error("judges no password: {0}")]
    Unwilling(LdapResult),
    #[error("does not tell ldap.subject_attribute ({0}) of an account, or several of it")]
    Nameless(String),
}

impl Directory {
    /// The directory of these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// When `ldap.ca_file` is unusable.
    pub fn new(settings: LdapSettings) -> Result<Self, TlsSetup> {
        let mut tls = tls_config(settings.ca_file.as_deref())?;
        // Not the protocol of upstreams.
        tls.alpn_protocols.clear();
        let line = Line { settings: Arc::new(settings), tls: Arc::new(tls) };
        Ok(Self { line, turns: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    pub(in crate::admin) fn settings(&self) -> &LdapSettings {
        &self.line.settings
    }

    /// Which directory it is; sessions are over once it is another.
    pub(in crate::admin) fn mark(&self) -> String {
        format!("{} {}", self.settings().url, self.settings().base)
    }

    /// Whether it answers, and whether people can be looked up.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub async fn look(&self) -> Result<(), String> {
        self.speak(self.line.clone().look()).await.map_err(|fault| fault.to_string())
    }

    /// Who has that name, if that is their password.
    pub(super) async fn person(&self, name: &str, password: String) -> Result<Option<Person>, Fault> {
        // Many servers take a name without a password for nobody in particular, and say yes.
        if password.is_empty() || name.is_empty() || name.len() > NAME_BYTES {
            return Ok(None);
        }
        self.speak(self.line.clone().person(name.to_owned(), password)).await
    }

    async fn speak<T: Send + 'static>(
        &self,
        talk: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let limit = self.settings().timeout;
        let turn = timeout(limit, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Fault::Busy) };
        let task = tokio::spawn(async move {
            let _turn = turn;
            timeout(limit, talk).await.unwrap_or(Err(Fault::Late(limit)))
        });
        task.await.unwrap_or(Err(Fault::Odd))
    }
}

/// What a connection is made from.
#[derive(Clone)]
struct Line {
    settings: Arc<LdapSettings>,
    tls: Arc<ClientConfig>,
}

impl Line {
    async fn look(self) -> Result<(), Fault> {
        let mut ldap = self.open().await?;
        let base = &self.settings.base;
        let SearchResult(_, result) =
            ldap.search(base, Scope::Base, "(objectClass=*)", NO_ATTRIBUTES).await?;
        if result.rc == SUCCESS { Ok(()) } else { Err(Fault::Search(result)) }
    }

    async fn person(self, name: String, password: String) -> Result<Option<Person>, Fault> {
        let mut ldap = self.open().await?;
        let entry = self.find(&mut ldap, &name).await?;
        // For a name that nobody has the directory is asked as well, so that the answer comes no sooner.
        let nobody = || format!("cn={},{}", Uuid::now_v7(), self.settings.base);
        let dn = entry.as_ref().map_or_else(nobody, |entry| entry.dn.clone());
        let verdict = ldap.simple_bind(&dn, &password).await?;
        let Some(entry) = entry.filter(|_| verdict.rc == SUCCESS) else {
            let is_no = REFUSALS.contains(&verdict.rc) || verdict.rc == SUCCESS;
            return if is_no { Ok(None) } else { Err(Fault::Unwilling(verdict)) };
        };
        let role = self.role(&mut ldap, &name, &entry.dn).await?;
        let _ = ldap.unbind().await;
        self.told(&entry, role).map(Some)
    }

    /// A connection on which the account that looks people up is bound.
    async fn open(&self) -> Result<Ldap, Fault> {
        let Self { settings, tls } = self;
        let how = LdapConnSettings::new().set_config(Arc::clone(tls)).set_starttls(!settings.plain);
        let (connection, mut ldap) = LdapConnAsync::from_url_with_settings(how, &settings.url).await?;
        drive!(connection);
        self.bind(&mut ldap).await?;
        Ok(ldap)
    }

    async fn bind(&self, ldap: &mut Ldap) -> Result<(), Fault> {
        let account = self.settings.account.as_ref();
        let (dn, password) = account.map_or(("", ""), |(dn, password)| (dn.as_str(), password.reveal()));
        let verdict = ldap.simple_bind(dn, password).await?;
        if verdict.rc == SUCCESS { Ok(()) } else { Err(Fault::Account(verdict)) }
    }

    /// Who has that name, if exactly one has.
    async fn find(&self, ldap: &mut Ldap, name: &str) -> Result<Option<SearchEntry>, Fault> {
        let LdapSettings { base, filter, subject_attribute, name_attribute, .. } = &*self.settings;
        let attributes = [subject_attribute, name_attribute];
        let found = search(ldap, base, &filter.of(name, ""), &attributes, 2).await?;
        if found.len() > 1 {
            log::warn!("admin: ldap.filter finds more than one account for a name; nobody is signed in");
            return Ok(None);
        }
        let entry = found.into_iter().next().map(SearchEntry::construct);
        // To be nobody in particular needs no password.
        Ok(entry.filter(|entry| !entry.dn.is_empty()))
    }

    /// The highest role that the directory gives, where it gives any.
    async fn role(&self, ldap: &mut Ldap, name: &str, dn: &str) -> Result<Option<Role>, Fault> {
        let LdapSettings { roles, group_base, .. } = &*self.settings;
        if roles.is_empty() {
            return Ok(None);
        }
        // Who has just signed in may not be allowed to look.
        self.bind(ldap).await?;
        for (role, filter) in roles {
            if !search(ldap, group_base, &filter.of(name, dn), NO_ATTRIBUTES, 1).await?.is_empty() {
                return Ok(Some(*role));
            }
        }
        Ok(Some(Role::User))
    }

    fn told(&self, entry: &SearchEntry, role: Option<Role>) -> Result<Person, Fault> {
        let LdapSettings { subject_attribute, name_attribute, .. } = &*self.settings;
        let subject = subject(entry, subject_attribute);
        let subject = subject.ok_or_else(|| Fault::Nameless(subject_attribute.clone()))?;
        let names = values(&entry.attrs, name_attribute);
        Ok(Person { subject, name: names.first().and_then(|name| fit_name(name)), role })
    }
}

/// What is found below `base`, at most so many.
async fn search(
    ldap: &mut Ldap,
    base: &str,
    filter: &str,
    attributes: &[impl AsRef<str> + Send + Sync],
    most: i32,
) -> Result<Vec<ResultEntry>, Fault> {
    let options = SearchOptions::new().sizelimit(most);
    let found = ldap.with_search_options(options).search(base, Scope::Subtree, filter, attributes).await?;
    let SearchResult(entries, result) = found;
    match result.rc {
        SUCCESS | SIZE_LIMIT_EXCEEDED => Ok(entries),
        _ => Err(Fault::Search(result)),
    }
}

/// What tells somebody for ever: the only value of the attribute. Bytes that are no text are written in hex.
fn subject(entry: &SearchEntry, attribute: &str) -> Option<String> {
    let texts = values(&entry.attrs, attribute);
    let bytes = values(&entry.bin_attrs, attribute);
    let only = match (texts, bytes) {
        ([text], []) => text.as_bytes(),
        ([], [bytes]) => bytes,
        _ => return None,
    };
    if attribute.eq_ignore_ascii_case(OBJECT_GUID) {
        return Some(Uuid::from_bytes_le(only.try_into().ok()?).to_string());
    }
    let told = String::from_utf8(only.to_vec()).unwrap_or_else(|_| hex::encode(only));
    Some(told).filter(|told| identifier_rule(told).is_ok())
}

/// The values of an attribute; its name is the same in any case.
fn values<'e, V>(attributes: &'e HashMap<String, Vec<V>>, name: &str) -> &'e [V] {
    let found = attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, values)| values.as_slice()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(texts: &[(&str, &[&str])], bytes: &[(&str, &[u8])]) -> SearchEntry {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        SearchEntry {
            dn: "uid=anna".to_owned(),
            attrs: texts.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect(),
            bin_attrs: bytes.iter().map(|(name, value)| ((*name).to_owned(), vec![value.to_vec()])).collect(),
        }
    }

    #[test]
    fn c19_somebody_is_told_by_the_only_value_whatever_bytes_it_has() {
        let told = |entry: SearchEntry, attribute| subject(&entry, attribute);
        assert_eq!(told(entry(&[("entryuuid", &["a"])], &[]), "entryUUID").as_deref(), Some("a"));
        assert_eq!(told(entry(&[("uid", &["a", "b"])], &[]), "uid"), None, "either may be somebody else's");
        assert_eq!(told(entry(&[("uid", &["a"])], &[("uid", b"\xff")]), "uid"), None);
        assert_eq!(told(entry(&[("uid", &[""])], &[]), "uid"), None);
        assert_eq!(told(entry(&[], &[]), "uid"), None);
        assert_eq!(told(entry(&[], &[("id", b"\xff\x00")]), "id").as_deref(), Some("ff00"));
    }

    #[test]
    fn a_guid_is_written_as_people_do_even_where_its_bytes_are_text() {
        let guid = "33221100-5544-7766-8899-aabbccddeeff";
        let bytes = b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        assert_eq!(subject(&entry(&[], &[("objectGUID", bytes)]), OBJECT_GUID).as_deref(), Some(guid));
        let text = entry(&[("objectGUID", &["abcdefghijklmnop"])], &[]);
        let told = subject(&text, "objectguid");
        assert_eq!(told.as_deref(), Some("64636261-6665-6867-696a-6b6c6d6e6f70"));
        assert_eq!(subject(&entry(&[("objectGUID", &["short"])], &[]), OBJECT_GUID), None);
    }
}
