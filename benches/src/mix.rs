//! A sale as a whole: customers reserve, and then order, pay, give back what they hold, or forget it until it expires.
//!
//! Every connection asks again when it has its answer. What comes next is what somebody who holds a unit does with it,
//! and a new customer where nobody has anything to do.

use crate::audit::Claims;
use crate::contestant::Contestant;
use crate::load;
use crate::load::source::{Source, Wishes, customer_number};
use crate::load::steps::{Request, Step};
use crate::load::tally::{Ending, histogram, micros};
use crate::load::wire::Head;
use crate::operator::{Counts, Stock};
use crate::process::Running;
use crate::run::Run;
use crate::visit::{Load, Workload};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a hold lasts: as short as may be, so that those who forget theirs free them within the run.
const HOLD_TIME: Duration = Duration::from_secs(1);

/// Within so much of its end every hold must have ended.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a customer does with a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pay,
    GiveBack,
    /// Orders, and never pays.
    OrderOnly,
    Forget,
}

impl Fate {
    /// By the customer's number: half of them pay, two in ten give back, one orders only, two forget.
    const fn of(customer: u64) -> Self {
        match customer % 10 {
            0..=4 => Self::Pay,
            5 | 6 => Self::GiveBack,
            7 => Self::OrderOnly,
            _ => Self::Forget,
        }
    }
}

/// What was asked for, and how long the answers took.
#[derive(Debug, Default)]
struct Heard {
    /// Of what was done as asked, in microseconds; of reservations under `None`.
    took_us: BTreeMap<Option<Step>, Histogram<u64>>,
    /// What was answered otherwise.
    otherwise: u64,
}

impl Heard {
    fn done(&self, step: Step) -> u64 {
        self.took_us.get(&Some(step)).map_or(0, |took| took.len())
    }

    fn words(&self) -> String {
        let of = |what: &str, step| {
            let took = self.took_us.get(&step)?;
            let at = |quantile| took.value_at_quantile(quantile) as f64 / 1_000.0;
            Some(format!("{} {what} (p50 {:.2} ms, p99 {:.2} ms)", took.len(), at(0.5), at(0.99)))
        };
        let kinds = [
            ("reservations", None),
            ("orders", Some(Step::Order)),
            ("payments", Some(Step::Payment)),
            ("cancellations", Some(Step::Cancellation)),
        ];
        kinds.into_iter().filter_map(|(what, step)| of(what, step)).collect::<Vec<_>>().join(", ")
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread's customers.
struct Shopping {
    new: Box<dyn Source>,
    /// What those who hold something do next.
    next: VecDeque<Request>,
    token: String,
    heard: Arc<Mutex<Heard>>,
}

impl Source for Shopping {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        match self.next.pop_front() {
            Some(request) => {
                into.extend_from_slice(request.text.as_bytes());
                true
            }
            None => self.new.next(into),
        }
    }

    fn heard(&mut self, request: &[u8], answer: &Head, after: Duration) {
        let Some(Asked { customer, name, step, id }) = Asked::in_request(request) else { return };
        let mut heard = lock(&self.heard);
        if Ending::of(answer.status) != Ending::Granted {
            heard.otherwise += 1;
            return;
        }
        heard.took_us.entry(step).or_insert_with(histogram).saturating_record(micros(after));
        let next = match (step, Fate::of(customer)) {
            (None, Fate::Pay | Fate::OrderOnly) => answer.reservation.map(|id| Request::order(name, id)),
            (None, Fate::GiveBack) => answer.reservation.map(|id| Request::cancellation(name, id)),
            (Some(Step::Order), Fate::Pay) => id.map(|id| Request::payment(name, id, &self.token)),
            (None, Fate::Forget) | (Some(_), _) => None,
        };
        self.next.extend(next);
    }
}

/// What a request says of itself.
struct Asked<'r> {
    customer: u64,
    name: &'r str,
    /// None: it reserves.
    step: Option<Step>,
    /// What an order is for.
    id: Option<u128>,
}

impl<'r> Asked<'r> {
    fn in_request(request: &'r [u8]) -> Option<Self> {
        let text = std::str::from_utf8(request).ok()?;
        let (_, behind) = text.split_once("\r\nx-customer-id: ")?;
        let name = behind.lines().next()?;
        let step = if text.starts_with("POST /v1/items/") {
            None
        } else if text.starts_with("POST /v1/orders ") {
            Some(Step::Order)
        } else if text.starts_with("POST /v1/orders/") {
            Some(Step::Payment)
        } else {
            Some(Step::Cancellation)
        };
        let id = text.split_once("rsv_").and_then(|(_, behind)| u128::from_str_radix(behind.get(..32)?, 16).ok());
        Some(Self { customer: customer_number(name)?, name, step, id })
    }
}

/// A sale of many at once.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    let hold_time_ms = u64::try_from(HOLD_TIME.as_millis())?;
    let what = Workload { stock: Stock { hold_time_ms, ..Workload::ONE_ITEM.stock }, ..Workload::ONE_ITEM };
    for _ in 0..run.rounds() {
        let load = run.closed();
        round(run, &what, load)?;
    }
    Ok(())
}

fn round(run: &mut Run, what: &Workload, load: Load) -> Result<()> {
    let visitor = run.visitor("customers reserve, order, pay, give back and forget");
    let server = visitor.start(Contestant::Durable, what, load.halves)?;
    let (heard, token) = (Arc::<Mutex<Heard>>::default(), server.service_token()?);
    let plan = visitor.plan(&server, load);
    let wishes = Wishes::one_item("hot", visitor.made, plan.seed);
    let before = server.cpu()?;
    let measured = load::run(&plan, &|thread| {
        let (new, heard) = (wishes.source(thread), Arc::clone(&heard));
        Box::new(Shopping { new, next: VecDeque::new(), token: token.clone(), heard })
    })?;
    let cpu = server.cpu()?.saturating_sub(before);
    let heard = std::mem::take(&mut *lock(&heard));
    let unanswered = measured.tally.count_in_all(Ending::TimedOut) + measured.tally.count_in_all(Ending::Failed);
    ensure!(unanswered == 0, "{unanswered} requests had no answer: no figure");
    let mut claims = Claims::default();
    claims.add(&measured.tally);
    let expired = audited(server, &heard, &claims)?;
    let requests: u64 = measured.tally.all.iter().sum();
    let (per_s, cpu_us) = (measured.per_second(Ending::Granted), cpu.as_secs_f64() * 1e6 / requests.max(1) as f64);
    run.note(format!(
        "A sale as a whole, {} connections: {per_s:.0} requests/s, {cpu_us:.1} µs of the server's processor time each: {}; \
         {expired} holds expired, {} requests were refused. What was paid is sold, and nothing else is.",
        load.connections,
        heard.words(),
        heard.otherwise,
    ));
    Ok(())
}

/// Waits until every hold has ended. What is sold then is what was paid, and all that was answered for is in the log. How
/// many holds expired.
fn audited(server: Running, heard: &Heard, claims: &Claims) -> Result<u64> {
    let operator = server.operator.as_ref().context("it has operators")?;
    let until = Instant::now() + HOLD_TIME + ENDED_WITHIN;
    let mut counts = operator.counts("hot")?;
    while counts.held > 0 {
        ensure!(Instant::now() < until, "{} holds have not ended {ENDED_WITHIN:?} after their time", counts.held);
        std::thread::sleep(LOOK_EVERY);
        counts = operator.counts("hot")?;
    }
    let expired = agrees(counts, heard, claims.granted())?;
    let dir = server.stop()?;
    crate::audit::by_log(&dir, claims)?;
    std::fs::remove_dir_all(&dir).context("what it left cannot be removed")?;
    Ok(expired)
}

/// What is neither sold nor given back has expired.
fn agrees(counts: Counts, heard: &Heard, granted: u64) -> Result<u64> {
    let (paid, given_back) = (heard.done(Step::Payment), heard.done(Step::Cancellation));
    ensure!(u64::from(counts.sold) == paid, "{} are sold and {paid} were paid", counts.sold);
    ensure!(counts.total == counts.available + counts.sold, "units are missing: {counts:?}");
    granted.checked_sub(paid + given_back).context("more holds were paid or given back than there were")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVED: &[u8] =
        b"HTTP/1.1 201 Created\r\nlocation: /v1/reservations/rsv_000000010000800083c1be39b43fcb16\r\n\
        content-length: 0\r\n\r\n";
    const DONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    fn shopping() -> Shopping {
        let new = Wishes::one_item("hot", 3, 1).source(0);
        Shopping { new, next: VecDeque::new(), token: "secret".to_owned(), heard: Arc::default() }
    }

    /// What a customer whose number ends with this digit sends, one after the other, if everything is granted.
    fn sent_by(digit: u64) -> Vec<String> {
        let (mut shopping, mut all) = (shopping(), Vec::new());
        loop {
            let mut request = Vec::new();
            assert!(shopping.next(&mut request));
            if Asked::in_request(&request).is_none_or(|asked| asked.customer % 10 != digit) {
                continue;
            }
            let answer = if request.starts_with(b"POST /v1/items/") { RESERVED } else { DONE };
            let head = Head::read(answer).expect("an answer").expect("whole");
            shopping.heard(&request, &head, Duration::from_millis(1));
            all.push(String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned());
            if shopping.next.is_empty() {
                return all;
            }
        }
    }

    #[test]
    fn whoever_pays_orders_first_and_whoever_forgets_says_nothing_more() {
        let id = "000000010000800083c1be39b43fcb16";
        let reserve = "POST /v1/items/hot/reservations HTTP/1.1".to_owned();
        let order = "POST /v1/orders HTTP/1.1".to_owned();
        let pay = format!("POST /v1/orders/ord_{id}/confirm HTTP/1.1");
        let give_back = format!("DELETE /v1/reservations/rsv_{id} HTTP/1.1");
        assert_eq!(sent_by(1), [reserve.clone(), order.clone(), pay]);
        assert_eq!(sent_by(5), [reserve.clone(), give_back]);
        assert_eq!(sent_by(7), [reserve.clone(), order]);
        assert_eq!(sent_by(8), [reserve]);
    }

    #[test]
    fn what_is_neither_paid_nor_given_back_has_expired_and_nothing_is_sold_unpaid() {
        let mut heard = Heard::default();
        for (step, times) in [(None, 10), (Some(Step::Payment), 5), (Some(Step::Cancellation), 2)] {
            let mut took = histogram();
            took.record_n(1, times).expect("within its bounds");
            heard.took_us.insert(step, took);
        }
        let counts = Counts { total: 100, available: 95, held: 0, sold: 5, waiting: 0 };
        assert_eq!(agrees(counts, &heard, 10).ok(), Some(3));
        assert!(agrees(Counts { sold: 6, available: 94, ..counts }, &heard, 10).is_err(), "sold and not paid");
        assert!(agrees(Counts { available: 94, ..counts }, &heard, 10).is_err(), "a unit is missing");
        assert!(agrees(counts, &heard, 6).is_err(), "more ended than there were");
    }
}
