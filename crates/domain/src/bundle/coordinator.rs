//! The coordinator of one bundle, as a pure state machine: it takes a part of each line, in the order of item numbers,
//! and when all are durable it submits the bundle. Presumed abort: what it has not seen submitted never was.
//!
//! It asks one part at a time and waits while holding nothing but parts that time cannot take away, so bundles over
//! crossing items cannot wait for each other: a part that is not free is refused at once. After the first refusal no
//! further unit is taken; the other lines are only looked at, so that the answer can name every line that is refused
//! (docs/decisions/0010).
//!
//! What it does not know: who carries its questions, and what becomes of parts it has let go.

use super::{BundleLine, BundleTerms, NewBundle};
use crate::identity::{BundleId, ReservationId};
use crate::ids::ItemNo;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::{CustomerId, Sku};
use crate::units::Quantity;

/// A line, and the item of that name, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedLine {
    /// The item's public name.
    pub sku: Sku,
    /// Its number.
    pub item: Option<ItemNo>,
    /// How many units.
    pub quantity: Quantity,
}

/// A part that is held, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartTaken {
    /// Its id.
    pub reservation: ReservationId,
    /// What one unit costs.
    pub unit_price: Money,
    /// The item's terms.
    pub terms: BundleTerms,
}

/// What the coordinator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Begin.
    Start,
    /// The part asked for is held, durably.
    Held(PartTaken),
    /// It is refused.
    Refused(Rejection),
    /// It is not known whether it is held, or it was never judged, or time is up.
    Lost,
    /// What a line that was looked at would say, as far as one can see from outside.
    Seen(Option<Rejection>),
    /// The partition has judged the submission.
    Judged {
        /// Whether the bundle is held.
        held: bool,
    },
}

/// What is to be done next. After [`Output::Release`] and [`Output::Held`] nothing more is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask the item for this part.
    Ask {
        /// Which line.
        line: AskedLine,
    },
    /// Look at this line without touching any unit.
    Look {
        /// Which line.
        line: AskedLine,
    },
    /// Every part is held: submit the bundle.
    Submit(Box<NewBundle>),
    /// The bundle is held.
    Held,
    /// The bundle will never be. Whatever parts there are go back; a part that is told of later too.
    Release(GaveUp),
    /// Nothing: it is over.
    Nothing,
}

/// Why a bundle will never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// It is refused, for this reason.
    Refused(Rejection),
    /// A part was lost on the way, or the submission was.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Asking,
    Looking,
    Submitted,
    Over,
    GaveUp,
}

/// The coordinator.
#[derive(Clone, Debug)]
pub struct Coordinator {
    id: BundleId,
    customer: CustomerId,
    /// By item number.
    lines: Vec<AskedLine>,
    /// The line that is asked for or looked at.
    at: usize,
    taken: Vec<BundleLine>,
    terms: Option<BundleTerms>,
    refused: Vec<(Sku, Rejection)>,
    stage: Stage,
}

impl Coordinator {
    /// A coordinator of these lines.
    #[must_use]
    pub fn new(id: BundleId, customer: CustomerId, mut lines: Vec<AskedLine>) -> Self {
        lines.sort_by_key(|line| line.item);
        Self { id, customer, lines, at: 0, taken: Vec::new(), terms: None, refused: Vec::new(), stage: Stage::New }
    }

    /// The bundle it is about.
    #[must_use]
    pub const fn id(&self) -> BundleId {
        self.id
    }

    /// Whether it has given up: from then on it never decides that the bundle is held.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.stage == Stage::GaveUp
    }

    /// Takes what it is told.
    pub fn step(&mut self, input: Input) -> Output {
        match (self.stage, input) {
            (Stage::New, Input::Start) => self.start(),
            (Stage::Asking, Input::Held(part)) => self.take(part),
            (Stage::Asking, Input::Refused(rejection)) => {
                self.stage = Stage::Looking;
                self.saw(Some(rejection))
            }
            (Stage::Looking, Input::Seen(rejection)) => self.saw(rejection),
            (Stage::Submitted, Input::Judged { held: true }) => {
                self.stage = Stage::Over;
                Output::Held
            }
            (Stage::New | Stage::Asking | Stage::Looking, Input::Lost)
            | (Stage::Submitted, Input::Judged { held: false }) => self.give_up(GaveUp::Lost),
            // A submission whose fate is unknown is the record's to tell, not ours: there is nothing to let go of.
            (Stage::Submitted, Input::Lost) => {
                self.stage = Stage::Over;
                Output::Nothing
            }
            // A part that is told of after giving up goes back like the others.
            (Stage::GaveUp, Input::Held(_)) => Output::Release(GaveUp::Lost),
            (Stage::Over | Stage::GaveUp, _) => Output::Nothing,
            (Stage::New | Stage::Asking | Stage::Looking | Stage::Submitted, _) => self.give_up(GaveUp::Lost),
        }
    }

    /// A line without an item refuses the bundle before any unit is touched.
    fn start(&mut self) -> Output {
        let missing = self.lines.iter().any(|line| line.item.is_none());
        self.stage = if missing { Stage::Looking } else { Stage::Asking };
        self.next()
    }

    fn next(&mut self) -> Output {
        let line = self.lines.get(self.at).cloned();
        match (self.stage, line) {
            (Stage::Asking, Some(line)) => Output::Ask { line },
            (Stage::Asking, None) => self.submit(),
            (Stage::Looking, Some(AskedLine { item: None, .. })) => self.saw(Some(Rejection::NotFound)),
            (Stage::Looking, Some(line)) => Output::Look { line },
            (Stage::Looking, None) => {
                let lines = std::mem::take(&mut self.refused);
                self.give_up(GaveUp::Refused(Rejection::BundleUnavailable { lines }))
            }
            (Stage::New | Stage::Submitted | Stage::Over | Stage::GaveUp, _) => Output::Nothing,
        }
    }

    fn take(&mut self, part: PartTaken) -> Output {
        let Some(line) = self.lines.get(self.at) else { return self.give_up(GaveUp::Lost) };
        let PartTaken { reservation, unit_price, terms } = part;
        let Some(amount) = unit_price.times(line.quantity) else {
            return self.give_up(GaveUp::Refused(Rejection::BundleNotSummable));
        };
        self.taken.push(BundleLine { sku: line.sku.clone(), reservation, quantity: line.quantity, amount });
        self.terms = Some(self.terms.map_or(terms, |before| before.and(terms)));
        self.at += 1;
        self.next()
    }

    fn saw(&mut self, rejection: Option<Rejection>) -> Output {
        if let (Some(rejection), Some(line)) = (rejection, self.lines.get(self.at)) {
            self.refused.push((line.sku.clone(), rejection));
        }
        self.at += 1;
        self.next()
    }

    fn submit(&mut self) -> Output {
        let Some(terms) = self.terms else { return self.give_up(GaveUp::Lost) };
        let lines = std::mem::take(&mut self.taken);
        let bundle = NewBundle { id: self.id, customer: self.customer.clone(), lines, terms };
        if bundle.amount().is_none() {
            return self.give_up(GaveUp::Refused(Rejection::BundleNotSummable));
        }
        self.stage = Stage::Submitted;
        Output::Submit(Box::new(bundle))
    }

    fn give_up(&mut self, why: GaveUp) -> Output {
        self.stage = Stage::GaveUp;
        Output::Release(why)
    }
}

#[cfg(test)]
#[path = "coordinator_tests.rs"]
mod tests;
