//! Members by two names: how the predecessors call and write a thing, and how `/api/v1` does.
//!
//! One table serves both ways, so that what is taken in comes out again under the same name.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Number, Value, json};

use super::failure::Failure;

/// One member.
pub(super) struct Field {
    /// Its name there.
    theirs: &'static str,
    /// Its place in `/api/v1`, with a point between an object and its member.
    ours: &'static str,
    how: How,
}

/// How a value is written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The same.
    Same,
    /// A number of dollars or of things; 0 and null mean that there is no bound.
    Bound,
    /// A number that is a decimal text with us.
    Decimal,
    /// Names in one text with commas between.
    Names,
    /// A time or a day.
    Time,
}

/// A member that is written the same on both sides, or as `how` says.
pub(super) const fn field(theirs: &'static str, ours: &'static str, how: How) -> Field {
    Field { theirs, ours, how }
}

/// Turns the members of `given` that stand in the table into a body for `/api/v1`. Members that are not in
/// the table are left where they are.
pub(super) fn inward(table: &[Field], given: &mut Map<String, Value>) -> Result<Value, Failure> {
    let mut body = json!({});
    for Field { theirs, ours, how } in table {
        let Some(value) = given.remove(*theirs) else { continue };
        let value = how.inward(value).map_err(|why| Failure {
            field: Some((*theirs).to_owned()),
            ..Failure::invalid("INVALID_FORMAT", format!("{theirs} {why}"))
        })?;
        let place = ours.split('.').fold(&mut body, |place, member| &mut place[member]);
        *place = value;
    }
    Ok(body)
}

/// Shows what `/api/v1` said by the names of the table.
pub(super) fn outward(table: &[Field], shown: &Value) -> Map<String, Value> {
    let member = |field: &Field| {
        let value = field.ours.split('.').fold(shown, |place, member| &place[member]);
        (field.theirs.to_owned(), field.how.outward(value))
    };
    table.iter().map(member).collect()
}

/// A no, with the member it is about by its name there.
pub(super) fn named(table: &[Field], failure: Failure) -> Failure {
    let theirs = |ours: &str| {
        // An entry of a list is told with its place.
        let (member, place) = ours.split_at(ours.find('[').unwrap_or(ours.len()));
        let found = table.iter().find(|field| field.ours == member)?;
        Some(format!("{}{place}", found.theirs))
    };
    let field = failure.field.map(|ours| theirs(&ours).unwrap_or(ours));
    Failure { field, ..failure }
}

impl How {
    fn inward(self, value: Value) -> Result<Value, &'static str> {
        match (self, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Self::Same, value) => Ok(value),
            (Self::Bound, value) if is_nothing(&value) => Ok(Value::Null),
            (Self::Bound, Value::String(text)) => {
                text.trim().parse::<Number>().map(Value::Number).map_err(|_| "must be a number")
            }
            (Self::Bound | Self::Decimal, value) => Ok(value),
            (Self::Names, Value::String(text)) => {
                let names = text.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty());
                Ok(names.map(Value::from).collect())
            }
            (Self::Names, Value::Array(names)) => Ok(Value::Array(names)),
            (Self::Time, Value::String(text)) if text.is_empty() => Ok(Value::Null),
            (Self::Time, Value::String(text)) => moment(&text).map(|at| json!(at)),
            (Self::Names | Self::Time, _) => Err("must be text"),
        }
    }

    fn outward(self, value: &Value) -> Value {
        match (self, value) {
            (Self::Names, Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",").into()
            }
            (Self::Bound | Self::Decimal, value) => number(value),
            (_, value) => value.clone(),
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty() || text.trim().parse() == Ok(0.0),
        _ => false,
    }
}

/// A decimal text as the number that their clients read. Ours stays exact; theirs was always a float.
pub(super) fn number(value: &Value) -> Value {
    match value {
        Value::String(text) => text.parse::<Number>().map_or(Value::Null, Value::Number),
        other => other.clone(),
    }
}

/// A time as they write it: with a zone, or a day, which ends with it.
fn moment(text: &str) -> Result<DateTime<Utc>, &'static str> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let day: NaiveDate = text.parse().map_err(|_| "must be a time such as 2030-01-31T12:00:00Z, or a day")?;
    day.and_hms_opt(23, 59, 59).map(|end| end.and_utc()).ok_or("must be a day")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Field] = &[
        field("name", "name", How::Same),
        field("limitDailyUsd", "limits.usd_daily", How::Bound),
        field("limitConcurrentSessions", "limits.sessions", How::Bound),
        field("providerGroup", "groups", How::Names),
        field("expiresAt", "expires_at", How::Time),
    ];

    fn taken(given: Value) -> Result<Value, Failure> {
        let Value::Object(mut given) = given else { panic!("an object") };
        inward(TABLE, &mut given)
    }

    #[test]
    fn members_go_in_and_come_out_by_one_table() {
        let body = taken(json!({"name": "a", "limitDailyUsd": 12.5, "limitConcurrentSessions": 0,
            "providerGroup": "x, y", "expiresAt": "2030-01-31"}));
        let body = body.unwrap();
        let expected = json!({"name": "a", "limits": {"usd_daily": 12.5, "sessions": null},
            "groups": ["x", "y"], "expires_at": "2030-01-31T23:59:59Z"});
        assert_eq!(body, expected);
        let shown = json!({"name": "a", "limits": {"usd_daily": "12.5", "sessions": null}, "groups": ["x"]});
        let out = Value::Object(outward(TABLE, &shown));
        assert_eq!(out["limitDailyUsd"], json!(12.5));
        assert_eq!(out["providerGroup"], "x");
        assert_eq!(out["limitConcurrentSessions"], Value::Null);
    }

    #[test]
    fn what_is_wrong_is_told_by_their_name() {
        let failure = taken(json!({"expiresAt": "soon"})).unwrap_err();
        assert_eq!(failure.field.as_deref(), Some("expiresAt"));
        let ours = Failure { field: Some("limits.usd_daily".to_owned()), ..Failure::internal() };
        assert_eq!(named(TABLE, ours).field.as_deref(), Some("limitDailyUsd"));
    }
}
