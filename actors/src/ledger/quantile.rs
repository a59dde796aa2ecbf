//! How long an answer is likely to be: what the last ones of the same account and model were like.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// Answers that are remembered per model.
const REMEMBERED: usize = 64;
/// Models that are remembered per account; the one unused for longest gives way.
const MODELS: usize = 32;
/// What is expected of a model that has not answered yet, in tokens.
const UNSEEN: u64 = 4_096;

/// A model's name, as a number that is quick to compare. Two models that share one by chance share an
/// estimate, nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelMark(u64);

impl ModelMark {
    /// The mark of the model of that name.
    #[must_use]
    pub fn of(model: &str) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(model.as_bytes());
        Self(hasher.finish())
    }
}

/// The lengths of one account's last answers, by model.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    models: Vec<Answers>,
    uses: u64,
}

#[derive(Debug, Clone)]
struct Answers {
    model: ModelMark,
    used: u64,
    tokens: Vec<u64>,
    oldest: usize,
    /// Worked out when it is asked for, and again only when another answer has come.
    likely: Option<u64>,
}

impl Outputs {
    /// Notes how long an answer was.
    pub fn note(&mut self, model: ModelMark, tokens: u64) {
        self.uses += 1;
        let place = match self.models.iter().position(|answers| answers.model == model) {
            Some(place) => place,
            None => self.make_room(model),
        };
        let answers = &mut self.models[place];
        answers.used = self.uses;
        answers.likely = None;
        if answers.tokens.len() < REMEMBERED {
            answers.tokens.push(tokens);
        } else {
            answers.tokens[answers.oldest] = tokens;
            answers.oldest = (answers.oldest + 1) % REMEMBERED;
        }
    }

    fn make_room(&mut self, model: ModelMark) -> usize {
        let fresh = Answers { model, used: self.uses, tokens: Vec::new(), oldest: 0, likely: None };
        let stalest =
            self.models.iter().enumerate().min_by_key(|(_, answers)| answers.used).map(|(nth, _)| nth);
        match stalest.filter(|_| self.models.len() >= MODELS) {
            Some(place) => {
                self.models[place] = fresh;
                place
            }
            None => {
                self.models.push(fresh);
                self.models.len() - 1
            }
        }
    }

    /// How many tokens to reckon with: half as many again as all but a twentieth of the last answers had.
    pub fn likely(&mut self, model: ModelMark) -> u64 {
        let Some(answers) = self.models.iter_mut().find(|answers| answers.model == model) else {
            return UNSEEN;
        };
        *answers.likely.get_or_insert_with(|| half_as_many_again(&answers.tokens))
    }
}

fn half_as_many_again(tokens: &[u64]) -> u64 {
    let mut sorted = [0; REMEMBERED];
    let sorted = &mut sorted[..tokens.len()];
    sorted.copy_from_slice(tokens);
    // The nearest rank: the least of them that nineteen in twenty do not exceed.
    let rank = (tokens.len() * 19).div_ceil(20).max(1) - 1;
    let (_, &mut most, _) = sorted.select_nth_unstable(rank);
    most.saturating_add(most.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unseen_model_is_reckoned_with_a_fixed_length_and_a_seen_one_with_its_own() {
        let (one, other) = (ModelMark::of("one"), ModelMark::of("other"));
        let mut outputs = Outputs::default();
        outputs.note(one, 100);
        assert_eq!(outputs.likely(one), 150);
        assert_eq!(outputs.likely(other), UNSEEN);
    }

    #[test]
    fn one_answer_in_twenty_may_be_longer_and_old_answers_are_forgotten() {
        let model = ModelMark::of("m");
        let mut outputs = Outputs::default();
        for tokens in 1..=20 {
            outputs.note(model, tokens);
        }
        assert_eq!(outputs.likely(model), 29, "nineteen, and half of it");
        for _ in 0..REMEMBERED {
            outputs.note(model, 2);
        }
        assert_eq!(outputs.likely(model), 3);
    }

    #[test]
    fn the_model_unused_for_longest_gives_way() {
        let mut outputs = Outputs::default();
        let mark = |nth: usize| ModelMark::of(&nth.to_string());
        for nth in 0..MODELS {
            outputs.note(mark(nth), 2);
        }
        outputs.note(mark(0), 2);
        outputs.note(mark(MODELS), 2);
        assert_eq!(outputs.models.len(), MODELS);
        assert_eq!((outputs.likely(mark(0)), outputs.likely(mark(1))), (3, UNSEEN));
    }
}
