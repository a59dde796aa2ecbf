//! Paths as scripts name what was asked: a format and an operation here.

use protocol::{Format, Operation, gemini};
use serde_json::Value;

use crate::proxy;

/// Stands for any model in a path that names one.
const ANY_MODEL: &str = "{model}";

/// The filters that a path comes to; none where nothing is served there.
pub(super) fn filters(path: &str) -> Option<Vec<(&'static str, String)>> {
    let call = |format: Format, operation: Operation| {
        vec![("wire_format", format.name().to_owned()), ("operation", operation.name().to_owned())]
    };
    if let Some((_, format, operation)) = proxy::listing(ANY_MODEL).find(|(known, ..)| known == path) {
        return Some(call(format, operation));
    }
    let gemini::Path { model, method, .. } = gemini::path::parse(path, "").ok()?;
    let mut filters = call(Format::Gemini, method.operation());
    filters.push(("model", model));
    Some(filters)
}

/// The path that a format and an operation are asked on.
pub(super) fn path(format: &Value, operation: &Value, model: Option<&str>) -> Option<String> {
    let (format, operation) =
        (Format::from_name(format.as_str()?)?, Operation::from_name(operation.as_str()?)?);
    let mut served = proxy::listing(model.unwrap_or(ANY_MODEL));
    served.find(|(_, speaks, asks)| *speaks == format && *asks == operation).map(|(path, ..)| path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_a_format_and_an_operation_and_back() {
        let told = |path: &str| {
            filters(path)
                .map(|filters| filters.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(told("/v1/messages").as_deref(), Some("anthropic generate"));
        assert_eq!(told("/api/v1/messages/count_tokens").as_deref(), Some("anthropic count_tokens"));
        assert_eq!(told("/v1/responses/compact").as_deref(), Some("openai_responses compact"));
        assert_eq!(told("/v1beta/models/g-3:streamGenerateContent").as_deref(), Some("gemini generate g-3"));
        assert_eq!(told("/v1beta/models/{model}:generateContent").as_deref(), Some("gemini generate"));
        assert_eq!(told("/v1/nothing"), None);
        let path = |format, operation, model| path(&json!(format), &json!(operation), model);
        assert_eq!(path("openai_chat", "embed", Some("m")).as_deref(), Some("/v1/embeddings"));
        assert_eq!(
            path("gemini", "generate", Some("g-3")).as_deref(),
            Some("/v1beta/models/g-3:generateContent")
        );
        assert_eq!(path("openai_chat", "compact", None), None);
    }
}
