//! What a route asks for, told by the types of its handler's arguments.

use actix_web::{HttpRequest, web::Data, web::Payload};
use serde_json::{Value, json};

use crate::admin::{
    Principal,
    auth::Visitor,
    author::Signed,
    body::{Body, Object},
    query::{Id, Query},
    schema::{Book, Schema},
    versions::IfMatch,
};

/// What a handler takes.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::admin) struct Asked {
    /// The handler's own path.
    pub(in crate::admin) handler: &'static str,
    /// Whether `{id}` is the number of a row.
    pub(in crate::admin) row: bool,
    /// Whether it looks at parameters, and refuses those it does not know.
    pub(in crate::admin) query: bool,
    /// Whether it demands a version where `if-match` names one.
    pub(in crate::admin) versioned: bool,
    /// The schema of the body.
    pub(in crate::admin) body: Option<fn(&mut Book) -> Value>,
}

impl Asked {
    /// What the handler `F` takes as `Args`.
    pub(in crate::admin) fn by<F, Args: Asks>() -> Self {
        let mut asked = Self { handler: std::any::type_name::<F>(), ..Self::default() };
        Args::ask(&mut asked);
        asked
    }
}

/// An argument of a handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what it asks of a request",
    note = "add a line to `src/admin/openapi/asked.rs`: an extractor that needs nothing of the caller but a right asks nothing"
)]
pub(in crate::admin) trait Asks {
    /// Notes what it takes.
    fn ask(asked: &mut Asked);
}

impl<T: Object + Schema> Asks for Body<T> {
    fn ask(asked: &mut Asked) {
        asked.body = Some(T::schema);
    }
}

impl Asks for Id {
    fn ask(asked: &mut Asked) {
        asked.row = true;
    }
}

impl Asks for IfMatch {
    fn ask(asked: &mut Asked) {
        asked.versioned = true;
    }
}

impl Asks for Query {
    fn ask(asked: &mut Asked) {
        asked.query = true;
    }
}

/// A body that the handler reads by itself.
impl Asks for Payload {
    fn ask(asked: &mut Asked) {
        asked.body = Some(|_| json!({"type": "object"}));
    }
}

/// Nothing that a caller sends.
macro_rules! nothing {
    ($($type:ty),+) => { $(impl Asks for $type {
        fn ask(_: &mut Asked) {}
    })+ };
}

nothing!(HttpRequest, Principal, Signed, Visitor);

/// What the server is made of.
impl<T: 'static> Asks for Data<T> {
    fn ask(_: &mut Asked) {}
}

macro_rules! together {
    ($($($arg:ident)+;)+) => { $(impl<$($arg: Asks),+> Asks for ($($arg,)+) {
        fn ask(asked: &mut Asked) {
            $($arg::ask(asked);)+
        }
    })+ };
}

together! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}
