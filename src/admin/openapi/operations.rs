//! What each route does and answers, a line per handler. What it takes is told by its handler's arguments.

use std::any::type_name;

use serde_json::{Value, json};

use super::super::statistics::{MOST_SUBJECTS, SUBJECTS};
use super::super::{
    audit, auth, batches, billing, configuration,
    error::Code,
    events, exports, identities, keys, ledger, lifecycle, live, me, overview, price_import, prices,
    provider_prices, providers,
    query::{LARGEST_PAGE, Listed, MOST_WORDS, PAGE},
    quotas, repricing, request_filters, requests,
    schema::{Book, Schema},
    sealing_key, settings, statistics, trash, users,
    values::{Amount, Model},
};
use crate::{
    current::billing::Billing,
    metrics,
    store::{By, Facet, Order, RequestClass, RequestCursor, Role, Status},
};
use actors::provider::card::Kind;
use protocol::{Format, Operation};

/// What is told of a handler.
pub(super) struct Told {
    /// Its own path.
    pub(super) handler: &'static str,
    /// What it does.
    pub(super) summary: &'static str,
    /// The status of a yes.
    pub(super) status: u16,
    /// The media types of a yes.
    pub(super) media: &'static [&'static str],
    /// The schema of a yes; none where there is no body.
    pub(super) answer: Option<fn(&mut Book) -> Value>,
    /// Parameters, with the schema of each.
    pub(super) parameters: Vec<(&'static str, Value)>,
    /// Parts of the path that are not just text.
    pub(super) places: Vec<(&'static str, Value)>,
    /// Why it may refuse, beyond what its arguments tell.
    pub(super) codes: Vec<Code>,
}

/// The beginning of a line: by itself the answer is 204 without a body.
fn told<H>(_: H, summary: &'static str) -> Told {
    Told {
        handler: type_name::<H>(),
        summary,
        status: 204,
        media: &["application/json"],
        answer: None,
        parameters: Vec::new(),
        places: Vec::new(),
        codes: Vec::new(),
    }
}

impl Told {
    /// It answers with a `T`.
    fn gives<T: Schema>(self) -> Self {
        Self { status: 200, answer: Some(T::schema), ..self }
    }

    /// It answers with a text in one of these forms.
    fn writes(self, media: &'static [&'static str]) -> Self {
        Self { media, ..self.gives::<String>() }
    }

    /// It begins a `T`, which takes a while.
    fn takes_in<T: Schema>(self) -> Self {
        Self { status: 202, ..self.gives::<T>() }
    }

    /// It leads a browser elsewhere.
    fn leads(self) -> Self {
        Self { status: 302, ..self }
    }

    /// It makes a `T`.
    fn makes<T: Schema>(self) -> Self {
        Self { status: 201, ..self.gives::<T>() }
    }

    /// It answers with a list of `T`.
    fn lists<T: Schema>(self) -> Self {
        self.gives::<Listed<T>>()
    }

    /// It takes the parameter `name`.
    fn by(mut self, name: &'static str, schema: Value) -> Self {
        self.parameters.push((name, schema));
        self
    }

    /// It takes what says which requests are meant.
    fn filtered(self) -> Self {
        let status = json!({"type": "integer", "minimum": 0, "maximum": u16::MAX});
        let cost = Amount::<{ request_filters::MOST_USD }>::schema(&mut Book::default());
        self.by("user_id", number())
            .by("key_id", number())
            .by("provider_id", number())
            .by("model", text())
            .by("client", text())
            .by("status", status.clone())
            .by("not_status", status)
            .by("class", names(&RequestClass::ALL.map(RequestClass::name)))
            .by("wire_format", names(&Format::ALL.map(Format::name)))
            .by("operation", names(&Operation::ALL.map(Operation::name)))
            .by("min_attempts", json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}))
            .by("session", text())
            .by("from", moment())
            .by("to", moment())
            .by("min_cost_usd", cost)
    }

    /// It takes `limit`.
    fn limited(self) -> Self {
        self.by("limit", json!({"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}))
    }

    /// It takes `cursor`, the number of a row, and `limit`.
    fn paged(self) -> Self {
        self.by("cursor", number()).limited()
    }

    /// It takes what lists of users, keys and providers have in common, and can be ordered by these.
    fn searched(self, sorts: &[By]) -> Self {
        let orders: Vec<_> = Order::all_of(sorts).into_iter().map(Order::name).collect();
        self.by("q", json!({"type": "string", "minLength": 1, "maxLength": MOST_WORDS}))
            .by("group", text())
            .by("enabled", truth())
            .by("sort", names(&orders))
            .by("cursor", text())
            .limited()
    }

    /// The part `name` of its path is one of these.
    fn place(mut self, name: &'static str, schema: Value) -> Self {
        self.places.push((name, schema));
        self
    }

    /// It may refuse with `code`.
    fn may(mut self, code: Code) -> Self {
        self.codes.push(code);
        self
    }
}

fn number() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX})
}

fn text() -> Value {
    json!({"type": "string", "minLength": 1})
}

fn cursor() -> Value {
    RequestCursor::schema(&mut Book::default())
}

fn moment() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

fn flag() -> Value {
    json!({"type": "boolean", "default": false})
}

fn truth() -> Value {
    json!({"type": "boolean"})
}

fn statuses() -> Value {
    names(&Status::ALL.map(Status::name))
}

fn names(all: &[&str]) -> Value {
    json!({"type": "string", "enum": all})
}

fn kinds() -> Value {
    names(&["users", "keys", "providers"])
}

fn facets() -> Value {
    names(&Facet::ALL.iter().map(|facet| facet.name()).collect::<Vec<_>>())
}

fn buckets() -> Value {
    names(&["hour", "day", "week", "month"])
}

fn few() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": MOST_SUBJECTS, "default": SUBJECTS})
}

fn model() -> Value {
    Model::schema(&mut Book::default())
}

/// Every handler of the table.
#[rustfmt::skip]
pub(super) fn all() -> Vec<Told> {
    vec![
        told(providers::create, "Make a provider").makes::<providers::View>(),
        told(providers::list, "List the providers").by("kind", names(&Kind::ALL.map(Kind::name))).by("format", names(&Format::ALL.map(Format::name)))
            .searched(By::OF_PROVIDERS).lists::<providers::View>(),
        told(providers::show, "Show a provider").gives::<providers::View>(),
        told(providers::update, "Change a provider: what is absent stays, null goes back to the default").gives::<providers::View>(),
        told(providers::remove, "Remove a provider; streams under way end normally"),
        told(live::set_breaker, "Open or close a provider's breaker").gives::<live::ActorView>(),
        told(provider_prices::list, "List the prices in force and to come at one provider").lists::<provider_prices::View>(),
        told(provider_prices::put, "Set a model's price at one provider").place("model", model()).gives::<provider_prices::View>(),
        told(provider_prices::remove, "Remove a model's price at one provider").place("model", model()),

        told(users::create, "Make a user").makes::<users::View>(),
        told(users::list, "List the users").by("role", names(&Role::ALL.map(Role::name))).by("tag", text()).by("status", statuses())
            .searched(By::OF_USERS).lists::<users::View>(),
        told(users::show, "Show a user").gives::<users::View>(),
        told(users::update, "Change a user: what is absent stays, null goes back to the default").gives::<users::View>(),
        told(users::remove, "Remove a user with all keys"),
        told(identities::list, "List what a user is known by at providers").paged().lists::<identities::View>(),
        told(identities::link, "Have a user be known by what a provider calls somebody").makes::<identities::View>(),
        told(identities::unlink, "Have nobody be known so any more; the user's sessions end that began at a provider"),
        told(keys::create, "Make an api key; the answer is the only place it is ever shown").makes::<keys::Made>(),
        told(keys::list, "List a user's keys").by("status", statuses()).by("web_login", truth()).searched(By::OF_USERS).lists::<keys::View>(),
        told(keys::everybodys, "List the keys of all users").by("user_id", number()).by("status", statuses()).by("web_login", truth())
            .searched(By::OF_USERS).lists::<keys::View>(),
        told(keys::update, "Change a key: what is absent stays, null goes back to the default").gives::<keys::View>(),
        told(keys::remove, "Remove a key; it is refused from the next request on"),

        told(me::show, "Show who is asking, with rights and quota").gives::<me::View>(),

        told(auth::passwords::set, "Set a user's password; the user's console sessions end"),
        told(auth::passwords::remove, "Take a user's password away, with the sessions that rest on it"),
        told(auth::passwords::change_own, "Change one's own password; one's other sessions end")
            .may(Code::TooManyAttempts).may(Code::NotFound),
        told(auth::login, "Sign in: the answer sets a cookie and tells what changes must send along")
            .may(Code::SignInFailed).may(Code::TooManyAttempts).gives::<auth::SignedIn>(),
        told(auth::ways::list, "List the ways of signing in").lists::<auth::ways::View>(),
        told(auth::oidc::start, "Go to the provider to sign in").by("return_to", text()).leads()
            .may(Code::NotFound).may(Code::SignInProviderFailed),
        told(auth::oidc::callback, "Come back from the provider: the answer is a page, sets a cookie and leads on")
            .by("state", text()).by("code", text()).by("iss", text()).by("error", text())
            .may(Code::NotFound).may(Code::SignInExpired).may(Code::SignInFailed).may(Code::SignInRefused)
            .may(Code::SignInProviderFailed).may(Code::TooManyAttempts).writes(&["text/html"]),
        told(auth::logout, "Sign out: the session is over").may(Code::NoSession),
        told(auth::sessions::list, "List one's own console sessions, or those of a user").by("user_id", number()).paged()
            .may(Code::NotFound).lists::<auth::sessions::View>(),
        told(auth::sessions::end, "End a console session"),

        told(settings::show, "Show the settings of the system").gives::<settings::View>(),
        told(settings::update, "Change the settings of the system").gives::<settings::View>(),

        told(configuration::show, "Show every setting in force and where it came from").gives::<configuration::View<'static>>(),
        told(events::listen, "Follow what happens: a snapshot, then changes").by("topics", text()).writes(&["text/event-stream"]),

        told(quotas::show, "Show what an account may use and has used").place("kind", kinds()).gives::<quotas::View>(),
        told(quotas::reset, "Empty windows: they count from now on").place("kind", kinds()).gives::<quotas::View>(),
        told(quotas::raise, "Raise a limit for a while").place("kind", kinds()).gives::<quotas::View>(),
        told(ledger::reservations, "List what requests under way have reserved")
            .by("state", json!({"type": "string", "enum": ["open"]})).lists::<ledger::ReservationView>(),
        told(ledger::drift, "List balances that are not the sum of their rows; empty when the books are sound").lists::<ledger::DriftView>(),
        told(lifecycle::users::enable, "Turn a user on").gives::<users::View>(),
        told(lifecycle::users::disable, "Turn a user off").gives::<users::View>(),
        told(lifecycle::users::renew, "Let a user go on for longer").gives::<users::View>(),
        told(lifecycle::users::copy, "Make another user like this one, without keys").makes::<users::View>(),
        told(lifecycle::users::restore, "Bring a deleted user back, with its keys").may(Code::Conflict).gives::<users::View>(),
        told(lifecycle::keys::enable, "Turn an api key on").gives::<keys::View>(),
        told(lifecycle::keys::disable, "Turn an api key off").gives::<keys::View>(),
        told(lifecycle::keys::renew, "Let an api key go on for longer").gives::<keys::View>(),
        told(lifecycle::keys::rotate, "Give an api key another secret, which is shown only here").gives::<keys::Made>(),
        told(lifecycle::keys::copy, "Make another api key like this one, which is shown only here").makes::<keys::Made>(),
        told(lifecycle::keys::restore, "Bring a deleted api key back").may(Code::Conflict).gives::<keys::View>(),
        told(lifecycle::providers::enable, "Turn a provider on").gives::<providers::View>(),
        told(lifecycle::providers::disable, "Turn a provider off").gives::<providers::View>(),
        told(lifecycle::providers::copy, "Make another provider like this one, with its credential").makes::<providers::View>(),
        told(lifecycle::providers::restore, "Bring a deleted provider back, with its prices").may(Code::Conflict).gives::<providers::View>(),
        told(batches::change_users, "Change many users at once, or tell what would change").may(Code::Conflict).may(Code::VersionMismatch)
            .gives::<batches::BatchView>(),
        told(batches::change_keys, "Change many api keys at once, or tell what would change").may(Code::Conflict).may(Code::VersionMismatch)
            .gives::<batches::BatchView>(),
        told(batches::change_providers, "Change many providers at once, or tell what would change").may(Code::Conflict).may(Code::VersionMismatch)
            .gives::<batches::BatchView>(),
        told(batches::undo, "Put back what a batch changed, unless it was changed since").may(Code::Conflict).gives::<batches::UndoneView>(),
        told(trash::list, "List what was deleted and can be restored").by("kind", names(&["user", "key", "provider"])).paged().lists::<trash::View>(),
        told(trash::purge, "Forget something that was deleted, for good"),

        told(sealing_key::show, "Show the sealing keys by name, and what is sealed with which").gives::<sealing_key::View>(),
        told(sealing_key::change, "Change the sealing key in the data directory").may(Code::SealingKeyGiven)
            .may(Code::OldSealingKeyThere).gives::<sealing_key::View>(),

        told(audit::list, "List what was changed and what was refused, newest first").by("who", text()).by("action", text())
            .by("subject", text()).by("batch", number()).by("from", moment()).by("to", moment()).paged().lists::<audit::View>(),

        told(prices::list, "List the prices in force").by("cursor", text())
            .by("source", json!({"type": "string", "enum": ["manual", "imported", "builtin"]})).limited().lists::<prices::View>(),
        told(price_import::upload, "Take in a price list").by("dry_run", flag()).by("accept_large_changes", flag())
            .may(Code::LargeChanges).gives::<price_import::Report>(),
        told(price_import::fetch, "Take in the price list at the configured address").by("dry_run", flag()).by("accept_large_changes", flag())
            .may(Code::NotFound).may(Code::LargeChanges).may(Code::PriceSourceFailed).may(Code::Invalid).may(Code::MalformedJson)
            .gives::<price_import::Report>(),
        told(price_import::list, "List the price lists that were taken in").paged().lists::<price_import::View>(),
        told(prices::unpriced, "List the models that were served without a price since the start").lists::<prices::UnpricedView>(),
        told(prices::show, "List every price a model had, has and will have").place("model", model()).lists::<prices::View>(),
        told(prices::put, "Set a model's price").place("model", model()).gives::<prices::View>(),
        told(prices::remove, "Remove a typed price; an imported one counts again").place("model", model()),

        told(billing::show, "Show how requests are charged").gives::<Billing>(),
        told(billing::update, "Change how requests are charged").gives::<Billing>(),

        told(statistics::statistics, "Show what requests came to over time").by("by", facets()).by("bucket", buckets())
            .by("from", moment()).by("to", moment()).by("user_id", number()).by("key_id", number()).by("provider_id", number())
            .by("model", text()).by("client", text()).by("wire_format", names(&Format::ALL.map(Format::name)))
            .by("operation", names(&Operation::ALL.map(Operation::name))).by("limit", few())
            .gives::<statistics::StatisticsView>(),
        told(statistics::leaderboard, "Rank users, keys, providers or whatever requests are told by").by("by", facets())
            .by("sort", names(&["cost", "requests", "tokens"])).by("period", names(&["day", "week", "month", "all"]))
            .by("limit", few()).gives::<statistics::LeaderboardView>(),
        told(overview::overview, "Show what is going on, and today against yesterday").gives::<overview::OverviewView>(),
        told(overview::availability, "Show who of the providers answered").by("bucket", buckets()).by("from", moment())
            .by("to", moment()).by("provider_id", number()).gives::<overview::AvailabilityView>(),

        told(requests::list, "List requests, newest first")
            .filtered().by("cursor", cursor()).limited().lists::<requests::View>(),
        told(request_filters::totals, "Show what the requests came to that the same filters list").filtered().gives::<request_filters::TotalsView>(),
        told(request_filters::choices, "Show what filters of requests can be set to").gives::<request_filters::ChoicesView>(),
        told(repricing::reprice, "Charge requests that had no price, at the prices of now").gives::<repricing::Report>(),
        told(requests::show, "Show a request with attempts, decision chain, usage and cost")
            .place("id", uuid()).gives::<requests::WholeView>(),
        told(exports::create, "Order a file of the requests that these filters let through")
            .may(Code::NotFound).may(Code::TooManyExports).takes_in::<exports::View>(),
        told(exports::list, "List the exports, the latest first").lists::<exports::View>(),
        told(exports::show, "Show how far an export is").place("id", uuid()).gives::<exports::View>(),
        told(exports::remove, "Cancel an export under way, remove one that has ended").place("id", uuid()),
        told(exports::file, "Fetch the file of an export that is done").place("id", uuid())
            .may(Code::ExportNotDone).writes(&exports::MEDIA),
        told(live::sessions, "List conversations and the providers they are bound to").limited().lists::<live::BindingView>(),
        told(live::unbind, "Forget a conversation's binding").place("id", text()),
        told(live::actors, "List the actors").lists::<live::ActorView>(),
        told(live::actor, "Show an actor").gives::<live::ActorView>(),
        told(metrics::show, "Show all metrics in Prometheus' text format").writes(&["text/plain"]),
        told(live::simulate, "Show the decision that would be made").gives::<live::Simulated>(),
    ]
}
