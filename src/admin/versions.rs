//! Versions of rows and settings: told as `ETag`, demanded by `If-Match`, so that two who change the same thing at once do
//! not undo each other's work unseen.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{ETAG, IF_MATCH},
};
use serde::Serialize;

use super::error::{Code, Problem};
use crate::store::Expected;

/// How often a change is made anew of what others have left, before it is refused.
const TRIES: usize = 5;

/// Extractor: the versions that the row may have for a change to be made; any, where nothing is said.
pub(super) struct IfMatch(pub(super) Expected);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut given = request.headers().get_all(IF_MATCH).peekable();
        if given.peek().is_none() {
            return ready(Ok(Self(Expected::Any)));
        }
        let lists = given.map(|value| value.to_str().unwrap_or_default());
        let tags: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
        // What is none of ours is a version that no row has.
        let versions = tags.iter().filter_map(|tag| version(tag)).collect();
        let any = tags.contains(&"*");
        ready(Ok(Self(if any { Expected::Any } else { Expected::OneOf(versions) })))
    }
}

fn version(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    digits.parse().ok().filter(|version: &i64| version.to_string() == digits)
}

/// Makes a change that is merged with what the row has, which `change` reads, and writes only while nobody else has
/// written. Where another server has, it is made anew of what that left, so that neither is lost; but not where the
/// caller has said which version it is for.
pub(super) async fn merged<T>(
    expected: &Expected,
    change: impl AsyncFn() -> Result<T, Problem>,
) -> Result<T, Problem> {
    let tries = if *expected == Expected::Any { TRIES } else { 1 };
    for _ in 1..tries {
        match change().await {
            Err(problem) if problem.code() == Code::VersionMismatch => {}
            done => return done,
        }
    }
    change().await
}

/// An answer with what stands in a row, and which version of it that is.
pub(super) fn told(
    mut answer: actix_web::HttpResponseBuilder,
    version: i64,
    row: &impl Serialize,
) -> HttpResponse {
    answer.insert_header((ETAG, format!("\"{version}\""))).json(row)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use actix_web::test::TestRequest;

    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_version_is_read_as_it_was_told() {
        let read = |values: &[&str]| {
            let mut request = TestRequest::default();
            for value in values {
                request = request.append_header(("if-match", *value));
            }
            let request = request.to_http_request();
            IfMatch::from_request(&request, &mut Payload::None).into_inner().unwrap().0
        };
        assert_eq!(read(&[]), Expected::Any);
        assert_eq!(read(&["*"]), Expected::Any);
        assert_eq!(read(&["\"7\""]), Expected::OneOf(vec![7]));
        assert_eq!(read(&["\"7\", \"8\"", "\"9\""]), Expected::OneOf(vec![7, 8, 9]));
        assert_eq!(read(&["\"0\""]), Expected::OneOf(vec![0]));
        // A weak tag never matches, and neither does what we did not write.
        for other in ["W/\"7\"", "7", "\"\"", "\"07\"", "\"+7\"", "\"x\"", "", "\"99999999999999999999\""] {
            assert_eq!(read(&[other]), Expected::OneOf(vec![]), "{other}");
        }
    }

    /// Makes a change that another comes before so many times, and tells how often it was tried.
    async fn tried(expected: Expected, others: usize) -> (usize, Result<usize, Code>) {
        let count = Cell::new(0);
        let change = async || {
            count.set(count.get() + 1);
            let stale = StoreError::Stale { version: 2 };
            if count.get() > others { Ok(count.get()) } else { Err(stale.into()) }
        };
        let made = merged(&expected, change).await.map_err(|problem| problem.code());
        (count.get(), made)
    }

    #[actix::test]
    async fn i52_a_change_that_another_came_before_is_made_anew() {
        assert_eq!(tried(Expected::Any, 0).await, (1, Ok(1)));
        assert_eq!(tried(Expected::Any, 4).await, (5, Ok(5)));
        assert_eq!(tried(Expected::Any, 5).await, (5, Err(Code::VersionMismatch)), "not for ever");
        assert_eq!(tried(Expected::OneOf(vec![1]), 1).await, (1, Err(Code::VersionMismatch)));
        let fails = async || Err::<(), _>(Problem::internal("another reason"));
        assert_eq!(
            merged(&Expected::Any, fails).await.map_err(|problem| problem.code()),
            Err(Code::Internal)
        );
    }
}
