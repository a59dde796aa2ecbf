//! How a request comes along: which stage it is in, and how much of its time it waited for upstreams.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::metrics::meters::{Meters, Stage};

/// One request on its way. Each moment is told once it is there.
pub(super) struct Course {
    meters: Arc<Meters>,
    arrived: Instant,
    /// The latest moment that was told.
    latest: Instant,
    picked: bool,
    /// Whether an upstream has the request, or part of it, and has not begun to answer.
    waiting: bool,
    waited: Duration,
}

impl Course {
    pub(super) fn new(meters: Arc<Meters>, arrived: Instant) -> Self {
        Self { meters, arrived, latest: arrived, picked: false, waiting: false, waited: Duration::ZERO }
    }

    /// A provider was chosen.
    pub(super) fn picked(&mut self, now: Instant) {
        let took = self.lap(now);
        // Later choices follow a failure, whose time is not ours.
        if !self.picked {
            self.meters.stage(Stage::ArriveToPick, took);
        }
        self.picked = true;
    }

    /// The first byte is about to leave for it.
    pub(super) fn sent(&mut self, now: Instant) {
        let took = self.lap(now);
        self.meters.stage(Stage::PickToSent, took);
        self.waiting = true;
    }

    /// The head of its answer is here.
    pub(super) fn head(&mut self, now: Instant) {
        let took = self.lap(now);
        self.meters.stage(Stage::SentToHead, took);
    }

    /// The first meaningful frame of it is, and goes to the caller.
    pub(super) fn began(&mut self, now: Instant) {
        let took = self.lap(now);
        self.meters.stage(Stage::HeadToFirstFrame, took);
        self.waiting = false;
        self.meters.overhead(now.saturating_duration_since(self.arrived).saturating_sub(self.waited));
    }

    /// The attempt is over.
    pub(super) fn ended(&mut self, now: Instant) {
        self.lap(now);
        self.waiting = false;
    }

    fn lap(&mut self, now: Instant) -> Duration {
        let took = now.saturating_duration_since(self.latest);
        if self.waiting {
            self.waited += took;
        }
        self.latest = now;
        took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_upstreams_is_not_ours_whether_they_answer_or_fail() {
        let (meters, start) = (Arc::new(Meters::new()), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let mut course = Course::new(Arc::clone(&meters), start);
        course.picked(at(1));
        course.sent(at(3));
        course.head(at(100));
        course.ended(at(200));
        course.picked(at(204));
        course.sent(at(205));
        course.head(at(300));
        course.began(at(400));
        assert_eq!(course.waited, Duration::from_millis(197 + 195));
        let text = prometheus::TextEncoder::new().encode_to_string(&meters.registry().gather()).unwrap();
        for line in [
            "pointsman_overhead_seconds_sum 0.008",
            r#"pointsman_stage_seconds_sum{stage="arrive_to_pick"} 0.001"#,
            r#"pointsman_stage_seconds_sum{stage="pick_to_sent"} 0.003"#,
            r#"pointsman_stage_seconds_sum{stage="sent_to_head"} 0.192"#,
            r#"pointsman_stage_seconds_sum{stage="head_to_first_frame"} 0.1"#,
        ] {
            assert!(text.lines().any(|shown| shown == line), "no `{line}` in\n{text}");
        }
    }
}
