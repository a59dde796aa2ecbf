//! What an import does or would do, and whether somebody has to say that this is meant (C-23).

use std::collections::{BTreeSet, HashMap};

use crate::admin::schema::view;
use actors::{
    money::Money,
    pricing::{Price, Service},
};
use chrono::Utc;
use serde::Serialize;

use super::litellm::{PriceFile, Refused};
use crate::{
    admin::error::{Code, Flaw, FlawCode, Problem},
    store::{PriceSource, Store},
};

/// A price that moves by more than this factor, or to 0, or from it, moves far.
const FAR: u64 = 3;
/// The most large changes that a refusal names.
const MOST_NAMED: usize = 50;

view! {
    /// What an import does, or would do.
    #[derive(Debug, Serialize)]
    pub(in crate::admin) struct Report {
        pub(super) dry_run: bool,
        /// Digest of the list as it came.
        pub(super) sha256: String,
        pub(super) counts: Counts,
        /// Models that had no imported price.
        pub(super) added: Vec<Added>,
        /// Models whose imported price changes.
        pub(super) changed: Vec<Changed>,
        /// Models whose imported price is not in the list any more; it goes on counting.
        pub(super) gone: Vec<String>,
        /// Prices that move far.
        pub(super) large: Vec<Large>,
        /// Models of which an operator typed a price, which goes on counting.
        pub(super) overruled: Vec<String>,
        /// Entries that cannot be taken as they are.
        pub(super) refused: Vec<Refused>,
    }
}

view! {
    #[derive(Debug, Default, Serialize)]
    pub(super) struct Counts {
        added: usize,
        changed: usize,
        unchanged: usize,
        gone: usize,
        large: usize,
        without_price: usize,
        refused: usize,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct Added {
        model: String,
        price: Price,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct Changed {
        model: String,
        before: Price,
        after: Price,
    }
}

view! {
    /// One amount that moves far.
    #[derive(Debug, PartialEq, Eq, Serialize)]
    pub(super) struct Large {
        model: String,
        field: String,
        before: Money,
        after: Money,
    }
}

/// What in a list is new.
pub(super) async fn compare(store: &Store, file: PriceFile, sha256: String) -> Result<Report, Problem> {
    let now = Utc::now();
    let (mut imported, mut overruled) = (HashMap::new(), Vec::new());
    for row in store.price_schedule(now).await?.into_iter().filter(|row| row.effective_from <= now) {
        match row.source {
            PriceSource::Imported => drop(imported.insert(row.model, row.price)),
            PriceSource::Manual if file.prices.contains_key(&row.model) => overruled.push(row.model),
            PriceSource::Manual | PriceSource::Builtin => {}
        }
    }
    let mut report = Report {
        dry_run: true,
        sha256,
        counts: Counts {
            without_price: file.without_price,
            refused: file.refused.len(),
            ..Counts::default()
        },
        added: Vec::new(),
        changed: Vec::new(),
        gone: Vec::new(),
        large: Vec::new(),
        overruled,
        refused: file.refused,
    };
    for (model, price) in file.prices {
        match imported.remove(&model) {
            None => report.added.push(Added { model, price }),
            Some(before) if before != price => {
                report.large.extend(large(&model, &before, &price));
                report.changed.push(Changed { model, before, after: price });
            }
            Some(_) => report.counts.unchanged += 1,
        }
    }
    report.gone.extend(imported.into_keys());
    report.gone.sort();
    report.count();
    Ok(report)
}

/// The amounts that move far between two prices of a model.
fn large(model: &str, before: &Price, after: &Price) -> Vec<Large> {
    let mut found: Vec<Large> = Vec::new();
    let mut look = |field: String, before: &Money, after: &Money| {
        if moves_far(before, after) {
            let (before, after) = (before.clone(), after.clone());
            found.push(Large { model: model.to_owned(), field, before, after });
        }
    };
    let tiers = [before, after].into_iter().flat_map(|price| &price.terms.tiers);
    let places = tiers.map(|tier| (tier.service, tier.above_input_tokens));
    for (service, above) in places.chain([(Service::Standard, 0)]).collect::<BTreeSet<_>>() {
        // By what a request would be charged: a tier that is new or gone moves a price, too.
        let input = above.saturating_add(1);
        let (old, new) = (before.rates_for(service, input), after.rates_for(service, input));
        for ((name, old), (_, new)) in old.named().into_iter().zip(new.named()) {
            let field = match (service, above) {
                (Service::Standard, 0) => name.to_owned(),
                _ => format!("{name} ({}, above {above} tokens)", service.name()),
            };
            look(field, old, new);
        }
    }
    let (old, new) = (&before.terms, &after.terms);
    look("per_request_usd".to_owned(), &old.per_request_usd, &new.per_request_usd);
    look("per_image_usd".to_owned(), &old.per_image_usd, &new.per_image_usd);
    look("per_web_search_usd".to_owned(), &old.per_web_search_usd, &new.per_web_search_usd);
    found
}

fn moves_far(before: &Money, after: &Money) -> bool {
    *after > before.times(FAR) || *before > after.times(FAR)
}

impl Report {
    fn count(&mut self) {
        self.counts.added = self.added.len();
        self.counts.changed = self.changed.len();
        self.counts.gone = self.gone.len();
        self.counts.large = self.large.len();
    }

    /// What is to be stored.
    pub(super) fn news(&self) -> Vec<(String, Price)> {
        let added = self.added.iter().map(|new| (new.model.clone(), new.price.clone()));
        added.chain(self.changed.iter().map(|new| (new.model.clone(), new.after.clone()))).collect()
    }

    /// Refuses a list that would move prices far, or that has lost most of its models.
    pub(super) fn check_changes(&self) -> Result<(), Problem> {
        let told = |field: &str, message: String| Flaw {
            field: field.to_owned(),
            code: FlawCode::OutOfRange,
            message,
        };
        let mut flaws: Vec<Flaw> = Vec::new();
        let known = self.counts.changed + self.counts.unchanged;
        if self.counts.gone > known {
            let message =
                format!("{} of {} imported models are gone", self.counts.gone, self.counts.gone + known);
            flaws.push(told("gone", message));
        }
        let moves = self.large.iter().take(MOST_NAMED);
        flaws.extend(moves.map(|Large { model, field, before, after }| {
            told(model, format!("{field} would go from {before} to {after}"))
        }));
        if flaws.is_empty() {
            return Ok(());
        }
        let detail = format!(
            "{} amounts would move by more than {FAR} times or to or from 0, and {} models are gone; \
             if that is meant, say accept_large_changes=true",
            self.counts.large, self.counts.gone,
        );
        Err(Problem::new(Code::LargeChanges, detail).with(flaws))
    }
}

#[cfg(test)]
mod tests {
    use actors::pricing::{Rates, Terms, Tier};

    use super::*;

    fn usd(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn flat(amount: &str) -> Rates {
        Rates::completed(usd(amount), usd(amount), None, None, None)
    }

    #[test]
    fn c23_three_times_is_not_far_and_beyond_it_is() {
        for (before, after, far) in [
            ("1", "3", false),
            ("3", "1", false),
            ("1", "3.000000000001", true),
            ("3.000000000001", "1", true),
            ("1", "0", true),
            ("0", "0.000000000001", true),
            ("0", "0", false),
        ] {
            assert_eq!(moves_far(&usd(before), &usd(after)), far, "{before} to {after}");
        }
    }

    #[test]
    fn c23_every_amount_is_looked_at() {
        let before = Price::from(flat("1"));
        let unchanged = large("m", &before, &before);
        assert_eq!(unchanged, []);
        for part in 0..5 {
            let mut after = before.clone();
            let rates = &mut after.rates;
            let rate = [
                &mut rates.input_usd_per_mtok,
                &mut rates.output_usd_per_mtok,
                &mut rates.cache_write_5m_usd_per_mtok,
                &mut rates.cache_write_1h_usd_per_mtok,
                &mut rates.cache_read_usd_per_mtok,
            ];
            *rate.into_iter().nth(part).unwrap() = usd("4");
            assert!(!large("m", &before, &after).is_empty(), "{part}");
        }
        for terms in [
            Terms { per_request_usd: usd("1"), ..Terms::default() },
            Terms { per_image_usd: usd("1"), ..Terms::default() },
            Terms { per_web_search_usd: usd("1"), ..Terms::default() },
        ] {
            assert_eq!(large("m", &before, &Price { terms, ..before.clone() }).len(), 1);
        }
        let tier = Tier { service: Service::Flex, above_input_tokens: 9, rates: flat("0") };
        let terms = Terms { tiers: vec![tier], ..Terms::default() };
        let tiered = Price { terms, ..before.clone() };
        assert_eq!(large("m", &before, &tiered)[0].field, "input_usd_per_mtok (flex, above 9 tokens)");
        assert_eq!(large("m", &tiered, &before).len(), 5);
    }
}
