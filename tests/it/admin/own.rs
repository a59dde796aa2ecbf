//! What is one's own and what is another's (C-04), and how far one may go with a key of one's own (C-05).

use actix_web::{http::Method, test::TestRequest};
use actors::ids::{KeyId, RequestId, UserId};
use chrono::Utc;
use pointsman::{journal::record::Record, store::Role};
use serde_json::{Value, json};

use super::{
    Api,
    api::Reply,
    live::{converse, provider},
};
use crate::admin::house::{TestHouse, on_both};

on_both! {
    c04_what_is_anothers_does_not_exist
    c04_filters_by_anothers_ids_give_nothing
    c04_a_key_without_console_rights_sees_what_itself_used
    c04_conversations_are_listed_to_who_has_them
    c05_a_key_of_ones_own_is_no_more_than_its_user
}

/// Somebody with a key.
struct Person {
    key: String,
    user: UserId,
    id: KeyId,
    request: RequestId,
}

impl Person {
    async fn new(house: &TestHouse, role: Role, web_login: bool) -> Self {
        let key = house.console_key(role, web_login).await;
        let caller = house.current.keys().find(&key).unwrap();
        let mut record = Record::plain(Utc::now());
        (record.user_id, record.key_id) = (Some(caller.user), Some(caller.key));
        let request = record.id;
        house.recorder.record(record);
        Self { key, user: caller.user, id: caller.key, request }
    }

    async fn ask(&self, api: &Api, method: Method, path: &str, body: Value) -> Reply {
        let request =
            TestRequest::default().method(method).uri(path).insert_header(("x-api-key", &*self.key));
        api.send(request.insert_header(("content-type", "application/json")).set_payload(body.to_string()))
            .await
    }

    async fn get(&self, api: &Api, path: &str) -> Reply {
        self.ask(api, Method::GET, path, Value::Null).await
    }

    /// Every call about things of `owner`, or of nobody where there is none.
    fn calls(owner: Option<&Self>) -> Vec<(Method, String, Value)> {
        let (user, key) = owner.map_or((4_711, 4_711), |owner| (owner.user.0, owner.id.0));
        let request = owner.map_or_else(RequestId::new, |owner| owner.request);
        vec![
            (Method::GET, format!("/api/v1/users/{user}"), Value::Null),
            (Method::GET, format!("/api/v1/users/{user}/keys"), Value::Null),
            (Method::GET, format!("/api/v1/quotas/users/{user}"), Value::Null),
            (Method::GET, format!("/api/v1/quotas/keys/{key}"), Value::Null),
            (Method::GET, format!("/api/v1/requests/{request}"), Value::Null),
            (Method::POST, format!("/api/v1/users/{user}/keys"), json!({"name": "mine"})),
            (Method::PATCH, format!("/api/v1/keys/{key}"), json!({"name": "mine"})),
            (Method::POST, format!("/api/v1/keys/{key}/enable"), Value::Null),
            (
                Method::POST,
                format!("/api/v1/keys/{key}/renew"),
                json!({"expires_at": "2099-01-01T00:00:00Z"}),
            ),
            (Method::POST, format!("/api/v1/keys/{key}/rotate"), json!({"overlap_ms": 60_000})),
            (Method::POST, format!("/api/v1/keys/{key}/clone"), json!({"name": "copy"})),
            (Method::DELETE, format!("/api/v1/keys/{key}"), Value::Null),
        ]
    }
}

async fn c04_what_is_anothers_does_not_exist(house: TestHouse) {
    let api = Api::of(&house).await;
    let (ada, bob) =
        (Person::new(&house, Role::User, true).await, Person::new(&house, Role::User, true).await);
    for (others, nobodys) in Person::calls(Some(&ada)).into_iter().zip(Person::calls(None)) {
        let (method, path, body) = others;
        let told = bob.ask(&api, method.clone(), &path, body).await;
        assert_eq!(told.problem(404), ["not_found"], "{method} {path}");
        let (method, path, body) = nobodys;
        assert_eq!(
            told.text,
            bob.ask(&api, method, &path, body).await.text,
            "{path} tells whether it exists"
        );
    }
    let me = bob.get(&api, "/api/v1/me").await.ok(200);
    assert_eq!((&me["user"]["id"], &me["key_id"]), (&json!(bob.user.0), &json!(bob.id.0)));
    assert_eq!((&me["role"], &me["rights"]), (&json!("user"), &json!(["public", "signed_in", "own"])));
    assert_eq!(
        me["quota"]["account"],
        bob.get(&api, &format!("/api/v1/quotas/users/{}", bob.user.0)).await.ok(200)["account"]
    );
    // And the same calls about one's own are answered; the last takes away the key that asks.
    for (method, path, body) in Person::calls(Some(&ada)) {
        let status = ada.ask(&api, method.clone(), &path, body).await.status;
        assert!((200..300).contains(&status), "{method} {path}: {status}");
    }
    assert_eq!(ada.get(&api, "/api/v1/me").await.problem(401), ["unauthorized"]);
    // Who may look at everything is told that it is there, and may not change it.
    let auditor = Person::new(&house, Role::Auditor, true).await;
    for (method, path, body) in Person::calls(Some(&bob)) {
        let reply = auditor.ask(&api, method.clone(), &path, body).await;
        assert_eq!(reply.status, if method == Method::GET { 200 } else { 403 }, "{method} {path}");
    }
}

async fn c04_filters_by_anothers_ids_give_nothing(house: TestHouse) {
    let api = Api::of(&house).await;
    let (ada, bob) =
        (Person::new(&house, Role::User, true).await, Person::new(&house, Role::User, true).await);
    let ids = async |person: &Person, query: &str| -> Vec<Value> {
        let list = person.get(&api, &format!("/api/v1/requests{query}")).await.ok(200);
        list["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    assert_eq!(ids(&bob, "").await, [json!(bob.request)]);
    assert_eq!(ids(&bob, &format!("?user_id={}", bob.user.0)).await, [json!(bob.request)]);
    assert_eq!(ids(&bob, &format!("?key_id={}", bob.id.0)).await, [json!(bob.request)]);
    for query in [format!("?user_id={}", ada.user.0), format!("?key_id={}", ada.id.0)] {
        assert_eq!(ids(&bob, &query).await, [] as [Value; 0], "{query}");
    }
    let totals = async |person: &Person, query: &str| -> Value {
        person.get(&api, &format!("/api/v1/requests/totals{query}")).await.ok(200)["requests"].clone()
    };
    assert_eq!((totals(&bob, "").await, totals(&bob, "?class=error").await), (json!(1), json!(1)));
    assert_eq!(totals(&bob, &format!("?user_id={}", ada.user.0)).await, 0);
    let choices = bob.get(&api, "/api/v1/requests/filters").await.ok(200);
    assert_eq!((&choices["users"], &choices["providers"]), (&json!([]), &json!([])));
    assert_eq!(choices["keys"].as_array().unwrap().len(), 1);
    let twice =
        bob.get(&api, &format!("/api/v1/requests?user_id={}&user_id={}", bob.user.0, ada.user.0)).await;
    assert_eq!(twice.status, 422);
    let auditor = Person::new(&house, Role::Auditor, true).await;
    assert_eq!(ids(&auditor, &format!("?user_id={}", ada.user.0)).await, [json!(ada.request)]);
    assert_eq!(ids(&auditor, "").await.len(), 3);
}

async fn c04_a_key_without_console_rights_sees_what_itself_used(house: TestHouse) {
    let api = Api::of(&house).await;
    let tool = Person::new(&house, Role::Admin, false).await;
    let user = tool.user.0;
    let made = api.post(&format!("/api/v1/users/{user}/keys"), json!({"name": "other"})).await.ok(201);
    let other = KeyId(made["id"].as_i64().unwrap());
    let mut record = Record::plain(Utc::now());
    (record.user_id, record.key_id) = (Some(tool.user), Some(other));
    let others = record.id;
    house.recorder.record(record);
    let list = tool.get(&api, "/api/v1/requests").await.ok(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["id"], json!(tool.request));
    assert_eq!(
        tool.get(&api, &format!("/api/v1/requests?key_id={}", other.0)).await.ok(200)["items"],
        json!([])
    );
    tool.get(&api, &format!("/api/v1/quotas/keys/{}", tool.id.0)).await.ok(200);
    for path in [
        format!("/api/v1/requests/{others}"),
        format!("/api/v1/quotas/keys/{}", other.0),
        format!("/api/v1/users/{user}/keys"),
    ] {
        assert_eq!(tool.get(&api, &path).await.problem(404), ["not_found"], "{path}");
    }
    let me = tool.get(&api, "/api/v1/me").await.ok(200);
    assert_eq!((&me["role"], &me["read_only"]), (&json!("user"), &json!(true)));
}

async fn c04_conversations_are_listed_to_who_has_them(house: TestHouse) {
    let api = Api::of(&house).await;
    let one = provider(&api, "one", "").await;
    let (ada, bob) =
        (Person::new(&house, Role::User, true).await, Person::new(&house, Role::User, true).await);
    let tool = api
        .post(&format!("/api/v1/users/{}/keys", ada.user.0), json!({"name": "tool", "web_login": false}))
        .await
        .ok(201);
    let tool = Person {
        key: tool["key"].as_str().unwrap().to_owned(),
        id: KeyId(tool["id"].as_i64().unwrap()),
        ..ada
    };
    let first = converse(&house, ada.user, ada.id, "first").await.to_string();
    let second = converse(&house, ada.user, tool.id, "second").await.to_string();
    let others = converse(&house, bob.user, bob.id, "others").await.to_string();
    let listed = async |person: &Person, query: &str| {
        let list = person.get(&api, &format!("/api/v1/sessions{query}")).await.ok(200);
        list["items"].as_array().unwrap().clone()
    };
    let ids = async |person: &Person, query: &str| -> Vec<String> {
        let all = listed(person, query).await;
        all.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let auditor = Person::new(&house, Role::Auditor, true).await;
    assert_eq!(ids(&auditor, "").await, [&*others, &second, &first]);
    assert_eq!(ids(&ada, "").await, [&*second, &first]);
    assert_eq!(ids(&ada, "?limit=1").await, [&*second]);
    assert_eq!(ids(&tool, "").await, [&*second], "a key that cannot sign in sees its own");
    assert_eq!(ids(&bob, "").await, [&*others]);
    let (own, seen) = (&listed(&bob, "").await[0], &listed(&auditor, "").await[0]);
    assert_eq!((&own["provider_id"], &own["provider"]), (&one["id"], &Value::Null));
    assert_eq!((&seen["provider_id"], &seen["provider"]), (&one["id"], &json!("one")));
    // Whoever sees it may not end it: that moves a conversation away from its cache.
    let gone = bob.ask(&api, Method::DELETE, &format!("/api/v1/sessions/{others}"), Value::Null).await;
    assert_eq!(gone.problem(403), ["forbidden"]);
}

async fn c05_a_key_of_ones_own_is_no_more_than_its_user(house: TestHouse) {
    let api = Api::of(&house).await;
    let ada = Person::new(&house, Role::User, true).await;
    let bounds = json!({"groups": ["a", "b"], "limits": {"rpm": 10, "usd_daily": "5", "strict": true}});
    api.patch(&format!("/api/v1/users/{}", ada.user.0), bounds).await.ok(200);
    let (keys, key) = (format!("/api/v1/users/{}/keys", ada.user.0), format!("/api/v1/keys/{}", ada.id.0));
    for (field, change) in [
        ("groups", json!({"groups": ["a", "c"]})),
        ("limits.rpm", json!({"limits": {"rpm": 11}})),
        ("limits.usd_daily", json!({"limits": {"usd_daily": "5.000001"}})),
        ("limits.strict", json!({"limits": {"strict": false}})),
        ("limits.hard_stop", json!({"limits": {"hard_stop": true}})),
        ("limits.daily_reset", json!({"limits": {"daily_reset": {"mode": "rolling"}}})),
        ("limits.five_hours_reset", json!({"limits": {"five_hours_reset": "fixed"}})),
        ("role", json!({"role": "admin"})),
        ("user_id", json!({"user_id": 1})),
        ("cost_multiplier", json!({"cost_multiplier": "0"})),
    ] {
        let told = ada.ask(&api, Method::PATCH, &key, change.clone()).await.problem(422);
        assert!(told[1].starts_with(&format!("{field}: ")), "{change}: {told:?}");
        let mut new = change.clone();
        new["name"] = json!("new");
        let told = ada.ask(&api, Method::POST, &keys, new).await.problem(422);
        assert!(told[1].starts_with(&format!("{field}: ")), "{change}: {told:?}");
    }
    assert_eq!(ada.get(&api, &keys).await.ok(200)["items"].as_array().unwrap().len(), 1, "none was made");
    let change = json!({"groups": ["a"], "limits": {"rpm": 10, "usd_daily": "5"}, "name": "tool"});
    ada.ask(&api, Method::PATCH, &key, change.clone()).await.ok(200);
    ada.ask(&api, Method::POST, &keys, change).await.ok(201);
    // An admin gave this key more than that: a change of something else leaves it as it is.
    api.patch(&key, json!({"limits": {"strict": false}, "groups": ["vip"]})).await.ok(200);
    let kept = ada.ask(&api, Method::PATCH, &key, json!({"limits": {"rpm": 9}})).await.ok(200);
    assert_eq!((&kept["groups"], &kept["limits"]["strict"]), (&json!(["vip"]), &json!(false)));
    for (method, path) in
        [(Method::PATCH, format!("/api/v1/users/{}", ada.user.0)), (Method::POST, "/api/v1/users".to_owned())]
    {
        assert_eq!(ada.ask(&api, method, &path, json!({"role": "admin"})).await.problem(403), ["forbidden"]);
    }
}
