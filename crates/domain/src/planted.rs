//! Bugs put in on purpose, one of them chosen at run time, so that the checkers can be checked (docs/safety.md).
//!
//! Only a build with `--cfg planted` has them. In every other build [`is`] is constantly false, and nothing of them is left
//! in the program. Each bug breaks one rule and stands in one place, which `tests/tests/planted.rs` counts.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A newcomer is held though others wait.
    NewcomerOvertakes,
    /// A hold ends a second early.
    ExpiresEarly,
    /// `<` at a deadline where `<=` belongs: a payment at the very end is taken as in time.
    PaidAtTheDeadline,
    /// Units that come free exactly as wanted wake nobody.
    WakeUpSkipped,
    /// The customer's limit forgets what they bought.
    LimitForgetsSold,
    /// Late money without a right to units is not written down.
    LateMoneyDropped,
    /// A late payment is honoured though others wait.
    LateMoneyOvertakes,
    /// A second payment of one order is not written down.
    SecondPaymentDropped,
    /// Another amount than the price pays.
    WrongAmountAccepted,
    /// A key with other content gets the old answer.
    KeyContentIgnored,
    /// A snapshot leaves the keys out.
    KeyForgottenInSnapshot,
    /// Keys are remembered and not logged.
    KeyNotLogged,
    /// No grace after a restart.
    GraceForgotten,
    /// A hold can be extended for ever.
    ExtensionWithoutEnd,
    /// A place in line is told one too high, now and then.
    PositionGrows,
    /// A paused sale goes on.
    PausedStillSells,
    /// Parked money is never given back.
    ParkedForever,
    /// A cancelled hold keeps its units.
    CancelKeepsUnits,
    /// The last in line is served first.
    LineFromItsEnd,
    /// Answers leave before the sync.
    AcknowledgesBeforeSync,
    /// A failed sync is taken for a good one.
    IgnoresAFailedSync,
    /// An unknown outcome is taken for a good one.
    UnknownTakenForDurable,
    /// Answers that wrote nothing do not wait for what they were computed from.
    GateLetsAnswersThrough,
    /// What is answered as dropped is judged nevertheless.
    LateIsJudged,
    /// Damage before the anchor is cut away like a torn tail.
    AnchorIgnored,
    /// Whoever was accepted after the first refusal is taken for a newcomer.
    AcceptedNotEntered,
    /// Newcomers are refused by a view from before a hold ended.
    RefusedByAStaleView,
}

impl Bug {
    /// Every one.
    pub const ALL: [Self; 27] = [
        Self::NewcomerOvertakes,
        Self::ExpiresEarly,
        Self::PaidAtTheDeadline,
        Self::WakeUpSkipped,
        Self::LimitForgetsSold,
        Self::LateMoneyDropped,
        Self::LateMoneyOvertakes,
        Self::SecondPaymentDropped,
        Self::WrongAmountAccepted,
        Self::KeyContentIgnored,
        Self::KeyForgottenInSnapshot,
        Self::KeyNotLogged,
        Self::GraceForgotten,
        Self::ExtensionWithoutEnd,
        Self::PositionGrows,
        Self::PausedStillSells,
        Self::ParkedForever,
        Self::CancelKeepsUnits,
        Self::LineFromItsEnd,
        Self::AcknowledgesBeforeSync,
        Self::IgnoresAFailedSync,
        Self::UnknownTakenForDurable,
        Self::GateLetsAnswersThrough,
        Self::LateIsJudged,
        Self::AnchorIgnored,
        Self::AcceptedNotEntered,
        Self::RefusedByAStaleView,
    ];
}

/// Whether this build has planted bugs at all.
pub const HERE: bool = cfg!(planted);

#[cfg(planted)]
static CHOSEN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// From now on the program has this bug, or none. Does nothing in a build without.
#[cfg(planted)]
pub fn choose(bug: Option<Bug>) {
    CHOSEN.store(bug.map_or(usize::MAX, |bug| bug as usize), std::sync::atomic::Ordering::SeqCst);
}

/// Whether the program has this bug.
#[cfg(planted)]
#[must_use]
pub fn is(bug: Bug) -> bool {
    CHOSEN.load(std::sync::atomic::Ordering::Relaxed) == bug as usize
}

/// From now on the program has this bug, or none. Does nothing in a build without.
#[cfg(not(planted))]
pub const fn choose(_: Option<Bug>) {}

/// Whether the program has this bug.
#[cfg(not(planted))]
#[must_use]
#[inline(always)]
pub const fn is(_: Bug) -> bool {
    false
}
