//! The audit log: every change leaves a line with before and after and without secrets, and so does whoever is
//! refused (C-26).

use std::{collections::BTreeSet, time::Duration};

use actix_web::{http::Method, test::TestRequest};
use pointsman::{admin::listing, store::Role};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{ADMIN_TOKEN, TestHouse, on_both};

on_both! {
    c26_every_change_leaves_a_line
    c26_whoever_is_refused_leaves_a_line
    lines_are_found_by_who_what_to_what_and_when
}

/// Routes that are asked with a body and change nothing that is ours to tell of.
const TELL_NOTHING: [&str; 2] = ["/api/v1/route/simulate", "/api/v1/requests/reprice"];

/// Somebody who changes things, and what the log says of it.
struct Walk {
    api: Api,
    walked: BTreeSet<(String, String)>,
}

impl Walk {
    /// Does something that must leave one line, and returns answer and line.
    async fn step(&mut self, method: Method, pattern: &str, path: &str, body: Value) -> (Value, Value) {
        let newest = async |api: &Api| api.get("/api/v1/audit?limit=1").await.ok(200)["items"][0].clone();
        let before = newest(&self.api).await;
        let request = if body.is_null() {
            Api::request(method.clone(), path)
        } else {
            Api::with_body(method.clone(), path, body)
        };
        let reply = self
            .api
            .send(
                request
                    .peer_addr("10.0.0.1:9".parse().unwrap())
                    .insert_header(("x-forwarded-for", "203.0.113.7")),
            )
            .await;
        assert!(reply.status < 300, "{method} {path}: {}", reply.text);
        let line = newest(&self.api).await;
        assert_ne!(line["id"], before["id"], "{method} {path} left no line");
        assert_eq!(
            line["id"].as_i64(),
            before["id"].as_i64().map(|id| id + 1).or(Some(1)),
            "more than one line"
        );
        assert_eq!(
            (&line["who"], &line["address"]),
            (&json!("admin token"), &json!("203.0.113.7")),
            "{line}"
        );
        self.walked.insert((method.to_string(), pattern.to_owned()));
        (if reply.text.is_empty() { Value::Null } else { reply.ok(reply.status) }, line)
    }

    /// The same, and what the line must say.
    async fn told(
        &mut self,
        ask: (Method, &str, &str, Value),
        action: &str,
        subject: &str,
    ) -> (Value, Value) {
        let (method, pattern, path, body) = ask;
        let (answer, line) =
            self.step(method, &format!("/api/v1{pattern}"), &format!("/api/v1{path}"), body).await;
        assert_eq!((&line["action"], &line["subject"]), (&json!(action), &json!(subject)), "{path}");
        (answer, line)
    }
}

#[expect(clippy::too_many_lines, reason = "a walk through every route that changes something")]
async fn c26_every_change_leaves_a_line(house: TestHouse) {
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let api = Api::of(&house).await;
    for secret in ["credential-canary-one", "credential-canary-two"] {
        api.never_show(secret);
    }
    let mut walk = Walk { api, walked: BTreeSet::new() };
    let none = Value::Null;

    let user = json!({"name": "ann", "tags": ["t"], "limits": {"usd_daily": "5"}});
    let (_, line) = walk.told((post.clone(), "/users", "/users", user), "user.create", "user/1").await;
    assert_eq!((&line["before"], &line["after"]["name"]), (&none, &json!("ann")));
    let rename = json!({"name": "anna", "limits": {"usd_daily": "7"}});
    let (_, line) =
        walk.told((patch.clone(), "/users/{id}", "/users/1", rename), "user.update", "user/1").await;
    assert_eq!((&line["before"]["name"], &line["after"]["name"]), (&json!("ann"), &json!("anna")));
    assert_eq!(line["before"]["limits"]["usd_daily"], "5");
    assert_eq!(line["after"]["limits"]["usd_daily"], "7");

    let link = json!({"issuer": "https://id.example", "subject": "of-anna"});
    let (_, line) = walk
        .told(
            (post.clone(), "/users/{id}/identities", "/users/1/identities", link),
            "identity.link",
            "user/1",
        )
        .await;
    assert_eq!((&line["before"], &line["after"]["subject"]), (&none, &json!("of-anna")));
    let (_, line) = walk
        .told(
            (delete.clone(), "/identities/{id}", "/identities/1", none.clone()),
            "identity.unlink",
            "user/1",
        )
        .await;
    assert_eq!((&line["before"]["subject"], &line["after"]), (&json!("of-anna"), &none));

    let key = json!({"name": "laptop"});
    let (made, line) =
        walk.told((post.clone(), "/users/{id}/keys", "/users/1/keys", key), "key.create", "key/1").await;
    let secret = made["key"].as_str().unwrap().to_owned();
    assert!(!line.to_string().contains(&secret) && line["after"].get("digest").is_none(), "{line}");
    walk.api.never_show(&secret);
    let off = json!({"enabled": false});
    let (_, line) = walk.told((patch.clone(), "/keys/{id}", "/keys/1", off), "key.update", "key/1").await;
    assert_eq!((&line["before"]["enabled"], &line["after"]["enabled"]), (&json!(true), &json!(false)));

    let provider = json!({"name": "one", "kind": "claude", "base_url": "https://one.example", "credential": "credential-canary-one"});
    let (_, line) = walk
        .told((post.clone(), "/providers", "/providers", provider), "provider.create", "provider/1")
        .await;
    assert_eq!(
        (&line["after"]["base_url"], line["after"].get("credential")),
        (&json!("https://one.example"), None)
    );
    let rotate = json!({"credential": "credential-canary-two", "cost_multiplier": "1.5"});
    let (_, line) = walk
        .told((patch.clone(), "/providers/{id}", "/providers/1", rotate), "provider.update", "provider/1")
        .await;
    assert_eq!(
        (&line["after"]["credential"], &line["after"]["cost_multiplier"]),
        (&json!("replaced"), &json!("1.5"))
    );
    let open = json!({"state": "open"});
    let (_, line) = walk
        .told(
            (post.clone(), "/providers/{id}/breaker", "/providers/1/breaker", open),
            "breaker.set",
            "provider/1",
        )
        .await;
    assert_eq!(line["after"], json!({"state": "open"}));

    let rates = json!({"input_usd_per_mtok": "3", "output_usd_per_mtok": "15"});
    let (_, line) = walk
        .told((put.clone(), "/prices/{model:.+}", "/prices/a/b", rates.clone()), "price.set", "price/a/b")
        .await;
    assert_eq!((&line["before"], &line["after"]["input_usd_per_mtok"]), (&none, &json!("3")));
    let dearer = json!({"input_usd_per_mtok": "4", "output_usd_per_mtok": "15"});
    let (_, line) =
        walk.told((put.clone(), "/prices/{model:.+}", "/prices/a/b", dearer), "price.set", "price/a/b").await;
    assert_eq!(
        (&line["before"]["input_usd_per_mtok"], &line["after"]["input_usd_per_mtok"]),
        (&json!("3"), &json!("4"))
    );
    let at_one = "/providers/{id}/prices/{model:.+}";
    walk.told((put, at_one, "/providers/1/prices/m", rates), "provider.price.set", "provider/1/price/m")
        .await;
    walk.told(
        (delete.clone(), at_one, "/providers/1/prices/m", none.clone()),
        "provider.price.delete",
        "provider/1/price/m",
    )
    .await;
    walk.told(
        (delete.clone(), "/prices/{model:.+}", "/prices/a/b", none.clone()),
        "price.delete",
        "price/a/b",
    )
    .await;
    let list = json!({"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}});
    let (_, line) =
        walk.told((post.clone(), "/prices/import", "/prices/import", list), "price.import", "prices").await;
    assert_eq!(line["after"]["origin"], "upload");

    let wait = json!({"waiting": {"queue": 3}});
    let (_, line) =
        walk.told((patch.clone(), "/settings", "/settings", wait), "setting.update", "setting/system").await;
    assert_eq!(line["after"]["waiting"]["queue"], 3);
    let refuse = json!({"unpriced": "refuse"});
    walk.told((patch, "/settings/billing", "/settings/billing", refuse), "setting.update", "setting/billing")
        .await;

    let window = json!({"window": "daily"});
    walk.told(
        (post.clone(), "/quotas/{kind}/{id}/reset", "/quotas/users/1/reset", window),
        "quota.reset",
        "user/1",
    )
    .await;
    let raise = json!({"window": "daily", "amount": "9", "expires_at": "2130-01-31T12:00:00Z"});
    walk.told((post, "/quotas/{kind}/{id}/raise", "/quotas/users/1/raise", raise), "quota.raise", "user/1")
        .await;

    let (password, at) = (json!({"password": "canary of a password"}), "/users/{id}/password");
    walk.api.never_show("canary of a password");
    walk.told((Method::PUT, at, "/users/1/password", password), "password.set", "user/1").await;
    walk.told((delete.clone(), at, "/users/1/password", none.clone()), "password.delete", "user/1").await;
    let login = json!({"token": ADMIN_TOKEN});
    let (_, line) =
        walk.told((Method::POST, "/auth/login", "/auth/login", login), "session.begin", "session/1").await;
    assert_eq!((&line["after"]["way"], line["after"].get("digest")), (&json!("admin_token"), None));
    let (_, line) = walk
        .told(
            (delete.clone(), "/auth/sessions/{id}", "/auth/sessions/1", none.clone()),
            "session.end",
            "session/1",
        )
        .await;
    assert_eq!(line["after"]["reason"], "ended");

    for kind in ["user", "key", "provider"] {
        let (path, subject) = (format!("/{kind}s"), format!("{kind}/1"));
        for verb in ["disable", "enable"] {
            let (pattern, path) = (format!("{path}/{{id}}/{verb}"), format!("{path}/1/{verb}"));
            let action = format!("{kind}.update");
            walk.told((Method::POST, &pattern, &path, none.clone()), &action, &subject).await;
        }
        let (pattern, path) = (format!("{path}/{{id}}/clone"), format!("{path}/1/clone"));
        let (action, subject) = (format!("{kind}.create"), format!("{kind}/2"));
        walk.told((Method::POST, &pattern, &path, json!({"name": "copy"})), &action, &subject).await;
    }
    for kind in ["user", "key"] {
        let (pattern, path) = (format!("/{kind}s/{{id}}/renew"), format!("/{kind}s/1/renew"));
        let later = json!({"expires_at": "2130-01-31T12:00:00Z"});
        walk.told((Method::POST, &pattern, &path, later), &format!("{kind}.update"), &format!("{kind}/1"))
            .await;
    }
    for (number, kind) in (1..).zip(["user", "key", "provider"]) {
        let (path, subject, action) =
            (format!("/{kind}s/batch"), format!("{kind}/1"), format!("{kind}.update"));
        let body = json!({"ids": [1], "change": {"limits": {"concurrency": 9}}});
        let (_, line) = walk.told((Method::POST, &path, &path, body), &action, &subject).await;
        assert_eq!((&line["batch"], &line["after"]["limits"]["concurrency"]), (&json!(number), &json!(9)));
        let (pattern, path) = ("/batches/{id}/undo", format!("/batches/{number}/undo"));
        let (_, line) = walk.told((Method::POST, pattern, &path, none.clone()), &action, &subject).await;
        assert_eq!(line["batch"], number);
    }
    let rotate = (Method::POST, "/keys/{id}/rotate", "/keys/1/rotate", json!({"overlap_ms": 5}));
    let (made, line) = walk.told(rotate, "key.rotate", "key/1").await;
    let rotated = made["key"].as_str().unwrap();
    assert!(!line.to_string().contains(rotated) && line["after"].get("old_digest").is_none(), "{line}");
    for kind in ["key", "user", "provider"] {
        let (row, subject) = (format!("/{kind}s/1"), format!("{kind}/1"));
        let pattern = format!("/{kind}s/{{id}}");
        walk.told((delete.clone(), &pattern, &row, none.clone()), &format!("{kind}.delete"), &subject).await;
        let (pattern, path) = (format!("{pattern}/restore"), format!("{row}/restore"));
        walk.told((Method::POST, &pattern, &path, none.clone()), &format!("{kind}.restore"), &subject).await;
    }
    walk.told((delete.clone(), "/keys/{id}", "/keys/1", none.clone()), "key.delete", "key/1").await;
    let (_, line) =
        walk.told((delete.clone(), "/users/{id}", "/users/1", none.clone()), "user.delete", "user/1").await;
    assert_eq!((&line["before"]["name"], &line["after"]), (&json!("anna"), &none));
    walk.told((delete, "/providers/{id}", "/providers/1", none), "provider.delete", "provider/1").await;

    let (made, line) =
        walk.step(Method::POST, "/api/v1/exports", "/api/v1/exports", json!({"format": "csv"})).await;
    let export = format!("export/{}", made["id"].as_str().unwrap());
    assert_eq!((&line["action"], &line["subject"]), (&json!("export.create"), &json!(export)));
    assert_eq!(line["after"], json!({"format": "csv", "filter": {}}));
    let path = format!("/{}", export.replace("export/", "exports/"));
    walk.told((Method::DELETE, "/exports/{id}", &path, Value::Null), "export.delete", &export).await;

    walk.told((Method::DELETE, "/trash/{kind}/{id}", "/trash/user/1", Value::Null), "user.purge", "user/1")
        .await;

    let change = (Method::POST, "/sealing-key/change", "/sealing-key/change", Value::Null);
    walk.told(change, "sealing_key.change", "sealing_key").await;

    let missing: Vec<_> = listing()
        .into_iter()
        .filter(|(method, pattern, _)| !method.is_safe() && !TELL_NOTHING.contains(pattern))
        .map(|(method, pattern, _)| (method.to_string(), pattern.to_owned()))
        .filter(|route| !walk.walked.contains(route) && !ELSEWHERE.contains(&route.1.as_str()))
        .collect();
    assert!(missing.is_empty(), "no step here shows that these leave a line: {missing:?}");
}

/// Routes whose lines other stories look at: they need an upstream, a conversation or a session.
const ELSEWHERE: [&str; 4] =
    ["/api/v1/prices/import/source", "/api/v1/sessions/{id}", "/api/v1/auth/logout", "/api/v1/me/password"];

/// Lines of refusals are written behind the answer's back.
pub(super) async fn refusals(api: &Api, expected: usize) -> Vec<Value> {
    for _ in 0..500 {
        let items = api.get("/api/v1/audit?action=access.refused").await.ok(200)["items"].take();
        let items = items.as_array().unwrap().clone();
        if items.len() >= expected {
            return items;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{expected} refusals were not written down")
}

async fn c26_whoever_is_refused_leaves_a_line(house: TestHouse) {
    let api = Api::of(&house).await;
    let key = house.console_key(Role::User, true).await;
    let nearly = &ADMIN_TOKEN[1..];
    api.never_show(nearly);
    let nobody = TestRequest::delete()
        .uri("/api/v1/users/1?secret=in-the-query")
        .insert_header(("authorization", format!("Bearer {nearly}")))
        .peer_addr("198.51.100.9:5".parse().unwrap());
    assert_eq!(api.send(nobody).await.status, 401);
    refusals(&api, 1).await;
    let user =
        TestRequest::post().uri("/api/v1/users").insert_header(("authorization", format!("Bearer {key}")));
    assert_eq!(api.send(user).await.status, 403);
    let lines = refusals(&api, 2).await;
    assert_eq!(lines[0]["subject"], "POST /api/v1/users");
    assert!(lines[0]["who"].as_str().unwrap().starts_with("user "), "{}", lines[0]);
    assert_eq!(lines[0]["after"], json!({"code": "forbidden", "left_out_before": 0}));
    assert_eq!(lines[1]["subject"], "DELETE /api/v1/users/{id}");
    assert_eq!((&lines[1]["who"], &lines[1]["address"]), (&json!("nobody"), &json!("198.51.100.9")));

    // A flood of them leaves a few.
    for _ in 0..200 {
        let knock = TestRequest::get().uri("/api/v1/users").peer_addr("203.0.113.200:5".parse().unwrap());
        assert_eq!(api.send(knock).await.status, 401);
    }
    let lines = refusals(&api, 12).await;
    assert!(lines.len() <= 32, "{} lines, at most ten a minute", lines.len());
}

async fn lines_are_found_by_who_what_to_what_and_when(house: TestHouse) {
    let api = Api::of(&house).await;
    for name in ["ann", "bob", "cy"] {
        api.post("/api/v1/users", json!({"name": name})).await.ok(201);
    }
    api.patch("/api/v1/users/2", json!({"tags": ["t"]})).await.ok(200);
    let found = async |query: &str| {
        let page = api.get(&format!("/api/v1/audit?{query}")).await.ok(200);
        let told = |line: &Value| {
            format!("{} {}", line["action"].as_str().unwrap(), line["subject"].as_str().unwrap())
        };
        (page["items"].as_array().unwrap().iter().map(told).collect::<Vec<_>>(), page["next_cursor"].clone())
    };
    assert_eq!(found("subject=user/2").await.0, ["user.update user/2", "user.create user/2"]);
    assert_eq!(found("action=user.update").await.0, ["user.update user/2"]);
    assert_eq!(found("who=nobody").await.0, Vec::<String>::new());
    let (first, next) = found("who=admin+token&action=user.create&limit=2").await;
    assert_eq!(first, ["user.create user/3", "user.create user/2"]);
    let rest = found(&format!("who=admin+token&action=user.create&cursor={}", next.as_str().unwrap())).await;
    assert_eq!(rest, (vec!["user.create user/1".to_owned()], Value::Null));
    assert_eq!(found("from=2099-01-01T00:00:00Z").await.0.len(), 0);
    assert_eq!(found("from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z").await.0.len(), 4);
    let hostile = "subject=%27%20OR%201%3D1%20--&who=%00%22%3B";
    assert_eq!(found(hostile).await.0.len(), 0, "what is looked for is a value and nothing else (C-11)");
}
