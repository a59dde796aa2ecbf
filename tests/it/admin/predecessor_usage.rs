//! What a predecessor's scripts read of usage: statistics, overview, log and their own figures.

use std::time::Duration;

use actix_web::{http::Method, test::TestRequest};
use actors::{
    ids::{KeyId, ProviderId},
    money::Pico,
};
use chrono::{DateTime, TimeDelta, Utc};
use pointsman::{
    journal::record::{AttemptRecord, Ending, Metering, Record},
    store::Role,
};
use protocol::{Format, Operation, Usage};
use serde_json::{Value, json};

use super::{
    Api,
    live::{converse, provider},
};
use crate::admin::house::{TestHouse, on_both};

on_both! {
    statistics_and_overview_are_drawn_as_there
    every_filter_of_the_log_has_its_effect
    c04_a_key_is_told_what_is_its_own
    c04_active_sessions_are_ones_own
}

async fn act(api: &Api, key: Option<&str>, action: &str, body: Value) -> Value {
    let answer = asked(api, key, action, body).await;
    assert_eq!(answer["ok"], true, "{action}: {answer}");
    answer["data"].clone()
}

async fn asked(api: &Api, key: Option<&str>, action: &str, body: Value) -> Value {
    let path = format!("/api/actions/{action}");
    let request = match key {
        None => Api::with_body(Method::POST, &path, &body),
        Some(key) => TestRequest::post()
            .uri(&path)
            .insert_header(("authorization", format!("Bearer {key}")))
            .set_payload(body.to_string()),
    };
    serde_json::from_str(&api.send(request).await.text).unwrap()
}

/// A priced request by that key.
fn record(house: &TestHouse, key: &str, at: DateTime<Utc>, model: &str, dollars: i128) -> Record {
    let caller = house.current.keys().find(key).unwrap();
    let mut record = Record::plain(at);
    (record.user_id, record.key_id) = (Some(caller.user), Some(caller.key));
    record.provider_id = Some(ProviderId(1));
    record.model = Some(model.to_owned());
    (record.format, record.operation) = (Some(Format::Anthropic), Some(Operation::Generate));
    (record.status, record.ending) = (200, Ending::Complete);
    record.duration = Duration::from_millis(400);
    let usage = Usage { input_tokens: 5, cache_read_tokens: 100, output_tokens: 7, ..Usage::default() };
    record.settle(Metering::Exact(usage), Some(Pico(dollars * 1_000_000_000_000)), false);
    record
}

/// The sum of what stands under names that end so, over all points of a chart.
fn sum(chart: &Value, ending: &str) -> f64 {
    let points = chart.as_array().unwrap().iter().flat_map(|point| point.as_object().unwrap());
    points.filter(|(name, _)| name.ends_with(ending)).map(|(_, value)| value.as_f64().unwrap()).sum()
}

async fn statistics_and_overview_are_drawn_as_there(house: TestHouse) {
    let api = Api::of(&house).await;
    let (ann, bob) = (house.console_key(Role::User, true).await, house.console_key(Role::User, true).await);
    let now = Utc::now();
    for (key, days, dollars) in [(&ann, 0, 2), (&ann, 0, 3), (&bob, 0, 1), (&ann, 8, 10), (&bob, 40, 99)] {
        house.recorder.record(record(&house, key, now - TimeDelta::days(days), "m", dollars));
    }
    let id = house.current.keys().find(&ann).unwrap();
    let user = id.user.0;
    let today = act(&api, None, "statistics/getUserStatistics", json!({})).await;
    assert_eq!(
        (&today["timeRange"], &today["resolution"], &today["mode"]),
        (&json!("today"), &json!("hour"), &json!("users"))
    );
    assert_eq!(today["users"][0]["dataKey"], format!("user-{user}"), "who cost most comes first");
    assert_eq!((today["users"][0]["id"].as_i64(), today["users"].as_array().unwrap().len()), (Some(user), 2));
    assert!(today["users"][0]["name"].as_str().unwrap().starts_with("user "));
    assert_eq!((sum(&today["chartData"], "_cost"), sum(&today["chartData"], "_calls")), (6.0, 3.0));
    let point = today["chartData"].as_array().unwrap().last().unwrap();
    assert!(point[format!("user-{user}_calls")].is_u64(), "each point has everybody: {point}");
    assert!(point["date"].as_str().unwrap().parse::<DateTime<Utc>>().is_ok(), "{point}");
    for (range, points, cost) in [("7days", 7, 6.0), ("30days", 30, 16.0)] {
        let told = act(&api, None, "statistics/getUserStatistics", json!({"timeRange": range})).await;
        assert_eq!(told["resolution"], "day");
        let chart = told["chartData"].as_array().unwrap();
        assert_eq!((chart.len(), sum(&told["chartData"], "_cost")), (points, cost), "{range}");
        assert_eq!(chart.last().unwrap()["date"], now.date_naive().to_string());
    }
    let month = act(&api, None, "statistics/getUserStatistics", json!({"timeRange": "thisMonth"})).await;
    assert!(month["chartData"][0]["date"].as_str().unwrap().ends_with("-01"), "{month}");
    let wrong = asked(&api, None, "statistics/getUserStatistics", json!({"timeRange": "year"})).await;
    assert_eq!(
        (&wrong["errorCode"], &wrong["errorParams"]["field"]),
        (&json!("INVALID_FORMAT"), &json!("timeRange"))
    );
    let own = act(&api, Some(&ann), "statistics/getUserStatistics", json!({"timeRange": "30days"})).await;
    assert_eq!((&own["mode"], sum(&own["chartData"], "_cost")), (&json!("keys"), 15.0));
    assert_eq!(
        own["users"],
        json!([{"id": id.key.0, "name": "console", "dataKey": format!("key-{}", id.key.0)}])
    );

    let all = act(&api, None, "overview/getOverviewData", json!({})).await;
    assert_eq!((&all["todayRequests"], &all["todayCost"]), (&json!(3), &json!(6)));
    assert_eq!((&all["avgResponseTime"], &all["todayErrorRate"]), (&json!(400.0), &json!(0.0)));
    assert_eq!((&all["concurrentSessions"], &all["yesterdaySamePeriodRequests"]), (&json!(0), &json!(0)));
    let own = act(&api, Some(&bob), "overview/getOverviewData", json!({})).await;
    assert_eq!((&own["todayRequests"], &own["todayCost"]), (&json!(1), &json!(1)));
}

async fn every_filter_of_the_log_has_its_effect(house: TestHouse) {
    let api = Api::of(&house).await;
    api.patch("/api/v1/settings", json!({"time_zone": "Asia/Tokyo"})).await.ok(200);
    let key = house.console_key(Role::User, true).await;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let one = |when: &str, model: &str, change: &dyn Fn(&mut Record)| {
        let mut record = record(&house, &key, at(when), model, 1);
        change(&mut record);
        house.recorder.record(record);
    };
    one("2030-01-30T14:59:00Z", "a", &|_| {});
    one("2030-01-30T15:00:00Z", "b", &|record| record.status = 502);
    one("2030-01-31T10:00:00Z", "c", &|record| {
        let attempt = || AttemptRecord::new(ProviderId(1), "p".to_owned(), Duration::ZERO);
        record.attempts = (0..3).map(|_| attempt()).collect();
    });
    one("2030-01-31T15:00:00Z", "d", &|record| {
        (record.format, record.operation) = (Some(Format::Gemini), Some(Operation::CountTokens));
    });
    let key_id = house.current.keys().find(&key).unwrap().key.0;
    for (filter, models) in [
        (json!({}), "dcba"),
        (json!({"startDate": "2030-01-31", "endDate": "2030-01-31"}), "cb"),
        (json!({"startDateLocal": "2030-01-31T00:00", "endDateLocal": "2030-01-31T19:00:00"}), "b"),
        (json!({"startDate": "2030-01-31T10:00:00.000Z"}), "dc"),
        (json!({"endpoint": "/v1/messages"}), "cba"),
        (json!({"endpoint": "/v1beta/models/d:countTokens"}), "d"),
        (json!({"endpoint": "/v1beta/models/e:countTokens"}), ""),
        (json!({"statusCode": 502}), "b"),
        (json!({"excludeStatusCode200": true}), "b"),
        (json!({"excludeStatusCode200": false, "minRetryCount": 0}), "dcba"),
        (json!({"minRetryCount": 2}), "c"),
        (json!({"minRetryCount": 3}), ""),
        (json!({"keyId": key_id, "model": "a", "userId": null, "sessionId": ""}), "a"),
    ] {
        let told = act(&api, None, "usage-logs/getUsageLogs", filter.clone()).await;
        let logs = told["logs"].as_array().unwrap();
        let seen: String = logs.iter().map(|log| log["originalModel"].as_str().unwrap()).collect();
        assert_eq!(seen, models, "{filter}");
        assert_eq!(
            (&told["total"], &told["summary"]["totalCost"]),
            (&json!(models.len()), &json!(models.len()))
        );
        let own = act(&api, Some(&key), "my-usage/getMyUsageLogs", filter.clone()).await;
        assert_eq!(own["total"], models.len(), "{filter}");
    }
    let told = act(&api, None, "usage-logs/getUsageLogs", json!({"page": 2, "pageSize": 3})).await;
    assert_eq!(
        (told["logs"].as_array().unwrap().len(), &told["total"], &told["hasMore"]),
        (1, &json!(4), &json!(false))
    );
    let log = &told["logs"][0];
    assert_eq!((&log["endpoint"], &log["keyName"]), (&json!("/v1/messages"), &json!("console")));
    assert!(log["userName"].as_str().unwrap().starts_with("user "));
    for filter in [json!({"endpoint": "/v1/nothing"}), json!({"startDate": "soon"}), json!({"model": []})] {
        let told = asked(&api, None, "usage-logs/getUsageLogs", filter.clone()).await;
        let name = filter.as_object().unwrap().keys().next().unwrap().clone();
        assert_eq!((&told["ok"], &told["errorParams"]["field"]), (&json!(false), &json!(name)));
    }
    assert_eq!(act(&api, None, "usage-logs/getModelList", json!({})).await, json!(["a", "b", "c", "d"]));
    assert_eq!(act(&api, None, "usage-logs/getStatusCodeList", json!({})).await, json!([200, 502]));
}

async fn c04_a_key_is_told_what_is_its_own(house: TestHouse) {
    let api = Api::of(&house).await;
    let limits = json!({"name": "ann", "limitTotalUsd": 50, "rpm": 9, "providerGroup": "g", "dailyResetTime": "08:00"});
    let made = act(&api, None, "users/addUser", limits).await;
    let (user, console) = (&made["user"]["id"], made["defaultKey"]["key"].as_str().unwrap());
    let tool = json!({"userId": user, "name": "tool", "canLoginWebUi": false, "limitDailyUsd": 3});
    let tool = act(&api, None, "keys/addKey", tool).await;
    let (tool, id) = (tool["generatedKey"].as_str().unwrap(), tool["id"].as_i64().unwrap());
    let now = Utc::now();
    for (key, model, dollars) in [(tool, "m", 1), (tool, "n", 2), (console, "m", 4)] {
        house.recorder.record(record(&house, key, now, model, dollars));
    }
    let about = act(&api, Some(tool), "my-usage/getMyUsageMetadata", json!({})).await;
    assert_eq!(
        (&about["keyName"], &about["userName"], &about["userProviderGroup"]),
        (&json!("tool"), &json!("ann"), &json!("g"))
    );
    assert_eq!((&about["dailyResetMode"], &about["dailyResetTime"]), (&json!("fixed"), &json!("08:00")));
    // How far it is used is told by ledgers; `predecessor_script` has some.
    let quota = act(&api, Some(tool), "my-usage/getMyQuota", json!({})).await;
    assert_eq!((&quota["keyLimitDailyUsd"], &quota["keyCurrentDailyUsd"]), (&json!(3), &json!(0)));
    assert_eq!((&quota["userLimitTotalUsd"], &quota["keyLimitTotalUsd"]), (&json!(50), &Value::Null));
    assert_eq!(quota["userRpmLimit"], 9);
    let today = act(&api, Some(tool), "my-usage/getMyTodayStats", json!({})).await;
    assert_eq!(
        (&today["calls"], &today["costUsd"], &today["inputTokens"]),
        (&json!(2), &json!(3), &json!(10))
    );
    assert_eq!(
        today["modelBreakdown"][0],
        json!({"model": "n", "calls": 1, "costUsd": 2, "inputTokens": 5, "outputTokens": 7})
    );
    let day = now.date_naive().to_string();
    for span in [json!({}), json!({"startDate": day, "endDate": day})] {
        let summary = act(&api, Some(tool), "my-usage/getMyStatsSummary", span).await;
        assert_eq!((&summary["totalRequests"], &summary["totalCost"]), (&json!(2), &json!(3)));
        assert_eq!(summary["keyModelBreakdown"].as_array().unwrap().len(), 2);
        assert_eq!(summary["userModelBreakdown"], summary["keyModelBreakdown"], "nothing of the other key");
        assert_eq!(summary["totalTokens"], 224);
    }
    let summary = act(&api, Some(console), "my-usage/getMyStatsSummary", json!({})).await;
    assert_eq!((&summary["totalCost"], &summary["userModelBreakdown"][0]["cost"]), (&json!(4), &json!(5)));
    let past = json!({"startDate": "2020-01-01", "endDate": "2020-01-31"});
    assert_eq!(act(&api, Some(tool), "my-usage/getMyStatsSummary", past).await["totalRequests"], 0);
    assert_eq!(act(&api, Some(tool), "my-usage/getMyAvailableModels", json!({})).await, json!(["m", "n"]));
    assert_eq!(
        act(&api, Some(tool), "my-usage/getMyAvailableEndpoints", json!({})).await,
        json!(["/v1/messages"])
    );
    let logs = act(&api, Some(tool), "my-usage/getMyUsageLogs", json!({"keyId": 1, "userId": 1})).await;
    assert_eq!(logs["total"], 2);
    for (key, keys) in [(tool, json!(["tool"])), (console, json!(["default", "tool"]))] {
        let seen = act(&api, Some(key), "users/getUsers", json!({})).await;
        let names: Value =
            seen[0]["keys"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
        assert_eq!((seen.as_array().unwrap().len(), &seen[0]["name"], names), (1, &json!("ann"), keys));
    }
    let nobodys = asked(&api, None, "my-usage/getMyQuota", json!({})).await;
    assert_eq!(nobodys["errorCode"], "INVALID_STATE");

    // The same by /api/v1 itself: no question leads beyond one's own.
    let (mine, others) = (KeyId(id), house.current.keys().find(console).unwrap().key);
    for (filter, requests) in [
        (String::new(), 2),
        (format!("&key_id={}", mine.0), 2),
        (format!("&key_id={}", others.0), 0),
        ("&user_id=9999".to_owned(), 0),
    ] {
        for by in ["user", "key", "provider", "model", "client"] {
            let path = format!("/api/v1/statistics?by={by}{filter}");
            let told =
                api.send(TestRequest::get().uri(&path).insert_header(("x-api-key", tool))).await.ok(200);
            assert_eq!(told["total"]["requests"], requests, "{path}");
            let names =
                told["items"].as_array().unwrap().iter().filter(|item| !item["name"].is_null()).count();
            assert!(by != "provider" || names == 0, "{told}");
        }
    }
    let told =
        api.send(TestRequest::get().uri("/api/v1/me").insert_header(("x-api-key", tool))).await.ok(200);
    assert_eq!((&told["key"]["id"], &told["key"]["name"]), (&json!(id), &json!("tool")));
    assert!(!told.to_string().contains(tool));
}

async fn c04_active_sessions_are_ones_own(house: TestHouse) {
    let api = Api::of(&house).await;
    provider(&api, "one", "").await;
    let (ann, bob) = (house.console_key(Role::User, true).await, house.console_key(Role::User, true).await);
    let mut names = Vec::new();
    for key in [&ann, &bob] {
        let caller = house.current.keys().find(key).unwrap();
        names.push(converse(&house, caller.user, caller.key, "chat").await.to_string());
    }
    let told = async |key: Option<&str>| {
        let told = act(&api, key, "active-sessions/getActiveSessions", json!({})).await;
        told.as_array().unwrap().clone()
    };
    let (own, all) = (told(Some(&ann)).await, told(None).await);
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!((&own[0]["sessionId"], &own[0]["providerName"]), (&json!(names[0]), &Value::Null));
    assert_eq!(own[0]["requestCount"], 1);
    let all: Vec<_> = all.iter().map(|session| &session["sessionId"]).collect();
    assert_eq!(all, [&json!(names[1]), &json!(names[0])]);
}
