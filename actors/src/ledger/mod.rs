//! Quotas: what each account may use, has used, and has reserved.

pub mod account;
pub mod book;
pub mod calendar;
pub mod claim;
pub mod knowledge;
pub mod limits;
pub mod minutes;
pub mod quantile;
pub mod rates;
pub mod reservations;
pub mod sessions;
pub mod tally;
pub mod view;
