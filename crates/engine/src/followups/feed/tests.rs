//! The two ends of a feed in every order of steps, without a runtime: whoever follows it notices each group, from the
//! queue or from the log, and never takes its position past one.

use super::{Fed, Feed, Intake};
use crate::followups::tests::Dice;
use domain::event::{Event, Recorded};
use domain::ids::{ItemNo, PartitionNo, Seq};
use domain::time::Timestamp;
use eventlog::{RecordNo, StreamEvent};

fn events() -> Vec<(ItemNo, StreamEvent)> {
    let recorded = Recorded { seq: Seq(1), at: Timestamp::from_millis(0), idempotency: None, event: Event::SalePaused };
    vec![(ItemNo::new(PartitionNo(0), 1).expect("a number"), StreamEvent::Item(recorded))]
}

/// Both ends, the log between them, and what was seen of it.
struct World {
    feed: Feed,
    intake: Intake,
    position: RecordNo,
    /// Groups that hold something and that are durable, in order.
    log: Vec<RecordNo>,
    seen: Vec<RecordNo>,
}

impl World {
    fn new(room: usize) -> Self {
        let (feed, intake) = Feed::with_room(RecordNo(0), room);
        let mut world = Self { feed, intake, position: RecordNo(0), log: Vec::new(), seen: Vec::new() };
        world.read(RecordNo(u64::MAX));
        assert!(!world.intake.is_behind(), "the log is empty");
        world
    }

    fn push(&mut self, upto: u64) {
        self.log.push(RecordNo(upto));
        self.feed.push(RecordNo(upto), events());
    }

    /// Takes one group out of the queue, as the follower does.
    fn take(&mut self) {
        if self.intake.is_behind() {
            return;
        }
        let Ok(group) = self.intake.queue.try_recv() else { return };
        if self.intake.is_next(&group, self.position) {
            self.seen.push(group.upto);
            self.move_to(group.upto);
        }
    }

    fn rest(&mut self) {
        if !self.intake.is_behind()
            && let Some(reached) = self.intake.at_rest(self.position)
        {
            self.move_to(reached);
        }
    }

    /// Reads the log, but not further than `most`.
    fn read(&mut self, most: RecordNo) {
        let Some(goal) = self.intake.is_behind().then(|| self.intake.goal(self.position)).flatten() else { return };
        let upto = goal.min(most);
        self.seen.extend(self.log.iter().filter(|group| self.position < **group && **group <= upto));
        self.move_to(upto);
    }

    fn move_to(&mut self, upto: RecordNo) {
        self.position = self.position.max(upto);
        let passed = self.log.iter().filter(|group| **group <= self.position);
        let missed: Vec<_> = passed.filter(|group| !self.seen.contains(group)).collect();
        assert!(missed.is_empty(), "the position {} is past {missed:?}, which nobody has seen", self.position);
    }

    fn settles(&mut self, at: u64) {
        for _ in 0..4 {
            self.take();
            self.rest();
            self.read(RecordNo(u64::MAX));
        }
        assert_eq!((self.position, self.seen.len()), (RecordNo(at), self.log.len()), "each was seen once");
    }
}

#[test]
fn a_group_that_did_not_fit_is_read_from_the_log_before_a_rest_moves_the_position() {
    let mut world = World::new(1);
    world.push(2);
    world.push(4);
    world.take();
    world.rest();
    assert!((world.position, world.intake.is_behind()) == (RecordNo(2), true), "4 is missing");
    world.rest();
    assert_eq!(world.position, RecordNo(2));
    world.settles(4);
}

#[test]
fn a_group_that_did_not_fit_is_noticed_by_the_one_after_it() {
    let mut world = World::new(1);
    world.push(2);
    world.push(4);
    world.take();
    world.push(6);
    world.take();
    assert!((world.position, world.intake.is_behind()) == (RecordNo(2), true), "4 is missing");
    world.settles(6);
}

#[test]
fn a_group_that_is_dropped_while_it_is_being_passed_on_is_not_forgotten() {
    let mut world = World::new(2);
    world.push(2);
    world.log.push(RecordNo(4));
    let after = world.feed.announce(RecordNo(4));
    world.feed.offer(Fed { after, upto: RecordNo(4), events: events() });
    world.intake.leave_out();
    world.read(RecordNo(u64::MAX));
    world.read(RecordNo(u64::MAX));
    assert!((world.position, world.intake.is_behind()) == (RecordNo(2), false), "it has all that counts as passed on");
    world.feed.settle(RecordNo(4));
    world.push(6);
    world.settles(6);
}

#[test]
fn a_group_that_is_only_just_being_passed_on_is_not_taken_for_lost() {
    let mut world = World::new(2);
    let after = world.feed.announce(RecordNo(2));
    world.log.push(RecordNo(2));
    world.rest();
    assert!((world.position, world.intake.is_behind()) == (RecordNo(0), false));
    world.feed.offer(Fed { after, upto: RecordNo(2), events: events() });
    world.feed.settle(RecordNo(2));
    world.take();
    assert_eq!(world.position, RecordNo(2));
}

#[test]
fn groups_without_anything_move_the_position_at_rest() {
    let mut world = World::new(2);
    world.feed.push(RecordNo(5), Vec::new());
    world.rest();
    assert_eq!(world.position, RecordNo(5));
    world.push(7);
    world.take();
    assert_eq!((world.position, world.intake.is_behind()), (RecordNo(7), false));
}

/// What is left to do of passing a group on.
enum Passing {
    Nothing,
    Announced(Fed),
    Offered(RecordNo),
}

#[test]
fn in_no_order_of_steps_the_position_passes_a_group_that_was_not_seen() {
    for seed in 0..3_000 {
        let mut dice = Dice::new(seed);
        let mut world = World::new(1 + dice.below(3));
        let (mut tail, mut passing) = (RecordNo(0), Passing::Nothing);
        for _ in 0..120 {
            match dice.below(8) {
                0..3 => {
                    passing = match passing {
                        Passing::Nothing => {
                            tail = tail.plus(1 + dice.below(3) as u64);
                            if dice.below(4) == 0 {
                                Passing::Offered(tail)
                            } else {
                                world.log.push(tail);
                                let after = world.feed.announce(tail);
                                Passing::Announced(Fed { after, upto: tail, events: events() })
                            }
                        }
                        Passing::Announced(group) => {
                            let upto = group.upto;
                            world.feed.offer(group);
                            Passing::Offered(upto)
                        }
                        Passing::Offered(upto) => {
                            world.feed.settle(upto);
                            Passing::Nothing
                        }
                    }
                }
                3 | 4 => world.take(),
                5 => world.rest(),
                6 => world.read(world.position.plus(1 + dice.below(4) as u64)),
                _ => world.intake.leave_out(),
            }
        }
        match passing {
            Passing::Announced(group) => {
                world.feed.offer(group);
                world.feed.settle(tail);
            }
            Passing::Offered(upto) => world.feed.settle(upto),
            Passing::Nothing => {}
        }
        // The queue may hold some, and one look may be needed for what was dropped.
        world.settles(tail.0);
    }
}
