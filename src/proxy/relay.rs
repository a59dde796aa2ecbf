//! The relay: a request's way to an upstream and back.
//!
//! ```text
//! who -> what -> journey: [grant -> attempt]* -> answer streamed down, or one last refusal
//! ```
//!
//! Until an attempt has begun to answer, nothing goes to the caller and another provider may be tried;
//! afterwards nothing is tried again (I-20).

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data, Payload},
};
use actors::{
    ids::RequestId,
    provider::{card::Card, outcome::Outcome},
};
use protocol::{Call, Format, Operation, Target, call, edit, gemini, headers::strip_key_query};

use super::{
    Proxy,
    attempt::{self, Answer, Begun, Dead, Wish},
    caller,
    dispatch::{Dispatch, Setback},
    headers, inbound, program,
    refusal::Refused,
    stream,
};
use crate::upstream::{Clients, Outgoing};

/// Where a request came in: enough to know what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) format: Format,
    pub(super) operation: Operation,
    /// The path on the upstream's side, aliases resolved; for Gemini it holds the model.
    pub(super) path: String,
    pub(super) gemini: Option<gemini::Path>,
}

/// Handles one request of the data plane.
pub(super) async fn run(
    proxy: Data<Proxy>,
    request: HttpRequest,
    payload: Payload,
    entry: Entry,
    id: RequestId,
) -> HttpResponse {
    let mut dispatch = Dispatch::arrive(&proxy, &request, entry.format, id);
    dispatch.asks_for(entry.operation);
    let answered = tokio::select! {
        biased;
        answered = answer(&proxy, &mut dispatch, &request, payload, &entry) => answered,
        () = proxy.drain.over() => return dispatch.drained(),
    };
    match answered {
        Ok(answer) => respond(dispatch, answer),
        Err(refused) => dispatch.refuse(&refused),
    }
}

/// What goes to the caller.
enum Response {
    /// A provider's answer.
    Begun(Box<Begun>),
    /// A provider's error, word for word.
    Passed(Answer, Setback),
}

async fn answer(
    proxy: &Proxy,
    dispatch: &mut Dispatch,
    request: &HttpRequest,
    payload: Payload,
    entry: &Entry,
) -> Result<Response, Refused> {
    proxy.admits_new_work()?;
    let version = proxy.current.version();
    let caller =
        caller::identify(request.headers(), request.query_string(), &version.keys, proxy.wall_now())?;
    let closed_to_client = program::closed_to(request.headers(), &caller, &version);
    dispatch.called_by(&caller, version);
    let closed_to_client = closed_to_client?;
    let body = inbound::body(request.headers(), payload, proxy.max_body_bytes).await?;
    let target = match &entry.gemini {
        Some(path) => Target::gemini(path),
        None => Target::new(entry.format, entry.operation),
    };
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let call = call::read(&target, &header, &body)?;
    dispatch.understood(&call, &caller, closed_to_client)?;
    let clients = request.app_data::<Clients>().ok_or(Refused::Internal)?;
    travel(clients, dispatch, request, entry, &call, &body).await
}

/// Attempt after attempt, until one begins to answer or none is left.
async fn travel(
    clients: &Clients,
    dispatch: &mut Dispatch,
    request: &HttpRequest,
    entry: &Entry,
    call: &Call,
    body: &Bytes,
) -> Result<Response, Refused> {
    let mut last: Option<Box<Dead>> = None;
    loop {
        let (card, same_home) = match dispatch.next_attempt().await {
            Ok(leave) => leave,
            // Whatever the last attempt said is closer to the truth than that nobody is left.
            Err(why) => {
                return match last {
                    Some(dead) => give_up(*dead),
                    None => Err(dispatch.not_sent(&call.model, why)),
                };
            }
        };
        let tried = match outgoing(request, entry, call, body, &card, same_home) {
            Ok(mut outgoing) => {
                dispatch.tell_trace(&mut outgoing.headers);
                dispatch.intend().await?;
                dispatch.sent();
                attempt::run(clients, &card, outgoing, Wish::of(call), dispatch).await
            }
            Err(dead) => Err(dead),
        };
        match tried {
            Ok(begun) => return Ok(Response::Begun(Box::new(begun))),
            Err(dead) if dispatch.attempt_failed(&dead.setback) => last = Some(dead),
            Err(dead) => return give_up(*dead),
        }
    }
}

/// Passes the upstream's own words on where they are the caller's to read, and speaks for it elsewhere.
fn give_up(dead: Dead) -> Result<Response, Refused> {
    match dead {
        Dead { setback, answer: Some(answer), .. } => Ok(Response::Passed(answer, setback)),
        Dead { setback, .. } => Err(Refused::Failed(setback.outcome)),
    }
}

/// The request as it goes to one provider: the caller's own bytes, but for the model where it is redirected
/// and the question for usage where the caller did not ask it.
fn outgoing(
    request: &HttpRequest,
    entry: &Entry,
    call: &Call,
    body: &Bytes,
    card: &Card,
    same_home: bool,
) -> Result<Outgoing, Box<Dead>> {
    let model = card.upstream_model(&call.model);
    let redirected = (model != call.model).then_some(model);
    let path = match &entry.gemini {
        Some(path) => path.for_upstream(redirected),
        None => match strip_key_query(request.query_string()) {
            query if query.is_empty() => entry.path.clone(),
            query => format!("{}?{query}", entry.path),
        },
    };
    let headers = headers::upward(request.headers(), card, call.format, same_home).map_err(|_| {
        Dead::before_sending(Outcome::AddressRefused, "the credential can't stand in a header")
    })?;
    let body = match edit::for_upstream(call, body, redirected, Wish::of(call).ask_usage) {
        Cow::Borrowed(_) => body.clone(),
        Cow::Owned(edited) => edited.into(),
    };
    let path_and_query = behind(&card.base_url, path);
    Ok(Outgoing { method: request.method().clone(), path_and_query, headers, body, deadline: None })
}

/// The path as it follows a base URL, which many people write with the version that paths begin with.
fn behind(base_url: &str, path: String) -> String {
    let version = path.split('/').nth(1).unwrap_or_default();
    match base_url.trim_end_matches('/').strip_suffix(version) {
        Some(rest) if !version.is_empty() && rest.ends_with('/') => path[version.len() + 1..].to_owned(),
        _ => path,
    }
}

fn respond(mut dispatch: Dispatch, response: Response) -> HttpResponse {
    match response {
        Response::Begun(begun) => stream::respond(dispatch, *begun),
        Response::Passed(answer, setback) => {
            let mut builder = HttpResponse::build(answer.status);
            for (name, value) in headers::downward(&answer.headers) {
                builder.append_header((name.clone(), value.clone()));
            }
            dispatch.stamp(&mut builder);
            builder.insert_header(("x-pointsman-error-source", "provider"));
            dispatch.passed_on(answer.status.as_u16(), &setback, answer.body.len() as u64);
            builder.body(answer.body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn a_version_that_the_base_url_has_already_is_not_said_twice() {
        let check =
            |base: &str, path: &str, expected: &str| assert_eq!(behind(base, path.to_owned()), expected);
        check("https://a.example", "/v1/messages", "/v1/messages");
        check("https://a.example/v1", "/v1/messages?beta=true", "/messages?beta=true");
        check("https://a.example/x/v1/", "/v1/messages", "/messages");
        check("https://a.example/v1beta", "/v1beta/models/m:generateContent", "/models/m:generateContent");
        check("https://a.example/v1beta", "/v1/models/m:generateContent", "/v1/models/m:generateContent");
        check("https://a.example/apiv1", "/v1/messages", "/v1/messages");
    }
}
