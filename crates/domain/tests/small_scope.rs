//! Small scope, exhaustively: every order of commands, time and crashes of a few customers and one or two units, until
//! nothing new comes, each step compared with a clerk who keeps the same shop by hand.
//!
//! The clerk is written from the rules alone: who has what is a list of four words, everything else is counted anew each
//! time. Situations that look the same to the clerk are entered once. That is the bound of this proof: what the item
//! remembers beyond the clerk's view (old reservations, past refunds) is whatever the shortest way there left behind.

#![expect(clippy::indexing_slicing, reason = "customers are the small numbers that both sides were made with")]

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::{Event, Recorded};
use domain::identity::ItemKey;
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::payment::{PaymentEvent, PaymentReport, Provider, Told};
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Reason, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, StockChange, Units};
use domain::views::StateView;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet, VecDeque};

/// A hold lasts two ticks; after a restart it lasts one at least.
const TICK: u64 = 1_000;
const HOLD: u64 = 2;
const GRACE: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Reserve(usize, bool),
    Purchase(usize),
    Cancel(usize),
    Order(usize),
    Pay(usize),
    Restock,
    Shrink,
    Tick,
    Crash,
}

/// How a customer's latest reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Stands {
    Nothing,
    Waiting,
    /// Ticks left, whether it is ordered.
    Held(u64, bool),
    Sold,
    Cancelled,
    Expired,
    Lapsed,
}

/// How small the scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Size {
    customers: usize,
    /// Units at first, and at the most.
    stock: usize,
    stock_max: usize,
    /// How many may wait.
    room: usize,
}

/// A customer, as the clerk sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Person {
    stands: Stands,
    /// The payment for it was told of.
    is_told: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Clerk {
    total: usize,
    people: Vec<Person>,
    line: Vec<usize>,
    size: Size,
}

impl Clerk {
    fn new(size: Size) -> Self {
        let nobody = Person { stands: Stands::Nothing, is_told: false };
        Self { total: size.stock, people: vec![nobody; size.customers], line: Vec::new(), size }
    }

    fn held(&self) -> usize {
        self.people.iter().filter(|person| matches!(person.stands, Stands::Held(..))).count()
    }

    fn sold(&self) -> usize {
        self.people.iter().filter(|person| person.stands == Stands::Sold).count()
    }

    fn available(&self) -> usize {
        self.total - self.held() - self.sold()
    }

    /// One each.
    fn has_enough(&self, who: usize) -> bool {
        matches!(self.people[who].stands, Stands::Waiting | Stands::Held(..) | Stands::Sold)
    }

    fn begins(&mut self, who: usize, stands: Stands) {
        self.people[who] = Person { stands, is_told: false };
    }

    /// Serves the line, and sends it home once nothing can come free any more.
    fn serve(&mut self) -> usize {
        while !self.line.is_empty() && self.available() > 0 {
            let who = self.line.remove(0);
            self.people[who].stands = Stands::Held(HOLD, false);
        }
        if self.available() + self.held() > 0 {
            return 0;
        }
        std::mem::take(&mut self.line).into_iter().map(|who| self.ends(who, Stands::Lapsed)).sum()
    }

    /// Ends what was live. Money that waited for its order goes back.
    fn ends(&mut self, who: usize, stands: Stands) -> usize {
        let person = &mut self.people[who];
        let goes_back = usize::from(person.is_told && matches!(person.stands, Stands::Held(..) | Stands::Waiting));
        person.stands = stands;
        self.line.retain(|waiting| *waiting != who);
        goes_back
    }

    /// Does it. Whether it is accepted, and for how many payments a refund becomes due.
    fn act(&mut self, act: Act) -> (bool, usize) {
        let (accepted, refunds) = self.first(act);
        (accepted, refunds + self.serve())
    }

    fn first(&mut self, act: Act) -> (bool, usize) {
        match act {
            Act::Reserve(who, joins) => {
                let free = self.line.is_empty() && self.available() > 0;
                let may_wait = joins && self.line.len() < self.size.room && self.available() + self.held() > 0;
                if self.has_enough(who) || !(free || may_wait) {
                    return (false, 0);
                }
                self.begins(who, if free { Stands::Held(HOLD, false) } else { Stands::Waiting });
                if !free {
                    self.line.push(who);
                }
            }
            Act::Purchase(who) => {
                if self.has_enough(who) || !self.line.is_empty() || self.available() == 0 {
                    return (false, 0);
                }
                self.begins(who, Stands::Sold);
            }
            Act::Cancel(who) => match self.people[who].stands {
                Stands::Waiting | Stands::Held(..) => return (true, self.ends(who, Stands::Cancelled)),
                other => return (other == Stands::Cancelled, 0),
            },
            Act::Order(who) => {
                let person = &mut self.people[who];
                match person.stands {
                    Stands::Held(left, _) => {
                        person.stands = if person.is_told { Stands::Sold } else { Stands::Held(left, true) };
                    }
                    // Asked again for what is paid, the order it has; what is over is ordered no more.
                    other => return (other == Stands::Sold, 0),
                }
            }
            Act::Pay(who) => return (true, self.is_paid(who)),
            Act::Restock => self.total += 1,
            Act::Shrink => {
                if self.available() == 0 {
                    return (false, 0);
                }
                self.total -= 1;
            }
            Act::Tick => return (true, self.time_passes(0)),
            Act::Crash => return (true, self.time_passes(GRACE)),
        }
        (true, 0)
    }

    fn is_paid(&mut self, who: usize) -> usize {
        if std::mem::replace(&mut self.people[who].is_told, true) {
            return 0;
        }
        let late = self.available() > 0 && self.line.is_empty();
        let person = &mut self.people[who];
        match person.stands {
            Stands::Held(_, true) => person.stands = Stands::Sold,
            // Waits for its order.
            Stands::Held(_, false) | Stands::Waiting => {}
            Stands::Expired if late => person.stands = Stands::Sold,
            _ => return 1,
        }
        0
    }

    fn time_passes(&mut self, grace: u64) -> usize {
        let mut refunds = 0;
        for who in 0..self.people.len() {
            if let Stands::Held(left, ordered) = self.people[who].stands {
                match (left - 1).max(grace) {
                    0 => refunds += self.ends(who, Stands::Expired),
                    left => self.people[who].stands = Stands::Held(left, ordered),
                }
            }
        }
        refunds
    }
}

/// The item, and what is needed to ask it.
#[derive(Clone)]
struct Shop {
    item: Item,
    now: u64,
    latest: Vec<Option<Ordinal>>,
}

fn key() -> ItemKey {
    ItemKey::from_bytes([3; 32])
}

fn customer(who: usize) -> CustomerId {
    CustomerId::parse(&format!("c{who}")).expect("a customer")
}

fn price() -> Money {
    Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") }
}

impl Shop {
    fn new(size: Size) -> Self {
        let mut policy = Policy {
            per_order_max: Quantity::ONE,
            per_customer_limit: Quantity::ONE,
            hold_time: DurationMs::from_millis(HOLD * TICK),
            close_when_sold: false,
            ..Policy::default()
        };
        policy.waitlist.capacity = u32::try_from(size.room).expect("small");
        let settings = Settings {
            name: ItemName::parse("thing").expect("a name"),
            unit_price: price(),
            policy,
            opens_at: Some(Timestamp::default()),
            closes_at: None,
        };
        let total = Units::new(u32::try_from(size.stock).expect("small")).expect("units");
        let spec = Box::new(ItemSpec { sku: Sku::parse("thing").expect("a sku"), total, settings });
        let event = Event::ItemCreated { spec, key: key() };
        let first = Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event };
        let mut item = Item::begin(ItemNo::from_u32(1), &first).expect("a first event");
        drop(Turn::begin(&mut item, Timestamp::default()).end());
        Self { item, now: 0, latest: vec![None; size.customers] }
    }

    /// The command of an act, where it is one and there is something to name.
    fn command(&self, act: Act) -> Option<Command> {
        let claim = |who: usize| Some(Claim { reservation: self.latest[who]?, customer: customer(who) });
        let stock = |change| Command::AdjustStock {
            change: StockChange::new(change).expect("a change"),
            reason: Reason::parse("counted").expect("a reason"),
        };
        Some(match act {
            Act::Reserve(who, joins) => Command::Reserve {
                customer: customer(who),
                quantity: Quantity::ONE,
                waitlist: if joins { WaitlistChoice::Join } else { WaitlistChoice::Decline },
            },
            Act::Purchase(who) => Command::Purchase {
                customer: customer(who),
                quantity: Quantity::ONE,
                payment: Some(PaymentId::parse(&format!("buy-{}", self.item.reservation_count())).expect("a payment")),
                amount: None,
            },
            Act::Cancel(who) => Command::CancelReservation(claim(who)?),
            Act::Order(who) => Command::PlaceOrder { claim: claim(who)?, amount: None },
            Act::Pay(who) => {
                let reservation = self.latest[who]?;
                let report = PaymentReport {
                    provider: Provider::Simulated,
                    report: ProviderEventId::parse(&format!("evt-{}", reservation.0)).expect("a report"),
                    payment: PaymentId::parse(&format!("pay-{}", reservation.0)).expect("a payment"),
                    told: Told::Captured(price()),
                };
                Command::RecordPayment { reservation, report: Box::new(report) }
            }
            Act::Restock => stock(1),
            Act::Shrink => stock(-1),
            Act::Tick | Act::Crash => return None,
        })
    }

    /// Does it. Whether it was accepted, and for how many payments a refund became due.
    fn act(&mut self, act: Act) -> (bool, usize) {
        let asked = self.command(act);
        self.now += u64::from(matches!(act, Act::Tick | Act::Crash));
        let now = Timestamp::from_millis(self.now * TICK);
        let before = self.item.reservation_count();
        if act == Act::Crash {
            self.item = Item::from_parts(self.item.to_parts()).expect("it comes back");
        }
        let mut turn = match act {
            Act::Crash => Turn::begin_after_restart(&mut self.item, now, now, DurationMs::from_millis(GRACE * TICK)),
            _ => Turn::begin(&mut self.item, now),
        };
        let accepted = asked.is_none_or(|command| turn.judge(&Request::from(command)).outcome.is_ok());
        let end = turn.end();
        assert!(!end.backlog, "so little is done at once");
        if let Act::Reserve(who, _) | Act::Purchase(who) = act
            && self.item.reservation_count() > before
        {
            self.latest[who] = Some(Ordinal(before));
        }
        self.item.recount().expect("it adds up");
        let due = |recorded: &&Recorded| {
            let Event::Payment { event, .. } = &recorded.event else { return false };
            matches!(**event, PaymentEvent::RefundDue { .. } | PaymentEvent::Unclaimed { .. })
        };
        (accepted, end.recorded.iter().filter(due).count())
    }

    /// How everything stands, in the clerk's words.
    fn seen(&self) -> (Vec<Stands>, Vec<usize>, [u64; 4]) {
        let now = Timestamp::from_millis(self.now * TICK);
        let (mut line, mut people) = (BTreeMap::new(), Vec::new());
        for (who, latest) in self.latest.iter().enumerate() {
            let view = latest.map(|latest| self.item.reservation_view(latest, now).expect("it is there"));
            let Some(view) = view else {
                people.push(Stands::Nothing);
                continue;
            };
            people.push(match view.state {
                StateView::Waiting { position, .. } => {
                    line.insert(position, who);
                    Stands::Waiting
                }
                StateView::Held { expires_at } => {
                    Stands::Held(expires_at.since(now).as_millis() / TICK, view.order.is_some())
                }
                StateView::HeldInBundle => panic!("there are no bundles here"),
                StateView::Confirmed => Stands::Sold,
                StateView::Cancelled => Stands::Cancelled,
                StateView::Expired => Stands::Expired,
                StateView::Lapsed(_) => Stands::Lapsed,
            });
        }
        let status = self.item.status();
        let counts = [status.total, status.available, status.held, status.sold].map(|units| u64::from(units.get()));
        assert!(line.keys().copied().eq(1..=u32::try_from(line.len()).expect("small")), "places without gaps");
        (people, line.into_values().collect(), counts)
    }
}

fn expected(clerk: &Clerk) -> (Vec<Stands>, Vec<usize>, [u64; 4]) {
    let counts = [clerk.total, clerk.available(), clerk.held(), clerk.sold()].map(|count| count as u64);
    (clerk.people.iter().map(|person| person.stands).collect(), clerk.line.clone(), counts)
}

/// What may be tried now.
fn acts(clerk: &Clerk, shop: &Shop) -> Vec<Act> {
    let mut acts = vec![Act::Tick, Act::Crash, Act::Shrink];
    acts.extend((clerk.total < clerk.size.stock_max).then_some(Act::Restock));
    for who in 0..clerk.size.customers {
        acts.extend([Act::Reserve(who, true), Act::Reserve(who, false), Act::Purchase(who)]);
        if shop.latest[who].is_some() {
            acts.extend([Act::Cancel(who), Act::Order(who), Act::Pay(who)]);
        }
    }
    acts
}

/// Does one thing on both sides, and compares.
fn step(clerk: &mut Clerk, shop: &mut Shop, act: Act, way: &[Act]) {
    let (told, did) = (clerk.act(act), shop.act(act));
    assert_eq!(did, told, "accepted and refunds due, item (left) and clerk (right), at {act:?} after {way:?}");
    assert_eq!(shop.seen(), expected(clerk), "item (left) and clerk (right), at {act:?} after {way:?}");
}

/// Tries everything. Returns how many situations there are, and how many steps were compared.
fn explore(size: Size) -> (usize, usize) {
    let (begin, shop) = (Clerk::new(size), Shop::new(size));
    let mut seen = HashSet::from([begin.clone()]);
    let mut open = VecDeque::from([(begin, shop, Vec::new())]);
    let mut steps = 0;
    while let Some((clerk, shop, way)) = open.pop_front() {
        for act in acts(&clerk, &shop) {
            let (mut clerk, mut shop) = (clerk.clone(), shop.clone());
            step(&mut clerk, &mut shop, act, &way);
            steps += 1;
            if seen.insert(clerk.clone()) {
                let mut way: Vec<Act> = way.clone();
                way.push(act);
                open.push_back((clerk, shop, way));
            }
        }
    }
    (seen.len(), steps)
}

/// How many customers, where not three. With four it is fifty times as much.
fn customers() -> usize {
    std::env::var("HOLDFAST_SMALL_SCOPE").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// How many random walks are taken. The deep tier sets it higher.
fn walks() -> u32 {
    std::env::var("HOLDFAST_WALKS").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}

#[test]
fn every_order_of_commands_time_and_crashes_in_a_small_shop_is_as_a_clerk_would_have_it() {
    let customers = customers();
    for (stock, room) in [(1, 1), (2, 3)] {
        let size = Size { customers, stock, stock_max: customers - 1, room };
        let (situations, steps) = explore(size);
        println!("{size:?}: {situations} situations, {steps} steps, to fixpoint");
        assert!(situations > 1_000, "only {situations} situations: something keeps the rest from being reached");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: walks(), ..ProptestConfig::default() })]

    /// In a larger shop, where old reservations and past refunds pile up.
    #[test]
    fn a_long_walk_through_a_larger_shop_is_as_a_clerk_would_have_it(
        stock in 0usize..5,
        room in 0usize..5,
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
    ) {
        let size = Size { customers: 7, stock, stock_max: 5, room };
        let (mut clerk, mut shop, mut way) = (Clerk::new(size), Shop::new(size), Vec::new());
        for choice in choices {
            let act = *choice.get(&acts(&clerk, &shop));
            step(&mut clerk, &mut shop, act, &way);
            way.push(act);
        }
    }
}
