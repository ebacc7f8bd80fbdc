//! What is aimed at, and whether it was met: the ratios of the design, each with its floor and its goal.

use serde::Serialize;

/// What is aimed at.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Goal {
    /// Its number.
    pub(crate) id: &'static str,
    /// The ratio, in words.
    pub(crate) words: &'static str,
    /// Less than this is a fault.
    pub(crate) floor: f64,
    /// What is aimed at.
    pub(crate) goal: f64,
    /// Whether more is better.
    pub(crate) higher_is_better: bool,
}

const fn at_least(id: &'static str, words: &'static str, floor: f64, goal: f64) -> Goal {
    Goal { id, words, floor, goal, higher_is_better: true }
}

const fn at_most(id: &'static str, words: &'static str, floor: f64, goal: f64) -> Goal {
    Goal { id, words, floor, goal, higher_is_better: false }
}

pub(crate) const G1: Goal = at_least("G1", "durable ÷ axum no-op, reserve/s", 0.60, 0.80);
pub(crate) const G1_FRONT: Goal = at_least("G1 own front", "durable ÷ no-op behind our front", 0.60, 0.80);
pub(crate) const G2: Goal = at_least("G2", "durable ÷ the same with syncs off", 0.80, 0.95);
pub(crate) const G3: Goal = at_least("G3", "durable ÷ Redis script, appendfsync always, same front", 1.5, 2.5);
pub(crate) const G4: Goal = at_least("G4", "durable over HTTP ÷ bare Redis over its own protocol", 0.8, 1.3);
pub(crate) const G5: Goal = at_least("G5", "durable ÷ PostgreSQL at its best, same front", 30.0, 60.0);
pub(crate) const G1_FJALL: Goal = Goal { id: "G1 fjall", words: "durable-fjall ÷ axum no-op, reserve/s", ..G1 };
pub(crate) const G2_FJALL: Goal = Goal { id: "G2 fjall", words: "durable-fjall ÷ the same with syncs off", ..G2 };
pub(crate) const G3_FJALL: Goal = Goal { id: "G3 fjall", words: "durable-fjall ÷ Redis script, as in G3", ..G3 };
pub(crate) const G4_FJALL: Goal = Goal { id: "G4 fjall", words: "durable-fjall ÷ bare Redis, as in G4", ..G4 };
pub(crate) const G5_FJALL: Goal = Goal { id: "G5 fjall", words: "durable-fjall ÷ PostgreSQL, as in G5", ..G5 };
pub(crate) const G6: Goal = at_least("G6", "one hot item ÷ 1,000 items, reserve/s", 0.90, 0.95);
pub(crate) const G6_INVERSE: Goal = at_least("G6 inverse", "1,000 items ÷ one hot item", 0.90, 0.95);
pub(crate) const G7: Goal = at_most("G7", "p99 at 80 % ÷ (no-op p99 at 80 % + 2 sync p99)", 3.0, 1.5);
pub(crate) const G8: Goal = at_most("G8", "one client: p50 ÷ (sync p50 + no-op p50)", 1.6, 1.25);
pub(crate) const G7_FJALL: Goal = Goal { id: "G7 fjall", words: "the same ratio, durable-fjall", ..G7 };
pub(crate) const G8_FJALL: Goal = Goal { id: "G8 fjall", words: "the same ratio, durable-fjall", ..G8 };
pub(crate) const G9_2: Goal = at_least("G9 at 2×", "goodput at twice the peak ÷ peak", 0.85, 0.95);
pub(crate) const G9_4: Goal = at_least("G9 at 4×", "goodput at four times the peak ÷ peak", 0.60, 0.85);
pub(crate) const G10: Goal = at_most("G10", "% of reservations made for callers who had hung up, worst", 5.0, 0.1);
pub(crate) const O5: Goal = at_most("O5", "% of reservations told to nobody, worst of the three", 0.1, 0.1);
pub(crate) const O1_GOODPUT: Goal = at_least("O1 goodput", "worst of goodput at 2×, 5×, 10× ÷ peak", 0.90, 0.90);
pub(crate) const O1_ACCEPTED: Goal = at_most("O1 accepted", "accepted p99, worst of the three ÷ p99 at 80 %", 2.0, 2.0);
pub(crate) const O1_REFUSED: Goal = at_most("O1 refusals", "p99 of refusals in ms, worst of the three", 5.0, 5.0);
pub(crate) const G11: Goal = at_least("G11", "replay events/s ÷ reading, checking and decoding alone", 0.25, 0.5);
pub(crate) const G12: Goal = at_most("G12", "restart to ready ÷ read of the directory, neither cached", 5.0, 2.0);
pub(crate) const G13: Goal = at_most("G13", "bytes of RAM for each further waiting customer", 128.0, 64.0);
pub(crate) const O6_MEMORY: Goal = at_most("O6 memory", "MiB resident with all of them waiting", 300.0, 300.0);
pub(crate) const O6_RESTART: Goal = at_most("O6 restart", "seconds from the start to ready with them", 5.0, 5.0);
pub(crate) const G16: Goal = at_least("G16", "100,000 items ÷ one item, reserve/s", 0.7, 0.9);
pub(crate) const G16_MEMORY: Goal = at_most("G16 memory", "KiB of RAM for each idle item", 4.0, 1.0);
pub(crate) const G19: Goal = at_most("G19", "user instructions for a request ÷ axum no-op's", 1.6, 1.25);
pub(crate) const G19_FJALL: Goal = Goal { id: "G19 fjall", words: "the same ratio, durable-fjall", ..G19 };

pub(crate) const G15: Goal = at_most("G15", "p99 of joining a long line ÷ one of 1,000", 1.5, 1.2);
pub(crate) const G15_INSTRUCTIONS: Goal = at_most("G15 instructions", "long line ÷ short, as committed", 1.10, 1.02);
pub(crate) const G17: Goal = at_most("G17", "reserve p99 while many holds end at once ÷ before", 4.0, 2.0);
pub(crate) const G17_WITHIN: Goal = at_most("G17 within", "seconds until the last of them has ended", 10.0, 2.0);
pub(crate) const G18: Goal = at_least("G18", "reserve/s while a snapshot is taken ÷ otherwise", 0.7, 0.95);
pub(crate) const G18_STALL: Goal =
    at_most("G18 stall", "ms without any answer then, beyond what is usual; the worst", 20.0, 2.0);
pub(crate) const O3: Goal = at_most("O3", "share of orders, payments, cancellations shed at 5× the peak", 0.0, 0.0);
pub(crate) const O4: Goal = at_most("O4", "seconds from the end of 5× the peak to a p99 as before, twice", 5.0, 5.0);
pub(crate) const O4_RETRIES: Goal = at_most("O4 retries", "the same with customers who ask three times more", 5.0, 5.0);

/// A figure over rounds: its median, and from where to where it went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle one; the lower of two.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The most.
    pub(crate) max: f64,
    /// How many there were.
    pub(crate) rounds: usize,
}

impl Spread {
    /// Of these, if there are any.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len().checked_sub(1)? / 2)?;
        Some(Self { median, min: *values.first()?, max: *values.last()?, rounds: values.len() })
    }
}

/// What was aimed at, and how it came out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What was aimed at.
    #[serde(flatten)]
    pub(crate) goal: Goal,
    /// How it came out.
    pub(crate) measured: Option<Spread>,
    /// Why there is no figure.
    pub(crate) none_because: Option<String>,
    /// Of how many, or under what, it was taken, where that is not always the same.
    pub(crate) remark: Option<String>,
}

impl Row {
    /// A figure, or why there is none.
    pub(crate) fn new(goal: Goal, measured: Result<Spread, String>) -> Self {
        match measured {
            Ok(spread) => Self { goal, measured: Some(spread), none_because: None, remark: None },
            Err(why) => Self { goal, measured: None, none_because: Some(why), remark: None },
        }
    }

    /// The same, with what has to be known about it.
    pub(crate) fn remarked(self, remark: String) -> Self {
        Self { remark: Some(remark), ..self }
    }

    /// A figure over rounds.
    pub(crate) fn over_rounds(goal: Goal, values: impl IntoIterator<Item = f64>) -> Self {
        Self::new(goal, Spread::of(values).ok_or_else(|| "no round was whole".to_owned()))
    }

    /// Whether it was met, in words.
    pub(crate) fn verdict(&self) -> &'static str {
        let Some(measured) = self.measured else { return "no figure" };
        let reaches = |mark: f64| {
            if self.goal.higher_is_better { measured.median >= mark } else { measured.median <= mark }
        };
        match (reaches(self.goal.goal), reaches(self.goal.floor)) {
            (true, _) => "goal met",
            (false, true) => "floor met",
            (false, false) => "NOT met",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_of_the_rounds() {
        let spread = Spread::of([3.0, 1.0, 2.0, 9.0]).expect("there are some");
        assert_eq!((spread.median, spread.min, spread.max, spread.rounds), (2.0, 1.0, 9.0, 4));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_row_says_whether_its_median_is_on_the_right_side() {
        let verdict = |goal, value| Row::over_rounds(goal, [value]).verdict();
        assert_eq!([0.5, 0.6, 0.8].map(|value| verdict(G1, value)), ["NOT met", "floor met", "goal met"]);
        assert_eq!([1.7, 1.5, 1.1].map(|value| verdict(G8, value)), ["NOT met", "floor met", "goal met"]);
        assert_eq!(Row::over_rounds(G1, []).verdict(), "no figure");
    }
}
