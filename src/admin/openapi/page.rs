//! The reference as a page: every operation with what it takes and answers. Made here and once for each
//! language, so that it works without a network and under a strict content security policy.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, http::header::ACCEPT_LANGUAGE, web};
use serde_json::Value;

use super::DOCUMENT;

/// What a browser may do with the page: nothing but show it, with our own style and our own search.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static ENGLISH: LazyLock<web::Bytes> = LazyLock::new(|| page(&ENGLISH_WORDS).into());
static CHINESE: LazyLock<web::Bytes> = LazyLock::new(|| page(&CHINESE_WORDS).into());

/// The page's own words.
struct Words {
    lang: &'static str,
    other: (&'static str, &'static str),
    title: &'static str,
    intro: &'static str,
    search: &'static str,
    parameters: &'static str,
    body: &'static str,
    answers: &'static str,
    structs: &'static str,
    required: &'static str,
    right: &'static str,
    raw: &'static str,
}

const ENGLISH_WORDS: Words = Words {
    lang: "en",
    other: ("zh", "中文"),
    title: "Admin API",
    intro: "Send authorization: Bearer <admin token or api key>. Money is a decimal text, times are RFC 3339, ids are integers.",
    search: "Search",
    parameters: "Parameters",
    body: "Body",
    answers: "Answers",
    structs: "Structures",
    required: "required",
    right: "takes the right",
    raw: "OpenAPI 3.1",
};

const CHINESE_WORDS: Words = Words {
    lang: "zh",
    other: ("en", "English"),
    title: "管理 API",
    intro: "请发送 authorization: Bearer <admin token 或 api key>。金额为十进制字符串，时间遵循 RFC 3339，id 为整数。",
    search: "搜索",
    parameters: "参数",
    body: "请求体",
    answers: "响应",
    structs: "数据结构",
    required: "必填",
    right: "所需权限",
    raw: "OpenAPI 3.1",
};

/// Mounts the page and what it is dressed in.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.route("/api/docs", web::get().to(show))
        .route(
            "/api/docs/style.css",
            web::get()
                .to(|| async { sent("text/css; charset=utf-8", include_str!("page/style.css").into()) }),
        )
        .route(
            "/api/docs/search.js",
            web::get().to(|| async {
                sent("text/javascript; charset=utf-8", include_str!("page/search.js").into())
            }),
        );
}

/// `GET /api/docs`: in the language of `?lang=`, or of the browser.
async fn show(request: HttpRequest) -> HttpResponse {
    let asked = request.query_string().strip_prefix("lang=");
    let spoken = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let chinese = asked.or(spoken).is_some_and(|language| language.starts_with("zh"));
    sent("text/html; charset=utf-8", if chinese { CHINESE.clone() } else { ENGLISH.clone() })
}

fn sent(kind: &'static str, body: web::Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header(("content-security-policy", POLICY))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("vary", "accept-language"))
        .body(body)
}

fn page(words: &Words) -> String {
    let Words { lang, title, search, raw, .. } = words;
    let (other, other_name) = words.other;
    let (mut index, mut main, mut tag) = (String::new(), String::new(), String::new());
    for (path, method, operation) in operations() {
        let of = operation["tags"][0].as_str().unwrap_or("");
        if of != tag {
            of.clone_into(&mut tag);
            let name = escaped(&tag.replace('_', " "));
            index += &format!("<h2>{name}</h2>");
            main += &format!("<h2>{name}</h2>");
        }
        let id = escaped(operation["operationId"].as_str().unwrap_or(""));
        let path = escaped(path);
        index +=
            &format!("<a href=\"#{id}\" data-find=\"{id}\"><b class=\"{method}\">{method}</b> {path}</a>");
        main +=
            &format!("<section id=\"{id}\"><h3><b class=\"{method}\">{method}</b> <code>{path}</code></h3>");
        main += &one(operation, words);
        main += "</section>";
    }
    main += &format!("<h2>{}</h2>", words.structs);
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escaped(name);
        main += &format!("<section id=\"schema-{name}\"><h3><code>{name}</code></h3>");
        main +=
            &format!("<p>{}</p>{}</section>", escaped(text(schema, "description")), members(schema, words));
    }
    let version = env!("CARGO_PKG_VERSION");
    let intro = escaped(words.intro);
    format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Pointsman: {title}</title><link rel=\"stylesheet\" \
         href=\"/api/docs/style.css\"><script src=\"/api/docs/search.js\" defer></script></head><body><nav>\
         <h1>Pointsman <small>{version}</small></h1><p><a href=\"/api/openapi.json\">{raw}</a> \
         <a href=\"/api/docs?lang={other}\">{other_name}</a></p><input type=\"search\" id=\"search\" \
         placeholder=\"{search}\" aria-label=\"{search}\">{index}</nav><main><h1>{title}</h1><p>{intro}</p>\
         {main}</main></body></html>"
    )
}

/// Path, method and operation of all there are, those of one room together.
fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let item = item.as_object().into_iter().flatten();
        item.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, _, operation)| operation["tags"][0].as_str());
    all
}

fn one(operation: &Value, words: &Words) -> String {
    let (summary, right) = (escaped(text(operation, "summary")), escaped(text(operation, "x-right")));
    let mut html = format!("<p>{summary} <small>{} <code>{right}</code></small></p>", words.right);
    let parameters = operation["parameters"].as_array().filter(|all| !all.is_empty());
    if let Some(parameters) = parameters {
        html += &format!("<h4>{}</h4><table>", words.parameters);
        for parameter in parameters {
            let must = if parameter["required"] == true { words.required } else { "" };
            html += &row(text(parameter, "name"), &shape(&parameter["schema"]), must, text(parameter, "in"));
        }
        html += "</table>";
    }
    let json = |holder: &Value| shape(&holder["content"]["application/json"]["schema"]);
    if operation["requestBody"].is_object() {
        html += &format!("<h4>{}</h4><p>{}</p>", words.body, json(&operation["requestBody"]));
    }
    html += &format!("<h4>{}</h4><table>", words.answers);
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let of = if answer["content"]["application/json"].is_object() { json(answer) } else { String::new() };
        html += &row(status, &of, "", &text(answer, "description").replace('`', ""));
    }
    html + "</table>"
}

fn members(schema: &Value, words: &Words) -> String {
    let must =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let rows = schema["properties"].as_object().into_iter().flatten().map(|(name, member)| {
        let must = if must(name) { words.required } else { "" };
        row(name, &shape(member), must, text(member, "description"))
    });
    format!("<table>{}</table>", rows.collect::<String>())
}

fn row(name: &str, shape: &str, must: &str, said: &str) -> String {
    format!(
        "<tr><td><code>{}</code></td><td>{shape}</td><td><i>{must}</i></td><td>{}</td></tr>",
        escaped(name),
        escaped(said)
    )
}

/// A schema in a few words.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(shape).collect::<Vec<_>>().join(" | ");
    }
    if let Some(all) = schema["enum"].as_array() {
        return all.iter().map(|one| escaped(&one.to_string())).collect::<Vec<_>>().join(" | ");
    }
    if schema["items"].is_object() {
        return format!("[{}]", shape(&schema["items"]));
    }
    if let Some(items) = schema["properties"]["items"].as_object() {
        return format!("{{items: [{}], next_cursor}}", items.get("items").map(shape).unwrap_or_default());
    }
    let mut said = match &schema["type"] {
        Value::String(kind) => escaped(kind),
        _ => "any".to_owned(),
    };
    for (bound, sign) in [("minimum", "≥"), ("maximum", "≤"), ("maxLength", "≤"), ("format", "")] {
        if let Some(value) = schema.get(bound) {
            said += &format!(" {sign}{}", escaped(value.to_string().trim_matches('"')));
        }
    }
    said
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or("")
}

pub(in crate::admin) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
