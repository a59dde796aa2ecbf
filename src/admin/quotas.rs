//! Quotas: what an account may use, has used and has reserved; its windows emptied by hand, its limits
//! raised for a while.
//!
//! A reset takes effect and is then stored with its line in the audit log, since only the book knows what
//! there is to forgive. A raise is stored first. Either is answered when both are done; where storing
//! failed, the answer says so, and the same call again does no harm.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use actors::{
    Subject,
    ids::{KeyId, ProviderId, UserId},
    ledger::{
        claim::Raise,
        limits::{AccountId, Span},
        minutes::Minute,
        view::{AccountView, Gauge, WindowView},
    },
    money::Pico,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::{
    Admin, Answer, Principal, Right,
    author::Signed,
    body::{Body, Flaws, body},
    error::{Code, FlawCode, Problem},
    limits::Dollars,
    query::{Id, Query},
    schema::view,
    undisturbed,
    values::{Moment, Text},
};
use crate::{
    journal::balances::{EntryKind, LedgerEntry},
    store::{Author, Deed},
};

body! {
    /// Which window to empty; all of them unless told.
    struct ResetBody {
        /// By its name.
        window: Span,
        /// Why.
        note: Text,
    }
}

body! {
    /// Which limit to raise. Only `note` may be left out.
    struct RaiseBody {
        /// By its window's name.
        window: Span = required,
        /// How high.
        amount: Dollars = required,
        /// Until when.
        expires_at: Moment = required,
        /// Why.
        note: Text,
    }
}

view! {
    /// A quota as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        account: AccountId,
        /// Whether what is settled is known; it is asked of the database when an account is first used.
        known: bool,
        windows: Vec<Window>,
        rpm: Gauge,
        tpm: Gauge,
        concurrency: Gauge,
        sessions: Gauge,
    }
}

view! {
    /// Dollars in one window: limit = settled + reserved + free.
    #[derive(Debug, Serialize)]
    pub(super) struct Window {
        window: Span,
        limit: Option<Pico>,
        /// None as long as it is not known.
        settled: Option<Pico>,
        reserved: Pico,
        /// Below zero when a request cost more than was reserved for it.
        free: Option<Pico>,
        resets_at: Option<DateTime<Utc>>,
        raised_until: Option<DateTime<Utc>>,
    }
}

impl From<AccountView> for View {
    fn from(view: AccountView) -> Self {
        let known = view.is_sure();
        let window = |window: WindowView| Window {
            window: window.span,
            limit: window.limit,
            settled: known.then_some(window.settled),
            reserved: window.reserved,
            free: window.free.filter(|_| known),
            resets_at: window.resets_at,
            raised_until: window.raised_until,
        };
        Self {
            account: view.account,
            known,
            windows: view.windows.into_iter().map(window).collect(),
            rpm: view.rpm,
            tpm: view.tpm,
            concurrency: view.concurrency,
            sessions: view.sessions,
        }
    }
}

/// `GET /api/v1/quotas/{users|keys|providers}/{id}`.
pub(super) async fn show(
    admin: Data<Admin>,
    me: Principal,
    request: HttpRequest,
    id: Id,
    query: Query,
) -> Answer {
    query.finish()?;
    admin.settle_log().await;
    // Whether there is none or it is another's, the answer is the same to the letter (C-04).
    let subject = match subject(&admin, &request, id).await {
        Ok(subject) if sees(&me, &subject) => subject,
        Err(problem) if me.has(Right::Read) || problem.code() != Code::NotFound => return Err(problem),
        Ok(_) | Err(_) => return Err(Problem::not_found("account")),
    };
    Ok(HttpResponse::Ok().json(quota(&admin, &subject).await?))
}

fn sees(me: &Principal, subject: &Subject) -> bool {
    match subject {
        Subject::User(user, _) => me.sees_usage(Some(*user), None),
        Subject::Key(user, key, _) => me.sees_usage(Some(*user), Some(*key)),
        Subject::Provider(_) => me.has(Right::Read),
    }
}

/// `POST /api/v1/quotas/{users|keys|providers}/{id}/reset`: counts from now on; what is reserved stays.
pub(super) async fn reset(
    admin: Data<Admin>,
    Signed(by): Signed,
    request: HttpRequest,
    id: Id,
    Body(body): Body<ResetBody>,
) -> Answer {
    admin.settle_log().await;
    let subject = subject(&admin, &request, id).await?;
    let spans = body.window.map(|span| vec![span]).or(Span::ALL.to_vec());
    let note = body.note.map(|text| text.0).or(String::new());
    let done = undisturbed(admin.clone(), async move { empty(&admin, by, &subject, &spans, &note).await });
    Ok(HttpResponse::Ok().json(done.await?))
}

async fn empty(
    admin: &Admin,
    author: Author,
    subject: &Subject,
    spans: &[Span],
    note: &str,
) -> Result<View, Problem> {
    let before = quota(admin, subject).await?;
    let mut entries = Vec::new();
    for span in spans {
        let Some(forgiven) = admin.gateway.reset(subject.clone(), *span).await? else {
            let detail = "what was used before is not known now, so it cannot be forgiven; try again";
            return Err(Problem::new(Code::StoreUnavailable, detail));
        };
        entries.push(LedgerEntry {
            account: before.account,
            minute: forgiven.minute.0,
            kind: EntryKind::Reset,
            span: Some(*span),
            amount: forgiven.in_minute,
            until: None,
            request: None,
            note: note.to_owned(),
        });
    }
    let after = quota(admin, subject).await?;
    let deed = Deed {
        author,
        action: "quota.reset",
        subject: before.account.to_string(),
        before: Some(json!({"windows": before.windows})),
        after: Some(json!({"windows": after.windows, "note": note})),
    };
    admin.store.remember(deed, &entries).await?;
    Ok(after)
}

/// `POST /api/v1/quotas/{users|keys|providers}/{id}/raise`: a higher limit for a while.
pub(super) async fn raise(
    admin: Data<Admin>,
    Signed(by): Signed,
    request: HttpRequest,
    id: Id,
    Body(body): Body<RaiseBody>,
) -> Answer {
    let subject = subject(&admin, &request, id).await?;
    let now = admin.gateway.clock();
    let now = now.wall(now.now());
    let mut flaws = Flaws::default();
    let span = body.window.required("window", &mut flaws);
    let to = body.amount.required("amount", &mut flaws);
    let until = body.expires_at.required("expires_at", &mut flaws);
    if until.is_some_and(|until| until.0 <= now) {
        flaws.add("expires_at", FlawCode::OutOfRange, "must be in the future");
    }
    flaws.check()?;
    let (Some(span), Some(to), Some(until)) = (span, to, until) else {
        return Err(Problem::internal("a required member is missing and was not told"));
    };
    let raise = Raise { to: to.0.to_pico(), until: until.0 };
    let note = body.note.map(|text| text.0).or(String::new());
    let minute = Minute::of(now);
    let done =
        undisturbed(admin.clone(), async move { lift(&admin, by, subject, span, raise, minute, note).await });
    Ok(HttpResponse::Ok().json(done.await?))
}

async fn lift(
    admin: &Admin,
    author: Author,
    subject: Subject,
    span: Span,
    raise: Raise,
    minute: Minute,
    note: String,
) -> Result<View, Problem> {
    let before = quota(admin, &subject).await?;
    if !before.windows.iter().any(|window| window.window == span && window.limit.is_some()) {
        return Err(Problem::field(
            "window",
            FlawCode::OutOfRange,
            "is not limited, so nothing can be raised",
        ));
    }
    let after = json!({"window": span, "amount": raise.to, "expires_at": raise.until, "note": note});
    let deed = Deed {
        author,
        action: "quota.raise",
        subject: before.account.to_string(),
        before: Some(json!({"windows": before.windows})),
        after: Some(after),
    };
    let entry = LedgerEntry {
        account: before.account,
        minute: minute.0,
        kind: EntryKind::Raise,
        span: Some(span),
        amount: raise.to,
        until: Some(raise.until),
        request: None,
        note,
    };
    admin.store.remember(deed, &[entry]).await?;
    if !admin.gateway.raise(subject.clone(), span, raise).await? {
        return Err(Problem::not_found("account"));
    }
    quota(admin, &subject).await
}

/// Whose quota is meant, with what binds them.
async fn subject(admin: &Admin, request: &HttpRequest, Id(id): Id) -> Result<Subject, Problem> {
    match request.match_info().query("kind") {
        "users" => of_user(admin, UserId(id)).await,
        "keys" => of_key(admin, KeyId(id)).await,
        "providers" => Ok(Subject::Provider(ProviderId(id))),
        _ => Err(Problem::not_found("kind of account")),
    }
}

/// A user, with what binds it.
pub(super) async fn of_user(admin: &Admin, id: UserId) -> Result<Subject, Problem> {
    let user = admin.store.user(id).await?;
    let limits = admin.current.limits_of_user(user.id, &user.limits).await;
    Ok(Subject::User(user.id, limits))
}

/// A key, with what binds it.
pub(super) async fn of_key(admin: &Admin, id: KeyId) -> Result<Subject, Problem> {
    let key = admin.store.key(id).await?;
    let limits = admin.current.limits_of_key(key.id).await;
    let limits: Arc<_> = limits.ok_or_else(|| Problem::not_found("api key"))?;
    Ok(Subject::Key(key.user_id, key.id, limits))
}

pub(super) async fn quota(admin: &Admin, subject: &Subject) -> Result<View, Problem> {
    let view = admin.gateway.quota(subject.clone()).await?;
    view.map(View::from).ok_or_else(|| Problem::not_found("provider"))
}
