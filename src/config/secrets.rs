//! Secrets given from outside: the admin token and the sealing key. What becomes of them is
//! decided in [`crate::secrets`].

use std::path::{Path, PathBuf};

use super::{
    Secret,
    typed::{ConfigError, Knob, Typed},
};
use crate::secrets::{
    admin_token,
    keyring::Keyring,
    sealing_key::{KeyError, SealingKey},
};

const ADMIN_TOKEN: &str = "admin_token";
const SEALING_KEY: &str = "sealing_key";
const SEALING_KEY_FILE: &str = "sealing_key_file";
const SEALING_KEY_ALSO: &str = "sealing_key_also";
const SEALING_KEY_ALSO_FILE: &str = "sealing_key_also_file";

pub(super) const KNOBS: &[Knob] = &[
    Knob::secret(ADMIN_TOKEN, &["ADMIN_TOKEN"]),
    Knob::secret(SEALING_KEY, &["SEALING_KEY"]),
    Knob::new(SEALING_KEY_FILE, &["SEALING_KEY_FILE"], None),
    Knob::secret(SEALING_KEY_ALSO, &["SEALING_KEY_ALSO"]),
    Knob::new(SEALING_KEY_ALSO_FILE, &["SEALING_KEY_ALSO_FILE"], None),
];

/// Secrets given from outside.
#[derive(Debug, Clone)]
pub struct SecretSettings {
    /// The admin token, known not to be weak.
    pub admin_token: Option<Secret>,
    /// Where the sealing key is.
    pub sealing_key: KeySource,
    /// Where other keys are whose blobs are opened as well.
    pub sealing_key_also: AlsoSource,
}

/// Where the sealing key is.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// It was given as a value.
    Given(SealingKey),
    /// It is in a file that the operator named.
    File(PathBuf),
    /// It is in the data directory, made at the first start, where the key before may lie beside it.
    DataDirectory,
}

/// Where other sealing keys are.
#[derive(Debug, Clone)]
pub enum AlsoSource {
    /// They were given as a value; there may be none.
    Given(Vec<SealingKey>),
    /// They are in a file that the operator named.
    File(PathBuf),
}

impl SecretSettings {
    /// The sealing keys, the current one made if it has to be.
    ///
    /// # Errors
    /// When a file cannot be read or made, holds no key, or can be read by others.
    pub fn load_keyring(&self, data_dir: &Path) -> Result<Keyring, KeyError> {
        let also = match &self.sealing_key_also {
            AlsoSource::Given(keys) => keys.clone(),
            AlsoSource::File(path) => SealingKey::many_from_file(path)?,
        };
        let keys = match &self.sealing_key {
            KeySource::Given(key) => return Ok(Keyring::new(key.clone(), also)),
            KeySource::File(path) => return Ok(Keyring::new(SealingKey::from_file(path)?, also)),
            KeySource::DataDirectory => Keyring::in_directory(data_dir)?,
        };
        Ok(Keyring::new(keys.current, keys.also.into_iter().chain(also)))
    }
}

pub(super) fn meant(typed: &Typed) -> Result<SecretSettings, ConfigError> {
    let admin_token = typed.get(ADMIN_TOKEN).map(|token| {
        admin_token::check_strength(token)
            .map(|()| Secret::new(token))
            .map_err(|weak| typed.wrong(ADMIN_TOKEN, weak.to_string()))
    });
    let wrong = |key| move |error: KeyError| typed.wrong(key, error.to_string());
    let sealing_key = match one_of(typed, SEALING_KEY, SEALING_KEY_FILE)? {
        (Some(key), _) => KeySource::Given(SealingKey::parse(key).map_err(wrong(SEALING_KEY))?),
        (None, Some(path)) => KeySource::File(path.into()),
        (None, None) => KeySource::DataDirectory,
    };
    let sealing_key_also = match one_of(typed, SEALING_KEY_ALSO, SEALING_KEY_ALSO_FILE)? {
        (None, Some(path)) => AlsoSource::File(path.into()),
        (keys, _) => {
            let keys = SealingKey::parse_many(keys.unwrap_or_default());
            AlsoSource::Given(keys.map_err(wrong(SEALING_KEY_ALSO))?)
        }
    };
    Ok(SecretSettings { admin_token: admin_token.transpose()?, sealing_key, sealing_key_also })
}

/// A value and the file that may hold it: one of the two at most.
fn one_of<'a>(
    typed: &'a Typed,
    value: &'static str,
    file: &'static str,
) -> Result<(Option<&'a str>, Option<&'a str>), ConfigError> {
    match (typed.get(value), typed.get(file)) {
        (Some(_), Some(_)) => Err(typed.wrong(value, format!("set only one of this and {file}"))),
        both => Ok(both),
    }
}
