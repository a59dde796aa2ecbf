//! Signing in at an OpenID Connect provider: the browser goes there with a ticket of ours, comes back with a
//! code, and the provider tells us for it who that is (C-19, C-21).
//!
//! ```text
//! browser ──start──▶ here ──302, ticket──▶ browser ──▶ provider ──code, state──▶ browser
//! browser ──callback, ticket──▶ here ──code, verifier──▶ provider ──token──▶ here: session
//! ```
//! Invariants
//! - A callback counts only in the browser that began it, once, and within ten minutes.
//! - Whoever comes is known by issuer and subject, and by nothing else.

mod door;
mod pages;
mod person;
mod provider;
mod return_to;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{LOCATION, SET_COOKIE},
    web::Data,
};

pub use self::provider::Provider;
use self::{
    person::admit,
    provider::{Fault, Shown},
    return_to::local,
};
use super::{
    Visitor, begin,
    elsewhere::{House, principal, refused, user},
    proof::{Known, failed, knock},
};
use crate::{
    admin::{
        Admin, Answer,
        access::Presented,
        error::{Code, FlawCode, Problem},
        query::Query,
    },
    secrets::ticket::{LASTS, Ticket},
    store::Way,
};

/// Where browsers begin, and where they come back to.
pub(in crate::admin) const START: &str = "/api/v1/auth/oidc/start";
pub(super) const CALLBACK: &str = "/api/v1/auth/oidc/callback";

/// `GET /api/v1/auth/oidc/start`: to the provider.
pub(in crate::admin) async fn start(
    admin: Data<Admin>,
    request: HttpRequest,
    visitor: Visitor,
    query: Query,
) -> Answer {
    let answer = leave(&admin, &visitor, query).await;
    Ok(answer.unwrap_or_else(|problem| pages::refusal(&request, problem)))
}

async fn leave(admin: &Admin, visitor: &Visitor, mut query: Query) -> Answer {
    let asked = query.take_text("return_to");
    query.finish()?;
    let provider = provider(admin)?;
    let back = asked.map_or(Some("/".to_owned()), |asked| local(&asked)).ok_or_else(|| {
        Problem::field("return_to", FlawCode::Malformed, "must be a path of this host, such as `/users?x=y`")
    })?;
    let now = admin.wall_now();
    let left = visitor.token.as_deref().map(|token| admin.sessions.digest(token));
    let ticket = admin.tickets.make(back, left, now);
    let address = provider.address(shown(admin, &ticket), now).await?;
    let lasts = LASTS.to_std().unwrap_or_default();
    let cookie = admin.cookies().set_ticket(&admin.tickets.sealed(&ticket), lasts);
    Ok(HttpResponse::Found()
        .insert_header((LOCATION, address.as_str()))
        .insert_header((SET_COOKIE, cookie))
        .insert_header(pages::NO_REFERRER)
        .finish())
}

/// `GET /api/v1/auth/oidc/callback`: back from the provider. Parameters that it adds are its own business.
pub(in crate::admin) async fn callback(
    admin: Data<Admin>,
    request: HttpRequest,
    visitor: Visitor,
    query: Query,
) -> Answer {
    let presented = admin.cookies().presented_ticket(request.headers());
    let answer = arrive(&admin, &visitor, presented, query).await;
    let mut answer = answer.unwrap_or_else(|problem| pages::refusal(&request, problem));
    answer.headers_mut().append(SET_COOKIE, admin.cookies().forget_ticket());
    Ok(answer)
}

async fn arrive(admin: &Data<Admin>, visitor: &Visitor, presented: Presented, query: Query) -> Answer {
    let provider = provider(admin)?;
    let (back, now) = (Back::read(query)?, admin.wall_now());
    let Presented::Token(cookie) = presented else { return Err(not_begun()) };
    let ticket = admin.tickets.open(&cookie, now).ok_or_else(not_begun)?;
    if !admin.tickets.is_state(&ticket, &back.state) {
        return Err(not_begun());
    }
    if !provider.is_its(back.issuer.as_deref(), now).await? {
        return Err(failed().because("another provider answers than was asked"));
    }
    let code = back.code?;
    // Whoever makes up codes is slowed down like whoever makes up passwords.
    let leave = knock(admin, visitor.address, None, false).await?;
    if !admin.store.spend_ticket(admin.tickets.digest(&ticket), ticket.until()).await? {
        return Err(not_begun());
    }
    let claims = provider.redeem(code, shown(admin, &ticket), now).await?;
    let person = admit(provider.settings(), &claims).map_err(|no| refused(no.detail()))?;
    let house =
        House { way: Way::Oidc, issuer: provider.issuer(), create_users: provider.settings().create_users };
    let user = user(admin, visitor, house, person).await?;
    admin.gateway.sign_in_succeeded(leave);
    let proof = Some(admin.sessions.proof(provider.issuer()));
    let known = Known { principal: principal(user, Way::Oidc), proof };
    let begun = begin(admin, visitor, known, ticket.left()).await?;
    Ok(pages::welcome(&ticket.return_to, &begun.cookie))
}

/// What the browser brings back.
struct Back {
    state: String,
    issuer: Option<String>,
    /// Or why there is none.
    code: Result<String, Problem>,
}

impl Back {
    fn read(mut query: Query) -> Result<Self, Problem> {
        let mut once = |name: &str| {
            let value = query.take_text(name);
            // A second one may be somebody else's.
            if query.take_text(name).is_some() { Err(not_begun()) } else { Ok(value) }
        };
        let (state, issuer, code, error) = (once("state")?, once("iss")?, once("code")?, once("error")?);
        let code = match (code, error.as_deref()) {
            (Some(code), None) => Ok(code),
            (_, Some("access_denied")) => Err(refused("the provider was told not to let this account in")),
            _ => Err(Problem::new(Code::SignInProviderFailed, "the provider sends no code")),
        };
        Ok(Self { state: state.ok_or_else(not_begun)?, issuer, code })
    }
}

fn provider(admin: &Admin) -> Result<&Provider, Problem> {
    admin.oidc.as_ref().ok_or_else(|| Problem::not_found("provider to sign in at"))
}

fn shown(admin: &Admin, ticket: &Ticket) -> Shown {
    let tickets = &admin.tickets;
    Shown { state: tickets.state(ticket), nonce: tickets.nonce(ticket), verifier: tickets.verifier(ticket) }
}

/// The no to a callback that this browser did not begin, or not lately, or has ended.
fn not_begun() -> Problem {
    let detail = "this sign-in was not begun in this browser, or is over; begin again";
    Problem::new(Code::SignInExpired, detail)
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Provider(_) => {
                let detail = "the provider does not answer as it should; try again later";
                Self::new(Code::SignInProviderFailed, detail).because(fault)
            }
            Fault::Code(_) | Fault::Token(_) => failed().because(fault),
        }
    }
}
