//! What these routes answer when they say no: the predecessors' envelope, with their error codes.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

/// A no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) text: String,
    /// The member that is wrong, by the name it has in `/api/v1`.
    pub(super) field: Option<String>,
}

impl Failure {
    /// A mistake of the caller's.
    pub(super) fn invalid(code: &'static str, text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, text: text.into(), field: None }
    }

    /// A member is missing.
    pub(super) fn required(field: &str) -> Self {
        let text = format!("{field} must be given");
        Self { field: Some(field.to_owned()), ..Self::invalid("REQUIRED_FIELD", text) }
    }

    /// There is no such thing.
    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::invalid("NOT_FOUND", text)
    }

    /// Something unforeseen, which the log tells of.
    pub(super) fn internal() -> Self {
        let text = "an unforeseen failure of ours; the log tells more".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "INTERNAL_ERROR", text, field: None }
    }

    /// What `/api/v1` said, in the predecessors' words.
    pub(super) fn of(status: StatusCode, problem: &Value) -> Self {
        let text = |member: &str| problem[member].as_str().unwrap_or_default();
        let flaw = &problem["errors"][0];
        let (status, code) = match text("code") {
            "unauthorized" => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            "forbidden" | "csrf" | "csrf_rejected" => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            "too_many_attempts" => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED"),
            "not_found" => (StatusCode::BAD_REQUEST, "NOT_FOUND"),
            "conflict" if flaw["field"] == "name" => (StatusCode::BAD_REQUEST, "DUPLICATE_NAME"),
            "conflict" => (StatusCode::BAD_REQUEST, "CONFLICT"),
            "store_unavailable" => (StatusCode::INTERNAL_SERVER_ERROR, "DATABASE_ERROR"),
            _ if status.is_server_error() => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
            _ if status == StatusCode::UNAUTHORIZED => (status, "UNAUTHORIZED"),
            _ if status == StatusCode::FORBIDDEN => (status, "PERMISSION_DENIED"),
            _ if status == StatusCode::TOO_MANY_REQUESTS => (status, "RATE_LIMIT_EXCEEDED"),
            _ => (StatusCode::BAD_REQUEST, of_flaw(flaw["code"].as_str().unwrap_or_default())),
        };
        let field = flaw["field"].as_str().map(str::to_owned);
        Self { status, code, text: text("detail").to_owned(), field }
    }

    /// The answer.
    pub(super) fn answer(&self) -> HttpResponse {
        let mut body = json!({"ok": false, "error": self.text, "errorCode": self.code});
        if let Some(field) = &self.field {
            body["errorParams"] = json!({"field": field});
        }
        HttpResponse::build(self.status).json(body)
    }
}

fn of_flaw(code: &str) -> &'static str {
    match code {
        "required" => "REQUIRED_FIELD",
        "out_of_range" => "INVALID_RANGE",
        "wrong_type" => "INVALID_TYPE",
        "not_found" => "NOT_FOUND",
        "taken" => "CONFLICT",
        _ => "INVALID_FORMAT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_by_the_predecessors_status_and_code() {
        let told = |status: u16, problem: Value| {
            let failure = Failure::of(StatusCode::from_u16(status).unwrap(), &problem);
            (failure.status.as_u16(), failure.code)
        };
        assert_eq!(told(401, json!({"code": "unauthorized"})), (401, "UNAUTHORIZED"));
        assert_eq!(told(403, json!({"code": "forbidden"})), (403, "PERMISSION_DENIED"));
        assert_eq!(told(404, json!({"code": "not_found"})), (400, "NOT_FOUND"));
        let taken = json!({"code": "conflict", "errors": [{"field": "name", "code": "taken"}]});
        assert_eq!(told(409, taken), (400, "DUPLICATE_NAME"));
        let flaw = json!({"code": "invalid", "errors": [{"field": "limits.rpm", "code": "out_of_range"}]});
        assert_eq!(told(422, flaw), (400, "INVALID_RANGE"));
        assert_eq!(told(503, json!({"code": "store_unavailable"})), (500, "DATABASE_ERROR"));
    }
}
