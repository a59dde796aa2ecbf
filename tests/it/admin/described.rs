//! What is served is what is described: answers of a walk through the API, held against the schemas.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{ADMIN_TOKEN, TestHouse};

/// The description, and who is held against it.
struct Walk {
    api: Api,
    described: Value,
}

impl Walk {
    async fn begin(house: &TestHouse) -> Self {
        let api = Api::of(house).await;
        let reply = api.send(actix_web::test::TestRequest::get().uri("/api/openapi.json")).await;
        assert_eq!(reply.status, 200, "everyone may read it");
        let mut described: Value = serde_json::from_str(&reply.text).unwrap();
        // Later versions may show more; this one shows nothing that is not described.
        for (_, shown) in described["components"]["schemas"].as_object_mut().unwrap() {
            if shown["properties"].is_object() && shown.get("additionalProperties").is_none() {
                shown["additionalProperties"] = json!(false);
            }
        }
        Self { api, described }
    }

    fn check(&self, schema: &Value, value: &Value, what: &str) {
        let mut schema = schema.clone();
        schema["components"] = self.described["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let wrong: Vec<_> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{what}: {wrong:?} in {value}");
    }

    /// Asks, and holds question and answer against what is described of `pattern`.
    async fn step(&self, method: Method, pattern: &str, path: &str, body: Option<Value>) -> Value {
        let what = format!("{method} {path}");
        let operation = &self.described["paths"][pattern][method.as_str().to_ascii_lowercase()];
        assert!(operation.is_object(), "{what} is not described");
        let mut request = Api::request(method.clone(), path);
        if let Some(body) = &body {
            request = Api::with_body(method, path, body);
        }
        let reply = self.api.send(request).await;
        let response = &operation["responses"][reply.status.to_string()];
        assert!(response.is_object(), "{what}: {} is not described: {}", reply.status, reply.text);
        if let Some(body) = body.filter(|_| reply.status < 300) {
            self.check(&operation["requestBody"]["content"]["application/json"]["schema"], &body, &what);
        }
        let Some(content) = response["content"].as_object() else {
            assert_eq!(reply.text, "", "{what}");
            return Value::Null;
        };
        let (media, described) = content.iter().next().unwrap();
        assert!(reply.header("content-type").unwrap().starts_with(media.as_str()), "{what}: {reply:?}");
        let value = serde_json::from_str(&reply.text).unwrap();
        self.check(&described["schema"], &value, &what);
        value
    }
}

#[actix::test]
async fn answers_are_as_they_are_described() {
    let (get, post, put, patch, delete) =
        (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let house = TestHouse::on_sqlite().await;
    let walk = Walk::begin(&house).await;
    let step = async |method: &Method, pattern: &str, body: Value| {
        let path = pattern.replace("{model}", "a/b").replace("{id}", "1").replace("{kind}", "users");
        walk.step(
            method.clone(),
            &format!("/api/v1{pattern}"),
            &format!("/api/v1{path}"),
            Some(body).filter(|body| !body.is_null()),
        )
        .await
    };
    let provider = json!({
        "name": "a", "kind": "claude", "base_url": "https://example.com", "credential": "credential-of-a-Jx4mQ9",
        "groups": ["g"], "allowed_models": ["a*"], "model_redirects": {"a": "b"}, "cost_multiplier": "1.5",
        "limits": {"concurrency": 3, "usd_5h": "2", "daily_reset": {"mode": "fixed", "at": "08:00"}},
        "breaker": {"open_ms": 5}, "timeouts": {"idle_ms": 9}, "notes": "n",
    });
    step(&post, "/providers", provider.clone()).await;
    assert_eq!(step(&post, "/providers", provider).await["code"], "conflict");
    assert_eq!(step(&post, "/providers", json!({})).await["code"], "invalid");
    step(&get, "/providers", Value::Null).await;
    step(&get, "/providers/{id}", Value::Null).await;
    step(&patch, "/providers/{id}", json!({"weight": null, "notes": "m"})).await;
    step(&post, "/providers/{id}/breaker", json!({"state": "open"})).await;
    let limits =
        json!({"rpm": 3, "usd_5h": "1", "usd_daily": "4.5", "strict": true, "five_hours_reset": "fixed"});
    step(&post, "/users", json!({"name": "u", "limits": limits, "expires_at": "2130-01-31T12:00:00Z"})).await;
    step(&get, "/users", Value::Null).await;
    step(&get, "/users/{id}", Value::Null).await;
    step(&patch, "/users/{id}", json!({"tags": ["t"]})).await;
    let link = json!({"issuer": "https://id.example", "subject": "1"});
    step(&post, "/users/{id}/identities", link).await;
    step(&post, "/users/{id}/identities", json!({"subject": "1"})).await;
    step(&get, "/users/{id}/identities", Value::Null).await;
    step(&delete, "/identities/{id}", Value::Null).await;
    let made = step(&post, "/users/{id}/keys", json!({"name": "k", "groups": ["g"]})).await;
    assert!(made["key"].as_str().unwrap().starts_with("sk-"));
    step(&get, "/users/{id}/keys", Value::Null).await;
    step(&patch, "/keys/{id}", json!({"enabled": null})).await;
    step(&get, "/keys", Value::Null).await;
    let batch = json!({"filter": {"status": "active"}, "change": {"limits": {"rpm": 5}}, "preview": true});
    step(&post, "/users/batch", batch).await;
    step(&post, "/keys/batch", json!({"ids": [1], "change": {"web_login": true}})).await;
    step(&post, "/batches/{id}/undo", Value::Null).await;
    step(&post, "/providers/batch", json!({"ids": [1], "change": {"weight": null}})).await;
    step(&get, "/settings", Value::Null).await;
    step(&patch, "/settings", json!({"week_starts": {"day": "friday"}, "money_refusal_status": 402})).await;
    step(&get, "/settings/billing", Value::Null).await;
    step(&patch, "/settings/billing", json!({"unpriced": "refuse"})).await;
    for path in ["/config", "/me", "/statistics", "/leaderboard", "/overview", "/availability"] {
        step(&get, path, Value::Null).await;
    }
    step(&get, "/quotas/{kind}/{id}", Value::Null).await;
    step(&post, "/quotas/{kind}/{id}/reset", json!({"window": "daily"})).await;
    let raise = json!({"window": "daily", "amount": "9", "expires_at": "2130-01-31T12:00:00Z"});
    step(&post, "/quotas/{kind}/{id}/raise", raise).await;
    step(&get, "/audit", Value::Null).await;
    step(&get, "/ledger/drift", Value::Null).await;
    step(&get, "/ledger/reservations", Value::Null).await;
    let rates = json!({"input_usd_per_mtok": "3", "output_usd_per_mtok": "15"});
    let tier = json!({"above_input_tokens": 9, "input_usd_per_mtok": "4", "output_usd_per_mtok": "16"});
    let price = json!({"input_usd_per_mtok": "3", "output_usd_per_mtok": "15", "per_image_usd": "0.1", "tiers": [tier]});
    step(&put, "/prices/{model}", price).await;
    step(&get, "/prices/{model}", Value::Null).await;
    step(&get, "/prices", Value::Null).await;
    step(&get, "/prices/unpriced", Value::Null).await;
    let list = json!({"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}, "n": {"input_cost_per_token": -1, "output_cost_per_token": 1}});
    step(&post, "/prices/import", list).await;
    step(&post, "/prices/import/source", Value::Null).await;
    step(&get, "/prices/imports", Value::Null).await;
    step(&put, "/providers/{id}/prices/{model}", rates).await;
    step(&get, "/providers/{id}/prices", Value::Null).await;
    step(&delete, "/providers/{id}/prices/{model}", Value::Null).await;
    step(&delete, "/prices/{model}", Value::Null).await;
    step(&post, "/route/simulate", json!({"format": "anthropic", "model": "a", "key_id": 1})).await;
    step(&get, "/actors", Value::Null).await;
    step(&get, "/sessions", Value::Null).await;
    for path in ["/requests", "/requests/totals", "/requests/filters"] {
        step(&get, path, Value::Null).await;
    }
    let order = json!({"format": "csv", "user_id": 1, "class": "ok", "status": 200, "min_cost_usd": "0.5"});
    let export = step(&post, "/exports", order).await["id"].as_str().unwrap().to_owned();
    step(&get, "/exports", Value::Null).await;
    walk.step(get.clone(), "/api/v1/exports/{id}", &format!("/api/v1/exports/{export}"), None).await;
    step(&get, "/exports/{id}/file", Value::Null).await;
    step(&delete, "/exports/{id}", Value::Null).await;
    step(&post, "/requests/reprice", json!({"dry_run": true, "limit": 5})).await;
    step(&get, "/requests/{id}", Value::Null).await;
    step(&delete, "/sessions/{id}", Value::Null).await;
    step(&put, "/users/{id}/password", json!({"password": "correct horse battery"})).await;
    step(&put, "/users/{id}/password", json!({"password": "short"})).await;
    step(&put, "/me/password", json!({"old_password": "x", "password": "correct horse battery"})).await;
    step(&delete, "/users/{id}/password", Value::Null).await;
    step(&post, "/auth/login", json!({"token": ADMIN_TOKEN})).await;
    step(&post, "/auth/login", json!({"token": "nobody's"})).await;
    for path in ["/auth/ways", "/auth/oidc/start", "/auth/oidc/callback"] {
        step(&get, path, Value::Null).await;
    }
    step(&get, "/auth/sessions", Value::Null).await;
    step(&post, "/auth/logout", Value::Null).await;
    step(&delete, "/auth/sessions/{id}", Value::Null).await;
    step(&delete, "/keys/{id}", Value::Null).await;
    step(&delete, "/users/{id}", Value::Null).await;
    step(&delete, "/providers/{id}", Value::Null).await;
}

#[actix::test]
async fn what_is_described_as_a_parameter_is_known_and_nothing_else() {
    let house = TestHouse::on_sqlite().await;
    let walk = Walk::begin(&house).await;
    let mut seen = 0;
    for (path, item) in walk.described["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "1").replace("{kind}", "users").replace("{model}", "m");
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().unwrap().iter();
            let names =
                parameters.filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap());
            let query: Vec<_> = names.map(|name| format!("{name}=")).collect();
            if path.ends_with("/events") {
                continue;
            }
            seen += query.len();
            // What a provider adds is its own business.
            if path.ends_with("/callback") {
                continue;
            }
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let asked = |query: &str| Api::with_body(method.clone(), &format!("{path}?{query}"), "{}");
            let reply = walk.api.send(asked(&query.join("&"))).await;
            assert!(!reply.text.contains("is no parameter here"), "{method} {path}: {}", reply.text);
            let reply = walk.api.send(asked("never_heard_of=1")).await;
            assert!(reply.text.contains("never_heard_of: is no parameter here"), "{method} {path}");
        }
    }
    assert!(seen > 20, "{seen} parameters are described");
}

#[actix::test]
async fn c12_the_reference_is_a_page_that_runs_nothing_of_others() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (query, title) in [("", "Admin API"), ("?lang=zh", "管理 API")] {
        let page = actix_web::test::TestRequest::get().uri(&format!("/api/docs{query}"));
        let reply = api.send(page).await;
        assert_eq!(reply.status, 200);
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.text.contains(title) && reply.text.contains("/api/v1/providers/{id}"), "{query}");
        assert!(!reply.text.contains("://"), "it loads nothing from elsewhere");
    }
}
