//! What usage costs: a price, what was consumed, and the exact product of the two.
//!
//! [`price::Price`] is a row of the price list, [`consumed::Consumed`] what one answer is charged for.
//! [`cost`] multiplies them, [`bounds`] says beforehand what it can come to at most. All of it is decimal
//! and exact; who settles rounds, once (I-06).

pub mod bounds;
pub mod consumed;
pub mod cost;
pub mod price;

pub use self::{
    consumed::{Consumed, Service},
    price::{Price, Rates, Terms, Tier},
};
