//! What stands in a path or behind the question mark, and the lists that are paged with it.

use std::{
    future::{Ready, ready},
    ops::RangeInclusive,
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    Answer,
    body::Flaws,
    error::{FlawCode, Problem},
    schema::{Book, Schema},
};
use crate::store::{By, Cursor, Order, Place, Start};

/// Entries of a page unless the caller says otherwise, and the most there are.
pub(super) const PAGE: usize = 50;
pub(super) const LARGEST_PAGE: usize = 500;
/// The longest text that is looked for, in characters.
pub(super) const MOST_WORDS: usize = 100;

/// Extractor: the number in the place `{id}` of the path. What is no number names nothing.
pub(super) struct Id(pub(super) i64);

impl FromRequest for Id {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().query("id").parse();
        ready(id.map(Self).map_err(|_| Problem::not_found("id")))
    }
}

/// Extractor: the parameters nobody has asked for yet.
pub(super) struct Query {
    parameters: Vec<(String, String)>,
    flaws: Flaws,
}

impl FromRequest for Query {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parameters = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        ready(Ok(Self { parameters, flaws: Flaws::default() }))
    }
}

impl Query {
    /// Takes out a parameter; `expected` says what it must be, after the words "must be".
    pub(super) fn take<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let text = self.take_text(name)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.flaws.add(name, FlawCode::Malformed, format!("must be {expected}"));
        }
        read
    }

    /// Takes out a parameter that is any text but an empty one: a script whose variable is empty must not be
    /// shown everything.
    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        let at = self.parameters.iter().position(|(given, _)| given == name)?;
        let (_, text) = self.parameters.remove(at);
        if text.is_empty() {
            self.flaws.add(name, FlawCode::Malformed, "must not be empty; leave it out instead");
            return None;
        }
        Some(text)
    }

    /// Takes out a parameter that names one of `all`.
    pub(super) fn take_named<T: Copy>(
        &mut self,
        name: &str,
        all: &[T],
        of: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.take_text(name)?;
        let read = all.iter().copied().find(|one| of(*one) == text);
        if read.is_none() {
            let names: Vec<_> = all.iter().map(|one| of(*one)).collect();
            self.flaws.add(name, FlawCode::NotOneOf, format!("must be one of {}", names.join(", ")));
        }
        read
    }

    /// Takes out a moment.
    pub(super) fn take_moment(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.take_text(name)?;
        // A `+` that was not escaped has become a space.
        let read = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok();
        if read.is_none() {
            self.flaws.add(name, FlawCode::Malformed, "must be a time such as 2030-01-31T12:00:00Z");
        }
        read.map(|time| time.to_utc())
    }

    /// Takes out a whole number in a range.
    pub(super) fn take_within(&mut self, name: &str, range: RangeInclusive<usize>, usual: usize) -> usize {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number = self.take(name, &expected).unwrap_or(usual);
        if !range.contains(&number) {
            self.flaws.add(name, FlawCode::OutOfRange, format!("must be {expected}"));
        }
        number
    }

    /// Takes out the parameter `limit`.
    pub(super) fn take_limit(&mut self) -> usize {
        self.take_within("limit", 1..=LARGEST_PAGE, PAGE)
    }

    /// Takes out where a page of rows starts, and how long it is.
    pub(super) fn take_page(&mut self) -> (Option<Cursor>, usize) {
        let cursor = self.take("cursor", "the `next_cursor` of an earlier page").map(Cursor);
        (cursor, self.take_limit())
    }

    /// Takes out what is looked for.
    pub(super) fn take_words(&mut self) -> Option<String> {
        let words = self.take_text("q")?;
        if words.chars().count() > MOST_WORDS {
            self.flaws.add("q", FlawCode::OutOfRange, format!("must have at most {MOST_WORDS} characters"));
        }
        Some(words)
    }

    /// Takes out where a page starts of a list that can be ordered by these.
    pub(super) fn take_start(&mut self, sorts: &[By]) -> Start {
        let order = self.take_named("sort", &Order::all_of(sorts), Order::name).unwrap_or_default();
        let place = self.take::<Place>("cursor", "the `next_cursor` of an earlier page");
        if place.as_ref().is_some_and(|place| place.order() != order) {
            self.flaws.add("cursor", FlawCode::Malformed, "is of a list with another `sort`");
        }
        place.map_or(Start::Top(order), Start::Behind)
    }

    /// Fails if anything was wrong, or if there are parameters that nobody asked for.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in &self.parameters {
            self.flaws.add(name, FlawCode::Unknown, "is no parameter here, or given more than once");
        }
        self.flaws.check()
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Listed<T> {
    /// The entries.
    pub(super) items: Vec<T>,
    /// To be passed back as `cursor` for the next page; none on the last.
    pub(super) next_cursor: Option<String>,
}

impl<T: Schema> Schema for Listed<T> {
    fn schema(book: &mut Book) -> Value {
        let cursor = "to be passed back as `cursor` for the next page; none on the last";
        json!({
            "type": "object",
            "properties": {
                "items": Vec::<T>::schema(book),
                "next_cursor": {"type": ["string", "null"], "description": cursor},
            },
            "required": ["items", "next_cursor"],
        })
    }
}

impl<T: Serialize> Listed<T> {
    /// The answer.
    pub(super) fn answer(items: Vec<T>, next_cursor: Option<impl ToString>) -> Answer {
        let next_cursor = next_cursor.map(|cursor| cursor.to_string());
        Ok(HttpResponse::Ok().json(Self { items, next_cursor }))
    }

    /// The answer with all there is.
    pub(super) fn whole(items: Vec<T>) -> Answer {
        Self::answer(items, None::<String>)
    }
}
