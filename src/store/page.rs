//! Lists in pages: each page ends with a cursor that the next one starts behind, so rows that come
//! and go in between neither repeat nor hide others.

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C = Cursor> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page starts; none on the last one.
    pub next: Option<C>,
}

/// The place behind a row in a list ordered by row number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub i64);

/// The most rows one page may have.
const MAX_PAGE: usize = 500;

impl<T, C> Page<T, C> {
    /// How many rows to ask the database for: one more than wanted, which tells whether there is
    /// another page.
    pub(super) fn fetch(limit: usize) -> i64 {
        i64::try_from(limit.clamp(1, MAX_PAGE)).expect("at most 500") + 1
    }

    /// Makes a page out of what was fetched.
    pub(super) fn new(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> C) -> Self {
        let limit = limit.clamp(1, MAX_PAGE);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// The same page of something else.
    pub(super) fn try_map<U, E>(self, map: impl Fn(T) -> Result<U, E>) -> Result<Page<U, C>, E> {
        let items = self.items.into_iter().map(map).collect::<Result<_, _>>()?;
        Ok(Page { items, next: self.next })
    }
}
