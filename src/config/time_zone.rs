//! Whose wall clock tells the days, weeks and months of limits, unless the settings of the system say so.

use chrono_tz::Tz;

use super::typed::{ConfigError, Knob, Typed};

const KEY: &str = "time_zone";

pub(super) const KNOBS: &[Knob] = &[Knob::new(KEY, &["TZ"], Some("UTC"))];

pub(super) fn meant(typed: &Typed) -> Result<Tz, ConfigError> {
    typed.read(KEY, |text| {
        // In the variable a colon may stand before the name.
        let zone = text.strip_prefix(':').unwrap_or(text).parse();
        zone.map_err(|_| format!("must be a time zone such as Europe/Berlin, not `{text}`"))
    })
}
