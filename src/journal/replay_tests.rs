//! The crash model: whatever prefix of the journal a dead process leaves, each request it had begun gets exactly
//! one record, and no other does (I-39).

use std::collections::{BTreeMap, BTreeSet};

use actors::money::Pico;
use chrono::DateTime;

use super::*;
use crate::journal::{
    frame::encode,
    intent::tests::intent,
    read_back::ReadBack,
    record::{Ending, Settlement},
};

/// What one frame of the model says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Intent(usize, u32),
    Progress(usize),
    Final(usize),
}

/// Five requests in each other's way: one attempt, two, one that is refused without any, one that fails over
/// after progress, one that never ends.
const STEPS: [Step; 15] = [
    Step::Intent(0, 1),
    Step::Intent(1, 1),
    Step::Progress(0),
    Step::Final(2),
    Step::Intent(1, 2),
    Step::Intent(3, 1),
    Step::Progress(3),
    Step::Intent(4, 1),
    Step::Final(0),
    Step::Intent(3, 2),
    Step::Progress(1),
    Step::Progress(4),
    Step::Final(1),
    Step::Final(3),
    Step::Progress(4),
];

struct Model {
    requests: Vec<RequestId>,
    bytes: Vec<u8>,
    /// Where each step's frame ends.
    ends: Vec<usize>,
}

impl Model {
    fn new() -> Self {
        let requests: Vec<RequestId> = (0..5).map(|_| RequestId::new()).collect();
        let (mut bytes, mut ends, mut frame) = (Vec::new(), Vec::new(), Vec::new());
        for step in STEPS {
            match step {
                Step::Intent(who, attempt) => {
                    encode(Kind::Intent, &intent(requests[who], attempt), &mut frame)
                }
                Step::Progress(who) => {
                    let told = Progress {
                        request: requests[who],
                        at: DateTime::UNIX_EPOCH,
                        input_tokens: 1,
                        output_tokens: 2,
                        cost: Some(Pico(3)),
                    };
                    encode(Kind::Progress, &told, &mut frame)
                }
                Step::Final(who) => {
                    let record = Record { id: requests[who], ..Record::plain(DateTime::UNIX_EPOCH) };
                    encode(Kind::Final, &record, &mut frame)
                }
            }
            .unwrap();
            bytes.extend_from_slice(&frame);
            ends.push(bytes.len());
        }
        Self { requests, bytes, ends }
    }

    /// What must come of the first so many steps: a settlement for each request that is known.
    fn expected(&self, steps: &[Step]) -> BTreeMap<RequestId, Settlement> {
        let mut expected = BTreeMap::new();
        for step in steps {
            match *step {
                Step::Intent(who, _) => {
                    expected.entry(self.requests[who]).or_insert(Settlement::Disputed);
                }
                Step::Progress(who) => {
                    expected.insert(self.requests[who], Settlement::Estimated);
                }
                Step::Final(who) => {
                    expected.insert(self.requests[who], Settlement::Free);
                }
            }
        }
        expected
    }
}

/// The records a process makes of these segments, as the database would keep them.
fn replayed(segments: &[&[u8]]) -> (BTreeMap<RequestId, Settlement>, Left) {
    let directory = tempfile::tempdir().unwrap();
    for (number, bytes) in (1..).zip(segments) {
        fs::write(segments::path(directory.path(), number), bytes).unwrap();
    }
    let left = look(directory.path()).unwrap();
    let finals: Vec<Record> = left
        .finals
        .map(|stretch| ReadBack::new(directory.path(), stretch).map(|(_, record)| record).collect())
        .unwrap_or_default();
    assert_eq!(left.finals.map_or(0, |stretch| stretch.finals), finals.len());
    let mut records = BTreeMap::new();
    for record in finals.iter().chain(&left.incomplete) {
        assert_eq!(record.ending == Ending::Incomplete, record.settlement != Settlement::Free);
        let doubled = records.insert(record.id, record.settlement);
        assert_eq!(doubled, None, "two records of {}", record.id);
    }
    (records, left)
}

#[test]
fn i39_whatever_is_left_each_request_that_was_begun_has_exactly_one_record() {
    let model = Model::new();
    for length in 0..=model.bytes.len() {
        let whole = model.ends.iter().filter(|end| **end <= length).count();
        let (records, left) = replayed(&[&model.bytes[..length]]);
        assert_eq!(records, model.expected(&STEPS[..whole]), "cut off at {length}");
        let torn = length - whole.checked_sub(1).map_or(0, |last| model.ends[last]);
        assert_eq!(left.damaged, torn as u64);
    }
}

#[test]
fn i39_it_makes_no_difference_where_one_segment_ends_and_the_next_begins() {
    let model = Model::new();
    for first in 0..model.ends.len() {
        for second in first..model.ends.len() {
            let (one, two) = (model.ends[first], model.ends[second]);
            let segments = [&model.bytes[..one], &model.bytes[one..two], &model.bytes[two..]];
            assert_eq!(replayed(&segments).0, model.expected(&STEPS));
        }
    }
}

#[test]
fn i40_frames_that_were_carried_over_count_once() {
    let model = Model::new();
    let started = model.ends[7];
    // The intent and progress of the one that never ends stand there twice, as after a death between carrying
    // over and deleting.
    let segments = [&model.bytes[..started], &model.bytes[model.ends[6]..]];
    let (records, left) = replayed(&segments);
    assert_eq!(records, model.expected(&STEPS));
    assert_eq!(left.incomplete[0].attempts.len(), 1);
}

#[test]
fn i43_a_damaged_frame_costs_no_other_request_its_record() {
    let model = Model::new();
    let all = model.expected(&STEPS);
    for at in 0..model.bytes.len() {
        let mut bytes = model.bytes.clone();
        bytes[at] ^= 0x55;
        let hit = model.ends.iter().filter(|end| **end <= at).count();
        let (Step::Intent(who, _) | Step::Progress(who) | Step::Final(who)) = STEPS[hit];
        let (records, left) = replayed(&[&bytes]);
        let start = hit.checked_sub(1).map_or(0, |before| model.ends[before]);
        assert_eq!(left.damaged, (model.ends[hit] - start) as u64, "byte {at}");
        let others = |records: &BTreeMap<RequestId, Settlement>| -> BTreeMap<RequestId, Settlement> {
            records.iter().filter(|(id, _)| **id != model.requests[who]).map(|(id, s)| (*id, *s)).collect()
        };
        assert_eq!(others(&records), others(&all), "byte {at} of {:?}", STEPS[hit]);
        let known: BTreeSet<_> = all.keys().collect();
        assert!(records.keys().all(|id| known.contains(id)), "a record of nobody");
    }
}

#[test]
fn i43_damage_is_set_aside_beside_its_segment() {
    let model = Model::new();
    let directory = tempfile::tempdir().unwrap();
    let torn = &model.bytes[..model.ends[3] + 20];
    fs::write(segments::path(directory.path(), 4), torn).unwrap();
    for _ in 0..2 {
        assert_eq!(look(directory.path()).unwrap().damaged, 20);
        let kept = fs::read(segments::path(directory.path(), 4).with_extension("damaged")).unwrap();
        assert_eq!(kept, torn[model.ends[3]..]);
    }
}
