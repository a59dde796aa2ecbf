//! What the control plane answers when it does not do what it was asked: `application/problem+json`
//! (RFC 9457) with a stable `code`. Status and body are decided here and nowhere else (C-25).
//!
//! What the caller reads and what the log keeps are two messages: `detail` and `cause`.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde::Serialize;
use serde_json::{Value, json};

use super::schema::{Book, Schema};
use crate::store::StoreError;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in the answer; it never changes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

codes! {
    /// Why a request was not done.
    Code {
        /// The body is not JSON.
        MalformedJson = "malformed_json",
        /// No credential, or a wrong one.
        Unauthorized = "unauthorized",
        /// What was shown to sign in with does not count.
        SignInFailed = "sign_in_failed",
        /// Nobody began this sign-in in this browser, or it is over.
        SignInExpired = "sign_in_expired",
        /// The provider knows who that is, and that one may not come in here.
        SignInRefused = "sign_in_refused",
        /// The provider where people sign in does not answer as it should.
        SignInProviderFailed = "sign_in_provider_failed",
        /// Too many attempts to sign in failed; `retry-after` says when the next may be made.
        TooManyAttempts = "too_many_attempts",
        /// A change by session that does not come from a page of ours.
        CsrfRejected = "csrf_rejected",
        /// The request comes with no session that could be ended.
        NoSession = "no_session",
        /// Known who is asking, and that one may not.
        Forbidden = "forbidden",
        /// There is no such thing.
        NotFound = "not_found",
        /// The path exists, with other methods.
        MethodNotAllowed = "method_not_allowed",
        /// The body did not arrive in time.
        BodyTooSlow = "body_too_slow",
        /// Another row has this value already.
        Conflict = "conflict",
        /// The row is not of the version that `if-match` names.
        VersionMismatch = "version_mismatch",
        /// The idempotency-key came with another request.
        IdempotencyKeyReused = "idempotency_key_reused",
        /// The same request is being done right now.
        InProgress = "in_progress",
        /// The same request was begun, and what became of it is not known.
        OutcomeUnknown = "outcome_unknown",
        /// More idempotency-keys than are kept.
        TooManyKeys = "too_many_keys",
        /// More exports than there may be.
        TooManyExports = "too_many_exports",
        /// The export has no file: not yet, or it came to nothing.
        ExportNotDone = "export_not_done",
        /// The sealing key comes from the configuration, so it is changed there.
        SealingKeyGiven = "sealing_key_given",
        /// The sealing key before the current one is still in the data directory.
        OldSealingKeyThere = "old_sealing_key_there",
        /// The body is larger than this route takes.
        BodyTooLarge = "body_too_large",
        /// The body is not declared as JSON.
        UnsupportedMediaType = "unsupported_media_type",
        /// Prices would move so far that somebody has to say that this is meant.
        LargeChanges = "large_changes",
        /// The address that price lists come from did not give one.
        PriceSourceFailed = "price_source_failed",
        /// At least one member is not acceptable.
        Invalid = "invalid",
        /// All that is wrong is that a later version is needed.
        NotSupportedYet = "not_supported_yet",
        /// An unforeseen failure of ours.
        Internal = "internal",
        /// A row makes no sense or does not open.
        StoredDataDamaged = "stored_data_damaged",
        /// The database does not answer; of a write it is not known whether it took effect.
        StoreUnavailable = "store_unavailable",
        /// Written down, but the running server has not taken it over yet.
        NotEffectiveYet = "not_effective_yet",
        /// The actors have too much to do.
        Overloaded = "overloaded",
    }
}

impl Code {
    /// The HTTP status that goes with it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::SignInFailed | Self::SignInExpired => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::CsrfRejected | Self::SignInRefused => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict
            | Self::LargeChanges
            | Self::InProgress
            | Self::OutcomeUnknown
            | Self::TooManyExports
            | Self::ExportNotDone
            | Self::SealingKeyGiven
            | Self::OldSealingKeyThere
            | Self::NoSession => StatusCode::CONFLICT,
            Self::VersionMismatch => StatusCode::PRECONDITION_FAILED,
            Self::TooManyKeys | Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::PriceSourceFailed | Self::SignInProviderFailed => StatusCode::BAD_GATEWAY,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid | Self::NotSupportedYet | Self::IdempotencyKeyReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Internal | Self::StoredDataDamaged => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreUnavailable | Self::NotEffectiveYet | Self::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "the body is not JSON",
            Self::Unauthorized => "a credential is needed",
            Self::SignInFailed => "not signed in",
            Self::SignInExpired => "sign-in not begun here, or over",
            Self::SignInRefused => "not let in",
            Self::SignInProviderFailed => "the provider does not help",
            Self::TooManyAttempts => "too many attempts",
            Self::CsrfRejected => "not asked for by a page of ours",
            Self::NoSession => "no session to end",
            Self::Forbidden => "not allowed",
            Self::NotFound => "not found",
            Self::MethodNotAllowed => "method not allowed",
            Self::BodyTooSlow => "the body did not arrive in time",
            Self::Conflict => "conflict with what exists",
            Self::VersionMismatch => "changed meanwhile",
            Self::IdempotencyKeyReused => "the idempotency-key belongs to another request",
            Self::InProgress => "being done right now",
            Self::OutcomeUnknown => "begun, and not known whether done",
            Self::TooManyKeys => "too many idempotency-keys",
            Self::TooManyExports => "too many exports",
            Self::ExportNotDone => "the export has no file",
            Self::SealingKeyGiven => "the sealing key comes from the configuration",
            Self::OldSealingKeyThere => "the sealing key before is still there",
            Self::LargeChanges => "prices would move far",
            Self::PriceSourceFailed => "no price list came",
            Self::BodyTooLarge => "the body is too large",
            Self::UnsupportedMediaType => "the body must be JSON",
            Self::Invalid => "not acceptable as it stands",
            Self::NotSupportedYet => "not supported yet",
            Self::Internal => "an unforeseen failure of ours",
            Self::StoredDataDamaged => "stored data is damaged",
            Self::StoreUnavailable => "the database does not answer",
            Self::NotEffectiveYet => "stored, but not effective yet",
            Self::Overloaded => "overloaded",
        }
    }
}

codes! {
    /// What is wrong with one member of a body, or with one parameter.
    FlawCode {
        /// It must be given.
        Required = "required",
        /// There is no such member.
        Unknown = "unknown",
        /// It is given more than once.
        Repeated = "repeated",
        /// It has another JSON type.
        WrongType = "wrong_type",
        /// It is not one of the values there are.
        NotOneOf = "not_one_of",
        /// It is too large, too small, too long or empty.
        OutOfRange = "out_of_range",
        /// It is not written as it should be.
        Malformed = "malformed",
        /// Another row has this value already.
        Taken = "taken",
        /// It is not any more what it would have to be.
        Changed = "changed",
        /// It is not the one that counts.
        Wrong = "wrong",
        /// What it names does not exist.
        NotFound = "not_found",
        /// It will have an effect in a later version, and only then be taken.
        NotSupportedYet = "not_supported_yet",
    }
}

/// What is wrong with one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// Which: `limits.concurrency`, `groups[2]`.
    pub field: String,
    /// What sort of thing is wrong.
    pub code: FlawCode,
    /// For people, to be read after the field.
    pub message: String,
}

/// A no.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    flaws: Vec<Flaw>,
    cause: Option<String>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A no with what the caller may know.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), flaws: Vec::new(), cause: None, retry_after: None }
    }

    /// A no for what is wrong with these members; there is at least one.
    #[must_use]
    pub fn flawed(flaws: Vec<Flaw>) -> Self {
        let only_later = flaws.iter().all(|flaw| flaw.code == FlawCode::NotSupportedYet);
        let code = if only_later { Code::NotSupportedYet } else { Code::Invalid };
        let told: Vec<_> = flaws.iter().map(|flaw| format!("{}: {}", flaw.field, flaw.message)).collect();
        Self { code, detail: told.join("; "), flaws, cause: None, retry_after: None }
    }

    /// A no for one member.
    #[must_use]
    pub fn field(field: &str, code: FlawCode, message: impl Into<String>) -> Self {
        Self::flawed(vec![Flaw { field: field.to_owned(), code, message: message.into() }])
    }

    /// No such thing.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("{what} not found"))
    }

    /// The same with what is wrong with these.
    #[must_use]
    pub fn with(self, flaws: Vec<Flaw>) -> Self {
        Self { flaws, ..self }
    }

    /// The same with the time after which it may be asked again.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The same with a cause for the log.
    #[must_use]
    pub fn because(self, cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    /// Something unforeseen; the cause is for the log only.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        let detail = "the log tells more under the id in x-pointsman-request-id";
        Self::new(Code::Internal, detail).because(cause)
    }

    /// Why.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What the caller may know.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What the log should keep, where there is more to say than the answer does.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { field } => {
                let flaw = Flaw { field, code: FlawCode::Taken, message: "is already taken".to_owned() };
                let detail = format!("{}: {}", flaw.field, flaw.message);
                Self { flaws: vec![flaw], ..Self::new(Code::Conflict, detail) }
            }
            StoreError::Stale { version } => {
                let detail = format!("it is of version {version} by now; look at it again");
                Self::new(Code::VersionMismatch, detail)
            }
            StoreError::Moved { subjects } => {
                let detail = format!("changed since: {}", subjects.join(", "));
                let flaw =
                    |field| Flaw { field, code: FlawCode::Changed, message: "was changed since".to_owned() };
                Self { flaws: subjects.into_iter().map(flaw).collect(), ..Self::new(Code::Conflict, detail) }
            }
            StoreError::NotFound { what } => Self::not_found(what),
            StoreError::Invalid { field, reason } => Self::field(field, FlawCode::OutOfRange, reason),
            StoreError::Unavailable(cause) => {
                let detail = "try again later; of a write it is not known whether it took effect";
                Self::new(Code::StoreUnavailable, detail).because(cause)
            }
            StoreError::Corrupt(what) => Self::new(Code::StoredDataDamaged, what.clone()).because(what),
            StoreError::OtherSealingKey => Self::new(Code::StoredDataDamaged, error.to_string()),
            StoreError::Refused(cause) => Self::internal(format_args!("database refused: {cause}")),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

/// The body of an answer that says no.
#[derive(Serialize)]
struct Shown<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: Code,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Flaw]>::is_empty")]
    errors: &'a [Flaw],
}

impl Schema for Problem {
    fn schema(_: &mut Book) -> Value {
        let names = |all: &[Code]| all.iter().map(|code| code.name()).collect::<Vec<_>>();
        let flaws: Vec<_> = FlawCode::ALL.iter().map(|code| code.name()).collect();
        json!({
            "type": "object",
            "description": "Why a request was not done. Act on `code`; the texts are for people and may change.",
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "code": {"type": "string", "enum": names(Code::ALL)},
                "detail": {"type": "string"},
                "errors": {"type": "array", "description": "What is wrong with which members.", "items": {
                    "type": "object",
                    "properties": {
                        "field": {"type": "string"},
                        "code": {"type": "string", "enum": flaws},
                        "message": {"type": "string"},
                    },
                    "required": ["field", "code", "message"],
                }},
            },
            "required": ["type", "title", "status", "code", "detail"],
        })
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        if self.code == Code::Unauthorized {
            answer.insert_header((WWW_AUTHENTICATE, r#"Bearer realm="pointsman""#));
        }
        if let Some(wait) = self.retry_after {
            let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            answer.insert_header((RETRY_AFTER, whole.to_string()));
        }
        let shown = Shown {
            r#type: format!("urn:pointsman:problem:{}", self.code.name()),
            title: self.code.title(),
            status: self.status_code().as_u16(),
            code: self.code,
            detail: &self.detail,
            errors: &self.flaws,
        };
        // Text, numbers and our own names: there is nothing that could fail to become JSON.
        let body = serde_json::to_string(&shown).unwrap_or_default();
        answer.insert_header((CONTENT_TYPE, "application/problem+json")).body(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_as_it_is_named() {
        let written = |code: &dyn erased::Written| code.written();
        for code in Code::ALL {
            assert_eq!(written(code), format!("\"{}\"", code.name()));
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
        for code in FlawCode::ALL {
            assert_eq!(written(code), format!("\"{}\"", code.name()));
        }
    }

    mod erased {
        pub(super) trait Written {
            fn written(&self) -> String;
        }

        impl<T: serde::Serialize> Written for T {
            fn written(&self) -> String {
                serde_json::to_string(self).unwrap()
            }
        }
    }
}
