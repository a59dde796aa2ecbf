//! Secrets given from outside: the admin token and the sealing key. What becomes of them is
//! decided in [`crate::secrets`].

use std::path::PathBuf;

use super::{
    Secret,
    typed::{ConfigError, Knob, Typed},
};
use crate::secrets::{
    admin_token,
    sealing_key::{KeyError, SealingKey},
};

const ADMIN_TOKEN: &str = "admin_token";
const SEALING_KEY: &str = "sealing_key";
const SEALING_KEY_FILE: &str = "sealing_key_file";

pub(super) const KNOBS: &[Knob] = &[
    Knob::secret(ADMIN_TOKEN, &["ADMIN_TOKEN"]),
    Knob::secret(SEALING_KEY, &["SEALING_KEY"]),
    Knob::new(SEALING_KEY_FILE, &["SEALING_KEY_FILE"], None),
];

/// Secrets given from outside.
#[derive(Debug, Clone)]
pub struct SecretSettings {
    /// The admin token, known not to be weak.
    pub admin_token: Option<Secret>,
    /// Where the sealing key is.
    pub sealing_key: KeySource,
}

/// Where the sealing key is.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// It was given as a value.
    Given(SealingKey),
    /// It is in a file that the operator named.
    File(PathBuf),
    /// It is in the data directory, made at the first start.
    DataDirectory,
}

impl SecretSettings {
    /// The sealing key, made if it has to be.
    ///
    /// # Errors
    /// When the file cannot be read or made, holds no key, or can be read by others.
    pub fn load_sealing_key(&self, data_dir: &std::path::Path) -> Result<SealingKey, KeyError> {
        match &self.sealing_key {
            KeySource::Given(key) => Ok(key.clone()),
            KeySource::File(path) => SealingKey::from_file(path),
            KeySource::DataDirectory => SealingKey::in_directory(data_dir),
        }
    }
}

pub(super) fn meant(typed: &Typed) -> Result<SecretSettings, ConfigError> {
    let admin_token = typed.get(ADMIN_TOKEN).map(|token| {
        admin_token::check_strength(token)
            .map(|()| Secret::new(token))
            .map_err(|weak| typed.wrong(ADMIN_TOKEN, weak.to_string()))
    });
    let sealing_key = match (typed.get(SEALING_KEY), typed.get(SEALING_KEY_FILE)) {
        (Some(_), Some(_)) => {
            return Err(typed.wrong(SEALING_KEY, format!("set only one of this and {SEALING_KEY_FILE}")));
        }
        (Some(key), None) => KeySource::Given(
            SealingKey::parse(key).map_err(|error| typed.wrong(SEALING_KEY, error.to_string()))?,
        ),
        (None, Some(path)) => KeySource::File(path.into()),
        (None, None) => KeySource::DataDirectory,
    };
    Ok(SecretSettings { admin_token: admin_token.transpose()?, sealing_key })
}
