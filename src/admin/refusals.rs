//! Whoever is refused leaves a line in the audit log (C-26), but no flood of them.
//!
//! Invariant: however many are refused, a minute has at most [`PER_MINUTE`] lines, and one address no more than
//! [`PER_ADDRESS`] of them. What was left out is counted in the next line.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use actix_web::{HttpRequest, http::StatusCode, web::Data};
use serde_json::json;

use super::{Admin, author::author, error::Code};
use crate::{
    client_address::client_address,
    store::{Author, Deed, REFUSED},
};

/// Lines of a minute.
const PER_MINUTE: u32 = 60;
/// Lines of a minute about one address.
const PER_ADDRESS: u32 = 10;

/// What was told lately.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    minute: i64,
    lines: u32,
    by_address: HashMap<Option<IpAddr>, u32>,
    left_out: u64,
}

impl Told {
    /// Whether a refusal in that minute gets a line, and how many got none since the last that did.
    fn admit(&mut self, address: Option<IpAddr>, minute: i64) -> Option<u64> {
        if self.minute != minute {
            *self = Self { minute, left_out: self.left_out, ..Self::default() };
        }
        let of_address = self.by_address.get(&address).copied().unwrap_or(0);
        if self.lines >= PER_MINUTE || of_address >= PER_ADDRESS {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        self.by_address.insert(address, of_address + 1);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Writes down that this request was refused, if it was.
pub(super) fn note(request: &HttpRequest, status: StatusCode, code: Option<Code>) {
    if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return;
    }
    let Some(admin) = request.app_data::<Data<Admin>>() else { return };
    let clock = admin.gateway.clock();
    let minute = clock.wall(clock.now()).timestamp() / 60;
    let address = client_address(request, &admin.trusted_proxies);
    let mut told = admin.refusals.0.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(left_out) = told.admit(address, minute) else { return };
    drop(told);
    let author = author(request).unwrap_or_else(|| Author { who: "nobody".into(), address });
    // What was asked for, as the table of routes has it: what stands in a path anybody may choose.
    let subject = format!("{} {}", request.method(), request.match_pattern().unwrap_or_default());
    let after = json!({"code": code.map(Code::name), "left_out_before": left_out});
    let deed = Deed { author, action: REFUSED, subject, before: None, after: Some(after) };
    let store = admin.store.clone();
    actix_web::rt::spawn(async move {
        if let Err(error) = store.remember_refusal(deed).await {
            log::warn!("admin: a refusal could not be written down: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c26_a_flood_of_refusals_leaves_few_lines_and_silences_nobody_else() {
        let (flood, other) = ("203.0.113.1".parse().ok(), "203.0.113.2".parse().ok());
        let mut told = Told::default();
        let lines = (0..100_000).filter(|_| told.admit(flood, 1).is_some()).count();
        assert_eq!(lines, PER_ADDRESS as usize);
        assert_eq!(told.admit(other, 1), Some(100_000 - u64::from(PER_ADDRESS)), "and those are counted");
        assert_eq!(told.admit(flood, 1), None);
        assert_eq!(told.admit(flood, 2), Some(1), "another minute");
        let from_everywhere =
            (0..1_000_000_u32).filter(|at| told.admit(Some(IpAddr::from(at.to_be_bytes())), 3).is_some());
        assert_eq!(from_everywhere.count(), PER_MINUTE as usize);
        assert!(told.by_address.len() <= PER_MINUTE as usize);
    }
}
