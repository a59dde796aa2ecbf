//! Batches as they are shown: of each row what changes, before and after, and nothing else.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Shown, state};
use crate::{
    admin::{error::Problem, schema::view},
    store::{Batch, Mode, TrashKind, Undone},
};

view! {
    /// What became of many rows, or would.
    #[derive(Debug, Serialize)]
    pub(in crate::admin) struct BatchView {
        /// Whether nothing was changed yet.
        preview: bool,
        /// Of the rows as they are now; a batch that sends it along is refused if they are not any more.
        state: String,
        /// By which it can be undone.
        batch: Option<i64>,
        undo_until: Option<DateTime<Utc>>,
        items: Vec<ChangedView>,
    }
}

view! {
    /// A row that changes.
    #[derive(Debug, Serialize)]
    pub(in crate::admin) struct ChangedView {
        id: i64,
        name: String,
        /// The version it has now.
        version: i64,
        /// What changes, as it was.
        before: Value,
        /// The same as it is then.
        after: Value,
    }
}

view! {
    /// A batch that was undone.
    #[derive(Debug, Serialize)]
    pub(in crate::admin) struct UndoneView {
        batch: i64,
        kind: &'static str,
        items: Vec<UndoneRowView>,
    }
}

view! {
    /// A row that is again as it was.
    #[derive(Debug, Serialize)]
    pub(in crate::admin) struct UndoneRowView {
        id: i64,
        /// The version it has now.
        version: i64,
    }
}

impl BatchView {
    pub(super) fn of<R: Shown>(batch: Batch<R>, mode: Mode) -> Result<Self, Problem> {
        let (preview, made) = (mode == Mode::Preview, batch.made);
        let (before, after): (Vec<R>, Vec<R>) = batch.changed.into_iter().unzip();
        let state = state(if preview { &before } else { &after });
        let items =
            before.into_iter().zip(after).map(|(before, after)| ChangedView::of(before, after, preview));
        Ok(Self {
            preview,
            state,
            batch: made.map(|made| made.id),
            undo_until: made.map(|made| made.undo_until),
            items: items.collect::<Result<_, _>>()?,
        })
    }
}

impl ChangedView {
    fn of<R: Shown>(before: R, after: R, preview: bool) -> Result<Self, Problem> {
        let version = if preview { before.version() } else { after.version() };
        let (id, name) = (after.id(), after.name().to_owned());
        let shown = |row: R| serde_json::to_value(row.shown()).map_err(Problem::internal);
        let (before, after) = difference(&shown(before)?, &shown(after)?);
        Ok(Self { id, name, version, before: before.into(), after: after.into() })
    }
}

impl UndoneView {
    pub(super) fn of(batch: i64, kind: TrashKind, rows: Vec<Undone>) -> Self {
        let items = rows.into_iter().map(|Undone { id, version }| UndoneRowView { id, version }).collect();
        Self { batch, kind: kind.name(), items }
    }
}

/// What differs between two objects, as the one and as the other has it. That each change has a version and a time
/// goes without saying.
fn difference(before: &Value, after: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let (mut was, mut is) = (Map::new(), Map::new());
    let members = after.as_object().into_iter().flatten();
    for (name, after) in members.filter(|(name, _)| !matches!(name.as_str(), "version" | "updated_at")) {
        let before = before.get(name).unwrap_or(&Value::Null);
        if before == after {
            continue;
        }
        // Of two objects with the same members only those are told that differ.
        let both = match (before.as_object(), after.as_object()) {
            (Some(one), Some(other)) if one.keys().eq(other.keys()) => {
                let (was, is) = difference(before, after);
                (was.into(), is.into())
            }
            _ => (before.clone(), after.clone()),
        };
        was.insert(name.clone(), both.0);
        is.insert(name.clone(), both.1);
    }
    (was, is)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let before =
            json!({"version": 1, "name": "a", "limits": {"rpm": 1, "usd_daily": null}, "tags": ["x"]});
        let after =
            json!({"version": 2, "name": "a", "limits": {"rpm": 1, "usd_daily": "5"}, "tags": ["x", "y"]});
        let (was, is) = difference(&before, &after);
        assert_eq!(Value::from(was), json!({"limits": {"usd_daily": null}, "tags": ["x"]}));
        assert_eq!(Value::from(is), json!({"limits": {"usd_daily": "5"}, "tags": ["x", "y"]}));
        let (was, is) = difference(&json!({"redirects": {"a": "b"}}), &json!({"redirects": {}}));
        assert_eq!((was.into(), is.into()), (json!({"redirects": {"a": "b"}}), json!({"redirects": {}})));
        let (was, is) = difference(&after, &after);
        assert!(was.is_empty() && is.is_empty());
    }
}
