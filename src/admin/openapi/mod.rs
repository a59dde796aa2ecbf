//! The description of the control plane: OpenAPI 3.1, made of the table of routes, the types of bodies and
//! answers, and a line per handler. It is put together once, when somebody first wants it.

mod asked;
mod elsewhere;
mod operations;
mod page;

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::{
    HttpResponse,
    http::{
        Method,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    web,
};
use serde_json::{Map, Value, json};

use self::operations::Told;
pub(super) use self::{
    asked::{Asked, Asks},
    page::escaped,
};
use super::{
    Right,
    error::{Code, Problem},
    routes,
    schema::{Book, Schema as _},
};

/// The description as it is served.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
static TEXT: LazyLock<web::Bytes> = LazyLock::new(|| DOCUMENT.to_string().into());

/// Mounts the description and the reference. Both tell everyone what the repository tells.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.route("/api/openapi.json", web::get().to(show));
    page::configure(app);
}

/// `GET /api/openapi.json`.
async fn show() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header(("x-content-type-options", "nosniff"))
        .body(TEXT.clone())
}

fn document() -> Value {
    let told: BTreeMap<_, _> = operations::all().into_iter().map(|told| (told.handler, told)).collect();
    let (mut book, mut paths) = (Book::default(), Map::new());
    let problem = Problem::schema(&mut book);
    book.structs.insert("Problem".to_owned(), problem);
    for (method, pattern, right, asked) in routes::described() {
        // A route without a line is missing here; a test says so before anybody else notices.
        if let Some(told) = told.get(asked.handler) {
            let path = paths.entry(plain(pattern)).or_insert_with(|| json!({}));
            path[method.as_str().to_ascii_lowercase()] =
                operation(&mut book, (&method, pattern, right), asked, told);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": book.structs,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The admin token, or an api key whose user has the right that `x-right` names.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-pointsman",
                    "description": "A console session. A change needs the header `x-pointsman-csrf`, too.",
                },
            },
        },
    })
}

/// A pattern as OpenAPI writes it, without what a place may match.
fn plain(pattern: &str) -> String {
    pattern.replace(":.+}", "}")
}

fn operation(book: &mut Book, route: (&Method, &str, Right), asked: Asked, told: &Told) -> Value {
    let (method, pattern, right) = route;
    let name = asked.handler.trim_start_matches("pointsman::").trim_start_matches("admin::");
    // Only a PATCH leaves alone what is not mentioned.
    book.changes = method == Method::PATCH;
    let in_query =
        told.parameters.iter().map(|(name, schema)| json!({"name": name, "in": "query", "schema": schema}));
    let mut yes = json!({"description": "Done."});
    if let Some(answer) = told.answer {
        let schema = answer(book);
        yes["content"] =
            told.media.iter().map(|media| ((*media).to_owned(), json!({"schema": schema}))).collect();
    }
    let mut responses = Map::from_iter([(told.status.to_string(), yes)]);
    responses.extend(refusals(method, pattern, &asked, told));
    let mut operation = json!({
        "operationId": name.replace("::", "."),
        "summary": told.summary,
        "tags": [name.split("::").next()],
        "parameters": places(pattern, &asked, told).chain(in_query).chain(headers(method, right, &asked)).collect::<Vec<_>>(),
        "responses": responses,
        "security": if right == Right::Public { json!([]) } else { json!([{"bearer": []}, {"session": []}]) },
        "x-right": right.name(),
    });
    if let Some(body) = asked.body {
        let content = json!({"application/json": {"schema": body(book)}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

/// The parts of a path that are to be filled in.
fn places<'a>(pattern: &'a str, asked: &'a Asked, told: &'a Told) -> impl Iterator<Item = Value> + 'a {
    let names = pattern.split('{').skip(1).filter_map(|rest| rest.split([':', '}']).next());
    names.map(move |name| {
        let known = told.places.iter().find(|(place, _)| *place == name).map(|(_, schema)| schema.clone());
        let schema = known.unwrap_or_else(|| match name {
            "id" if asked.row => json!({"type": "integer", "format": "int64"}),
            _ => json!({"type": "string", "minLength": 1}),
        });
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    })
}

/// Headers that mean something.
fn headers(method: &Method, right: Right, asked: &Asked) -> impl Iterator<Item = Value> {
    let told = |name: &str, says: &str, pattern: &str| {
        let schema = json!({"type": "string", "pattern": pattern});
        json!({"name": name, "in": "header", "description": says, "schema": schema})
    };
    let version = "the `etag` of what is to be changed; 412 where it is another by now";
    let key = "made up for this one request: sent again with it, the request is not done again but answered as before";
    let version = asked.versioned.then(|| told("if-match", version, "^(\\*|\"(0|[1-9][0-9]*)\")$"));
    version.into_iter().chain(
        (method == Method::POST && right != Right::Public)
            .then(|| told("idempotency-key", key, "^[!-~]([ -~]{0,198}[!-~])?$")),
    )
}

/// How it may be refused, by status.
fn refusals(method: &Method, pattern: &str, asked: &Asked, told: &Told) -> Map<String, Value> {
    use Code::*;
    let mut codes = vec![
        Unauthorized,
        Forbidden,
        Internal,
        StoredDataDamaged,
        StoreUnavailable,
        NotEffectiveYet,
        Overloaded,
    ];
    if !method.is_safe() {
        codes.push(CsrfRejected);
    }
    if asked.body.is_some() {
        codes.extend([
            MalformedJson,
            BodyTooSlow,
            BodyTooLarge,
            UnsupportedMediaType,
            Conflict,
            NotSupportedYet,
        ]);
    }
    codes.push(Invalid); // an unknown parameter, if nothing else
    if pattern.contains('{') {
        codes.push(NotFound);
    }
    if asked.versioned {
        codes.push(VersionMismatch);
    }
    if method == Method::POST {
        codes.extend([IdempotencyKeyReused, InProgress, OutcomeUnknown, TooManyKeys]);
    }
    codes.extend(&told.codes);
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in codes {
        let names = by_status.entry(code.status().as_u16()).or_default();
        if !names.contains(&code.name()) {
            names.push(code.name());
        }
    }
    let problem = |(status, codes): (u16, Vec<&str>)| {
        let content =
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        (status.to_string(), json!({"description": format!("`{}`", codes.join("`, `")), "content": content}))
    };
    by_status.into_iter().map(problem).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described() {
        let told = operations::all();
        let lines: BTreeSet<_> = told.iter().map(|told| told.handler).collect();
        assert_eq!(lines.len(), told.len(), "a handler has two lines in operations.rs");
        let mut served = BTreeSet::new();
        for (method, pattern, _, asked) in routes::described() {
            let handler = asked.handler;
            assert!(
                lines.contains(handler),
                "{method} {pattern} is not described: add a line `told({handler}, \"What it does\").gives::<View>()` \
                 to src/admin/openapi/operations.rs, with the struct it answers with declared by `view!`"
            );
            assert!(served.insert(handler), "{handler} serves two routes, which would have one operationId");
        }
        assert_eq!(lines, served, "a line of operations.rs is of a handler that no route has");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = DOCUMENT.to_string();
        let structs = DOCUMENT["components"]["schemas"].as_object().unwrap();
        let references: BTreeSet<_> =
            text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(references.len() > 20, "{references:?}");
        for reference in references {
            assert!(structs.get(reference).is_some_and(Value::is_object), "{reference} is not told");
        }
    }

    #[test]
    fn what_must_be_given_is_told_where_something_is_made_and_not_where_it_is_changed() {
        let structs = &DOCUMENT["components"]["schemas"];
        let required = json!(["name", "kind", "base_url", "credential"]);
        assert_eq!(structs["providers.ProviderBody"]["required"], required);
        assert_eq!(structs["providers.ProviderBody.Change"].get("required"), None);
        assert_eq!(structs["providers.ProviderBody"]["properties"]["name"]["description"], "Unique.");
        let weight = &structs["providers.ProviderBody"]["properties"]["weight"]["anyOf"];
        assert_eq!(*weight, json!([{"type": "integer", "minimum": 0, "maximum": 1000}, {"type": "null"}]));
    }
}
