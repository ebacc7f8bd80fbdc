//! Who is refused without the item being asked, and who never is.

use super::{Asking, Known, Newcomers, Wish};
use crate::SubmitError;
use crate::actor::failpoint::{self, Panics};
use crate::handle::{Engine, ItemHandle};
use crate::limits::ENTERED_PER_TURN;
use crate::shell::Reply;
use crate::slot::Seat;
use crate::tests::{attempt, customer, disk, held, hold_syncs, open_item_as, reserve, settled, spec, start, view};
use domain::command::{Claim, Command, WaitlistChoice};
use domain::idempotency::Attempt;
use domain::identity::ItemKey;
use domain::policy::WaitlistPolicy;
use domain::rejection::Rejection;
use domain::time::DurationMs;
use domain::units::Quantity;
use domain::views::{Origin, StateView};

/// An item on which nobody can wait.
async fn without_a_line(engine: &Engine, sku: &str, total: u32) -> ItemHandle {
    let mut spec = spec(sku, total);
    spec.settings.policy.waitlist = WaitlistPolicy { enabled: false, capacity: 0 };
    spec.settings.policy.hold_time = DurationMs::from_secs(3_600);
    open_item_as(engine, spec).await
}

/// A customer's own attempt.
fn own(name: &str, key: &str) -> Attempt {
    Attempt { caller: name.to_owned(), ..attempt(key) }
}

fn wish(newcomers: &Newcomers, name: &str) -> Wish {
    newcomers.wish(&reserve(name)).expect("asks for a unit")
}

fn refused(reply: Reply) -> Rejection {
    reply.expect("judged").outcome.expect_err("refused")
}

/// Refuses one who asks for too many: from then on there is something to look at, and no unit is taken.
async fn refuse_somebody(item: &ItemHandle) {
    let quantity = Quantity::new(2).expect("a quantity");
    let too_many = Command::Reserve { customer: customer("bob"), quantity, waitlist: WaitlistChoice::Join };
    let told = refused(settled(item.command(too_many, None)).await);
    assert_eq!(told, Rejection::QuantityAboveMaximum { max: Quantity::ONE });
}

/// Asks, and says whether the item itself was asked.
async fn reaches(item: &ItemHandle, name: &str) -> (bool, Reply) {
    let before = failpoint::turns(item.no());
    let reply = settled(item.command(reserve(name), Some(&own(name, "1")))).await;
    (failpoint::turns(item.no()) > before, reply)
}

/// How many of so many newcomers reach the item. Its secret is drawn at random, so now and then one seems to be a customer.
async fn reach(item: &ItemHandle, name: &str, count: usize) -> usize {
    let mut asked = 0;
    for number in 0..count {
        asked += usize::from(reaches(item, &format!("{name}-{number}")).await.0);
    }
    asked
}

#[tokio::test(start_paused = true)]
async fn newcomers_to_what_is_sold_out_are_refused_without_the_item_and_customers_never_are() {
    let engine = start(&disk());
    let item = without_a_line(&engine, "lamp", 1).await;
    let first = settled(item.command(reserve("ann"), Some(&own("ann", "1")))).await.expect("judged").outcome;
    // The first who is refused is so by the item, and from then on there is something to look at.
    let (asked, bob) = reaches(&item, "bob").await;
    assert_eq!((asked, refused(bob)), (true, Rejection::SoldOut));
    for name in ["bob", "cyd", "dan"] {
        let (asked, reply) = reaches(&item, name).await;
        let judgement = reply.expect("judged");
        assert_eq!((asked, judgement.sequence), (false, item.view().sequence), "{name}");
        assert_eq!(judgement.outcome, Err(Rejection::SoldOut), "{name}");
    }
    let (asked, again) = reaches(&item, "ann").await;
    let again = again.expect("judged").outcome.expect("accepted");
    assert_eq!((asked, again.origin), (true, Origin::Replayed));
    assert_eq!(again.body, first.expect("accepted").body);
    let other = settled(item.command(reserve("ann"), Some(&own("ann", "2")))).await;
    assert_eq!(refused(other), Rejection::CustomerLimitReached { limit: Quantity::ONE, existing: 1 });
}

#[tokio::test(start_paused = true)]
async fn newcomers_get_what_has_been_given_back_and_what_has_run_out() {
    let engine = start(&disk());
    let item = without_a_line(&engine, "lamp", 1).await;
    let ann = held(&item, "ann").await;
    for _ in 0..2 {
        assert_eq!(refused(settled(item.command(reserve("bob"), None)).await), Rejection::SoldOut);
    }
    let claim = Claim { reservation: ann.id.ordinal(), customer: customer("ann") };
    settled(item.command(Command::CancelReservation(claim), None)).await.expect("judged").outcome.expect("cancelled");
    let bob = held(&item, "bob").await;
    let StateView::Held { expires_at } = bob.state else { panic!("not held: {bob:?}") };
    assert_eq!(refused(settled(item.command(reserve("cyd"), None)).await), Rejection::SoldOut);
    // Nobody asks until the very instant, and the item's own alarm may come later than whoever asks then.
    tokio::time::advance(engine.inner.clock.until(expires_at)).await;
    let cyd = held(&item, "cyd").await;
    assert!(matches!(cyd.state, StateView::Held { .. }), "a hold that has ended is in nobody's way");
}

#[tokio::test(start_paused = true)]
async fn a_view_holds_again_after_a_turn_that_found_nothing_due() {
    let engine = start(&disk());
    let item = without_a_line(&engine, "lamp", 1).await;
    held(&item, "ann").await;
    assert_eq!(refused(settled(item.command(reserve("bob"), None)).await), Rejection::SoldOut);
    item.slot.still_holds(crate::shell::Wake::Now);
    let (asked, _) = reaches(&item, "bob").await;
    assert!(asked, "only the item knows whether something is due");
    let (asked, _) = reaches(&item, "bob").await;
    assert!(!asked, "it was not");
}

#[tokio::test(start_paused = true)]
async fn whoever_was_accepted_and_has_not_heard_of_it_reaches_the_item_with_the_same_key() {
    let disk = disk();
    let engine = start(&disk);
    let item = without_a_line(&engine, "lamp", 1).await;
    let zed = held(&item, "zed").await;
    let release = hold_syncs(&disk, 1);
    // What everybody sees is sold out as long as the sync lasts; what the item knows is that ann has it.
    let claim = Claim { reservation: zed.id.ordinal(), customer: customer("zed") };
    let (key, cancel) = (own("ann", "7"), Command::CancelReservation(claim));
    let (given_back, unknown) = tokio::join!(item.command(cancel, None), item.command(reserve("ann"), Some(&key)));
    assert_eq!(given_back, Err(SubmitError::OutcomeUnknown));
    assert_eq!(unknown, Err(SubmitError::OutcomeUnknown));
    assert_eq!(item.command(reserve("bob"), None).await, Err(SubmitError::OutcomeUnknown), "refused, but not on disk");
    assert_eq!(refused(item.command(reserve("cyd"), None).await), Rejection::SoldOut, "as everybody sees");
    assert_eq!(item.command(reserve("ann"), Some(&key)).await, Err(SubmitError::OutcomeUnknown), "not sold out to her");
    release.send(()).expect("the sync waits");
    let again = settled(item.command(reserve("ann"), Some(&key))).await.expect("judged").outcome.expect("accepted");
    assert_eq!(again.origin, Origin::Replayed);
    assert!(matches!(view(again).state, StateView::Held { .. }));
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_without_an_answer_is_no_newcomer_any_more() {
    let engine = start(&disk());
    let item = without_a_line(&engine, "lamp", 1).await;
    refuse_somebody(&item).await;
    let newcomers = &item.slot.newcomers;
    let is_newcomer = |name: &str| newcomers.is_newcomers(&wish(newcomers, name));
    let begin = |name: &str| {
        assert!(is_newcomer(name));
        Asking::begin(&item.slot, &reserve(name), &engine.inner.clock).expect("there is one for everybody who comes")
    };
    drop(begin("cyd"));
    assert!(!is_newcomer("cyd"), "hung up");
    assert_eq!(begin("dan").heard(Err(SubmitError::OutcomeUnknown)), Err(SubmitError::OutcomeUnknown));
    assert!(!is_newcomer("dan"), "told that it may have happened");
    assert_eq!(begin("eve").heard(Err(SubmitError::Overloaded)), Err(SubmitError::Overloaded));
    assert!(is_newcomer("eve"), "told that nothing happened");
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_up_while_their_request_waits_is_no_newcomer_any_more_and_gets_nothing() {
    let engine = start(&disk());
    let item = without_a_line(&engine, "lamp", 5).await;
    refuse_somebody(&item).await;
    tokio::join!(held(&item, "ann"), held(&item, "cyd"));
    assert_eq!(engine.status().items_awake, 1, "so who asks now waits for its task");
    let newcomers = &item.slot.newcomers;
    let is_newcomer = |name: &str| newcomers.is_newcomers(&wish(newcomers, name));
    assert!(is_newcomer("dan"));
    tokio::select! {
        biased;
        reply = item.command(reserve("dan"), None) => panic!("not so soon: {reply:?}"),
        () = std::future::ready(()) => {}
    }
    assert!(!is_newcomer("dan"));
    held(&item, "eve").await;
    assert_eq!(item.view().status.held.get(), 3, "nobody waits for dan's any more");
}

#[tokio::test(start_paused = true)]
async fn however_many_leave_without_an_answer_newcomers_are_told_from_customers() {
    let engine = start(&disk());
    let item = without_a_line(&engine, "lamp", 1).await;
    held(&item, "ann").await;
    let newcomers = &item.slot.newcomers;
    assert_eq!(refused(settled(item.command(reserve("bob"), None)).await), Rejection::SoldOut);
    for number in 0..50_000 {
        newcomers.leaves(&wish(newcomers, &format!("leaver-{number}")));
        if number % 100 == 0
            && let Seat::Asleep(asleep) = &*item.slot.seat()
        {
            newcomers.follow(asleep.shell.item(), false);
        }
    }
    let is_newcomer = |name: &str| newcomers.is_newcomers(&wish(newcomers, name));
    let mistaken = (0..1_000).filter(|number| !is_newcomer(&format!("newcomer-{number}"))).count();
    assert!(mistaken < 50, "{mistaken} of a thousand");
    assert!(!is_newcomer("ann"));
}

#[tokio::test]
async fn nobody_speaks_for_an_item_that_is_being_rebuilt() {
    let engine = start(&disk());
    let item = without_a_line(&engine, "sold-out-and-panics", 1).await;
    let ann = held(&item, "ann").await;
    for _ in 0..2 {
        assert_eq!(refused(item.command(reserve("bob"), None).await), Rejection::SoldOut);
    }
    failpoint::panic_next(item.no(), Panics::Before);
    let claim = Claim { reservation: ann.id.ordinal(), customer: customer("ann") };
    let lost = item.command(Command::CancelReservation(claim), None).await;
    assert!(matches!(lost, Err(SubmitError::ItemRebuilding { .. } | SubmitError::OutcomeUnknown)), "{lost:?}");
    assert!(!item.slot.newcomers.any_refused());
}

#[tokio::test(start_paused = true)]
async fn an_item_with_many_customers_enters_them_over_several_turns_and_refuses_from_outside_when_it_has_all() {
    let engine = start(&disk());
    let many = ENTERED_PER_TURN + 500;
    let item = without_a_line(&engine, "lamp", u32::try_from(many).expect("few")).await;
    for number in 0..many {
        held(&item, &format!("c{number}")).await;
    }
    assert_eq!(reach(&item, "early", 2).await, 2, "not all are entered yet");
    assert!(reach(&item, "late", 20).await < 10);
    let newcomers = &item.slot.newcomers;
    let is_newcomer = |name: String| newcomers.is_newcomers(&wish(newcomers, &name));
    assert!(!(0..many).any(|number| is_newcomer(format!("c{number}"))));
    // More came than there was room for: all are entered anew.
    let room = newcomers.known().expect("somebody was refused").room;
    let more = domain::units::StockChange::new(i32::try_from(room).expect("few")).expect("a change");
    let reason = domain::text::Reason::parse("more came").expect("a reason");
    let restock = Command::AdjustStock { change: more, reason };
    settled(item.command(restock, None)).await.expect("judged").outcome.expect("accepted");
    for number in many..many + room {
        held(&item, &format!("c{number}")).await;
    }
    assert!(reach(&item, "later", 40).await < 20);
    assert!(newcomers.known().expect("somebody was refused").room > room);
    assert!(!(0..many + room).any(|number| is_newcomer(format!("c{number}"))));
}

#[test]
fn a_customer_is_never_taken_for_a_newcomer_and_few_newcomers_for_customers() {
    let newcomers = Newcomers::new(&ItemKey::from_bytes([5; 32]));
    let hash = |number: u32| wish(&newcomers, &format!("customer-{number}")).customer;
    for count in [1, 32, 33, 1_000, 50_000] {
        let known = Known::with_room_for(count as usize);
        (0..count).for_each(|number| known.note(hash(number)));
        assert!((0..count).all(|number| known.may_have(hash(number))));
        let mistaken = (count..count + 20_000).filter(|number| known.may_have(hash(*number))).count();
        assert!(mistaken < 200, "of 20,000 newcomers {mistaken} are taken for one of {count} customers");
    }
}
