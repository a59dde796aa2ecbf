//! What requests came to, as scripts draw it: over time by user or key, and today beside yesterday.

use serde_json::{Map, Value, json};

use super::{
    arguments::Arguments,
    days::written,
    desk::{Desk, Done, sees_all},
    failure::Failure,
    fields::number,
};

/// `statistics/getUserStatistics`: by user; to who may not look at everything, by own key.
pub(super) async fn by_user(desk: &Desk, mut arguments: Arguments) -> Done {
    let range = arguments.text("timeRange").unwrap_or_else(|| "today".to_owned());
    let (from, bucket) = match range.as_str() {
        "today" => (desk.day_began(0), "hour"),
        "7days" => (desk.day_began(6), "day"),
        "30days" => (desk.day_began(29), "day"),
        "thisMonth" => (desk.month_began(), "day"),
        _ => {
            let text = "timeRange must be today, 7days, 30days or thisMonth";
            let field = Some("timeRange".to_owned());
            return Err(Failure { field, ..Failure::invalid("INVALID_FORMAT", text) });
        }
    };
    let me = desk.get("/me").await?;
    let (by, mode) = if sees_all(&me) { ("user", "users") } else { ("key", "keys") };
    let path = format!("/statistics?by={by}&bucket={bucket}&limit=100&from={}", written(from));
    let told = desk.get(&path).await?;
    let series: Vec<_> = entries(&told["items"]).iter().filter_map(|item| Series::of(by, item)).collect();
    let date = |at: &Value| match at.as_str().and_then(|at| at.parse().ok()) {
        Some(at) if bucket == "day" => desk.day_of(at).to_string().into(),
        _ => at.clone(),
    };
    let chart = entries(&told["periods"]).iter().map(|at| point(date(at), at, &series));
    Ok(json!({
        "chartData": chart.collect::<Value>(),
        "users": series.iter().map(Series::shown).collect::<Value>(),
        "timeRange": range,
        "resolution": bucket,
        "mode": mode,
    }))
}

/// A user or a key, and what it came to.
struct Series<'a> {
    id: i64,
    name: &'a Value,
    key: String,
    points: &'a [Value],
}

impl<'a> Series<'a> {
    /// None where requests were nobody's.
    fn of(by: &str, item: &'a Value) -> Option<Self> {
        let id = item["subject"].as_str()?.parse().ok()?;
        Some(Self { id, name: &item["name"], key: format!("{by}-{id}"), points: entries(&item["series"]) })
    }

    fn shown(&self) -> Value {
        json!({"id": self.id, "name": self.name, "dataKey": self.key})
    }
}

/// What everybody came to in one period; nobody is left out.
fn point(date: Value, at: &Value, series: &[Series<'_>]) -> Value {
    let mut point = Map::from_iter([("date".to_owned(), date)]);
    for series in series {
        let own = series.points.iter().find(|point| point["from"] == *at);
        let (cost, calls) =
            own.map_or((json!(0), json!(0)), |own| (number(&own["cost_usd"]), own["requests"].clone()));
        point.insert(format!("{}_cost", series.key), cost);
        point.insert(format!("{}_calls", series.key), calls);
    }
    point.into()
}

/// `overview/getOverviewData`: of everything; to who may not look at that, of what is the caller's own.
pub(super) async fn overview(desk: &Desk, _: Arguments) -> Done {
    let told = desk.get("/overview").await?;
    let millis = |span: &str| told[span]["mean_duration_ms"].as_f64().unwrap_or(0.0).round();
    let percent = told["today"]["error_share"].as_f64().unwrap_or(0.0) * 100.0;
    Ok(json!({
        "concurrentSessions": told["now"]["sessions"],
        "todayRequests": told["today"]["requests"],
        "todayCost": number(&told["today"]["cost_usd"]),
        "avgResponseTime": millis("today"),
        "todayErrorRate": (percent * 100.0).round() / 100.0,
        "yesterdaySamePeriodRequests": told["yesterday"]["requests"],
        "yesterdaySamePeriodCost": number(&told["yesterday"]["cost_usd"]),
        "yesterdaySamePeriodAvgResponseTime": millis("yesterday"),
        "recentMinuteRequests": told["last_minute"]["requests"],
    }))
}

/// The entries of a list.
pub(super) fn entries(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}
