//! Whoever comes to the door, before it is known who that is.

use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::USER_AGENT, web::Data};

use crate::{
    admin::{Admin, access::Presented, error::Problem},
    client_address::client_address,
};

/// What is known of a request before anybody has shown anything. Handlers take it as an argument.
#[derive(Debug)]
pub(in crate::admin) struct Visitor {
    /// Where it comes from.
    pub(super) address: Option<IpAddr>,
    /// What it says it is.
    pub(super) user_agent: Option<String>,
    /// The token in its cookie, good or not.
    pub(super) token: Option<String>,
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(admin) = request.app_data::<Data<Admin>>() else {
            return ready(Err(Problem::internal("the control plane was mounted without its state")));
        };
        let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let token = match admin.cookies().presented(request.headers()) {
            Presented::Token(token) => Some(token),
            Presented::None | Presented::Several => None,
        };
        ready(Ok(Self {
            address: client_address(request, &admin.trusted_proxies),
            user_agent: agent.map(str::to_owned),
            token,
        }))
    }
}
