//! Quotas: what they show while requests run, and what operators may do about them.

use actors::{
    dispatcher::{
        journey::Journey,
        messages::{Ask, CallerLimits, NoProvider},
    },
    ids::RequestId,
    ledger::{claim::Estimate, limits::Span},
    money::Pico,
};
use pointsman::journal::balances::{BalancesAsk, EntryKind};
use protocol::{Format, Operation};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_quota_shows_what_is_settled_reserved_and_free
    i09_a_reset_empties_a_window_and_keeps_what_is_reserved
    a_raised_limit_lets_through_what_it_refused
    what_operators_did_is_told_newest_first
}

/// One provider, one user with one key, and their quotas.
struct Stage {
    api: Api,
    user: String,
    key: String,
    provider: String,
    secret: String,
}

const FAR: &str = "2099-01-01T00:00:00Z";

async fn stage(house: &TestHouse, user_limits: Value) -> Stage {
    let api = Api::of(house).await;
    let provider = json!({"name": "one", "kind": "claude", "base_url": "https://one.example",
                          "credential": "secret", "limits": {"usd_total": "100"}});
    let provider = api.post("/api/v1/providers", provider).await.ok(201);
    let user = api.post("/api/v1/users", json!({"name": "ann", "limits": user_limits})).await.ok(201);
    let key = json!({"name": "k", "limits": {"usd_total": "4"}});
    let key = api.post(&format!("/api/v1/users/{}/keys", user["id"]), key).await.ok(201);
    Stage {
        user: format!("/api/v1/quotas/users/{}", user["id"]),
        key: format!("/api/v1/quotas/keys/{}", key["id"]),
        provider: format!("/api/v1/quotas/providers/{}", provider["id"]),
        secret: key["key"].as_str().unwrap().to_owned(),
        api,
    }
}

impl Stage {
    /// A request that is expected to cost so much and no more.
    fn request(&self, house: &TestHouse, cost: Pico) -> (RequestId, Journey) {
        let caller = house.current.keys().find(&self.secret).unwrap();
        let request = RequestId::new();
        let journey = house.gateway.journey(Ask {
            request,
            key: caller.key,
            user: caller.user,
            limits: CallerLimits { user: caller.user_limits, key: caller.key_limits },
            estimate: Estimate { input: cost, worst_input: cost, ..Estimate::default() },
            groups: caller.groups,
            closed_to_client: Vec::new(),
            format: Format::Anthropic,
            operation: Operation::Generate,
            model: "claude".to_owned(),
            session: None,
            session_goes_on: false,
            session_is_marked: false,
            continues: None,
        });
        (request, journey)
    }

    /// One that has ended, and has cost so much.
    async fn spend(&self, house: &TestHouse, cost: Pico) {
        let (_, mut journey) = self.request(house, cost);
        journey.next().await.unwrap();
        journey.settle(cost, None, 1);
    }

    /// Limit, settled, reserved, free of one window.
    async fn window(&self, quota: &str, window: &str) -> Value {
        let shown = self.api.get(quota).await.ok(200);
        assert_eq!(shown["known"], true, "{shown}");
        let windows = shown["windows"].as_array().unwrap();
        assert_eq!(windows.len(), Span::ALL.len());
        let found = windows.iter().find(|found| found["window"] == window).unwrap();
        json!([found["limit"], found["settled"], found["reserved"], found["free"]])
    }

    async fn open(&self) -> Vec<Value> {
        let open = self.api.get("/api/v1/ledger/reservations?state=open").await.ok(200);
        open["items"].as_array().unwrap().clone()
    }
}

fn dollars(count: i128) -> Pico {
    Pico(count * 1_000_000_000_000)
}

async fn a_quota_shows_what_is_settled_reserved_and_free(house: TestHouse) {
    let stage = stage(&house, json!({"usd_total": "10", "concurrency": 3, "rpm": 9})).await;
    for (quota, limit) in [(&stage.user, "10"), (&stage.key, "4"), (&stage.provider, "100")] {
        assert_eq!(stage.window(quota, "total").await, json!([limit, "0", "0", limit]), "{quota}");
        assert_eq!(stage.window(quota, "5h").await, json!([null, "0", "0", null]), "{quota}");
    }
    let (request, mut journey) = stage.request(&house, dollars(3));
    let grant = journey.next().await.unwrap();
    for (quota, limit, free) in
        [(&stage.user, "10", "7"), (&stage.key, "4", "1"), (&stage.provider, "100", "97")]
    {
        assert_eq!(stage.window(quota, "total").await, json!([limit, "0", "3", free]), "{quota}");
    }
    let shown = stage.api.get(&stage.user).await.ok(200);
    assert_eq!(
        json!([shown["concurrency"], shown["rpm"]]),
        json!([{"limit": 3, "used": 1}, {"limit": 9, "used": 1}])
    );
    let open = stage.open().await;
    assert_eq!((open.len(), &open[0]["request_id"]), (1, &json!(request)));
    let mut reserved: Vec<_> = open[0]["reserved"].as_array().unwrap().iter().map(Value::to_string).collect();
    reserved.sort();
    let share = |account| json!({"account": account, "amount_usd": "3"}).to_string();
    assert_eq!(reserved, [share("key/1"), share("provider/1"), share("user/1")]);

    drop(grant);
    journey.settle(Pico(1_500_000_000_001), None, 1);
    for (quota, limit, free) in [
        (&stage.user, "10", "8.499999999999"),
        (&stage.key, "4", "2.499999999999"),
        (&stage.provider, "100", "98.499999999999"),
    ] {
        assert_eq!(
            stage.window(quota, "total").await,
            json!([limit, "1.500000000001", "0", free]),
            "{quota}"
        );
    }
    assert!(stage.open().await.is_empty());
    assert_eq!(stage.api.get("/api/v1/ledger/drift").await.ok(200)["items"], json!([]));
}

async fn i09_a_reset_empties_a_window_and_keeps_what_is_reserved(house: TestHouse) {
    let stage = stage(&house, json!({"usd_total": "10", "usd_5h": "10"})).await;
    stage.spend(&house, dollars(1)).await;
    let (_, mut journey) = stage.request(&house, dollars(2));
    let _grant = journey.next().await.unwrap();

    let total = json!({"window": "total", "note": "a refund"});
    stage.api.post(&format!("{}/reset", stage.user), total).await.ok(200);
    assert_eq!(stage.window(&stage.user, "total").await, json!(["10", "0", "2", "8"]));
    assert_eq!(stage.window(&stage.user, "5h").await, json!(["10", "1", "2", "7"]), "not asked for");
    assert_eq!(stage.window(&stage.key, "total").await, json!(["4", "1", "2", "1"]), "not asked for");

    for quota in [&stage.user, &stage.key, &stage.provider] {
        let shown = stage.api.post(&format!("{quota}/reset"), json!({})).await.ok(200);
        assert!(
            shown["windows"].as_array().unwrap().iter().all(|window| window["settled"] == "0"),
            "{shown}"
        );
    }
    journey.settle(dollars(2), None, 2);
    assert_eq!(
        stage.window(&stage.user, "total").await,
        json!(["10", "2", "0", "8"]),
        "counts after the reset"
    );

    // What was done is remembered for a ledger that wakes.
    let account = "user/1".parse().unwrap();
    let ask = BalancesAsk { account, ranges: Vec::new(), by_minute: None };
    let entries = house.store.balances(vec![ask]).await.unwrap().remove(0).entries;
    assert_eq!(entries.len(), Span::ALL.len());
    assert!(
        entries.iter().all(|entry| entry.kind == EntryKind::Reset && entry.amount == dollars(1)),
        "{entries:?}"
    );
}

async fn a_raised_limit_lets_through_what_it_refused(house: TestHouse) {
    let stage = stage(&house, json!({"usd_total": "1"})).await;
    let (_, mut journey) = stage.request(&house, dollars(2));
    assert!(matches!(journey.next().await, Err(NoProvider::Denied(_))));

    let raise = json!({"window": "total", "amount": "2.5", "expires_at": FAR, "note": "release day"});
    let shown = stage.api.post(&format!("{}/raise", stage.user), raise).await.ok(200);
    let total =
        shown["windows"].as_array().unwrap().iter().find(|window| window["window"] == "total").unwrap();
    assert_eq!(json!([total["limit"], total["free"]]), json!(["2.5", "2.5"]));
    assert_eq!(total["raised_until"], FAR);
    let (_, mut journey) = stage.request(&house, dollars(2));
    let _grant = journey.next().await.unwrap();

    let account = "user/1".parse().unwrap();
    let ask = BalancesAsk { account, ranges: Vec::new(), by_minute: None };
    let entry = house.store.balances(vec![ask]).await.unwrap().remove(0).entries.remove(0);
    assert_eq!((entry.kind, entry.span, &*entry.note), (EntryKind::Raise, Some(Span::Total), "release day"));
    assert_eq!((entry.amount, entry.until), (Pico(2_500_000_000_000), Some(FAR.parse().unwrap())));
}

async fn what_operators_did_is_told_newest_first(house: TestHouse) {
    let stage = stage(&house, json!({"usd_total": "5"})).await;
    let resets = stage.api.get("/api/v1/audit?action=quota.reset").await.ok(200);
    assert_eq!(resets, json!({"items": [], "next_cursor": null}));
    stage.spend(&house, dollars(1)).await;
    stage.api.post(&format!("{}/reset", stage.user), json!({"window": "total"})).await.ok(200);
    let raise = json!({"window": "total", "amount": 9, "expires_at": FAR});
    stage.api.post(&format!("{}/raise", stage.key), raise).await.ok(200);

    let first = stage.api.get("/api/v1/audit?limit=1").await.ok(200);
    let line = &first["items"][0];
    assert_eq!(
        json!([line["who"], line["action"], line["subject"]]),
        json!(["admin token", "quota.raise", "key/1"])
    );
    assert_eq!(line["after"], json!({"window": "total", "amount": "9", "expires_at": FAR, "note": ""}));
    let next = first["next_cursor"].as_str().unwrap();
    let second = stage.api.get(&format!("/api/v1/audit?limit=1&cursor={next}")).await.ok(200);
    let line = &second["items"][0];
    assert_eq!(json!([line["action"], line["subject"]]), json!(["quota.reset", "user/1"]));
    let settled = |side: &str| {
        let windows = line[side]["windows"].as_array().unwrap();
        windows.iter().find(|window| window["window"] == "total").unwrap()["settled"].clone()
    };
    assert_eq!((settled("before"), settled("after")), (json!("1"), json!("0")));
}

#[actix::test]
async fn what_cannot_be_reset_or_raised_is_told() {
    let house = TestHouse::on_sqlite().await;
    let stage = stage(&house, json!({"usd_total": "5"})).await;
    let (raise, reset) = (format!("{}/raise", stage.user), format!("{}/reset", stage.user));
    let windows = "window: not_one_of: must be one of 5h, daily, weekly, monthly, total";
    for (body, told) in [
        (json!({"window": "daily"}), "window: out_of_range: is not limited, so nothing can be raised"),
        (json!({"window": "hourly"}), windows),
        (json!({"window": null}), "window: required: must be given"),
        (json!({"amount": null}), "amount: required: must be given"),
        (json!({"amount": -1}), "amount: malformed: must not be negative"),
        (json!({"amount": "1e50000000"}), "amount: malformed: too many digits or too large an exponent"),
        (json!({"expires_at": null}), "expires_at: required: must be given"),
        (json!({"expires_at": "2020-01-01T00:00:00Z"}), "expires_at: out_of_range: must be in the future"),
        (json!({"until": FAR}), "until: unknown: is no member here"),
    ] {
        let mut whole = json!({"window": "total", "amount": "9", "expires_at": FAR});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        assert_eq!(stage.api.post(&raise, &whole).await.problem(422), ["invalid", told], "{body}");
    }
    let refused = stage.api.post(&reset, json!({"window": "hourly"})).await;
    assert_eq!(refused.problem(422), ["invalid", windows]);
    for path in ["users/404", "keys/404", "providers/404", "groups/1", "users/x"] {
        let path = format!("/api/v1/quotas/{path}");
        assert_eq!(stage.api.get(&path).await.problem(404), ["not_found"], "{path}");
        let reset = stage.api.post(&format!("{path}/reset"), json!({})).await;
        assert_eq!(reset.problem(404), ["not_found"], "{path}");
    }
    let closed = stage.api.get("/api/v1/ledger/reservations?state=closed").await;
    assert_eq!(closed.problem(422), ["invalid", "state: not_one_of: must be open"]);
    for action in ["quota.reset", "quota.raise"] {
        let lines = stage.api.get(&format!("/api/v1/audit?action={action}")).await.ok(200);
        assert_eq!(lines["items"], json!([]), "nothing was done");
    }
}

#[actix::test]
async fn a_user_without_a_key_has_a_quota_too() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    api.patch("/api/v1/settings", json!({"default_limits": {"usd_total": "3", "rpm": 7}})).await.ok(200);
    let user = api.post("/api/v1/users", json!({"name": "new", "limits": {"rpm": 8}})).await.ok(201);
    let shown = api.get(&format!("/api/v1/quotas/users/{}", user["id"])).await.ok(200);
    assert_eq!(shown["rpm"]["limit"], 8);
    assert_eq!(shown["windows"][4]["limit"], "3", "from the system's defaults");
}
