//! Who is behind a write, for the audit log: the principal, and where it is.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};

use super::{Admin, Principal, error::Problem};
use crate::{client_address::client_address, store::Author};

/// Extractor: who signs what is written.
pub(super) struct Signed(pub(super) Author);

impl FromRequest for Signed {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let author = author(request).map(Self);
        ready(author.ok_or_else(|| Problem::internal("a public route writes something")))
    }
}

/// Who is asking, if it is known.
pub(super) fn author(request: &HttpRequest) -> Option<Author> {
    let who = request.extensions().get::<Principal>()?.name.clone();
    let trusted = &request.app_data::<Data<Admin>>()?.trusted_proxies;
    Some(Author { who, address: client_address(request, trusted) })
}
