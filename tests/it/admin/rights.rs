//! Who may ask what (C-03): the table of routes, walked.

use actix_web::{http::Method, test::TestRequest};
use pointsman::{
    admin::{Right, listing},
    store::Role,
};

use super::Api;
use crate::admin::house::{ADMIN_TOKEN, TestHouse};

/// Who may do what, as it was last looked at by somebody who meant it.
const PINNED: &str = include_str!("rights.txt");

#[test]
fn c03_no_route_comes_goes_or_changes_its_right_unnoticed() {
    let line = |(method, pattern, right): (Method, &str, Right)| {
        format!("{:10}{:7}{pattern}\n", right.name(), method.as_str())
    };
    let now: String = listing().into_iter().map(line).collect();
    assert!(
        now == PINNED,
        "the table of routes is not the one in tests/it/admin/rights.txt; if each difference is meant, it becomes:\n\n{now}"
    );
}

/// A path that matches the pattern.
pub(super) fn filled(pattern: &str) -> String {
    let parts = [("{id}", "1"), ("{model:.+}", "a/b"), ("{kind}", "dispatcher"), ("{name}", "main")];
    let path = parts.iter().fold(pattern.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!path.contains('{'), "no example for a part of {pattern}");
    path
}

#[actix::test]
async fn c03_every_route_refuses_whoever_lacks_its_right() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let routes = listing();
    assert!(routes.len() > 20, "the table is nearly empty");
    for (method, pattern, right) in routes {
        if right == Right::Public {
            continue;
        }
        let path = filled(pattern);
        let plain = || TestRequest::default().method(method.clone()).uri(&path);
        let nearly = &ADMIN_TOKEN[..ADMIN_TOKEN.len() - 1];
        for (header, value) in [
            ("x-nothing", String::new()),
            ("authorization", format!("Bearer {nearly}")),
            ("authorization", format!("Bearer {ADMIN_TOKEN}x")),
            ("authorization", "Bearer ".to_owned()),
            ("authorization", "Bearer".to_owned()),
            ("authorization", format!("Basic {ADMIN_TOKEN}")),
            ("x-api-key", ADMIN_TOKEN.to_owned()),
            ("cookie", format!("token={ADMIN_TOKEN}")),
            ("cookie", format!("__Host-pointsman={ADMIN_TOKEN}")),
            ("cookie", "__Host-pointsman=sid_nobody".to_owned()),
        ] {
            let reply = api.send(plain().insert_header((header, value.clone()))).await;
            assert_eq!(reply.problem(401), ["unauthorized"], "{method} {path} with {header}: {value}");
            assert_eq!(reply.header("www-authenticate"), Some(r#"Bearer realm="pointsman""#));
        }
        let twice = plain()
            .append_header(("authorization", format!("Bearer {ADMIN_TOKEN}")))
            .append_header(("authorization", "Bearer other"));
        assert_eq!(api.send(twice).await.status, 401, "{method} {path} with two tokens");
        for scheme in ["Bearer", "bearer"] {
            let right = ("authorization", format!("{scheme} {ADMIN_TOKEN}"));
            let reply = api.send(plain().insert_header(right)).await;
            assert_ne!(reply.status, 401, "{method} {path}");
            assert_ne!(reply.text, "another plane's", "{method} {path} is not mounted");
            assert!(reply.header("x-pointsman-request-id").is_some(), "{method} {path}");
        }
    }
}

/// Whether somebody with a key is let through, as the table of routes has it.
pub(super) fn expected(role: Role, web_login: bool, method: &Method, right: Right) -> bool {
    let carried = if web_login { role } else { Role::User };
    let enough = match right {
        Right::Public | Right::SignedIn | Right::Own => true,
        Right::Read => carried != Role::User,
        Right::Operate => matches!(carried, Role::Operator | Role::Admin),
        Right::Admin => carried == Role::Admin,
    };
    matches!(right, Right::Public | Right::SignedIn) || enough && (web_login || method.is_safe())
}

#[actix::test]
async fn c03_a_key_opens_what_its_users_role_has_and_without_web_login_its_own_usage_alone() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (role, web_login) in Role::ALL.into_iter().flat_map(|role| [(role, true), (role, false)]) {
        let key = house.console_key(role, web_login).await;
        for (method, pattern, right) in listing() {
            let path = filled(pattern).replace("/1", "/999");
            for (header, value) in [("authorization", format!("Bearer {key}")), ("x-api-key", key.clone())] {
                let request = TestRequest::default().method(method.clone()).uri(&path);
                let response = api.begin(request.insert_header((header, value))).await.unwrap();
                let status = response.status().as_u16();
                let told = format!("{role:?} {web_login}: {method} {path}: {status}");
                if expected(role, web_login, &method, right) {
                    assert!(status != 401 && status != 403, "{told}");
                } else {
                    assert_eq!(status, 403, "{told}");
                }
            }
        }
    }
}

#[actix::test]
async fn c03_a_key_that_was_turned_off_or_expired_opens_nothing_from_then_on() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let ask = |key: &str| {
        let bearer = ("authorization", format!("Bearer {key}"));
        TestRequest::get().uri("/api/v1/users").insert_header(bearer)
    };
    for change in [
        ("keys", r#"{"enabled":false}"#),
        ("keys", r#"{"expires_at":"2020-01-01T00:00:00Z"}"#),
        ("users", r#"{"enabled":false}"#),
        ("users", r#"{"expires_at":"2020-01-01T00:00:00Z"}"#),
    ] {
        let key = house.console_key(Role::Auditor, true).await;
        assert_eq!(api.send(ask(&key)).await.status, 200);
        let caller = house.current.keys().find(&key).unwrap();
        let id = if change.0 == "keys" { caller.key.0 } else { caller.user.0 };
        api.patch(&format!("/api/v1/{}/{id}", change.0), change.1).await.ok(200);
        assert_eq!(api.send(ask(&key)).await.problem(401), ["unauthorized"], "{change:?}");
    }
}

#[actix::test]
async fn what_is_not_in_the_table_is_left_to_the_other_planes() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (method, path) in [
        (Method::POST, "/api/v1/messages"),
        (Method::POST, "/api/v1/messages/count_tokens"),
        (Method::GET, "/api/v1/models"),
        (Method::GET, "/api/v1"),
        (Method::GET, "/api/v1/providers/"),
        (Method::GET, "/api/v1//providers"),
        (Method::GET, "/api/v1/Providers"),
        (Method::GET, "/api/v1/providers;x=1"),
        (Method::GET, "/api/v1/providers/1/2"),
        (Method::GET, "/v1/../api/v1/providers"),
    ] {
        let reply = api.send(TestRequest::default().method(method.clone()).uri(path)).await;
        assert_eq!(reply.text, "another plane's", "{method} {path}");
    }
}

#[actix::test]
async fn c03_a_path_spelled_with_escapes_takes_the_same_right() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for path in ["/api/v1/%70roviders", "/api/v1/users/%31"] {
        let reply = api.send(TestRequest::get().uri(path)).await;
        assert_eq!(reply.problem(401), ["unauthorized"], "{path}");
    }
    let override_ =
        Api::request(Method::POST, "/api/v1/users/1").insert_header(("x-http-method-override", "DELETE"));
    assert_eq!(api.send(override_).await.problem(405), ["method_not_allowed"]);
}

#[actix::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let reply = api.send(Api::request(Method::PUT, "/api/v1/providers/1")).await;
    assert_eq!(reply.problem(405), ["method_not_allowed"]);
    assert_eq!(reply.header("allow"), Some("GET, PATCH, DELETE"));
}

#[actix::test]
async fn a_body_must_be_declared_whole_and_of_reasonable_size() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let plain = Api::request(Method::POST, "/api/v1/users").set_payload(r#"{"name":"a"}"#);
    assert_eq!(api.send(plain).await.problem(415), ["unsupported_media_type"]);
    let form = Api::with_body(Method::POST, "/api/v1/users", r#"{"name":"a"}"#)
        .insert_header(("content-type", "application/x-www-form-urlencoded"));
    assert_eq!(api.send(form).await.problem(415), ["unsupported_media_type"]);
    let large = format!(r#"{{"name":"{}"}}"#, "a".repeat(1 << 20));
    assert_eq!(api.post("/api/v1/users", large).await.problem(413), ["body_too_large"]);
    let cut = api.post("/api/v1/users", "{\"name\":\n \"a\"").await;
    assert_eq!(cut.problem(400), ["malformed_json"]);
    assert!(cut.text.contains("line 2 column 4"), "{}", cut.text);
    let declared = Api::with_body(Method::POST, "/api/v1/users", r#"{"name":"a"}"#)
        .insert_header(("content-type", "Application/JSON; charset=utf-8"));
    api.send(declared).await.ok(201);
}
