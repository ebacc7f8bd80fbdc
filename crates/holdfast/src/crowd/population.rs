//! Who comes to the sale: every customer with a character of their own, drawn from one seed.
//!
//! The same seed and size give the same people, on every machine. What becomes of them depends on the race they run.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// One customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Customer {
    /// From 0.
    pub(crate) number: usize,
    /// How long after the opening they come.
    pub(crate) arrives: Duration,
    /// How they press the button.
    pub(crate) tries: Tries,
    /// What they do with a hold.
    pub(crate) intent: Intent,
    /// How long they wait in line before they leave; `None` waits to the end.
    pub(crate) patience: Option<Duration>,
    /// Whether they send an accepted request a second time, later, with the same key.
    pub(crate) repeats: bool,
    /// Whether they come back and pay after a hold of theirs expired.
    pub(crate) comes_back: bool,
}

/// How a customer presses the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tries {
    /// Once.
    Once,
    /// A double click: the same request several times at once, under one key.
    OneKey(u8),
    /// Several tabs: several requests at once, each under a key of its own.
    ManyKeys(u8),
}

/// What a customer does with a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Pays after thinking it over.
    Pays {
        /// For how long.
        after: Duration,
    },
    /// Asks for more time first, then pays.
    ExtendsAndPays {
        /// After thinking it over for so long.
        after: Duration,
    },
    /// Gives it back.
    Cancels {
        /// After so long.
        after: Duration,
    },
    /// Walks away; the hold expires.
    LetsItExpire,
}

/// How a crowd is made up. All shares are in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Makeup {
    /// How many people.
    pub(crate) customers: usize,
    /// Within what time after the opening they come, most of them early.
    pub(crate) arrive_within: Duration,
    /// How many try several times at once.
    pub(crate) eager: u8,
    /// How many, holding, cancel.
    pub(crate) cancelling: u8,
    /// How many, holding, walk away.
    pub(crate) expiring: u8,
    /// How many, holding, ask for more time before they pay.
    pub(crate) extending: u8,
    /// How many leave the line before the end.
    pub(crate) impatient: u8,
    /// The longest that anybody thinks before paying or cancelling.
    pub(crate) thinking: Duration,
}

impl Makeup {
    /// Everybody at once, once each, and everybody who gets one pays: the acceptance test of source 002.
    pub(crate) const fn simultaneous(customers: usize) -> Self {
        Self {
            customers,
            arrive_within: Duration::ZERO,
            eager: 0,
            cancelling: 0,
            expiring: 0,
            extending: 0,
            impatient: 0,
            thinking: Duration::ZERO,
        }
    }

    /// A crowd as a flash sale has it, with holds of this length.
    pub(crate) fn lively(customers: usize, arrive_within: Duration, hold_time: Duration) -> Self {
        Self {
            customers,
            arrive_within,
            eager: 40,
            cancelling: 12,
            expiring: 20,
            extending: 6,
            impatient: 10,
            // So most of those who want to pay are in time, and some are not.
            thinking: hold_time.mul_f64(0.6),
        }
    }

    /// The people, the same for the same seed.
    pub(crate) fn draw(&self, seed: u64) -> Vec<Customer> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..self.customers).map(|number| self.one(number, &mut random)).collect()
    }

    fn one(&self, number: usize, random: &mut ChaCha8Rng) -> Customer {
        let lively = self.eager > 0;
        // Squared: half of them come in the first quarter of the time.
        let early = random.random_range(0.0..1.0_f64).powi(2);
        Customer {
            number,
            arrives: self.arrive_within.mul_f64(early),
            tries: self.tries(random),
            intent: self.intent(random),
            patience: percent(random, self.impatient).then(|| Duration::from_millis(random.random_range(500..8_000))),
            repeats: percent(random, if lively { 10 } else { 0 }),
            comes_back: percent(random, if lively { 50 } else { 0 }),
        }
    }

    fn tries(&self, random: &mut ChaCha8Rng) -> Tries {
        let (eager, times, one_key) = (percent(random, self.eager), random.random_range(2..=4), percent(random, 50));
        match (eager, one_key) {
            (false, _) => Tries::Once,
            (true, true) => Tries::OneKey(times),
            (true, false) => Tries::ManyKeys(times),
        }
    }

    fn intent(&self, random: &mut ChaCha8Rng) -> Intent {
        let (dice, after) = (random.random_range(0..100_u8), self.thinking.mul_f64(random.random_range(0.05..1.0)));
        let cancelling = self.cancelling;
        let expiring = cancelling.saturating_add(self.expiring);
        let extending = expiring.saturating_add(self.extending);
        if dice < cancelling {
            Intent::Cancels { after }
        } else if dice < expiring {
            Intent::LetsItExpire
        } else if dice < extending {
            Intent::ExtendsAndPays { after }
        } else {
            Intent::Pays { after }
        }
    }
}

fn percent(random: &mut ChaCha8Rng, share: u8) -> bool {
    random.random_range(0..100) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn makeup() -> Makeup {
        Makeup::lively(2_000, Duration::from_secs(8), Duration::from_secs(2))
    }

    #[test]
    fn the_same_seed_draws_the_same_people_and_another_seed_draws_others() {
        assert_eq!(makeup().draw(7), makeup().draw(7));
        assert_ne!(makeup().draw(7), makeup().draw(8));
    }

    #[test]
    fn a_lively_crowd_has_everybody_in_it_in_about_the_shares_asked_for() {
        let people = makeup().draw(1);
        let share = |who: fn(&Customer) -> bool| people.iter().filter(|one| who(one)).count() * 100 / people.len();
        assert!((35..=45).contains(&share(|one| one.tries != Tries::Once)));
        assert!((9..=15).contains(&share(|one| matches!(one.intent, Intent::Cancels { .. }))));
        assert!((16..=24).contains(&share(|one| one.intent == Intent::LetsItExpire)));
        assert!((3..=9).contains(&share(|one| matches!(one.intent, Intent::ExtendsAndPays { .. }))));
        assert!(share(|one| one.arrives < Duration::from_secs(2)) >= 45, "half come in the first quarter");
    }

    #[test]
    fn a_simultaneous_crowd_comes_at_once_tries_once_and_pays() {
        let plain = |one: &Customer| {
            one.arrives.is_zero() && one.tries == Tries::Once && matches!(one.intent, Intent::Pays { .. })
        };
        assert!(Makeup::simultaneous(200).draw(3).iter().all(|one| plain(one) && !one.repeats));
    }
}
