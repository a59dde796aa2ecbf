//! `Idempotency-Key`: a `POST` that is sent again, since its answer was lost, is not done again but answered
//! with what the first one was.
//!
//! What is asked is noted in the store before it is done, and its answer after; whoever asked may hang up, and
//! the process may die. A refusal (4xx) did nothing, so it is forgotten and the key is free again; every
//! other answer stays for a day. A key counts for one principal.

use actix_web::{
    Error, HttpMessage as _, HttpResponse, ResponseError as _,
    body::{BoxBody, to_bytes},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION},
    },
    middleware::Next,
    web::{Bytes, Data},
};
use futures_util::stream;
use sha2::{Digest as _, Sha256};

use super::{
    Admin, Principal,
    body::gather,
    error::{Code, FlawCode, Problem},
};
use crate::store::{Claim, Claimed, Given, Store};

/// The header.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const MAX_KEY: usize = 200;
/// The largest body of a request; as large as the largest that a route takes.
const MAX_ASKED: usize = 16 << 20;
/// The largest body of an answer that is kept.
const MAX_ANSWER: usize = 1 << 20;

/// Does what is asked, or tells what became of it when it was asked before.
pub(super) async fn serve(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() != Method::POST || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.call(request).await;
    }
    let (store, claim) = match noted(&mut request).await {
        Ok(noted) => noted,
        Err(problem) => return Ok(request.error_response(problem)),
    };
    // In a task of its own: what is noted is also done, and its answer kept, if nobody waits any more.
    let done = actix_web::rt::spawn(async move {
        let id = claim.id;
        match store.claim(claim).await {
            Ok(Claimed::First) => {}
            Ok(Claimed::Answered(given)) => return Ok(request.into_response(again(given))),
            Ok(refused) => return Ok(request.error_response(no(&refused))),
            Err(error) => return Ok(request.error_response(Problem::from(error))),
        }
        let told = request.request().clone();
        let response =
            next.call(request).await.unwrap_or_else(|error| ServiceResponse::from_err(error, told));
        keep(&store, id, response).await
    });
    done.await.unwrap_or_else(|failed| Err(Problem::internal(failed).into()))
}

/// What is asked, ready to be noted. Its body is read, and put back for whoever comes next.
async fn noted(request: &mut ServiceRequest) -> Result<(Store, Claim), Problem> {
    let mut keys = request.headers().get_all(IDEMPOTENCY_KEY);
    let key = keys.next().filter(|_| keys.next().is_none()).and_then(|key| key.to_str().ok());
    let key = key.map(str::to_owned).filter(|key| (1..=MAX_KEY).contains(&key.len()));
    let key = key.ok_or_else(|| {
        let message = format!("must be one header of 1 to {MAX_KEY} printable characters");
        Problem::field("idempotency-key", FlawCode::Malformed, message)
    })?;
    let payload = request.take_payload();
    let body = gather(payload, MAX_ASKED).await?.freeze();
    let admin = request.app_data::<Data<Admin>>();
    let admin = admin.ok_or_else(|| Problem::internal("the control plane was mounted without its state"))?;
    let user = request.extensions().get::<Principal>().map(|principal| principal.user);
    let user = user.ok_or_else(|| Problem::new(Code::Invalid, "this route takes no idempotency-key"))?;
    let owner = user.map_or_else(|| "admin token".to_owned(), |user| format!("user/{}", user.0));
    let fingerprint =
        digest(&[request.method().as_str().as_bytes(), request.uri().to_string().as_bytes(), &body]);
    let claim = Claim {
        id: digest(&[owner.as_bytes(), key.as_bytes()]),
        owner,
        fingerprint,
        process: admin.process_id.clone(),
    };
    let store = admin.store.clone();
    let again = stream::iter([Ok(body)]);
    request.set_payload(Payload::from(
        Box::pin(again) as std::pin::Pin<Box<dyn futures_util::Stream<Item = _>>>
    ));
    Ok((store, claim))
}

/// Of several texts, so that where one ends and the next begins counts too.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Keeps the answer for whoever asks again, or frees the key where nothing was done.
async fn keep(
    store: &Store,
    id: [u8; 32],
    response: ServiceResponse<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let code = response.response().error().and_then(|error| error.as_error::<Problem>()).map(Problem::code);
    let (request, answer) = response.into_parts();
    let (answer, body) = answer.into_parts();
    let body: Bytes = to_bytes(body).await.map_err(|_| Problem::internal("the answer broke off"))?;
    let kept = if answer.status().is_client_error() || code == Some(Code::Overloaded) {
        store.forget_claim(id).await
    } else {
        store.keep_answer(id, &given(&answer, &body)).await
    };
    if let Err(error) = kept {
        // Whoever asks again is told that it is not known what became of it, which is true.
        log::warn!("admin: the answer to an idempotent request could not be kept: {error}");
    }
    Ok(ServiceResponse::new(request, answer.set_body(BoxBody::new(body))))
}

fn given(answer: &HttpResponse<()>, body: &Bytes) -> Given {
    let told = |name: HeaderName| {
        let value = answer.headers().get(&name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    Given {
        status: answer.status().as_u16(),
        headers: [CONTENT_TYPE, ETAG, LOCATION].into_iter().filter_map(told).collect(),
        body: (body.len() <= MAX_ANSWER).then(|| body.to_vec()),
    }
}

/// The answer that was given before.
fn again(given: Given) -> HttpResponse {
    let Some(body) = given.body else {
        let detail = "this was done before; its answer was too large to be kept";
        return Problem::new(Code::OutcomeUnknown, detail).error_response();
    };
    let status = StatusCode::from_u16(given.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    for (name, value) in given.headers {
        answer.insert_header((name, value));
    }
    answer.insert_header((REPLAYED, HeaderValue::from_static("true"))).body(body)
}

fn no(refused: &Claimed) -> Problem {
    match refused {
        Claimed::Reused => Problem::new(
            Code::IdempotencyKeyReused,
            "this idempotency-key came with another request; every request takes a key of its own",
        ),
        Claimed::Unknown => Problem::new(
            Code::OutcomeUnknown,
            "a process that is gone began this and did not answer; look whether it took effect, and use another \
             idempotency-key",
        ),
        Claimed::TooMany => Problem::new(
            Code::TooManyKeys,
            "too many idempotency-keys within a day; they are free again after it",
        ),
        Claimed::Running | Claimed::First | Claimed::Answered(_) => {
            Problem::new(Code::InProgress, "this is being done right now; ask again for its answer")
        }
    }
}
