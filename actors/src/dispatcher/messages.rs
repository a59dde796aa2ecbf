//! What one can say to the dispatcher.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use actix::Message;
use protocol::{Format, Operation};

use super::{Table, decisions::Decision, grant::Grant};
use crate::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    ledger::{
        Ledger,
        calendar::Calendar,
        claim::{Denied, Estimate},
        limits::Limits,
        queue::Waiting,
        reservation::Reservation,
    },
    provider::{Provider, card::Card, messages::SetBreaker},
    session::id::SessionId,
    supervisor::Mailbox,
};

/// What a request asks for, as far as its way depends on it.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The request.
    pub request: RequestId,
    /// The api key it came with.
    pub key: KeyId,
    /// Whose key that is.
    pub user: UserId,
    /// What binds them. The same values are best handed in as the same `Arc`: that they are the same is
    /// then seen at once.
    pub limits: CallerLimits,
    /// What it is expected to use.
    pub estimate: Estimate,
    /// The groups of the key, or of its user; none means the default group.
    pub groups: Arc<[String]>,
    /// The providers that do not serve the program it comes from.
    pub closed_to_client: Vec<ProviderId>,
    /// Its wire format.
    pub format: Format,
    /// What it asks of the API.
    pub operation: Operation,
    /// The model it asks for.
    pub model: String,
    /// Its conversation.
    pub session: Option<SessionId>,
    /// Whether the client itself named the conversation, rather than we by its prefix.
    pub session_is_marked: bool,
    /// Whether the conversation can be at home somewhere already. One that just begins, and that nobody
    /// named, is told from others with the same first words only by what follows.
    pub session_goes_on: bool,
    /// The earlier answer it continues.
    pub continues: Option<SessionId>,
}

/// What binds a caller.
#[derive(Debug, Clone, Default)]
pub struct CallerLimits {
    /// The user with all its keys.
    pub user: Arc<Limits>,
    /// The key.
    pub key: Arc<Limits>,
}

/// Choose a provider for this request.
#[derive(Debug)]
pub struct Pick {
    /// The request.
    pub ask: Arc<Ask>,
    /// The providers that have failed it already, in order.
    pub tried: Vec<ProviderId>,
    /// Whether the request has its reservation already.
    pub reserved: bool,
    /// Held by the caller for as long as it cares.
    pub caller: Weak<()>,
    /// The providers it goes by; none means those of the moment.
    pub table: Option<Table>,
}

impl Message for Pick {
    type Result = Result<Picked, NotPicked>;
}

/// The dispatcher's yes.
#[derive(Debug)]
pub struct Picked {
    /// Leave to send the request, with all that must be given back.
    pub grant: Grant,
    /// What the request holds of its user and key, if it had nothing yet.
    pub reservation: Option<Reservation>,
    /// What it holds of the provider.
    pub charge: Reservation,
    /// How it was chosen.
    pub decision: Decision,
}

/// The dispatcher's no.
#[derive(Debug)]
pub struct NotPicked {
    /// Why.
    pub why: NoProvider,
    /// Who was looked at.
    pub decision: Decision,
}

/// Why a request goes to no provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProvider {
    /// The caller may not use so much now.
    #[error("{0}")]
    Denied(Denied),
    /// None speaks this format and may be asked for this model.
    #[error("the model is not offered by any provider")]
    NotOffered,
    /// Some do, but not for this caller's groups.
    #[error("no provider that offers the model is open to this api key")]
    NotAllowed,
    /// Some do, but not for the program that is used.
    #[error("no provider that offers the model is open to this client")]
    ClientNotAllowed,
    /// What the request continues lives at a provider that can't serve it now.
    #[error("the provider that holds the earlier answer is not available")]
    HomeUnavailable {
        /// When it is expected back, where that is known.
        coming_back: Option<Duration>,
    },
    /// All that could are shut just now.
    #[error("no provider is available just now")]
    Unavailable {
        /// When the first is expected back, where that is known.
        coming_back: Option<Duration>,
        /// Whether it is for their limits, rather than for their failures.
        limited: bool,
    },
    /// All that could have been tried.
    #[error("every provider that could serve the request has failed it")]
    AllFailed,
    /// Too many failovers to troubled providers lately.
    #[error("too many failovers are under way")]
    BudgetSpent,
    /// This request has had all the attempts it may have.
    #[error("the request has used up its attempts")]
    AttemptsSpent,
    /// The request's own deadline leaves no time for another attempt.
    #[error("no time is left for another attempt")]
    DeadlineOver,
    /// The dispatcher itself has too much to do, or lost the question.
    #[error("the gateway is overloaded")]
    Overloaded,
}

/// Which decision would be made for this request now?
#[derive(Debug)]
pub struct Simulate(pub Arc<Ask>);

impl Message for Simulate {
    type Result = Decision;
}

/// These are the providers from now on. Answers the version that requests may hold on to.
#[derive(Debug)]
pub struct Configure(pub Vec<Arc<Card>>);

impl Message for Configure {
    type Result = Table;
}

/// Set the breaker of that provider. Answers whether there is such a provider.
#[derive(Debug)]
pub struct SetBreakerOf {
    /// Which provider.
    pub provider: ProviderId,
    /// To what.
    pub wish: SetBreaker,
}

impl Message for SetBreakerOf {
    type Result = bool;
}

/// Who keeps the book of that user? Wakes it.
#[derive(Debug)]
pub(crate) struct LedgerOf(pub(crate) UserId);

impl Message for LedgerOf {
    type Result = Mailbox<Ledger>;
}

/// Who is that provider?
#[derive(Debug)]
pub(crate) struct ProviderOf(pub(crate) ProviderId);

impl Message for ProviderOf {
    type Result = Option<Mailbox<Provider>>;
}

/// Who keeps a book just now?
#[derive(Debug)]
pub(crate) struct Keepers;

impl Message for Keepers {
    type Result = (Vec<Mailbox<Ledger>>, Vec<Mailbox<Provider>>);
}

/// Requests wait for a place by these terms from now on.
#[derive(Debug)]
pub(crate) struct TellWaiting(pub(crate) Waiting);

impl Message for TellWaiting {
    type Result = ();
}

/// Days, weeks and months are told so from now on.
#[derive(Debug)]
pub(crate) struct TellCalendar(pub(crate) Calendar);

impl Message for TellCalendar {
    type Result = ();
}
