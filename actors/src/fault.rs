//! Named points at which tests can make us fail. Compiled to nothing without the `testkit` feature.

/// Panics here when a test has armed this point for the actor of that name.
#[cfg(not(feature = "testkit"))]
#[inline(always)]
pub(crate) fn point(_name: &'static str, _actor: &str) {}

#[cfg(feature = "testkit")]
pub(crate) use crate::testkit::fault::point;
