//! What a caller can rely on, first one by one, then against a model: a plain list.

use super::Waitlist;
use proptest::prelude::*;

fn line_of(ordinals: impl IntoIterator<Item = u32>) -> Waitlist {
    let mut line = Waitlist::default();
    ordinals.into_iter().for_each(|ordinal| line.join(ordinal));
    line
}

/// Compares everything a waitlist tells with a plain list of who waits.
fn check(line: &Waitlist, waiting: &[u32]) {
    assert_eq!(line.iter().collect::<Vec<_>>(), waiting);
    assert_eq!((line.len() as usize, line.is_empty()), (waiting.len(), waiting.is_empty()));
    assert_eq!(line.head(), waiting.first().copied());
    for (position, &ordinal) in (1..).zip(waiting) {
        assert_eq!(line.position(ordinal), Some(position));
    }
    let near = waiting.iter().flat_map(|ordinal| [ordinal.wrapping_sub(1), ordinal.wrapping_add(1)]);
    for ordinal in near.chain([0, u32::MAX]) {
        assert_eq!(line.contains(ordinal), waiting.binary_search(&ordinal).is_ok(), "{ordinal}");
        assert_eq!(line.position(ordinal).is_some(), line.contains(ordinal), "{ordinal}");
    }
}

#[test]
fn positions_count_from_the_head_over_gaps_and_blocks() {
    check(&line_of([]), &[]);
    check(&line_of([0]), &[0]);
    check(&line_of([3, 4, 63, 64, 511, 512, 5_000]), &[3, 4, 63, 64, 511, 512, 5_000]);
    check(&line_of([u32::MAX - 1_000, u32::MAX]), &[u32::MAX - 1_000, u32::MAX]);
}

#[test]
fn everybody_behind_moves_up_when_somebody_leaves() {
    let mut line = line_of([10, 600, 601, 2_000]);
    assert!(line.leave(600));
    check(&line, &[10, 601, 2_000]);
    assert!(line.leave(10));
    check(&line, &[601, 2_000]);
}

#[test]
fn who_is_not_in_line_cannot_leave_it() {
    let mut line = line_of([10, 20]);
    assert!(line.leave(10));
    assert_eq!([5, 10, 11, 1_000_000].map(|ordinal| line.leave(ordinal)), [false; 4]);
    check(&line, &[20]);
}

#[test]
fn a_line_that_emptied_takes_no_room_for_those_long_gone() {
    let mut line = line_of(0..2_000);
    (0..2_000).for_each(|ordinal| assert!(line.leave(ordinal)));
    check(&line, &[]);
    line.join(16_000_000);
    check(&line, &[16_000_000]);
    assert_eq!(line.blocks.len(), 1);
}

#[test]
fn a_cleared_line_starts_over() {
    let mut line = line_of(0..2_000);
    line.clear();
    check(&line, &[]);
    line.join(2_000);
    check(&line, &[2_000]);
}

#[test]
fn nobody_joins_ahead_of_who_joined_before_even_after_they_left() {
    let mut cleared = line_of([10]);
    cleared.clear();
    let mut left = line_of([10]);
    left.leave(10);
    for line in [line_of([10]), cleared, left] {
        for ordinal in [9, 10] {
            let mut line = line.clone();
            assert!(std::panic::catch_unwind(move || line.join(ordinal)).is_err(), "{ordinal} joined");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Join { skipped: u32, count: u32 },
    Leave { nth: usize },
    Serve { count: usize },
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let skipped = prop_oneof![4 => 0..3_u32, 2 => 0..700_u32, 1 => 0..20_000_u32];
    prop_oneof![
        8 => (skipped, 1..40_u32).prop_map(|(skipped, count)| Step::Join { skipped, count }),
        6 => any::<usize>().prop_map(|nth| Step::Leave { nth }),
        4 => (0..60_usize).prop_map(|count| Step::Serve { count }),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn a_waitlist_tells_what_a_plain_list_tells(steps in prop::collection::vec(step(), 1..40)) {
        let (mut line, mut model, mut next) = (Waitlist::default(), Vec::new(), 0);
        for step in steps {
            match step {
                Step::Join { skipped, count } => {
                    next += skipped;
                    for ordinal in next..next + count {
                        line.join(ordinal);
                        model.push(ordinal);
                    }
                    next += count;
                }
                Step::Leave { nth } if !model.is_empty() => prop_assert!(line.leave(model.remove(nth % model.len()))),
                Step::Leave { nth: _ } => prop_assert!(!line.leave(next)),
                Step::Serve { count } => {
                    for served in model.drain(..count.min(model.len())) {
                        prop_assert_eq!(line.head(), Some(served));
                        prop_assert!(line.leave(served));
                    }
                }
                Step::Clear => {
                    line.clear();
                    model.clear();
                }
            }
            check(&line, &model);
        }
    }
}
