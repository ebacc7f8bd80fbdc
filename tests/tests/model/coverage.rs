//! How often each kind of answer, event and rare branch was reached: a run that never got there has shown nothing.

use domain::event::Event;
use domain::payment::RefundReason;
use domain::views::{Origin, PaymentVerdict};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

use crate::time::Answered;
use crate::told::Told;

thread_local! {
    static SEEN: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Notes that it was reached.
pub(crate) fn saw(what: &str) {
    SEEN.with_borrow_mut(|seen| match seen.get_mut(what) {
        Some(count) => *count += 1,
        None => drop(seen.insert(what.to_owned(), 1)),
    });
}

/// The first word of how something is written: its variant.
struct FirstWord(String);

impl Write for FirstWord {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        self.0.push_str(&word);
        // The rest is long, and nobody reads it.
        if word.len() == text.len() { Ok(()) } else { Err(std::fmt::Error) }
    }
}

fn name(what: &impl Debug) -> String {
    let mut word = FirstWord(String::new());
    // It stops with an error as soon as the word is over.
    let _ = write!(word, "{what:?}");
    word.0
}

/// The variant, and what it holds where that is an enum too.
fn inner(what: &impl Debug, within: Option<&dyn Debug>) -> String {
    within.map_or_else(|| name(what), |within| format!("{} {}", name(what), name(&within)))
}

fn reason(reason: &RefundReason) -> String {
    match reason {
        RefundReason::Late(refusal) => inner(reason, Some(refusal)),
        RefundReason::Unclaimed(because) => inner(reason, Some(because)),
        RefundReason::WrongAmount { .. } | RefundReason::SecondCapture | RefundReason::OrderRefunded => name(reason),
    }
}

pub(crate) fn saw_answer(answer: &Answered) {
    use domain::rejection::Rejection::{ExtensionRefused, NotCancellable, NotRefundable};
    match answer {
        Ok((Told::Payment(PaymentVerdict::RefundDue(why)), _)) => saw(&format!("told {}", reason(why))),
        Ok((Told::Payment(verdict), _)) => saw(&format!("told {}", name(verdict))),
        Ok((_, Origin::Accepted(_))) => {}
        Ok((_, origin)) => saw(&format!("answered {}", name(origin))),
        Err(rejection) => saw(&format!(
            "refused {}",
            match rejection {
                ExtensionRefused { reason } => inner(rejection, Some(reason)),
                NotCancellable { ended } => inner(rejection, Some(ended)),
                NotRefundable { reason } => inner(rejection, Some(reason)),
                _ => name(rejection),
            }
        )),
    }
}

pub(crate) fn saw_event(event: &Event) {
    use domain::payment::PaymentEvent::{OrderRefunded, RefundSettled, Unclaimed};
    match event {
        Event::Payment { event, .. } => saw(&format!(
            "event {}",
            match &**event {
                Unclaimed { because, .. } => inner(&**event, Some(because)),
                OrderRefunded { by, .. } => inner(&**event, Some(by)),
                RefundSettled { by, .. } => inner(&**event, Some(by)),
                _ => name(&**event),
            }
        )),
        Event::PartSettled { decision, .. } => saw(&format!("event {}", inner(event, Some(decision)))),
        Event::WaitlistLapsed { reason, .. } => saw(&format!("event {}", inner(event, Some(reason)))),
        Event::SaleClosed { by, .. } => saw(&format!("event {}", inner(event, Some(by)))),
        Event::SaleOpened { by } => saw(&format!("event {}", inner(event, Some(by)))),
        _ => saw(&format!("event {}", name(event))),
    }
}

/// What was reached, and what a run of `cases` reached less often than it should.
pub(crate) fn report(cases: u32) -> (BTreeMap<String, u64>, Vec<String>) {
    let seen = SEEN.with_borrow(Clone::clone);
    let rare = MINIMUM_IN_1000.iter().filter_map(|(what, minimum)| {
        let (count, wanted) = (seen.get(*what).copied().unwrap_or(0), minimum * u64::from(cases) / 1_000);
        (count < wanted).then(|| format!("{what}: {count} times, wanted {wanted}"))
    });
    let rare = rare.collect();
    (seen, rare)
}

/// How often each has to be reached in a thousand cases, at least.
const MINIMUM_IN_1000: &[(&str, u64)] = &[];
