//! Who may serve a request, and in which order they are asked; a pure function.
//!
//! Enabled → speaks the format → model allowed → group → client → not yet tried → within its hours → open for traffic; then the
//! session's binding first, then by priority (lower first), and by weighted draw among equals. On a
//! failover, providers that have not failed lately go before those that have: a second chance is not
//! spent on the next one that is falling over.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, RngExt};

use super::{
    decisions::{Candidate, Fate, Merit, Skip},
    messages::Ask,
};
use crate::{board::Shut, ids::ProviderId, provider::card::Card};

/// One provider as selection sees it.
#[derive(Debug, Clone, Copy)]
pub struct Entrant<'a> {
    /// Its configuration.
    pub card: &'a Arc<Card>,
    /// When it opens next, where its schedule has it closed now.
    pub opens: Option<Instant>,
    /// Why it takes nothing now, if so.
    pub shut: Option<Shut>,
    /// Whether it failed lately and has not answered since.
    pub ailing: bool,
}

/// What is known about the request beyond what it asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Background<'a> {
    /// The provider its session is bound to.
    pub bound_to: Option<ProviderId>,
    /// The provider that holds what it continues; nobody else can serve it.
    pub pinned_to: Option<ProviderId>,
    /// The providers that have failed it.
    pub tried: &'a [ProviderId],
}

/// The result: whom to ask in which order, and what to say about everyone.
#[derive(Debug)]
pub struct Selection {
    /// Indices of the entrants that are fit, best first.
    pub order: Vec<usize>,
    /// Why the first of them stands first.
    pub merit: Merit,
    /// One candidate per entrant, those in `order` first and in that order.
    pub candidates: Vec<Candidate>,
}

/// Sorts the entrants for one request.
pub fn select(
    entrants: &[Entrant<'_>],
    ask: &Ask,
    background: Background<'_>,
    now: Instant,
    random: &mut impl Rng,
) -> Selection {
    let mut fit = Vec::with_capacity(entrants.len());
    let mut unfit = Vec::new();
    for (index, entrant) in entrants.iter().enumerate() {
        match objection(entrant, ask, background) {
            None => fit.push(index),
            Some((reason, until)) => {
                let retry_in_ms = until.map(|until| millis(until.saturating_duration_since(now)));
                unfit.push(candidate(entrant.card, Fate::Skipped { reason, retry_in_ms }));
            }
        }
    }
    let order = in_order(entrants, fit, background, random);
    let merit = match order.first().map(|first| entrants[*first].card.id) {
        Some(first) if Some(first) == background.pinned_to => Merit::Pinned,
        Some(first) if Some(first) == background.bound_to => Merit::Bound,
        _ => Merit::Drawn,
    };
    let mut candidates: Vec<_> =
        order.iter().map(|index| candidate(entrants[*index].card, Fate::InReserve)).collect();
    candidates.append(&mut unfit);
    Selection { order, merit, candidates }
}

/// What speaks against sending this request there, and until when.
fn objection(
    entrant: &Entrant<'_>,
    ask: &Ask,
    background: Background<'_>,
) -> Option<(Skip, Option<Instant>)> {
    let card = entrant.card;
    let lasting = if !card.enabled {
        Some(Skip::Disabled)
    } else if !card.formats.contains(&ask.format) {
        Some(Skip::FormatNotServed)
    } else if !card.serves_model(&ask.model) {
        Some(Skip::ModelNotAllowed)
    } else if !card.open_to(&ask.groups) {
        Some(Skip::GroupNotAllowed)
    } else if ask.closed_to_client.contains(&card.id) {
        Some(Skip::ClientNotAllowed)
    } else if background.pinned_to.is_some_and(|home| home != card.id) {
        Some(Skip::LivesElsewhere)
    } else if background.tried.contains(&card.id) {
        Some(Skip::AlreadyTried)
    } else {
        None
    };
    let lasting = lasting.map(|skip| (skip, None));
    let closed = entrant.opens.map(|opens| (Skip::OutsideSchedule, Some(opens)));
    lasting.or(closed).or(entrant.shut.map(|shut| (shut.why.into(), Some(shut.until))))
}

fn in_order(
    entrants: &[Entrant<'_>],
    fit: Vec<usize>,
    background: Background<'_>,
    random: &mut impl Rng,
) -> Vec<usize> {
    let retrying = !background.tried.is_empty();
    let mut keyed: Vec<_> = fit
        .into_iter()
        .map(|index| {
            let Entrant { card, ailing, .. } = entrants[index];
            let bound = Some(card.id) == background.bound_to;
            ((!bound, retrying && ailing, card.priority), draw(card.weight, random), index)
        })
        .collect();
    // Within one rank the larger draw goes first; a total order keeps this deterministic.
    keyed.sort_by(|(rank, draw, index), (other_rank, other_draw, other_index)| {
        rank.cmp(other_rank).then(other_draw.total_cmp(draw)).then(index.cmp(other_index))
    });
    keyed.into_iter().map(|(_, _, index)| index).collect()
}

/// A number whose being largest among its equals has a probability in proportion to `weight`
/// (Efraimidis and Spirakis: the w-th root of a uniform number; its logarithm sorts the same way).
fn draw(weight: u32, random: &mut impl Rng) -> f64 {
    if weight == 0 {
        return f64::NEG_INFINITY;
    }
    let uniform: f64 = random.random();
    uniform.ln() / f64::from(weight)
}

fn candidate(card: &Card, fate: Fate) -> Candidate {
    Candidate {
        provider_id: card.id,
        provider: card.name.clone(),
        priority: card.priority,
        weight: card.weight,
        fate,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;
    use crate::{board::Why, testkit::cards};

    fn entrants(cards: &[Arc<Card>]) -> Vec<Entrant<'_>> {
        cards.iter().map(|card| Entrant { card, opens: None, shut: None, ailing: false }).collect()
    }

    fn order(entrants: &[Entrant<'_>], ask: &Ask, background: Background<'_>, seed: u64) -> Vec<i64> {
        let mut random = SmallRng::seed_from_u64(seed);
        let selection = select(entrants, ask, background, Instant::now(), &mut random);
        selection.order.iter().map(|index| entrants[*index].card.id.0).collect()
    }

    #[test]
    fn lower_priority_numbers_go_first_and_a_binding_before_all() {
        let cards = [cards::with(1, |c| c.priority = 2), cards::with(2, |c| c.priority = 1), cards::plain(3)];
        let ask = cards::ask("m");
        assert_eq!(order(&entrants(&cards), &ask, Background::default(), 1), [3, 2, 1]);
        let bound = Background { bound_to: Some(ProviderId(1)), ..Background::default() };
        assert_eq!(order(&entrants(&cards), &ask, bound, 1), [1, 3, 2]);
    }

    #[test]
    fn the_draw_follows_the_weights_and_weight_zero_goes_last() {
        let cards = [
            cards::with(1, |c| c.weight = 1),
            cards::with(2, |c| c.weight = 3),
            cards::with(3, |c| c.weight = 0),
        ];
        let entrants = entrants(&cards);
        let mut random = SmallRng::seed_from_u64(7);
        let mut firsts = [0; 4];
        for _ in 0..10_000 {
            let selection =
                select(&entrants, &cards::ask("m"), Background::default(), Instant::now(), &mut random);
            firsts[entrants[selection.order[0]].card.id.0 as usize] += 1;
            assert_eq!(selection.order[2], 2);
        }
        assert!((7_300..7_700).contains(&firsts[2]), "{firsts:?}");
    }

    #[test]
    fn on_a_failover_those_that_have_not_failed_lately_go_first() {
        let cards = [cards::plain(1), cards::plain(2), cards::with(3, |c| c.priority = 9)];
        let mut entrants = entrants(&cards);
        entrants[1].ailing = true;
        let ask = cards::ask("m");
        let first_try = order(&entrants, &ask, Background::default(), 3);
        assert_eq!(first_try[2], 3, "ailing does not matter on the first try");
        let retry = Background { tried: &[ProviderId(1)], ..Background::default() };
        assert_eq!(order(&entrants, &ask, retry, 3), [3, 2]);
    }

    #[test]
    fn everyone_left_out_is_named_with_the_reason() {
        let now = Instant::now();
        let cards = [
            cards::with(1, |c| c.enabled = false),
            cards::with(2, |c| c.formats.clear()),
            cards::with(3, |c| c.allowed_models = vec!["other-*".into()]),
            cards::with(4, |c| c.groups = vec!["vip".into()]),
            cards::plain(5),
            cards::plain(6),
            cards::plain(7),
            cards::plain(8),
        ];
        let mut entrants = entrants(&cards);
        // Closed beats shut: it is open for traffic only within its hours.
        entrants[7].opens = Some(now + Duration::from_secs(3_600));
        entrants[7].shut = Some(Shut { why: Why::Full, until: now });
        entrants[5].shut = Some(Shut { why: Why::BreakerOpen, until: now + Duration::from_secs(9) });
        let background = Background { tried: &[ProviderId(5)], ..Background::default() };
        let mut random = SmallRng::seed_from_u64(0);
        let ask = Ask { closed_to_client: vec![ProviderId(7)], ..cards::ask("m") };
        let selection = select(&entrants, &ask, background, now, &mut random);
        let fates: Vec<_> = selection.candidates.iter().map(|c| c.fate).collect();
        let skipped = |reason, retry_in_ms| Fate::Skipped { reason, retry_in_ms };
        assert_eq!(
            fates,
            [
                skipped(Skip::Disabled, None),
                skipped(Skip::FormatNotServed, None),
                skipped(Skip::ModelNotAllowed, None),
                skipped(Skip::GroupNotAllowed, None),
                skipped(Skip::AlreadyTried, None),
                skipped(Skip::BreakerOpen, Some(9_000)),
                skipped(Skip::ClientNotAllowed, None),
                skipped(Skip::OutsideSchedule, Some(3_600_000)),
            ]
        );
        assert!(selection.order.is_empty());
    }

    #[test]
    fn a_binding_to_a_provider_that_is_closed_does_not_count() {
        let cards = [cards::with(1, |card| card.priority = 9), cards::plain(2), cards::plain(3)];
        let mut entrants = entrants(&cards);
        let ask = Ask { closed_to_client: vec![ProviderId(3)], ..cards::ask("m") };
        let bound = Background { bound_to: Some(ProviderId(1)), ..Background::default() };
        assert_eq!(order(&entrants, &ask, bound, 1), [1, 2]);
        entrants[0].opens = Some(Instant::now() + Duration::from_secs(1));
        assert_eq!(order(&entrants, &ask, bound, 1), [2]);
        let bound = Background { bound_to: Some(ProviderId(3)), ..Background::default() };
        assert_eq!(order(&entrants, &ask, bound, 1), [2]);
    }

    #[test]
    fn what_continues_an_answer_goes_where_the_answer_was_made_or_nowhere() {
        let cards = [cards::plain(1), cards::plain(2)];
        let ask = cards::ask("m");
        let pinned = Background { pinned_to: Some(ProviderId(2)), ..Background::default() };
        assert_eq!(order(&entrants(&cards), &ask, pinned, 1), [2]);
        let gone =
            Background { pinned_to: Some(ProviderId(2)), tried: &[ProviderId(2)], ..Background::default() };
        assert!(order(&entrants(&cards), &ask, gone, 1).is_empty());
    }
}
