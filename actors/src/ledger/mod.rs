//! Quotas: what each account may use, has used, and has reserved.

pub mod calendar;
pub mod limits;
