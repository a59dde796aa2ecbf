//! Reading the request log back.

use pointsman::{
    journal::record::Record,
    store::{RequestFilter, Store},
};

/// Rows asked for at once.
const PAGE: usize = 500;

/// Every row there is.
pub(crate) async fn all(store: &Store) -> Vec<Record> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = store.requests(RequestFilter::default(), after, PAGE).await.unwrap();
        rows.extend(page.items);
        after = page.next;
        if after.is_none() {
            return rows;
        }
    }
}

/// How many rows have these endings.
pub(crate) fn count(rows: &[Record], ending: &str) -> usize {
    rows.iter().filter(|row| row.ending.name() == ending).count()
}
