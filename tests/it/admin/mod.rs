//! The control plane, asked over HTTP on a house of its own.

mod api;
mod audit;
mod batches;
mod concurrent;
mod configuration;
mod described;
mod exports;
mod health;
pub(crate) mod house;
mod lifecycle;
mod limits;
mod lists;
mod live;
mod own;
mod predecessor;
mod predecessor_script;
mod predecessor_sign_in;
mod predecessor_usage;
mod price_feeds;
mod prices;
mod providers;
mod publishing;
mod quotas;
mod repricing;
mod requests;
mod restrictions;
mod rights;
mod sealing_key;
mod settings;
mod signing_in;
mod statistics;
mod users_and_keys;

use self::api::Api;
