//! Customers, backends, providers and operators: what they ask for next, from what they were told.

use super::dice::Dice;
use super::ledger::Ledger;
use super::plan::{Kind, Plan, price};
use super::server::What;
use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::PartDecision;
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::{BundleId, ItemKey};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo};
use domain::money::Money;
use domain::payment::{PaymentReport, Provider, SettledBy, Told};
use domain::policy::SettingsPatch;
use domain::text::{CustomerId, PaymentId, ProviderEventId, Reason};
use domain::time::DurationMs;
use domain::turn::Query;
use domain::units::{Quantity, StockChange};
use domain::views::Body;

/// One thing that somebody wants, however often it is sent.
#[derive(Clone, Debug)]
pub(super) struct Op {
    /// Of which item.
    pub(super) item: ItemNo,
    /// What.
    pub(super) what: What,
    /// The hash of its key, if it has one.
    pub(super) key: Option<u128>,
    /// What was answered, once it was accepted.
    pub(super) accepted: Option<Body>,
    /// Whether it is over: answered, or a read that went wrong.
    pub(super) ended: bool,
    /// Whether a key is used that went with other content before: it must be refused.
    pub(super) other_content: bool,
    /// Whether it makes a reservation.
    pub(super) makes_one: bool,
    /// How often it was sent.
    pub(super) sent: u32,
    /// Sendings that are in the process somewhere and may still have an effect, or may have had one.
    pub(super) open: u32,
    /// Whether the process judged it and accepted, whoever has heard of that.
    pub(super) effective: bool,
}

/// What is known of one reservation.
#[derive(Clone, Debug)]
struct Known {
    item: ItemNo,
    ordinal: Ordinal,
    customer: CustomerId,
    quantity: u32,
    /// The end of its hold, in engine time, if it was told.
    until_ms: Option<u64>,
}

/// Everybody.
#[derive(Debug, Default)]
pub(super) struct Clients {
    known: Vec<Known>,
    /// Parts of bundles whose end is still to be told.
    parts: Vec<(ItemNo, BundleId)>,
    counter: u64,
}

/// When something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At once.
    Now,
    /// So that it arrives at this instant of engine time.
    At(u64),
}

fn customer(number: u64) -> CustomerId {
    CustomerId::parse(&format!("c{number}")).expect("a customer")
}

fn quantity(count: u64) -> Quantity {
    Quantity::new(u32::try_from(count).expect("small")).expect("a quantity")
}

fn because() -> Reason {
    Reason::parse("simulated").expect("a reason")
}

/// The key that hashes an item's ids and requests, as the plan's shop gives it out.
fn item_key(item: ItemNo) -> ItemKey {
    ItemKey::from_bytes([u8::try_from(item.counter()).expect("few items"); 32])
}

impl Clients {
    /// What is asked next, and when it is to arrive.
    pub(super) fn next(&mut self, dice: &mut Dice, plan: &Plan, items: &[ItemNo], ops: &[Op]) -> (Op, When) {
        self.counter += 1;
        let kind = *dice.pick(&plan.kinds);
        let item = *dice.pick(items);
        match kind {
            Kind::Reserve | Kind::Look => (self.reserve(dice, plan, item), When::Now),
            Kind::Purchase => (self.purchase(dice, plan, item), When::Now),
            Kind::Operate => (self.operate(dice, item), When::Now),
            Kind::Part => (self.part(dice, plan, item), When::Now),
            Kind::Again => (again(dice, ops).unwrap_or_else(|| self.reserve(dice, plan, item)), When::Now),
            Kind::Cancel | Kind::Extend | Kind::Order | Kind::Confirm | Kind::Report | Kind::Read => {
                match self.known.len() {
                    0 => (self.reserve(dice, plan, item), When::Now),
                    count => self.about(kind, dice, count),
                }
            }
        }
    }

    fn keyed(&self, item: ItemNo, command: Command) -> Op {
        let key = IdempotencyKey::parse(&format!("0123456789abcdef-{}", self.counter)).expect("a key");
        let attempt = Attempt { caller: "simulated".to_owned(), route: String::new(), key };
        let request = Request::new(command, Some(&attempt), &item_key(item));
        let makes_one = matches!(request.command, Command::Reserve { .. } | Command::Purchase { .. });
        let key = request.idempotency.map(|hashes| hashes.request.0);
        Op { key, makes_one, ..Op::new(item, What::Command(request)) }
    }

    fn reserve(&self, dice: &mut Dice, plan: &Plan, item: ItemNo) -> Op {
        let waitlist = if dice.chance(150) { WaitlistChoice::Decline } else { WaitlistChoice::Join };
        let (customer, quantity) = (customer(dice.below(plan.customers)), quantity(dice.between(1, 3)));
        self.keyed(item, Command::Reserve { customer, quantity, waitlist })
    }

    fn purchase(&self, dice: &mut Dice, plan: &Plan, item: ItemNo) -> Op {
        let payment = Some(PaymentId::parse(&format!("bought-{}", self.counter)).expect("a payment"));
        let (customer, quantity) = (customer(dice.below(plan.customers)), quantity(dice.between(1, 2)));
        self.keyed(item, Command::Purchase { customer, quantity, payment, amount: None })
    }

    fn operate(&self, dice: &mut Dice, item: ItemNo) -> Op {
        let command = match dice.below(10) {
            0 => Command::PauseSale,
            1..=3 => Command::ResumeSale,
            4 => Command::OpenSale,
            5 => {
                let patch = SettingsPatch {
                    hold_time: Some(DurationMs::from_secs(dice.between(5, 90))),
                    per_customer_limit: Some(quantity(dice.between(1, 6))),
                    ..SettingsPatch::default()
                };
                Command::ReviseItem { patch: Box::new(patch), expected: None }
            }
            6 if !self.known.is_empty() => {
                let about = dice.pick(&self.known);
                let command = Command::RefundOrder {
                    reservation: about.ordinal,
                    return_units: dice.chance(500),
                    reason: because(),
                };
                return self.keyed(about.item, command);
            }
            7 if dice.chance(200) => Command::CloseSale,
            _ => {
                let by = *dice.pick(&[-2, -1, 1, 2]);
                Command::AdjustStock { change: StockChange::new(by).expect("a change"), reason: because() }
            }
        };
        self.keyed(item, command)
    }

    fn part(&mut self, dice: &mut Dice, plan: &Plan, item: ItemNo) -> Op {
        if !self.parts.is_empty() && dice.chance(500) {
            let (item, bundle) = *dice.pick(&self.parts);
            let decision = *dice.pick(&[
                PartDecision::Sold,
                PartDecision::Expired,
                PartDecision::Cancelled,
                PartDecision::Abandoned,
            ]);
            // One bundle is decided once, however often its parts are told.
            self.parts.retain(|part| *part != (item, bundle));
            return Op::new(item, What::Command(Request::from(Command::SettlePart { bundle, decision })));
        }
        let bundle = BundleId::new(PartitionNo(0), u128::from(self.counter));
        let (customer, quantity) = (customer(dice.below(plan.customers)), quantity(dice.between(1, 2)));
        Op::new(item, What::Command(Request::from(Command::HoldPart { bundle, customer, quantity })))
    }

    /// Something about a reservation that somebody was told of.
    fn about(&self, kind: Kind, dice: &mut Dice, count: usize) -> (Op, When) {
        // Mostly one of the latest: those have something left to happen to them.
        let recent = u64::try_from(count.min(8)).expect("small");
        let among = if dice.chance(800) { recent } else { count as u64 };
        let back = usize::try_from(dice.below(among)).expect("small");
        let about = self.known.get(count - 1 - back).expect("a place in a list");
        let stranger = dice.chance(30);
        let owner = if stranger { customer(99) } else { about.customer.clone() };
        let claim = Claim { reservation: about.ordinal, customer: owner };
        let payment = || PaymentId::parse(&format!("own-{}", self.counter)).expect("a payment");
        let when = edge(dice, about.until_ms);
        let op = match kind {
            Kind::Cancel => self.keyed(about.item, Command::CancelReservation(claim)),
            Kind::Extend => self.keyed(about.item, Command::ExtendHold(claim)),
            Kind::Order => self.keyed(about.item, Command::PlaceOrder { claim, amount: None }),
            Kind::Confirm => self.keyed(about.item, Command::ConfirmOrder { claim, payment: payment(), amount: None }),
            Kind::Report => self.report(dice, about),
            _ => Op::new(about.item, What::Query(Query::Reservation(claim))),
        };
        (op, when)
    }

    /// What a provider tells, once or again, right or wrong.
    fn report(&self, dice: &mut Dice, about: &Known) -> Op {
        let attempt = dice.below(3).min(1);
        let name = format!("{}-{}-{attempt}", about.item.counter(), about.ordinal.0);
        let right = u64::from(about.quantity) * price().minor;
        let minor = if dice.chance(100) { right + 1 } else { right };
        let told = match dice.below(20) {
            0 => Told::Cancelled,
            1..=3 => Told::Failed,
            4 => Told::Refunded(Money { minor, ..price() }),
            _ => Told::Captured(Money { minor, ..price() }),
        };
        // A report's id stands for what it says: the same one never says two things.
        let says = match told {
            Told::Captured(amount) => amount.minor.to_string(),
            Told::Failed => format!("failed-{}", dice.below(4)),
            Told::Refunded(amount) => format!("back-{}", amount.minor),
            Told::Cancelled => "cancelled".to_owned(),
        };
        let report = PaymentReport {
            provider: Provider::Simulated,
            report: ProviderEventId::parse(&format!("evt-{name}-{says}-{}", dice.below(2))).expect("a report"),
            payment: PaymentId::parse(&format!("pay-{name}")).expect("a payment"),
            told,
        };
        let command = Command::RecordPayment { reservation: about.ordinal, report: Box::new(report) };
        Op::new(about.item, What::Command(Request::from(command)))
    }

    /// Remembers what an answer tells of.
    pub(super) fn learn(&mut self, op: &Op, body: &Body) {
        match body {
            Body::Reservation(view) if view.bundle.is_none() => {
                let until_ms = match view.state {
                    domain::views::StateView::Held { expires_at } => Some(expires_at.as_millis()),
                    _ => None,
                };
                let ordinal = view.id.ordinal();
                let quantity = view.quantity.get();
                let is = |known: &&mut Known| known.item == op.item && known.ordinal == ordinal;
                match self.known.iter_mut().find(is) {
                    Some(known) => known.until_ms = until_ms.or(known.until_ms),
                    None => {
                        let customer = view.customer.clone();
                        self.known.push(Known { item: op.item, ordinal, customer, quantity, until_ms });
                    }
                }
            }
            Body::Reservation(view) => {
                let settled = !matches!(view.state, domain::views::StateView::HeldInBundle);
                let part = view.bundle.map(|bundle| (op.item, bundle));
                self.parts.extend(part.filter(|part| !settled && !self.parts.contains(part)));
            }
            _ => {}
        }
    }

    /// What ends everything once the faults are over: sales close, parts are let go, refunds are settled.
    pub(super) fn endings(&mut self, items: &[ItemNo], ledger: &Ledger) -> Vec<Op> {
        let mut ops = Vec::new();
        for &item in items {
            let Some(book) = ledger.book(item) else { continue };
            for bundle in book.parts() {
                let decision = PartDecision::Abandoned;
                ops.push(Op::new(item, What::Command(Request::from(Command::SettlePart { bundle, decision }))));
            }
            if !book.closed {
                self.counter += 1;
                ops.push(self.keyed(item, Command::CloseSale));
            }
            for (number, money) in (0..).zip(&book.captures) {
                if money.place == super::ledger::Place::Due {
                    let by = SettledBy::Operator { reason: because() };
                    self.counter += 1;
                    ops.push(self.keyed(item, Command::SettleRefund { capture: CaptureNo(number), by }));
                }
            }
        }
        ops
    }
}

impl Op {
    fn new(item: ItemNo, what: What) -> Self {
        Self {
            item,
            what,
            key: None,
            accepted: None,
            ended: false,
            other_content: false,
            makes_one: false,
            sent: 0,
            open: 0,
            effective: false,
        }
    }

    /// The payment it tells of, if that is money that was taken, and the answer was that this is known now.
    #[must_use]
    pub(super) fn money_taken(&self) -> Option<(Provider, &PaymentId)> {
        let What::Command(Request { command: Command::RecordPayment { report, .. }, .. }) = &self.what else {
            return None;
        };
        let known = self.accepted.is_some() && matches!(report.told, Told::Captured(_));
        known.then_some((report.provider, &report.payment))
    }

    /// Whether it is sent again until it is answered.
    #[must_use]
    pub(super) const fn is_read(&self) -> bool {
        matches!(self.what, What::Query(_))
    }
}

/// Sometimes just before, at, or just after the end of a hold.
fn edge(dice: &mut Dice, until_ms: Option<u64>) -> When {
    match until_ms {
        Some(until) if dice.chance(250) => When::At(until + dice.below(3) - 1),
        _ => When::Now,
    }
}

/// Something accepted before: once more with its key, or its key with other content.
fn again(dice: &mut Dice, ops: &[Op]) -> Option<Op> {
    let accepted: Vec<&Op> = {
        let had = |op: &&Op| op.key.is_some() && op.accepted.is_some() && !op.other_content;
        ops.iter().filter(had).collect()
    };
    if accepted.is_empty() {
        return None;
    }
    let mut op = (*dice.pick(&accepted)).clone();
    (op.ended, op.sent, op.open, op.effective) = (false, 0, 0, true);
    if let What::Command(request) = &mut op.what
        && let Command::Reserve { quantity: count, .. } = &mut request.command
        && dice.chance(300)
    {
        *count = quantity(u64::from(count.get()) % 3 + 1);
        let content = request.command.content_fingerprint(&item_key(op.item));
        request.idempotency = request.idempotency.map(|hashes| domain::idempotency::Idempotency { content, ..hashes });
        op.other_content = true;
    }
    Some(op)
}
