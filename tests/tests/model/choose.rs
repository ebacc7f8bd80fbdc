//! From general words to a command: which reservation, payment or key is meant, as the books stand.

use domain::command::{Claim, Command, WaitlistChoice};
use domain::identity::BundleId;
use domain::ids::{CaptureNo, Ordinal, PartitionNo, Revision};
use domain::money::{Currency, Money};
use domain::payment::{ClientData, Offer, PaymentReport, Provider, SettledBy, Told};
use domain::policy::SettingsPatch;
use domain::text::{CustomerId, PaymentId, ProviderEventId, Reason, RefundReference};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Query;
use domain::units::StockChange;

use crate::book::{Book, Key, State};
use crate::machine::Machine;
use crate::plan::{Among, Amount, Ask, Pick, Tells, What, Which};
use crate::scene::{euro, units};

/// What is asked of both sides.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Command(Command, Option<Key>),
    Query(Query),
}

fn customer(who: u8) -> CustomerId {
    CustomerId::parse(&format!("c{who}")).expect("a customer")
}

fn reason() -> Reason {
    Reason::parse("asked for").expect("a reason")
}

fn ordinal(no: usize) -> Ordinal {
    Ordinal(u32::try_from(no).expect("a model is small"))
}

/// The n-th from the end, around and around.
pub(crate) fn nth_last<T: Clone>(some: &[T], nth: u8) -> Option<T> {
    let nth = usize::from(nth) % some.len().max(1);
    some.iter().rev().nth(nth).cloned()
}

impl Among {
    fn admits(self, book: &Book, no: usize) -> bool {
        let one = &book.reservations[no];
        match self {
            Self::Any | Self::Missing => true,
            Self::Waiting => matches!(one.state, State::Waiting),
            Self::Held => one.is_held() && one.order.is_none(),
            Self::Ordered => one.is_held() && one.order.is_some(),
            Self::Sold => matches!(one.state, State::Confirmed),
            Self::Expired => matches!(one.state, State::Expired),
            Self::Ended => !one.is_live(),
        }
    }
}

impl Pick {
    fn of(self, book: &Book) -> usize {
        let all: Vec<usize> = (0..book.reservations.len()).collect();
        if matches!(self.among, Among::Missing) {
            return all.len() + usize::from(self.nth);
        }
        let meant: Vec<usize> = all.iter().copied().filter(|&no| self.among.admits(book, no)).collect();
        nth_last(if meant.is_empty() { &all } else { &meant }, self.nth).unwrap_or(0)
    }

    fn claim(self, book: &Book) -> Claim {
        let no = self.of(book);
        let owner = book.reservations.get(no).map(|one| one.customer.clone()).filter(|_| !self.stranger);
        let customer = owner.unwrap_or_else(|| CustomerId::parse("stranger").expect("a customer"));
        Claim { reservation: ordinal(no), customer }
    }
}

impl Amount {
    fn of(self, right: Money) -> Option<Money> {
        match self {
            Self::Unsaid => None,
            Self::Right => Some(right),
            Self::Wrong => Some(Money { minor: right.minor + 1, ..right }),
            Self::OtherCurrency => Some(Money { currency: Currency::parse("USD").expect("a currency"), ..right }),
        }
    }
}

impl Machine {
    fn price_of(&self, no: usize) -> Money {
        self.book.reservations.get(no).map_or(euro(100), |one| self.book.price_of(one.quantity))
    }

    fn payment(&self, which: Which, no: usize) -> PaymentId {
        let all: Vec<usize> = (0..self.book.payments.len()).collect();
        let known = match which {
            Which::Fresh => None,
            Which::Known(nth) => {
                let offered = self.book.reservations.get(no).and_then(|one| one.offer.as_ref());
                let its = self.book.payments_of(no).into_iter().map(|one| &self.book.payments[one].capture.payment);
                let early = self.book.early.iter().filter(|early| early.owner == no).map(|early| &early.payment);
                let its: Vec<_> = its.chain(offered.map(|offer| &offer.payment)).chain(early).cloned().collect();
                nth_last(&its, nth)
            }
            Which::Other(nth) => nth_last(&all, nth).map(|one| self.book.payments[one].capture.payment.clone()),
        };
        known.unwrap_or_else(|| PaymentId::parse(&format!("pay-{}", self.count)).expect("a payment"))
    }

    fn report(&self, which: Which) -> ProviderEventId {
        let known = match which {
            Which::Fresh | Which::Known(1..) => None,
            Which::Known(0) => nth_last(&self.book.reports, 0),
            Which::Other(nth) => nth_last(&self.book.reports, nth),
        };
        known.map_or_else(|| ProviderEventId::parse(&format!("evt-{}", self.count)).expect("a report"), |(_, id)| id)
    }

    /// What an ask comes to. A crowd asks for many things.
    pub(crate) fn choose(&mut self, ask: &Ask) -> Vec<Asked> {
        if let What::Crowd(many) = ask.what {
            return (0..many).map(|_| self.newcomer()).collect();
        }
        self.count += 1;
        if let What::Again { kind, nth, other } = ask.what {
            return self.again(kind, nth, other).into_iter().collect();
        }
        if let Some(query) = query(&self.book, &ask.what) {
            return vec![Asked::Query(query)];
        }
        let Some(command) = self.of_customer(&ask.what).or_else(|| self.of_others(&ask.what)) else {
            return Vec::new();
        };
        let key = ask.keyed.then(|| self.key(&command)).flatten();
        if let Some(key) = key.clone() {
            self.asked.push((self.book.now, key, command.clone()));
        }
        vec![Asked::Command(command, key)]
    }

    fn newcomer(&mut self) -> Asked {
        self.count += 1;
        let customer = CustomerId::parse(&format!("crowd-{}", self.count)).expect("a customer");
        let (quantity, waitlist) = (units(1), WaitlistChoice::Join);
        Asked::Command(Command::Reserve { customer, quantity, waitlist }, None)
    }

    fn of_customer(&self, what: &What) -> Option<Command> {
        Some(match *what {
            What::Reserve { who, quantity, decline } => Command::Reserve {
                customer: customer(who),
                quantity: units(quantity),
                waitlist: if decline { WaitlistChoice::Decline } else { WaitlistChoice::Join },
            },
            What::Purchase { who, quantity, payment, amount } => Command::Purchase {
                customer: customer(who),
                quantity: units(quantity),
                payment: Some(self.payment(payment, usize::MAX)),
                amount: amount.of(self.book.price_of(quantity)),
            },
            What::Cancel(pick) => Command::CancelReservation(pick.claim(&self.book)),
            What::Extend(pick) => Command::ExtendHold(pick.claim(&self.book)),
            What::Order(pick, amount) => {
                let amount = amount.of(self.price_of(pick.of(&self.book)));
                Command::PlaceOrder { claim: pick.claim(&self.book), amount }
            }
            What::Confirm(pick, payment, amount) => {
                let no = pick.of(&self.book);
                let (payment, amount) = (self.payment(payment, no), amount.of(self.price_of(no)));
                Command::ConfirmOrder { claim: pick.claim(&self.book), payment, amount }
            }
            What::Part { who, quantity, bundle } => {
                Command::HoldPart { bundle: bundle_id(bundle), customer: customer(who), quantity: units(quantity) }
            }
            _ => return None,
        })
    }

    fn of_others(&self, what: &What) -> Option<Command> {
        Some(match *what {
            What::Report { pick, tells, provider, payment, report, amount } => {
                let no = pick.of(&self.book);
                let right = self.price_of(no);
                let amount = amount.of(right).unwrap_or(right);
                let told = match tells {
                    Tells::Captured => Told::Captured(amount),
                    Tells::Failed => Told::Failed,
                    Tells::Cancelled => Told::Cancelled,
                    Tells::Refunded => Told::Refunded(amount),
                };
                let provider = if provider == 0 { Provider::Generic } else { Provider::Simulated };
                let (payment, report) = (self.payment(payment, no), self.report(report));
                let report = Box::new(PaymentReport { provider, report, payment, told });
                Command::RecordPayment { reservation: ordinal(no), report }
            }
            What::Offer(pick, nth) => {
                let no = pick.of(&self.book);
                let payment = PaymentId::parse(&format!("offer-{no}-{nth}")).expect("a payment");
                let client = ClientData::new(None, Some("secret".to_owned())).expect("short");
                let offer = Box::new(Offer { provider: Provider::Simulated, payment, client });
                Command::OfferPayment { reservation: ordinal(no), offer }
            }
            What::Settle(nth, by_hand) => {
                let back: Vec<usize> =
                    (0..self.book.payments.len()).filter(|&no| self.book.payments[no].goes_back()).collect();
                let no = nth_last(&back, nth).unwrap_or(usize::from(nth));
                let reference = || RefundReference::parse("re-1").expect("a reference");
                let by = if by_hand {
                    SettledBy::Operator { reason: reason() }
                } else {
                    SettledBy::Provider { reference: reference() }
                };
                Command::SettleRefund { capture: CaptureNo(ordinal(no).0), by }
            }
            What::Refund(pick, return_units) => {
                Command::RefundOrder { reservation: ordinal(pick.of(&self.book)), return_units, reason: reason() }
            }
            What::Stock(by) => {
                Command::AdjustStock { change: StockChange::new(by).expect("a change"), reason: reason() }
            }
            What::Open => Command::OpenSale,
            What::Pause => Command::PauseSale,
            What::Resume => Command::ResumeSale,
            What::Close => Command::CloseSale,
            What::Create => Command::CreateItem(Box::new(self.spec.clone())),
            What::Revise(setting, value, expected) => {
                let current = self.book.revision;
                let expected = expected.map(|right| Revision(if right { current } else { current + 7 }));
                Command::ReviseItem { patch: Box::new(self.patch(setting, value)), expected }
            }
            What::SettlePart(nth, decision) => {
                let parts: Vec<BundleId> = self.book.reservations.iter().filter_map(|one| one.bundle).collect();
                Command::SettlePart { bundle: nth_last(&parts, nth).unwrap_or(bundle_id(nth)), decision }
            }
            _ => return None,
        })
    }

    /// One setting to one of three values.
    fn patch(&self, setting: u8, value: u8) -> SettingsPatch {
        let mut patch = SettingsPatch::default();
        let n = u32::from(value);
        let ms = |some: u64| Some(DurationMs::from_millis(some));
        let soon = |by: u64| Some(Some(Timestamp::from_millis(self.clock + by)));
        match setting {
            0 => patch.per_order_max = Some(units(n + 1)),
            1 => patch.per_customer_limit = Some(units(2 * n + 1)),
            2 => patch.hold_time = ms([1_000, 1_700, 999][usize::from(value)]),
            3 => patch.grace = ms([0, 300, 1_500][usize::from(value)]),
            4 => patch.waitlist_enabled = Some(value > 0),
            5 => patch.waitlist_capacity = Some([0, 2, 900][usize::from(value)]),
            6 => patch.extension_times = Some(value),
            7 => patch.extension_by = ms([0, 500, 1_200][usize::from(value)]),
            8 => patch.cool_off_after_expiries = Some(value),
            9 => patch.cool_off_lasts = ms([300, 1_000, 3_000][usize::from(value)]),
            10 => patch.close_when_sold = Some(value > 0),
            11 => patch.honour_late_payments = Some(value > 0),
            12 => patch.parked_window = ms([0, 500, 5_000][usize::from(value)]),
            13 => patch.unit_price = Some(euro([100, 110, 2_000_000_000_000][usize::from(value)])),
            14 => patch.opens_at = [Some(None), soon(300), soon(0)][usize::from(value)],
            _ => patch.closes_at = [Some(None), soon(900), soon(0)][usize::from(value)],
        }
        patch
    }
}

fn query(book: &Book, what: &What) -> Option<Query> {
    Some(match *what {
        What::Look(pick) => Query::Reservation(pick.claim(book)),
        What::LookAtOrder(pick) => Query::Order(pick.claim(book)),
        What::LookAtRefund(no) => Query::Refund(CaptureNo(u32::from(no))),
        What::LookAtItem => Query::Item,
        _ => return None,
    })
}

fn bundle_id(bundle: u8) -> BundleId {
    BundleId::new(PartitionNo(0), u128::from(bundle))
}
