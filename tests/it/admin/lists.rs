//! Lists of users, keys and providers: narrowed, ordered, in pages.

use pointsman::store::Role;
use serde_json::{Value, json};

use super::{Api, api::Reply};
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_list_is_narrowed_and_ordered
    pages_go_on_in_the_order_in_which_they_began
    keys_of_all_users_are_one_list
}

async fn user(api: &Api, body: Value) -> Value {
    api.post("/api/v1/users", body).await.ok(201)
}

fn names(reply: &Reply) -> Vec<String> {
    let items = reply.ok(200)["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

async fn a_list_is_narrowed_and_ordered(house: TestHouse) {
    let api = Api::of(&house).await;
    user(&api, json!({"name": "Bob", "tags": ["Blue team"], "expires_at": "2098-01-01T00:00:00Z"})).await;
    user(&api, json!({"name": "ann", "role": "auditor", "groups": ["vip"]})).await;
    user(&api, json!({"name": "cy", "enabled": false, "expires_at": "2097-01-01T00:00:00Z"})).await;
    let found = async |parameters: &str| names(&api.get(&format!("/api/v1/users?{parameters}")).await);
    assert_eq!(found("").await, ["Bob", "ann", "cy"], "as they were made");
    assert_eq!(found("sort=name").await, ["ann", "Bob", "cy"]);
    assert_eq!(found("sort=-name").await, ["cy", "Bob", "ann"]);
    assert_eq!(found("sort=expires_at").await, ["cy", "Bob", "ann"]);
    assert_eq!(found("sort=-created_at").await, ["cy", "ann", "Bob"]);
    assert_eq!(found("q=BLUE+t").await, ["Bob"]);
    assert_eq!(found("role=auditor").await, ["ann"]);
    assert_eq!(found("group=vip&enabled=true").await, ["ann"]);
    assert_eq!(found("tag=Blue+team").await, ["Bob"]);
    assert_eq!(found("status=disabled").await, ["cy"]);

    for (name, kind, priority) in [("p", "claude", 2), ("q", "openai", 1)] {
        let body = json!({"name": name, "kind": kind, "base_url": "https://one.example", "credential": "canary-0007",
            "priority": priority, "notes": format!("notes of {name}")});
        api.post("/api/v1/providers", body).await.ok(201);
    }
    api.never_show("canary-0007");
    let found = async |parameters: &str| names(&api.get(&format!("/api/v1/providers?{parameters}")).await);
    assert_eq!(found("sort=priority").await, ["q", "p"]);
    assert_eq!(found("q=notes+of+Q").await, ["q"]);
    assert_eq!(found("format=openai_responses").await, ["q"]);
    assert_eq!(found("kind=claude").await, ["p"]);
    assert_eq!(found("q=canary-0007").await, Vec::<String>::new(), "a credential is not looked through");
}

async fn pages_go_on_in_the_order_in_which_they_began(house: TestHouse) {
    let api = Api::of(&house).await;
    for name in ["b", "A", "c"] {
        user(&api, json!({"name": name})).await;
    }
    let page = |sort: &str, cursor: &Value| {
        let cursor = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        format!("/api/v1/users?limit=2{sort}{cursor}")
    };
    let first = api.get(&page("&sort=name", &Value::Null)).await;
    assert_eq!(names(&first), ["A", "b"]);
    let cursor = &first.ok(200)["next_cursor"];
    let last = api.get(&page("&sort=name", cursor)).await;
    assert_eq!((names(&last), &last.ok(200)["next_cursor"]), (vec!["c".to_owned()], &Value::Null));
    for sort in ["", "&sort=-name", "&sort=created_at"] {
        let told = api.get(&page(sort, cursor)).await.problem(422);
        assert_eq!(told, ["invalid", "cursor: malformed: is of a list with another `sort`"], "{sort}");
    }
    let told =
        api.get("/api/v1/users?sort=limits&cursor=x&enabled=yes&status=gone&role=root").await.problem(422);
    assert_eq!(
        told,
        [
            "invalid",
            "role: not_one_of: must be one of user, auditor, operator, admin",
            "enabled: malformed: must be true or false",
            "status: not_one_of: must be one of active, expiring, expired, disabled",
            "sort: not_one_of: must be one of name, -name, created_at, -created_at, expires_at, -expires_at",
            "cursor: malformed: must be the `next_cursor` of an earlier page",
        ]
    );
    let long =
        api.get(&format!("/api/v1/providers?sort=expires_at&q={}", "x".repeat(101))).await.problem(422);
    assert_eq!(
        long,
        [
            "invalid",
            "q: out_of_range: must have at most 100 characters",
            "sort: not_one_of: must be one of name, -name, priority, -priority, weight, -weight, created_at, \
             -created_at",
        ]
    );
}

async fn keys_of_all_users_are_one_list(house: TestHouse) {
    let api = Api::of(&house).await;
    let mut keys = Vec::new();
    for (owner, name) in [("ann", "laptop"), ("bob", "builds"), ("bob", "Desk")] {
        let known = api.get(&format!("/api/v1/users?q={owner}")).await.ok(200)["items"][0]["id"].clone();
        let id = if known.is_null() { user(&api, json!({"name": owner})).await["id"].clone() } else { known };
        let body = json!({"name": name, "web_login": name == "builds"});
        keys.push(api.post(&format!("/api/v1/users/{id}/keys"), body).await.ok(201));
    }
    for key in &keys {
        api.never_show(key["key"].as_str().unwrap());
    }
    let found = async |path: &str| names(&api.get(&format!("/api/v1{path}")).await);
    assert_eq!(found("/keys").await, ["laptop", "builds", "Desk"]);
    assert_eq!(found("/keys?sort=name").await, ["builds", "Desk", "laptop"]);
    assert_eq!(found("/keys?user_id=2&sort=-name").await, ["Desk", "builds"]);
    assert_eq!(found("/keys?web_login=true").await, ["builds"]);
    let last_four = keys[2]["last_four"].as_str().unwrap();
    assert_eq!(found(&format!("/keys?q={last_four}")).await, ["Desk"]);
    // A shorter text would now and then be found in what is random of a key.
    assert_eq!(found("/users/2/keys?q=BUILD").await, ["builds"]);
    let told = api.get("/api/v1/users/2/keys?user_id=1").await.problem(422);
    assert_eq!(told, ["invalid", "user_id: unknown: is no parameter here, or given more than once"]);
    assert_eq!(api.get("/api/v1/users/9/keys").await.problem(404), ["not_found"]);

    // Everybody's keys are for who may look at everything.
    let user = house.console_key(Role::User, true).await;
    let ask = actix_web::test::TestRequest::get()
        .uri("/api/v1/keys")
        .insert_header(("authorization", format!("Bearer {user}")));
    assert_eq!(api.send(ask).await.problem(403), ["forbidden"]);
}
