//! Reports and operators in any order, a bank that answers late or not at all, queues without room and processes that
//! die: in the end every refund that was due is settled.

use super::{Dice, Fake, Shop, paid_item, reopen, start, world};
use crate::tests::{customer, open_item_as, reserve, settled};
use domain::command::{Claim, Command};
use domain::ids::{CaptureNo, Ordinal};
use domain::text::Reason;
use domain::time::DurationMs;
use domain::turn::Query;
use domain::views::{Body, CaptureFilter};
use eventlog::memory_log::MemoryDisk;
use std::time::Duration;

const SEEDS: u64 = 100;

const STEPS: usize = 60;

/// A day at a shop, and what may happen on it.
struct Day {
    shop: Shop,
    disk: MemoryDisk,
    store: crate::FollowUpStore,
    bank: Fake,
    dice: Dice,
    /// Whose each reservation is.
    customers: Vec<String>,
    reports: u32,
}

impl Day {
    async fn begin(seed: u64) -> Self {
        let (disk, store, bank) = world();
        bank.bank().moods = Some(Dice::new(seed.wrapping_add(1_000_000)));
        let mut spec = paid_item(3);
        spec.settings.policy.payments.parked_window = DurationMs::from_secs(5);
        let engine = start(&disk, &store, &bank);
        let item = open_item_as(&engine, spec).await;
        let shop = Shop { engine, item };
        Self { shop, disk, store, bank, dice: Dice::new(seed), customers: Vec::new(), reports: 0 }
    }

    /// What is asked for may be refused; that is no concern here.
    async fn ask(&self, command: Command) -> bool {
        settled(self.shop.item.command(command, None)).await.expect("a judgement").outcome.is_ok()
    }

    fn anyone(&mut self) -> Option<(u32, String)> {
        let at = self.dice.below(self.customers.len().max(1));
        self.customers.get(at).map(|who| (at as u32, who.clone()))
    }

    async fn step(&mut self) {
        match self.dice.below(20) {
            0..5 => {
                let who = format!("c{}", self.customers.len());
                if self.ask(reserve(&who)).await {
                    self.customers.push(who);
                }
            }
            5..12 => {
                let Some((of, _)) = self.anyone() else { return };
                self.reports += 1;
                let payment = format!("pay-{of}-{}", self.dice.below(4));
                self.shop.pay(of, &format!("evt-{}", self.reports), &payment).await;
            }
            12..14 => {
                let Some((of, _)) = self.anyone() else { return };
                let reason = Reason::parse("as agreed").expect("a reason");
                let return_units = self.dice.below(2) == 0;
                self.ask(Command::RefundOrder { reservation: Ordinal(of), return_units, reason }).await;
            }
            14..16 => {
                let Some((of, who)) = self.anyone() else { return };
                let claim = Claim { reservation: Ordinal(of), customer: customer(&who) };
                self.ask(Command::CancelReservation(claim)).await;
            }
            16..19 => {
                let pause = Duration::from_millis(self.dice.below(1_500) as u64);
                tokio::time::sleep(pause).await; // waits: paused time, no real sleep
            }
            _ => {
                self.shop.engine.abandon();
                // What is on its way to the disk gets there: no two processes ever open one log at the same time.
                self.refunds(CaptureFilter::All).await;
                self.shop = reopen(&self.disk, &self.store, &self.bank);
            }
        }
    }

    async fn refunds(&self, filter: CaptureFilter) -> usize {
        let query = Query::Captures { filter, from: CaptureNo(0), limit: 1_000 };
        match settled(self.shop.item.query(query)).await.expect("a judgement").outcome.expect("a page").body {
            Body::Captures { page, .. } => page.len(),
            other => panic!("no captures: {other:?}"),
        }
    }

    /// Says how many refunds there were.
    async fn ends_well(&self, seed: u64) -> usize {
        for _ in 0..6_000 {
            tokio::time::sleep(Duration::from_millis(100)).await; // waits: paused time, no real sleep
            // Asked first, and every time: it lets the committer, which is a thread outside paused time, do its work.
            let due = self.refunds(CaptureFilter::Due).await;
            if due == 0 && self.shop.engine.status().follow_ups_open == 0 {
                break;
            }
        }
        assert_eq!(self.refunds(CaptureFilter::Due).await, 0, "seed {seed}: refunds stay due for ever");
        let refunded = self.refunds(CaptureFilter::Refunded).await;
        assert_eq!(self.bank.bank().refunded.len(), refunded, "seed {seed}: the books differ from the bank's");
        refunded
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_order_things_come_in_every_refund_due_is_settled_in_the_end() {
    let mut refunded = 0;
    for seed in 0..SEEDS {
        let mut day = Day::begin(seed).await;
        for _ in 0..STEPS {
            day.step().await;
        }
        // Money that nobody claims is due by then.
        tokio::time::sleep(Duration::from_secs(6)).await; // waits: paused time, no real sleep
        refunded += day.ends_well(seed).await;
        day.shop.engine.close().await;
    }
    assert!(refunded as u64 > SEEDS, "{refunded} refunds in all are too few to show anything");
}
