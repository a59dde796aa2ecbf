//! Which version a row must have to be changed.

use super::{Store, error::StoreError};

/// Which version a row must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Any.
    #[default]
    Any,
    /// One of these; none of none.
    OneOf(Vec<i64>),
}

impl Expected {
    /// Refuses another version.
    pub(super) fn check(&self, version: i64) -> Result<(), StoreError> {
        match self {
            Self::OneOf(versions) if !versions.contains(&version) => Err(StoreError::Stale { version }),
            Self::Any | Self::OneOf(_) => Ok(()),
        }
    }
}

impl Store {
    /// The same store, which changes and removes rows of this version only.
    #[must_use]
    pub fn expecting(&self, expected: Expected) -> Self {
        Self { expected, ..self.clone() }
    }

    /// The same store for a change that is made of this version of a row: refused where another is expected, and
    /// where the row has moved on by then.
    ///
    /// # Errors
    /// [`StoreError::Stale`] where another version is expected.
    pub fn changing(&self, version: i64) -> Result<Self, StoreError> {
        self.expected.check(version)?;
        Ok(self.expecting(Expected::OneOf(vec![version])))
    }

    /// What the row that is changed must be.
    pub(super) fn expected(&self) -> Expected {
        self.expected.clone()
    }
}
