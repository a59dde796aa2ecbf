//! What can go wrong in the store, in words that its callers act on.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another row already has this value.
    #[error("{field}: is already taken")]
    Conflict {
        /// The column, named as in the admin API.
        field: String,
    },
    /// The row is not of the version that the change was meant for.
    #[error("is of version {version} by now")]
    Stale {
        /// The one it has.
        version: i64,
    },
    /// These rows are not any more what they would have to be.
    #[error("changed since: {}", subjects.join(", "))]
    Moved {
        /// As the audit log names them.
        subjects: Vec<String>,
    },
    /// There is no such row.
    #[error("{what} not found")]
    NotFound {
        /// The kind of row.
        what: &'static str,
    },
    /// A value cannot be stored as given.
    #[error("{field}: {reason}")]
    Invalid {
        /// The column, named as in the admin API.
        field: &'static str,
        /// What is wrong with it, to be read after the field.
        reason: String,
    },
    /// The database cannot be reached or did not answer in time: worth trying again later.
    /// Whether a write took effect is not known.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// A stored value makes no sense, or a sealed one was tampered with.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// What everything rests on was sealed with a key that is not here.
    #[error(
        "the database was sealed with another sealing key: give it that one, as sealing_key or, beside a new one, \
         as sealing_key_also"
    )]
    OtherSealingKey,
    /// The database refused, for a reason that is nobody's input.
    #[error("database refused: {0}")]
    Refused(String),
}

impl StoreError {
    /// A value that cannot be stored as given.
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    /// Whether the same call may well succeed a little later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound { what: "row" },
            DieselError::DatabaseError(kind, info) => from_database(kind, &*info),
            DieselError::DeserializationError(cause) => Self::Corrupt(cause.to_string()),
            DieselError::SerializationError(cause) => Self::Refused(cause.to_string()),
            // A transaction that lost its connection; the cause was reported by the statement.
            DieselError::BrokenTransactionManager => Self::Unavailable("connection lost".into()),
            other => Self::Refused(other.to_string()),
        }
    }
}

fn from_database(kind: DatabaseErrorKind, info: &(dyn DatabaseErrorInformation + Send + Sync)) -> StoreError {
    match kind {
        DatabaseErrorKind::UniqueViolation => StoreError::Conflict { field: column_of(info) },
        DatabaseErrorKind::ForeignKeyViolation => StoreError::NotFound { what: "referenced row" },
        DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::UnableToSendCommand
        | DatabaseErrorKind::SerializationFailure
        | DatabaseErrorKind::ReadOnlyTransaction => StoreError::Unavailable(info.message().to_owned()),
        _ if SQLITE_TROUBLES
            .iter()
            .chain(&POSTGRES_TROUBLES)
            .any(|trouble| info.message().contains(trouble)) =>
        {
            StoreError::Unavailable(info.message().to_owned())
        }
        _ => StoreError::Refused(info.message().to_owned()),
    }
}

/// What SQLite says when the trouble is with the file and not with the statement. These texts are
/// part of its interface (`sqlite3_errstr`), and diesel hands on nothing else.
const SQLITE_TROUBLES: [&str; 6] = [
    "database is locked",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "attempt to write a readonly database",
    "database table is locked",
];

/// What PostgreSQL says, in its own language, when the trouble is its own. diesel hands on no codes; whoever
/// must not be wrong about a text in another language asks once more, as the recorder does.
const POSTGRES_TROUBLES: [&str; 5] = [
    "canceling statement due to",
    "terminating connection",
    "the database system is",
    "connection slots are reserved",
    "No space left on device",
];

/// The column of a violated unique constraint. PostgreSQL names the constraint, which by our rule
/// is `<table>_<column>_key`; SQLite says ``UNIQUE constraint failed: <table>.<column>, …``.
fn column_of(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> String {
    let named = match (info.constraint_name(), info.table_name()) {
        (Some(constraint), Some(table)) => constraint
            .strip_prefix(table)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(|rest| rest.strip_suffix("_key")),
        _ => info
            .message()
            .rsplit_once(": ")
            .and_then(|(_, columns)| columns.split(',').next())
            .and_then(|first| first.rsplit_once('.'))
            .map(|(_, column)| column),
    };
    named.unwrap_or("row").to_owned()
}
