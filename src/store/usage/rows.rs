//! How rows of the log come to a tally, in SQL that both databases take: the same sums that posting adds up.

use super::{
    Facet,
    tally::{FIRST_MS, MOST, TOOK_MS, Tally},
};

/// The program by the name it gives itself: its user agent up to the first slash or space.
pub(in crate::store) fn client_of(user_agent: &str) -> &str {
    user_agent.split(['/', ' ']).next().unwrap_or_default()
}

/// The subject of a row `r`, that of a client as the whole user agent.
pub(super) fn subject(facet: Facet) -> &'static str {
    match facet {
        Facet::User => "COALESCE(CAST(r.user_id AS text), '')",
        Facet::Key => "COALESCE(CAST(r.key_id AS text), '')",
        Facet::Provider => "COALESCE(CAST(r.provider_id AS text), '')",
        Facet::Model => "CASE WHEN r.user_id IS NULL THEN '' ELSE COALESCE(r.model, '') END",
        Facet::Client => "CASE WHEN r.user_id IS NULL THEN '' ELSE COALESCE(r.user_agent, '') END",
        Facet::WireFormat => "COALESCE(r.format, '')",
        Facet::Operation => "COALESCE(r.operation, '')",
    }
}

/// The sums of rows `r`, each under the name of its column.
pub(super) fn sums_of_rows() -> String {
    let counted = |condition: &str| format!("SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)");
    let capped = |column: &str| format!("CASE WHEN r.{column} > {MOST} THEN {MOST} ELSE r.{column} END");
    let mut sums = vec![
        ("requests".to_owned(), "COUNT(*)".to_owned()),
        ("errors".to_owned(), counted(FAILED)),
        ("duration_us".to_owned(), format!("SUM({})", capped("duration_us"))),
        ("firsts".to_owned(), "COUNT(r.ttfb_us)".to_owned()),
        ("first_us".to_owned(), format!("COALESCE(SUM({}), 0)", capped("ttfb_us"))),
        (
            "cache_write_tokens".to_owned(),
            format!("SUM({} + {})", capped("cache_write_5m_tokens"), capped("cache_write_1h_tokens")),
        ),
    ];
    for column in ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"] {
        sums.push((column.to_owned(), format!("SUM({})", capped(column))));
    }
    for (name, column, bounds) in [("took", "duration_us", TOOK_MS), ("first", "ttfb_us", FIRST_MS)] {
        let mut lower = -1;
        for bound in bounds {
            let upper = bound * 1_000;
            let condition = format!("r.{column} > {lower} AND r.{column} <= {upper}");
            sums.push((format!("{name}_{bound}ms"), counted(&condition)));
            lower = upper;
        }
    }
    let whole = sums.into_iter().map(|(name, sum)| format!("CAST({sum} AS bigint) AS {name}"));
    whole.chain(["SUM(COALESCE(r.cost, 0)) AS cost".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// Whether a row is an error.
pub(in crate::store) const FAILED: &str =
    "r.status >= 400 AND r.status <> 499 OR r.ending NOT IN ('complete', 'caller_left')";

/// The sums of sums `u`, each under the name of its column.
pub(super) fn sums_of_sums() -> String {
    let whole = Tally::COLUMNS.iter().map(|column| format!("CAST(SUM(u.{column}) AS bigint) AS {column}"));
    whole.chain(["SUM(u.cost) AS cost".to_owned()]).collect::<Vec<_>>().join(", ")
}
