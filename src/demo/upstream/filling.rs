//! Values that fit a JSON schema: arguments for a tool, and answers that were demanded as JSON.

use serde_json::{Map, Value, json};

/// Schemas refer to themselves at times; deeper than this everything is null.
const DEEPEST: usize = 8;

/// The command that a shell tool is asked to run: harmless anywhere, and easy to find again.
pub(super) const COMMAND: &str = "echo pointsman-tool-ran";

/// A value that fits `schema`: required members only, first of the allowed values, `text` for strings,
/// and a harmless command where a command is wanted.
pub(super) fn fitting(schema: &Value, text: &str) -> Value {
    fill(schema, schema, "", text, DEEPEST)
}

fn fill(root: &Value, schema: &Value, name: &str, text: &str, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(chosen) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
        return chosen.clone();
    }
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|path| root.pointer(path));
        return target.map_or(Value::Null, |target| fill(root, target, name, text, depth));
    }
    if let Some(variant) = ["/anyOf/0", "/oneOf/0", "/allOf/0"].iter().find_map(|at| schema.pointer(at)) {
        return fill(root, variant, name, text, depth);
    }
    match kind(schema).as_str() {
        "object" => object(root, schema, text, depth),
        "array" if is_command(name) => json!(COMMAND.split(' ').collect::<Vec<_>>()),
        "array" => match schema.get("items") {
            Some(items) => json!([fill(root, items, name, text, depth)]),
            None => json!([]),
        },
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(false),
        "null" => Value::Null,
        _ if is_command(name) => json!(COMMAND),
        _ => json!(text),
    }
}

fn object(root: &Value, schema: &Value, text: &str, depth: usize) -> Value {
    let mut object = Map::new();
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        let member = schema.get("properties").and_then(|properties| properties.get(name));
        let value = member.map_or_else(|| json!(text), |member| fill(root, member, name, text, depth));
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// The type in lower case (Gemini shouts), the first one of several, and what the members suggest if none is given.
fn kind(schema: &Value) -> String {
    let named = schema.get("type").and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    match named {
        Some(kind) => kind.to_lowercase(),
        None if schema.get("properties").is_some() => "object".into(),
        None => "string".into(),
    }
}

fn is_command(name: &str) -> bool {
    matches!(name, "command" | "cmd" | "commands")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_members_are_filled_by_type_and_the_rest_is_left_out() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"}, "days": {"type": "integer"}, "metric": {"type": "boolean"},
                "unit": {"enum": ["C", "F"]}, "tags": {"type": "array", "items": {"type": "string"}},
                "note": {"type": "string"},
            },
            "required": ["city", "days", "metric", "unit", "tags"],
        });
        assert_eq!(
            fitting(&schema, "x"),
            json!({"city": "x", "days": 1, "metric": false, "unit": "C", "tags": ["x"]})
        );
    }

    #[test]
    fn a_shell_gets_a_harmless_command_in_whatever_form_it_takes_it() {
        let schema = |kind: &str| json!({"properties": {"command": {"type": kind}}, "required": ["command"]});
        assert_eq!(fitting(&schema("string"), "x"), json!({"command": COMMAND}));
        assert_eq!(fitting(&schema("array"), "x"), json!({"command": ["echo", "pointsman-tool-ran"]}));
    }

    #[test]
    fn types_may_be_shouted_listed_or_referred_to() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {"a": {"type": ["integer", "null"]}, "b": {"$ref": "#/$defs/b"}, "c": {"anyOf": [{"type": "BOOLEAN"}]}},
            "required": ["a", "b", "c"],
            "$defs": {"b": {"const": "fixed"}},
        });
        assert_eq!(fitting(&schema, "x"), json!({"a": 1, "b": "fixed", "c": false}));
    }

    #[test]
    fn a_schema_that_contains_itself_comes_to_an_end() {
        let schema = json!({"properties": {"again": {"$ref": "#"}}, "required": ["again"]});
        assert!(fitting(&schema, "x").to_string().ends_with("null}}}}"));
    }
}
