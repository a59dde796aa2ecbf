//! The scripts of the predecessors' users over real connections, from an empty house to the figures of a request.

use protocol::Format;
use serde_json::{Value, json};

use crate::{
    house::{ADMIN_TOKEN, Asking, Heard, Speech, TestHouse},
    scripted::Upstream,
};

async fn sound() -> Upstream {
    Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.send(Speech::new(Format::Anthropic, "hi").on_the_wire(false)).await;
        }
    })
    .await
}

/// `curl -b auth-token=… -d …`.
async fn act(house: &TestHouse, jar: &str, action: &str, body: Value) -> Value {
    let asking = Asking::post(format!("/api/actions/{action}"), body.to_string());
    let asking = asking.without_key().header(format!("cookie: auth-token={jar}"));
    let told = house.operate(asking).await.rest().await;
    assert_eq!((told.status, &told.json()["ok"]), (200, &json!(true)), "{action}: {}", told.text());
    told.json()["data"].clone()
}

/// Signs in as there; returns what the cookie holds.
async fn sign_in(house: &TestHouse, key: &str) -> String {
    let login = Asking::post("/api/auth/login", json!({"key": key}).to_string()).without_key();
    let told = house.operate(login).await.rest().await;
    assert_eq!((told.status, &told.json()["ok"]), (200, &json!(true)), "{}", told.text());
    let cookie = told.header("set-cookie").unwrap().strip_prefix("auth-token=").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[actix_rt::test]
async fn a_script_signs_in_makes_a_user_and_sees_what_its_key_has_used() {
    let upstream = sound().await;
    let house = TestHouse::open(|_| {}).await;
    let jar = sign_in(&house, ADMIN_TOKEN).await;
    let made = act(&house, &jar, "users/addUser", json!({"name": "ann", "dailyQuota": 10, "rpm": 0})).await;
    let user = made["user"]["id"].clone();
    let key = json!({"userId": user, "name": "laptop", "limitDailyUsd": 5, "canLoginWebUi": false});
    let key = act(&house, &jar, "keys/addKey", key).await;
    let secret = key["generatedKey"].as_str().unwrap();
    let provider = json!({"name": "vendor", "url": "https://api.vendor.example", "key": "sk-vendor", "provider_type": "claude"});
    let provider = act(&house, &jar, "providers/addProvider", provider).await;
    let table = json!({"m": {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002, "mode": "chat"}});
    act(&house, &jar, "model-prices/uploadPriceTable", json!({"jsonContent": table.to_string()})).await;
    // The vendor of this story lives on this machine, which takes a word from the operator of today.
    let here = json!({"base_url": format!("http://{}", upstream.address), "allow_private_network": true});
    let path = format!("/api/v1/providers/{}", provider["id"]);
    let moved = house.operate(Asking::post(path, here.to_string()).method("PATCH")).await.rest().await;
    assert_eq!(moved.status, 200, "{}", moved.text());

    let answer = house.ask(Asking::in_format(Format::Anthropic, "m", false, "hello").with_key(secret)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let row = house.row(&answer).await;
    let (cost, usage) = (row.cost.unwrap(), row.metering.usage());
    let cost: f64 = cost.to_string().parse().unwrap();
    assert!(cost > 0.0);

    let drawn = act(&house, &jar, "statistics/getUserStatistics", json!({"timeRange": "today"})).await;
    assert_eq!(drawn["users"], json!([{"id": user, "name": "ann", "dataKey": format!("user-{user}")}]));
    let point = drawn["chartData"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&point[format!("user-{user}_cost")], &point[format!("user-{user}_calls")]),
        (&json!(cost), &json!(1))
    );
    let overview = act(&house, &jar, "overview/getOverviewData", json!({})).await;
    assert_eq!((&overview["todayRequests"], &overview["todayCost"]), (&json!(1), &json!(cost)));
    let logs = act(&house, &jar, "usage-logs/getUsageLogs", json!({"userId": user, "page": 1})).await;
    let log = &logs["logs"][0];
    assert_eq!(
        (&logs["total"], &log["userName"], &log["keyName"]),
        (&json!(1), &json!("ann"), &json!("laptop"))
    );
    assert_eq!(
        (&log["providerName"], &log["statusCode"], &log["cost"]),
        (&json!("vendor"), &json!(200), &json!(cost))
    );

    // The key itself may not do anything in the console, and reads its own figures.
    let jar = sign_in(&house, secret).await;
    let quota = act(&house, &jar, "my-usage/getMyQuota", json!({})).await;
    assert_eq!((&quota["keyLimitDailyUsd"], &quota["keyCurrentDailyUsd"]), (&json!(5), &json!(cost)));
    assert_eq!((&quota["userLimitDailyUsd"], &quota["userCurrentTotalUsd"]), (&json!(10), &json!(cost)));
    let today = act(&house, &jar, "my-usage/getMyTodayStats", json!({})).await;
    assert_eq!((&today["calls"], &today["inputTokens"]), (&json!(1), &json!(usage.input_tokens)));
    house.close().await;
}

/// Every way in which clients of Claude Relay Service ask, and every way to present a key.
fn questions(secret: &str) -> Vec<Asking> {
    let get = |path: &str| Asking::post(path, "").method("GET").without_key();
    let mut questions = Vec::new();
    for base in ["/api/v1", "/v1", "/claude/v1", "/openai/v1", "/openai", "/gemini"] {
        questions.push(get(&format!("{base}/usage")).header(format!("authorization: Bearer {secret}")));
    }
    questions.push(get("/api/v1/usage").header(format!("x-api-key: {secret}")));
    questions.push(get("/api/v1/usage").header(format!("api-key: {secret}")));
    questions.push(get("/gemini/usage").header(format!("x-goog-api-key: {secret}")));
    questions.push(get(&format!("/gemini/usage?key={secret}")));
    questions.push(
        get("/v1/usage").header("authorization: Bearer sk-left-over").header(format!("x-api-key: {secret}")),
    );
    questions
}

#[actix_rt::test]
async fn c04_a_client_of_the_relay_reads_what_its_key_has_used_and_nothing_else() {
    let upstream = sound().await;
    let house = TestHouse::open(|setup| {
        setup.provider("only", upstream.address);
    })
    .await;
    // Whose role sees everything; its key may use the console.
    let admin = |user: &mut pointsman::store::NewUser| user.role = pointsman::store::Role::Admin;
    let secret = house.key_of("ann", admin, |key| key.web_login = true).await;
    for (key, requests) in [(&secret, 2), (&house.key, 1)] {
        for _ in 0..requests {
            let asking = Asking::in_format(Format::Anthropic, "m", false, "hello").with_key(key);
            assert_eq!(house.ask(asking).await.status, 200);
        }
    }
    let used = house.rows().await[2].metering.usage();
    let mut seen = Vec::new();
    for question in questions(&secret) {
        let heard = house.operate(question.clone()).await.rest().await;
        assert_eq!(heard.status, 200, "{question:?}: {}", heard.text());
        seen.push(heard.json()["usage"].clone());
    }
    let usage = &seen[0];
    for span in ["total", "daily", "monthly"] {
        let told = &usage[span];
        assert_eq!(
            (&told["requests"], &told["inputTokens"]),
            (&json!(2), &json!(used.input_tokens * 2)),
            "{usage}"
        );
        assert_eq!(told["tokens"], json!((used.input_tokens + used.output_tokens) * 2));
        assert!(told["allTokens"].as_u64() >= told["tokens"].as_u64(), "{told}");
    }
    assert_eq!(usage["averages"]["dailyRequests"], 2.0);
    assert!(seen.iter().all(|other| other == usage));

    let ask = async |path: &str, header: String| -> Heard {
        house.operate(Asking::post(path, "").method("GET").without_key().header(header)).await.rest().await
    };
    for base in ["/api/v1", "/v1", "/claude/v1", "/openai/v1", "/openai", "/gemini"] {
        let told = ask(&format!("{base}/key-info"), format!("x-api-key: {secret}")).await;
        assert_eq!(told.status, 200);
        let told = told.json();
        assert_eq!((&told["keyInfo"]["name"], &told["keyInfo"]["usage"]), (&json!("key of ann"), usage));
        assert!(told["keyInfo"]["id"].is_string() && told["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(!told.to_string().contains(&secret));
    }
    for (header, error) in [
        ("accept: */*".to_owned(), "Missing API key"),
        ("x-api-key: sk-nobody".to_owned(), "Invalid API key"),
        // The admin token is no key, and a session opens nothing here.
        (format!("authorization: Bearer {ADMIN_TOKEN}"), "Invalid API key"),
        (format!("cookie: auth-token={}", sign_in(&house, &secret).await), "Missing API key"),
    ] {
        let told = ask("/api/v1/usage", header).await;
        assert_eq!((told.status, &told.json()["error"]), (401, &json!(error)));
    }
    let told = ask("/api/v1/models", format!("x-api-key: {secret}")).await;
    assert_eq!((told.status, &told.json()["object"]), (200, &json!("list")));
    house.close().await;
}
