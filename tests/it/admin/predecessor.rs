//! A script that was written for the predecessor, unchanged: it makes a user, a key and a provider, looks at
//! them, changes them, and takes them away again.

use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_predecessors_script_goes_on
    users_are_searched_as_they_were
    restrictions_go_in_and_come_out
    what_is_wrong_is_told_in_the_predecessors_words
}

async fn act(api: &Api, action: &str, body: Value) -> Value {
    let answer = api.post(&format!("/api/actions/{action}"), body).await.ok(200);
    assert_eq!(answer["ok"], true, "{action}: {answer}");
    answer["data"].clone()
}

async fn refused(api: &Api, action: &str, body: Value, status: u16) -> Value {
    let answer = api.post(&format!("/api/actions/{action}"), body).await;
    assert_eq!(answer.status, status, "{action}: {}", answer.text);
    let answer: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(answer["ok"], false);
    answer
}

async fn a_predecessors_script_goes_on(house: TestHouse) {
    let api = Api::of(&house).await;
    let made = act(
        &api,
        "users/addUser",
        json!({"name": "ann", "rpm": 60, "dailyQuota": 12.5, "limit5hUsd": 0, "providerGroup": "a, b",
            "tags": ["t"], "limitConcurrentSessions": 0, "dailyResetMode": "fixed", "dailyResetTime": "08:00"}),
    )
    .await;
    let (user, secret) = (made["user"]["id"].clone(), made["defaultKey"]["key"].as_str().unwrap());
    assert!(house.current.keys().find(secret).is_some(), "the first key works at once");
    let seen = act(&api, "users/getUsers", json!({})).await;
    assert_eq!(seen[0]["dailyQuota"], 12.5);
    assert_eq!(seen[0]["limit5hUsd"], Value::Null, "zero meant no bound");
    assert_eq!((&seen[0]["providerGroup"], &seen[0]["dailyResetTime"]), (&json!("a,b"), &json!("08:00")));
    assert_eq!(seen[0]["keys"][0]["name"], "default");

    let key = act(&api, "keys/addKey", json!({"userId": user, "name": "ci", "limitDailyUsd": 3})).await;
    assert!(house.current.keys().find(key["generatedKey"].as_str().unwrap()).is_some());
    act(&api, "keys/editKey", json!({"keyId": key["id"], "isEnabled": false})).await;
    let keys = act(&api, "keys/getKeys", json!({"userId": user})).await;
    assert_eq!(keys[1]["status"], "disabled");
    let used = act(&api, "keys/getKeyLimitUsage", json!({"keyId": key["id"]})).await;
    assert_eq!(used["costDaily"]["limit"], 3);

    let url = "https://api.example.com";
    let provider = act(
        &api,
        "providers/addProvider",
        json!({"name": "p", "url": url, "key": "sk-canary-7", "weight": 3,
            "cost_multiplier": 1.5, "limit_daily_usd": 100, "group_tag": "a"}),
    )
    .await;
    assert_eq!((&provider["provider_type"], &provider["cost_multiplier"]), (&json!("claude"), &json!(1.5)));
    assert!(!provider.to_string().contains("canary-7"));
    act(&api, "providers/editProvider", json!({"providerId": provider["id"], "is_enabled": false})).await;
    assert_eq!(act(&api, "providers/getProviders", json!({})).await[0]["is_enabled"], false);
    act(&api, "providers/resetProviderCircuit", json!({"providerId": provider["id"]})).await;
    let health = act(&api, "providers/getProvidersHealthStatus", json!({})).await;
    assert_eq!(health[provider["id"].to_string()]["circuitState"], "closed");

    let logs = act(&api, "usage-logs/getUsageLogs", json!({"page": 1, "pageSize": 10})).await;
    assert_eq!(logs["logs"], json!([]));
    act(&api, "keys/removeKey", json!({"keyId": key["id"]})).await;
    act(&api, "providers/removeProvider", json!({"providerId": provider["id"]})).await;
    act(&api, "users/removeUser", json!({"userId": user})).await;
    assert_eq!(act(&api, "users/getUsers", json!({})).await, json!([]));
}

async fn users_are_searched_as_they_were(house: TestHouse) {
    let api = Api::of(&house).await;
    for body in [
        json!({"name": "Bob", "tags": ["blue"], "dailyQuota": 9, "expiresAt": "2097-01-01"}),
        json!({"name": "ann", "tags": ["red"], "dailyQuota": 10.5, "providerGroup": "vip"}),
        json!({"name": "cy", "tags": ["blue", "x"], "isEnabled": false}),
    ] {
        act(&api, "users/addUser", body).await;
    }
    act(&api, "keys/addKey", json!({"userId": 3, "name": "ci", "providerGroup": "vip"})).await;
    let found = async |body: Value| {
        let page = act(&api, "users/getUsersBatch", body).await;
        let names = page["users"].as_array().unwrap().iter();
        (
            names.map(|user| user["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            page["nextCursor"].clone(),
        )
    };
    let names = async |body: Value| found(body).await.0;
    assert_eq!(names(json!({})).await, ["Bob", "ann", "cy"]);
    assert_eq!(names(json!({"searchTerm": "BLU"})).await, ["Bob", "cy"]);
    assert_eq!(names(json!({"statusFilter": "active", "tagFilters": ["blue"]})).await, ["Bob"]);
    assert_eq!(names(json!({"statusFilter": "disabled"})).await, ["cy"]);
    assert_eq!(names(json!({"statusFilter": "all", "tagFilters": ["red", "x"]})).await, ["ann", "cy"]);
    assert_eq!(names(json!({"keyGroupFilters": ["vip"]})).await, ["ann", "cy"], "by itself, and by a key");
    assert_eq!(names(json!({"sortBy": "name", "sortOrder": "desc"})).await, ["cy", "Bob", "ann"]);
    assert_eq!(
        names(json!({"sortBy": "limitDailyUsd"})).await,
        ["Bob", "ann", "cy"],
        "as amounts, unset last"
    );
    assert_eq!(names(json!({"sortBy": "expiresAt"})).await, ["Bob", "ann", "cy"]);
    let (first, next) = found(json!({"sortBy": "name", "limit": 2})).await;
    assert_eq!(first, ["ann", "Bob"]);
    assert_eq!(
        found(json!({"sortBy": "name", "limit": 2, "cursor": next})).await,
        (vec!["cy".into()], Value::Null)
    );
    let searched = act(&api, "users/searchUsers", json!({"keyword": "AN"})).await;
    assert_eq!((searched.as_array().unwrap().len(), &searched[0]["name"]), (1, &json!("ann")));
    let told = refused(&api, "users/getUsersBatch", json!({"sortBy": "mood"}), 400).await;
    assert_eq!(
        (&told["errorCode"], &told["errorParams"]["field"]),
        (&json!("INVALID_FORMAT"), &json!("sortBy"))
    );
}

async fn restrictions_go_in_and_come_out(house: TestHouse) {
    let api = Api::of(&house).await;
    let rules =
        json!({"allowedModels": ["claude-*"], "allowedClients": ["claude-code"], "blockedClients": ["curl"]});
    let mut asked = rules.clone();
    asked["name"] = json!("ann");
    act(&api, "users/addUser", asked).await;
    let shown = act(&api, "users/getUsers", json!({})).await;
    for (member, value) in rules.as_object().unwrap() {
        assert_eq!(shown[0][member], *value, "{member}");
    }
    let user = api.get("/api/v1/users/1").await.ok(200);
    assert_eq!(user["allowed_clients"], json!(["claude-code"]));
    let hours = json!({"name": "p", "url": "https://p.example", "key": "secret", "blocked_clients": ["curl"],
        "active_time_start": "22:00", "active_time_end": "06:00"});
    act(&api, "providers/addProvider", hours.clone()).await;
    let shown_provider = act(&api, "providers/getProviders", json!({})).await[0].clone();
    for member in ["blocked_clients", "active_time_start", "active_time_end"] {
        assert_eq!(shown_provider[member], hours[member], "{member}");
    }
    let told =
        refused(&api, "providers/editProvider", json!({"providerId": 1, "active_time_end": "22:00"}), 400)
            .await;
    assert_eq!(told["errorParams"]["field"], "active_time_end");
    let always = json!({"providerId": 1, "active_time_start": null, "active_time_end": null});
    assert_eq!(act(&api, "providers/editProvider", always).await["active_time_start"], Value::Null);
    assert_eq!(api.get("/api/v1/providers/1").await.ok(200)["schedule"], Value::Null);
    let told = refused(&api, "users/editUser", json!({"userId": 1, "blockedClients": ["-"]}), 400).await;
    assert_eq!(told["errorParams"]["field"], "blockedClients[0]");
    act(&api, "users/editUser", json!({"userId": 1, "allowedModels": [], "allowedClients": null})).await;
    let shown = act(&api, "users/getUsers", json!({})).await;
    assert_eq!((&shown[0]["allowedModels"], &shown[0]["allowedClients"]), (&json!([]), &json!([])));
    assert_eq!(shown[0]["blockedClients"], json!(["curl"]));
}

async fn what_is_wrong_is_told_in_the_predecessors_words(house: TestHouse) {
    let api = Api::of(&house).await;
    act(&api, "users/addUser", json!({"name": "ann"})).await;
    let told = refused(&api, "users/addUser", json!({"name": "ann"}), 400).await;
    assert_eq!(told["errorCode"], "DUPLICATE_NAME");
    let told = refused(&api, "users/addUser", json!({"name": "bob", "dailyQuota": -1}), 400).await;
    assert_eq!(
        (&told["errorCode"], &told["errorParams"]["field"]),
        (&json!("INVALID_FORMAT"), &json!("dailyQuota"))
    );
    let told = refused(&api, "users/removeUser", json!({"userId": 99}), 400).await;
    assert_eq!(told["errorCode"], "NOT_FOUND");
    let told = refused(&api, "users/removeUser", json!({}), 400).await;
    assert_eq!(told["errorCode"], "REQUIRED_FIELD");
    let told = refused(&api, "no/such", json!({}), 400).await;
    assert_eq!(told["errorCode"], "NOT_FOUND");
}

/// The table of the docs: module, and what stands in the column of that number.
fn documented(column: usize) -> Vec<(&'static str, &'static str)> {
    let docs = include_str!("../../../docs/compatibility.md");
    let rows = docs.lines().skip_while(|line| !line.starts_with("| module |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| line.split('|').map(str::trim));
    let told = rows.flat_map(|row| {
        let cells: Vec<_> = row.collect();
        cells[column + 1]
            .split(' ')
            .filter(|name| !name.is_empty())
            .map(move |name| (cells[1], name.trim_matches('`')))
    });
    told.collect()
}

#[actix::test]
async fn every_action_of_the_docs_answers_and_what_is_not_here_says_so() {
    assert_eq!(documented(1), pointsman::compat::ACTIONS, "each, in this order");
    assert!(documented(2).len() > 30);
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (place, here) in [(1, true), (2, false)] {
        for (module, action) in documented(place) {
            let told = api.post(&format!("/api/actions/{module}/{action}"), "").await;
            let body: Value = serde_json::from_str(&told.text).unwrap();
            let text = format!("there is no action {module}/{action} here");
            assert_eq!(body["error"] != text, here, "{module}/{action}: {body}");
            assert!(here || told.status == 400 && body["errorCode"] == "NOT_FOUND", "{body}");
            // Whatever it lacks, that is the caller's to mend.
            assert!(told.status < 500, "{module}/{action}: {body}");
        }
    }
}
