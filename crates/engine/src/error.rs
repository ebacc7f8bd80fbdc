//! Why a request got no judgement: operating trouble, never a business refusal.

use domain::ids::ItemNo;

/// Why a request got no judgement. [`SubmitError::nothing_happened`] is the contract behind 503 and 504.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The item's mailbox is full. Nothing happened; try again a little later.
    #[error("the item has more requests waiting than it can take")]
    Overloaded,
    /// The request waited so long that it was dropped before it was judged. Nothing happened; try again later.
    #[error("the request waited too long and was dropped before it was judged")]
    Late,
    /// The process is shutting down. Nothing happened; try another one, or again after the restart.
    #[error("the process is shutting down")]
    Draining,
    /// Another process owns the log of this item now. Nothing happened; ask that one.
    #[error("another process serves this item now")]
    NotOwner,
    /// No answer came in time, or the log failed. It may have happened: the same key tells.
    #[error("whether it happened is not known")]
    OutcomeUnknown,
    /// The item has stopped: an invariant broke again and again. It may have happened. Operators must look.
    #[error("item {item} has stopped")]
    ItemStopped {
        /// Which item.
        item: ItemNo,
    },
    /// The item has stopped for a moment and is being rebuilt from the log. Nothing of this happened; try again a little
    /// later.
    #[error("item {item} is being rebuilt from the log")]
    ItemRebuilding {
        /// Which item.
        item: ItemNo,
    },
    /// The partition has no item number left. Nothing happened.
    #[error("no more items can be created in this partition")]
    TooManyItems,
}

impl SubmitError {
    /// Whether it is certain that nothing happened.
    #[must_use]
    pub const fn nothing_happened(self) -> bool {
        match self {
            Self::Overloaded
            | Self::Late
            | Self::Draining
            | Self::NotOwner
            | Self::ItemRebuilding { .. }
            | Self::TooManyItems => true,
            Self::OutcomeUnknown | Self::ItemStopped { .. } => false,
        }
    }
}
