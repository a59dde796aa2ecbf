//! Errors as the vendors write them: status, body and headers.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use protocol::Format;
use serde_json::{Value, json};

/// A request that is answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) retry_after_seconds: Option<u32>,
    pub(super) reason: Reason,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// The script or the mode says so.
    Scripted,
    /// The body or a header is not what the vendor takes.
    Invalid(String),
    /// The credential is not the one this upstream accepts.
    WrongCredential,
    /// The prompt is too long.
    Overflow,
    /// There is nothing at this path.
    NoSuchPath,
}

impl Refusal {
    pub(super) fn new(reason: Reason) -> Self {
        let status = match reason {
            Reason::Scripted => 500,
            Reason::Invalid(_) | Reason::Overflow => 400,
            Reason::WrongCredential => 401,
            Reason::NoSuchPath => 404,
        };
        Self { status, retry_after_seconds: None, reason }
    }

    pub(super) fn scripted(status: u16, retry_after_seconds: Option<u32>) -> Self {
        Self { status, retry_after_seconds, reason: Reason::Scripted }
    }

    /// The vendor's answer: its head and its body.
    pub(super) fn response(&self, format: Format, number: u64) -> (HttpResponseBuilder, String) {
        // Google tells a wrong key by a 400; a scripted 401 stays one.
        let status = match (&self.reason, format) {
            (Reason::WrongCredential, Format::Gemini) => 400,
            _ => self.status,
        };
        let body = match format {
            Format::Anthropic => self.anthropic(number),
            Format::OpenaiChat | Format::OpenaiResponses => self.openai(format),
            Format::Gemini => self.gemini(status),
        }
        .to_string();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut head = HttpResponse::build(status);
        let request_id = if format == Format::Anthropic { "request-id" } else { "x-request-id" };
        head.insert_header((request_id, super::anthropic::request_id(number)));
        head.content_type("application/json");
        if let Some(seconds) = self.retry_after_seconds {
            head.insert_header(("retry-after", seconds.to_string()));
        }
        if status.is_redirection() {
            head.insert_header(("location", "/elsewhere"));
        }
        (head, body)
    }

    fn message(&self, format: Format) -> String {
        match (&self.reason, format) {
            (Reason::Invalid(why), _) => why.clone(),
            (Reason::NoSuchPath, _) => "there is nothing at this path".into(),
            (Reason::WrongCredential, Format::Anthropic) => "invalid x-api-key".into(),
            (Reason::WrongCredential, Format::Gemini) => {
                "API key not valid. Please pass a valid API key.".into()
            }
            (Reason::WrongCredential, _) => "Incorrect API key provided.".into(),
            (Reason::Overflow, format) => overflow(format).into(),
            (Reason::Scripted, Format::Gemini) if self.retry_after_seconds.is_some() => {
                let seconds = self.retry_after_seconds.unwrap_or_default();
                format!("scripted error {}. Please retry in {seconds}s.", self.status)
            }
            (Reason::Scripted, _) => format!("scripted error {}", self.status),
        }
    }

    fn anthropic(&self, number: u64) -> Value {
        let kind = match self.status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        json!({
            "type": "error",
            "error": {"type": kind, "message": self.message(Format::Anthropic)},
            "request_id": super::anthropic::request_id(number),
        })
    }

    fn openai(&self, format: Format) -> Value {
        let (kind, code) = match (&self.reason, self.status) {
            (Reason::Overflow, _) => ("invalid_request_error", "context_length_exceeded".into()),
            (_, 401) => ("invalid_request_error", "invalid_api_key".into()),
            (_, 404) => ("invalid_request_error", "model_not_found".into()),
            (_, 429) => ("requests", "rate_limit_exceeded".into()),
            (_, 503) => ("service_unavailable_error", "server_is_overloaded".into()),
            (_, 400..=499) => ("invalid_request_error", Value::Null),
            _ => ("server_error", Value::Null),
        };
        let param = match (&self.reason, format) {
            (Reason::Overflow, Format::OpenaiResponses) => json!("input"),
            (Reason::Overflow, _) => json!("messages"),
            _ => Value::Null,
        };
        json!({"error": {"message": self.message(format), "type": kind, "param": param, "code": code}})
    }

    fn gemini(&self, status: u16) -> Value {
        let name = match status {
            400 | 413 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 | 529 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            402 | 405..=499 => "FAILED_PRECONDITION",
            _ => "INTERNAL",
        };
        let mut error = json!({"code": status, "message": self.message(Format::Gemini), "status": name});
        if self.reason == Reason::WrongCredential {
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
            }]);
        } else if let Some(seconds) = self.retry_after_seconds {
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{seconds}s"),
            }]);
        }
        json!({"error": error})
    }
}

/// What each vendor says about a prompt that is too long.
pub(super) fn overflow(format: Format) -> &'static str {
    match format {
        Format::Anthropic => "prompt is too long: 213462 tokens > 200000 maximum",
        Format::OpenaiChat => {
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 213462 tokens. Please reduce the length of the messages."
        }
        Format::OpenaiResponses => {
            "Your input exceeds the context window of this model. Please adjust your input and try again."
        }
        Format::Gemini => {
            "The input token count (1213462) exceeds the maximum number of tokens allowed (1048576)."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(refusal: &Refusal, format: Format, status: u16, words: &[&str]) {
        let (mut head, body) = refusal.response(format, 1);
        assert_eq!(head.finish().status().as_u16(), status);
        for word in words {
            assert!(body.contains(word), "{word} in {body}");
        }
    }

    #[test]
    fn each_vendor_says_in_its_own_words_that_it_is_busy() {
        let busy = Refusal::scripted(429, Some(2));
        check(&busy, Format::Anthropic, 429, &[r#""type":"rate_limit_error""#, "req_demo_1"]);
        check(&busy, Format::OpenaiChat, 429, &[r#""code":"rate_limit_exceeded""#]);
        check(&busy, Format::Gemini, 429, &["RESOURCE_EXHAUSTED", r#""retryDelay":"2s""#, "retry in 2s"]);
        assert_eq!(
            busy.response(Format::OpenaiChat, 1).0.finish().headers().get("retry-after").unwrap(),
            "2"
        );
    }

    #[test]
    fn google_tells_a_wrong_key_by_a_400_but_a_scripted_401_stays_one() {
        check(&Refusal::new(Reason::WrongCredential), Format::Gemini, 400, &["API_KEY_INVALID"]);
        check(&Refusal::new(Reason::WrongCredential), Format::Anthropic, 401, &["authentication_error"]);
        check(&Refusal::scripted(401, None), Format::Gemini, 401, &["UNAUTHENTICATED"]);
    }

    #[test]
    fn each_vendor_has_its_own_way_to_call_a_prompt_too_long() {
        let overflow = Refusal::new(Reason::Overflow);
        check(&overflow, Format::Anthropic, 400, &["invalid_request_error", "prompt is too long"]);
        check(&overflow, Format::OpenaiChat, 400, &["context_length_exceeded", "maximum context length"]);
        check(&overflow, Format::OpenaiResponses, 400, &["context_length_exceeded", "context window"]);
        check(&overflow, Format::Gemini, 400, &["INVALID_ARGUMENT", "exceeds the maximum number of tokens"]);
    }
}
