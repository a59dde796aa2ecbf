//! The mode: how every request goes, whatever its prompt says, until the mode is changed again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::script::{Failure, Fate, Script};

/// A mode of the whole upstream, as `POST /_script` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Mode {
    /// Prompts decide.
    #[default]
    Ok,
    /// Every request gets the vendor's error of this status.
    Fail {
        /// The HTTP status.
        status: u16,
        /// Seconds of a `retry-after` header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// Every prompt is too long.
    Overflow,
    /// Every connection breaks after so many events.
    Cut {
        /// Events that still come.
        after: usize,
    },
    /// Nothing more comes after so many events; without a number, not even a head.
    Hang {
        /// Events that still come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<usize>,
    },
    /// Every stream ends in the vendor's error event.
    ErrorInStream {
        /// Events that still come.
        after: usize,
    },
    /// A pause before every event.
    Slow {
        /// Its length.
        milliseconds: u64,
    },
}

impl Mode {
    /// Whether it can be followed; a success is not a way to fail.
    pub(super) fn is_sound(self) -> bool {
        !matches!(self, Self::Fail { status, .. } if !(300..=599).contains(&status))
    }

    /// What the mode makes of a prompt's own script.
    pub(super) fn over(self, mut script: Script) -> Script {
        match self {
            Self::Ok => {}
            Self::Fail { status, retry_after } => {
                script.failure =
                    Some(Failure::Status { status, retry_after_seconds: retry_after, times: None });
            }
            Self::Overflow => script.failure = Some(Failure::Overflow),
            Self::Hang { after: None } => script.failure = Some(Failure::Silence),
            Self::Hang { after: Some(events) } => script.fate = Fate::SilentAfter(events),
            Self::Cut { after } => script.fate = Fate::CutAfter(after),
            Self::ErrorInStream { after } => script.fate = Fate::ErrorAfter(after),
            Self::Slow { milliseconds } => script.pause = Duration::from_millis(milliseconds),
        }
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_goes_before_the_prompt_and_ok_leaves_it_alone() {
        let (asked, _) = super::super::script::read("[[error 401]]").unwrap();
        assert_eq!(Mode::Ok.over(asked.clone()), asked);
        assert_eq!(
            Mode::Fail { status: 500, retry_after: None }.over(asked).failure,
            Some(Failure::Status { status: 500, retry_after_seconds: None, times: None })
        );
    }

    #[test]
    fn a_mode_is_written_as_the_header_says() {
        let read = |text: &str| serde_json::from_str::<Mode>(text);
        assert_eq!(read(r#"{"mode":"ok"}"#).unwrap(), Mode::Ok);
        assert_eq!(
            read(r#"{"mode":"fail","status":500,"retry_after":2}"#).unwrap(),
            Mode::Fail { status: 500, retry_after: Some(2) }
        );
        assert_eq!(read(r#"{"mode":"hang"}"#).unwrap(), Mode::Hang { after: None });
        assert_eq!(
            read(r#"{"mode":"error_in_stream","after":0}"#).unwrap(),
            Mode::ErrorInStream { after: 0 }
        );
        assert!(read(r#"{"mode":"fail"}"#).is_err());
        assert!(read(r#"{"mode":"cut","after":1,"status":2}"#).is_err());
    }
}
