//! One provider: its card, and soon the actor that owns its state.

pub mod card;
