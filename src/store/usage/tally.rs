//! A tally: what some requests came to, as one plain value that can be added to another.

use actors::money::Pico;

use crate::store::types::{Cost, Usd};

/// The upper bounds of the columns `took_…`, in milliseconds.
pub(super) const TOOK_MS: [i64; 8] = [250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];
/// The upper bounds of the columns `first_…`, in milliseconds.
pub(super) const FIRST_MS: [i64; 8] = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000];
/// The most a request brings to one sum of tokens or of time, lest an absurd figure of an upstream spoil it.
pub(super) const MOST: i64 = 1_000_000_000_000;

/// Hands the columns that are whole numbers, all but the cost, to a macro.
macro_rules! with_columns {
    ($then:ident $($more:tt)*) => {
        $then! {
            $($more)*
            requests errors input_tokens cache_read_tokens cache_write_tokens output_tokens reasoning_tokens
            duration_us took_250ms took_500ms took_1000ms took_2000ms took_5000ms took_10000ms took_30000ms
            took_60000ms firsts first_us first_100ms first_250ms first_500ms first_1000ms first_2000ms
            first_5000ms first_10000ms first_30000ms
        }
    };
}
pub(super) use with_columns;

macro_rules! tally {
    ($($column:ident)+) => {
        /// What some requests came to. Spans are in microseconds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Tally {
            $(pub(crate) $column: i64,)+
            pub(crate) cost: Pico,
        }

        impl Tally {
            /// The names of its columns but the cost.
            pub(super) const COLUMNS: &[&str] = &[$(stringify!($column)),+];

            /// Adds another.
            pub fn add(&mut self, other: &Self) {
                $(self.$column = self.$column.saturating_add(other.$column);)+
                self.cost += other.cost;
            }

            /// What is left when another that is contained in it is taken away.
            #[must_use]
            pub fn without(&self, other: &Self) -> Self {
                Self {
                    $($column: self.$column.saturating_sub(other.$column),)+
                    cost: Pico(self.cost.0 - other.cost.0),
                }
            }
        }

        /// A tally as a query tells it, with its place among the periods asked for, and its subject.
        #[derive(Debug, diesel::QueryableByName)]
        pub(super) struct Line {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            pub(super) place: i64,
            #[diesel(sql_type = diesel::sql_types::Text)]
            pub(super) subject: String,
            $(#[diesel(sql_type = diesel::sql_types::BigInt)] $column: i64,)+
            #[diesel(sql_type = Usd)]
            cost: Cost,
        }

        impl Line {
            pub(super) fn tally(&self) -> Tally {
                Tally { $($column: self.$column,)+ cost: self.cost.pico() }
            }
        }
    };
}
with_columns!(tally);

impl Tally {
    /// How many took up to each bound of [`TOOK_MS`] and longer than the one before.
    pub(super) fn took(&mut self) -> [&mut i64; 8] {
        [
            &mut self.took_250ms,
            &mut self.took_500ms,
            &mut self.took_1000ms,
            &mut self.took_2000ms,
            &mut self.took_5000ms,
            &mut self.took_10000ms,
            &mut self.took_30000ms,
            &mut self.took_60000ms,
        ]
    }

    /// The same for the time to the first byte.
    pub(super) fn first(&mut self) -> [&mut i64; 8] {
        [
            &mut self.first_100ms,
            &mut self.first_250ms,
            &mut self.first_500ms,
            &mut self.first_1000ms,
            &mut self.first_2000ms,
            &mut self.first_5000ms,
            &mut self.first_10000ms,
            &mut self.first_30000ms,
        ]
    }

    /// All tokens.
    #[must_use]
    pub fn tokens(&self) -> i64 {
        [self.input_tokens, self.cache_read_tokens, self.cache_write_tokens, self.output_tokens]
            .iter()
            .fold(0, |sum, tokens| sum.saturating_add(*tokens))
    }

    /// The duration, in milliseconds, that a share of the requests did not exceed, about.
    #[must_use]
    pub fn duration_ms(mut self, share: f64) -> Option<f64> {
        let (requests, bins) = (self.requests, self.took().map(|count| *count));
        quantile(&TOOK_MS, bins, requests, share)
    }

    /// The same for the time to the first byte.
    #[must_use]
    pub fn first_byte_ms(mut self, share: f64) -> Option<f64> {
        let (firsts, bins) = (self.firsts, self.first().map(|count| *count));
        quantile(&FIRST_MS, bins, firsts, share)
    }
}

/// The bin a span falls into; none beyond the last.
pub(super) fn bin(bounds_ms: &[i64; 8], micros: i64) -> Option<usize> {
    bounds_ms.iter().position(|bound| micros <= bound * 1_000)
}

/// Where in its bin a share of all lies, taking those in a bin to be spread evenly. What is longer than the last
/// bound is told as that bound.
#[expect(clippy::cast_precision_loss, reason = "an estimate within a bin")]
pub(super) fn quantile(bounds_ms: &[i64; 8], bins: [i64; 8], all: i64, share: f64) -> Option<f64> {
    if all == 0 {
        return None;
    }
    let wanted = all as f64 * share;
    let (mut below, mut lower) = (0.0, 0.0);
    for (bound, count) in bounds_ms.iter().zip(bins) {
        let (bound, count) = (*bound as f64, count as f64);
        if count > 0.0 && below + count >= wanted {
            return Some(lower + (bound - lower) * ((wanted - below) / count).clamp(0.0, 1.0));
        }
        (below, lower) = (below + count, bound);
    }
    Some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_in_the_bin_where_it_belongs() {
        let bins = [10, 80, 0, 0, 9, 0, 0, 0];
        assert_eq!(quantile(&TOOK_MS, bins, 100, 0.5), Some(375.0));
        assert_eq!(quantile(&TOOK_MS, bins, 100, 0.9), Some(500.0));
        assert_eq!(quantile(&TOOK_MS, bins, 100, 0.99), Some(5_000.0));
        assert_eq!(quantile(&TOOK_MS, bins, 100, 1.0), Some(60_000.0), "one is beyond the last bound");
        assert_eq!(quantile(&TOOK_MS, [0; 8], 0, 0.5), None);
    }

    #[test]
    fn a_bound_belongs_to_the_bin_it_ends() {
        assert_eq!(bin(&TOOK_MS, 250_000), Some(0));
        assert_eq!(bin(&TOOK_MS, 250_001), Some(1));
        assert_eq!(bin(&TOOK_MS, 60_000_001), None);
    }
}
