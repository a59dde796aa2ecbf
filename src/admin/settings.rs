//! The settings of the whole system: shown, and changed while it runs.

use actix_web::{HttpResponse, web::Data};
use actors::ledger::limits::Limits;
use chrono::Weekday;
use serde::Serialize;

use super::{
    Admin, Answer, Topic,
    author::Signed,
    body::{Body, body},
    change,
    error::Problem,
    limits::{LimitsBody, LimitsView},
    schema::view,
    times::{Zone, weekday},
    values::{Count, Whole},
    versions::{IfMatch, merged, told},
};
use crate::store::{MoneyRefusal, Store, SystemSettings, Waiting};

body! {
    /// What to change.
    struct SettingsBody {
        /// Whose wall clock tells days, weeks and months.
        time_zone: Zone,
        /// When a week begins.
        week_starts: WeekBody,
        /// The day a month begins on.
        month_day: Whole<1, 31>,
        /// What users take where they have none of their own.
        default_limits: LimitsBody,
        /// Whether a request may wait for one of its own to end.
        waiting: WaitingBody,
        /// How a request is refused for which there is no money.
        money_refusal_status: MoneyRefusal,
    }
}

body! {
    /// When a week begins.
    struct WeekBody {
        /// On which day.
        day: Weekday,
        /// At which hour of it.
        hour: Whole<0, 23>,
    }
}

body! {
    /// Waiting for concurrency.
    struct WaitingBody {
        /// Requests of one account that may wait at once; 0 turns it off.
        queue: Count<10_000>,
        /// How long one waits at most.
        wait_ms: Count<600_000>,
    }
}

view! {
    /// The settings as shown: what holds, whether it was set or not.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        time_zone: &'static str,
        week_starts: WeekView,
        month_day: u8,
        default_limits: LimitsView,
        waiting: Waiting,
        money_refusal_status: u16,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct WeekView {
        day: &'static str,
        hour: u8,
    }
}

/// `GET /api/v1/settings`.
pub(super) async fn show(admin: Data<Admin>) -> Answer {
    let (version, settings) = admin.store.system_settings_with_version().await?;
    Ok(told(HttpResponse::Ok(), version, &view(&admin, &settings)))
}

/// `PATCH /api/v1/settings`: what is given changes, `null` goes back to the default.
pub(super) async fn update(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    Body(body): Body<SettingsBody>,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected.clone());
    let write = async move { merged(&expected, async || apply(&store, body.clone()).await).await };
    let (version, changed) = change(admin.clone(), Topic::Settings, write).await?;
    Ok(told(HttpResponse::Ok(), version, &view(&admin, &changed)))
}

/// The settings as shown.
pub(super) fn view(admin: &Admin, settings: &SystemSettings) -> View {
    let (day, hour) = settings.week_starts;
    View {
        time_zone: admin.current.calendar_of(settings).zone.name(),
        week_starts: WeekView { day: weekday(day), hour },
        month_day: settings.month_day,
        default_limits: settings.default_limits.into(),
        waiting: settings.waiting,
        money_refusal_status: settings.money_refusal.status(),
    }
}

/// Changes the settings. They are read here, so none is made where another came between.
async fn apply(store: &Store, body: SettingsBody) -> Result<(i64, SystemSettings), Problem> {
    let (version, has) = store.system_settings_with_version().await?;
    let default = SystemSettings::default();
    let (limits, waiting) = (has.default_limits, has.waiting);
    let settings = SystemSettings {
        time_zone: body.time_zone.map(|zone| Some(zone.0)).onto(has.time_zone, None),
        week_starts: body
            .week_starts
            .map(|week| week.onto(has.week_starts, default.week_starts))
            .onto(has.week_starts, default.week_starts),
        month_day: body.month_day.map(Whole::small).onto(has.month_day, default.month_day),
        default_limits: body.default_limits.map(|body| body.onto(limits)).onto(limits, Limits::default()),
        waiting: body.waiting.map(|body| body.onto(waiting)).onto(waiting, Waiting::default()),
        money_refusal: body.money_refusal_status.onto(has.money_refusal, MoneyRefusal::default()),
    };
    let version = store.changing(version)?.put_system_settings(&settings).await?;
    Ok((version, settings))
}

impl WeekBody {
    fn onto(self, has: (Weekday, u8), default: (Weekday, u8)) -> (Weekday, u8) {
        (self.day.onto(has.0, default.0), self.hour.map(Whole::small).onto(has.1, default.1))
    }
}

impl WaitingBody {
    fn onto(self, has: Waiting) -> Waiting {
        let default = Waiting::default();
        Waiting {
            queue: self.queue.map(Count::small).onto(has.queue, default.queue),
            wait_ms: self.wait_ms.map(Count::get).onto(has.wait_ms, default.wait_ms),
        }
    }
}
