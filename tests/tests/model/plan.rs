//! What is tried: an item with any settings, and steps that say in general words what is asked, of whom, when.
//!
//! A step names things by what they are ("the second of those held"), not by number, and instants by what happens at
//! them. So a run with a step taken out still makes sense, and a failing one shrinks to what matters.

use domain::event::PartDecision;
use proptest::prelude::*;

/// Keys are remembered for so long at least. After a little less they have to be.
const A_DAY: u64 = 24 * 3_600 * 1_000;

/// One turn, and what comes before and after it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) wait: Wait,
    /// Before it, the process was gone.
    pub(crate) crash: Option<Crash>,
    pub(crate) asks: Vec<Ask>,
    /// The process dies before anything of this turn is on disk.
    pub(crate) dies: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    Not,
    Ms(u64),
    /// Until the n-th instant ahead at which something ends by itself, or a millisecond before or after.
    Until(u8, i8),
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crash {
    /// It comes back from a snapshot of its state; otherwise every event is folded.
    pub(crate) snapshot: bool,
    /// The wall clock is this much behind afterwards.
    pub(crate) back_ms: u64,
    /// How long after the restart the item's first turn is.
    pub(crate) late_ms: u64,
    pub(crate) grace_ms: u64,
}

/// Which reservation, among what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Among {
    Any,
    Waiting,
    Held,
    Ordered,
    Sold,
    Expired,
    Ended,
    Missing,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub(crate) among: Among,
    /// Counted from the latest.
    pub(crate) nth: u8,
    /// Asked by somebody else.
    pub(crate) stranger: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    Unsaid,
    Right,
    Wrong,
    OtherCurrency,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Fresh,
    /// One that was told of before, for the same reservation if there is one, else any.
    Known(u8),
    /// One that was told of before, of whatever.
    Other(u8),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Tells {
    Captured,
    Failed,
    Cancelled,
    Refunded,
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) what: What,
    /// Comes with an idempotency key of its own.
    pub(crate) keyed: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Reserve {
        who: u8,
        quantity: u32,
        decline: bool,
    },
    /// So many, one unit each.
    Crowd(u8),
    Purchase {
        who: u8,
        quantity: u32,
        payment: Which,
        amount: Amount,
    },
    Cancel(Pick),
    Extend(Pick),
    Order(Pick, Amount),
    Confirm(Pick, Which, Amount),
    Report {
        pick: Pick,
        tells: Tells,
        provider: u8,
        payment: Which,
        report: Which,
        amount: Amount,
    },
    Offer(Pick, u8),
    Settle(u8, bool),
    Refund(Pick, bool),
    Stock(i32),
    Open,
    Pause,
    Resume,
    Close,
    /// Which setting, to which of a few values, and whether the revision expected is the right one.
    Revise(u8, u8, Option<bool>),
    Create,
    Part {
        who: u8,
        quantity: u32,
        bundle: u8,
    },
    /// The n-th last part.
    SettlePart(u8, PartDecision),
    Look(Pick),
    LookAtOrder(Pick),
    LookAtRefund(u8),
    LookAtItem,
    /// What was asked under a key before, under the same key: of this kind the n-th last, the same or something else.
    Again {
        kind: u8,
        nth: u8,
        other: bool,
    },
}

fn pick(among: impl Strategy<Value = Among>) -> impl Strategy<Value = Pick> {
    (among, 0u8..4, prop::bool::weighted(0.04)).prop_map(|(among, nth, stranger)| Pick { among, nth, stranger })
}

fn any_of() -> impl Strategy<Value = Among> {
    prop_oneof![
        9 => Just(Among::Held), 3 => Just(Among::Ordered), 3 => Just(Among::Waiting), 2 => Just(Among::Expired),
        2 => Just(Among::Sold), 1 => Just(Among::Ended), 1 => Just(Among::Any),
    ]
}

fn to_pay() -> impl Strategy<Value = Among> {
    prop_oneof![
        9 => Just(Among::Ordered), 2 => Just(Among::Held), 3 => Just(Among::Expired), 2 => Just(Among::Sold),
        1 => Just(Among::Waiting), 1 => Just(Among::Ended), 1 => Just(Among::Any), 1 => Just(Among::Missing),
    ]
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        12 => Just(Amount::Right), 6 => Just(Amount::Unsaid), 1 => Just(Amount::Wrong), 1 => Just(Amount::OtherCurrency),
    ]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![6 => Just(Which::Fresh), 3 => (0u8..3).prop_map(Which::Known), 1 => (0u8..6).prop_map(Which::Other)]
}

fn tells() -> impl Strategy<Value = Tells> {
    prop_oneof![
        8 => Just(Tells::Captured), 1 => Just(Tells::Failed), 1 => Just(Tells::Cancelled), 2 => Just(Tells::Refunded),
    ]
}

fn decision() -> impl Strategy<Value = PartDecision> {
    prop_oneof![
        Just(PartDecision::Sold),
        Just(PartDecision::Expired),
        Just(PartDecision::Cancelled),
        Just(PartDecision::Abandoned),
        Just(PartDecision::Returned),
    ]
}

/// Nobody asks for more than a limit can be.
fn quantity() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(1u32), 2 => Just(2u32), 1 => 3u32..5]
}

fn customers_ask() -> BoxedStrategy<What> {
    prop_oneof![
        20 => (0u8..9, quantity(), prop::bool::weighted(0.1))
            .prop_map(|(who, quantity, decline)| What::Reserve { who, quantity, decline }),
        2 => (0u8..9, quantity(), which(), amount())
            .prop_map(|(who, quantity, payment, amount)| What::Purchase { who, quantity, payment, amount }),
        3 => pick(any_of()).prop_map(What::Cancel),
        3 => pick(any_of()).prop_map(What::Extend),
        10 => (pick(any_of()), amount()).prop_map(|(pick, amount)| What::Order(pick, amount)),
        4 => (pick(to_pay()), which(), amount()).prop_map(|(pick, payment, amount)| What::Confirm(pick, payment, amount)),
        5 => (0u8..6, 0u8..5, prop::bool::weighted(0.3))
            .prop_map(|(kind, nth, other)| What::Again { kind, nth, other }),
    ]
    .boxed()
}

fn others_ask() -> BoxedStrategy<What> {
    prop_oneof![
        12 => (pick(to_pay()), tells(), 0u8..3, which(), which(), amount()).prop_map(
            |(pick, tells, provider, payment, report, amount)| What::Report { pick, tells, provider, payment, report, amount }
        ),
        1 => (pick(to_pay()), 0u8..3).prop_map(|(pick, nth)| What::Offer(pick, nth)),
        2 => (0u8..4, any::<bool>()).prop_map(|(nth, by_hand)| What::Settle(nth, by_hand)),
        2 => (pick(to_pay()), any::<bool>()).prop_map(|(pick, back)| What::Refund(pick, back)),
        3 => (-3i32..5).prop_filter("a change", |by| *by != 0).prop_map(What::Stock),
        2 => (0u8..9, quantity(), 0u8..9).prop_map(|(who, quantity, bundle)| What::Part { who, quantity, bundle }),
        3 => (0u8..4, decision()).prop_map(|(nth, decision)| What::SettlePart(nth, decision)),
        2 => (0u8..16, 0u8..3, prop::option::weighted(0.5, prop::bool::weighted(0.8)))
            .prop_map(|(setting, value, expected)| What::Revise(setting, value, expected)),
        1 => Just(What::Open),
        3 => Just(What::Resume),
    ]
    .boxed()
}

fn rarely_asked() -> BoxedStrategy<What> {
    prop_oneof![
        1 => Just(What::Close),
        4 => Just(What::Pause),
        2 => Just(What::Create),
        9 => pick(any_of()).prop_map(What::Look),
        9 => pick(to_pay()).prop_map(What::LookAtOrder),
        6 => (0u8..6).prop_map(What::LookAtRefund),
        3 => Just(What::LookAtItem),
    ]
    .boxed()
}

/// Boxed, as its parts are: whole, they are larger than a thread's stack.
fn ask() -> BoxedStrategy<Ask> {
    let what = prop_oneof![30 => customers_ask(), 16 => others_ask(), 2 => rarely_asked()];
    (what, prop::bool::weighted(0.4)).prop_map(|(what, keyed)| Ask { what, keyed }).boxed()
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![
        80 => Just(Wait::Not),
        50 => (1u64..60).prop_map(Wait::Ms),
        5 => (100u64..1_500).prop_map(Wait::Ms),
        1 => Just(Wait::Ms(A_DAY - 1_000)),
        15 => (0u8..3, -1i8..2).prop_map(|(nth, shift)| Wait::Until(nth, shift)),
    ]
}

fn crash() -> impl Strategy<Value = Crash> {
    (any::<bool>(), prop_oneof![Just(0u64), 1u64..500], prop_oneof![Just(0u64), 1u64..700], 0u64..900)
        .prop_map(|(snapshot, back_ms, late_ms, grace_ms)| Crash { snapshot, back_ms, late_ms, grace_ms })
}

/// A step of a small shop.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let asks = prop_oneof![
        8 => prop::collection::vec(ask(), 1),
        2 => prop::collection::vec(ask(), 2..4),
        1 => Just(Vec::new()),
    ];
    (wait(), prop::option::weighted(0.03, crash()), asks, prop::bool::weighted(0.02))
        .prop_map(|(wait, crash, asks, dies)| Step { wait, crash, asks, dies })
}

/// A step of a crowded one: so much at once that a turn's batch does not reach.
pub(crate) fn crowded_step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        4 => Just(Wait::Not),
        2 => (1u64..60).prop_map(Wait::Ms),
        2 => (0u8..2, -1i8..2).prop_map(|(nth, shift)| Wait::Until(nth, shift)),
        1 => Just(Wait::Ms(5_000)),
    ];
    let rush = prop_oneof![
        5 => (50u8..200).prop_map(What::Crowd),
        2 => (50i32..200).prop_map(What::Stock),
        1 => Just(What::Pause),
        2 => Just(What::Resume),
        1 => (6u8..9, 0u8..3).prop_map(|(setting, value)| What::Revise(setting, value, None)),
    ];
    let asks = prop_oneof![
        2 => rush.prop_map(|what| vec![Ask { what, keyed: false }]),
        2 => prop::collection::vec(ask(), 1..3),
        1 => Just(Vec::new()),
    ];
    (wait, prop::option::weighted(0.04, crash()), asks, prop::bool::weighted(0.02))
        .prop_map(|(wait, crash, asks, dies)| Step { wait, crash, asks, dies })
}
