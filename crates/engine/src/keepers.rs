//! Tasks that live as long as the engine, each of which does something that nobody else would do.
//!
//! If one of them ended by a bug, the engine would go on without it and in silence: holds would not end, refunds would stay
//! due. So a panic is told like a failure of the log, and the process ends.

use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where an engine says that it has failed.
pub(crate) type Failure = watch::Sender<Option<String>>;

/// Some of an engine's tasks. Dropped, they end.
#[derive(Debug)]
pub(crate) struct Keepers {
    tasks: JoinSet<()>,
    failure: Failure,
}

impl Keepers {
    pub(crate) fn new(failure: &Failure) -> Self {
        Self { tasks: JoinSet::new(), failure: failure.clone() }
    }

    /// Starts one.
    pub(crate) fn spawn(&mut self, who: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(watched(who, self.failure.clone(), work));
    }

    /// Waits until all have ended by themselves.
    pub(crate) async fn join_all(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends all at once.
    pub(crate) fn abort_all(&mut self) {
        self.tasks.abort_all();
    }
}

/// Does this work, and tells of its panic.
pub(crate) async fn watched(who: &'static str, failure: Failure, work: impl Future<Output = ()>) {
    let _watch = Watch::over(who, &failure);
    work.await;
}

/// Says that the engine has failed. What was told first is the reason.
pub(crate) fn fail(failure: &Failure, why: String) {
    failure.send_if_modified(|failure| {
        let first = failure.is_none();
        failure.get_or_insert(why);
        first
    });
}

/// As long as it is there, a panic of this thread is told of.
pub(crate) struct Watch<'f> {
    who: &'static str,
    failure: &'f Failure,
}

impl<'f> Watch<'f> {
    pub(crate) const fn over(who: &'static str, failure: &'f Failure) -> Self {
        Self { who, failure }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = format!("{} panicked, which is a bug; the log is untouched", self.who);
            tracing::error!(why, "the process has to end");
            fail(self.failure, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_keeper_that_panics_is_told_of_and_one_that_ends_is_not() {
        let failure = Failure::new(None);
        let mut keepers = Keepers::new(&failure);
        keepers.spawn("one who is done", async {});
        keepers.join_all().await;
        assert_eq!(*failure.borrow(), None);
        keepers.spawn("the keeper", async { panic!("a bug") });
        keepers.join_all().await;
        let told = failure.borrow().clone().expect("a reason");
        assert!(told.starts_with("the keeper panicked"), "{told}");
        keepers.spawn("another", async { panic!("a bug") });
        keepers.join_all().await;
        assert_eq!(*failure.borrow(), Some(told), "the first reason stays");
    }
}
