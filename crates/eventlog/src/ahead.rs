//! Reading ahead: what is read and decoded on one thread is used on another meanwhile.
//!
//! A start and a replay take about as long for the one as for the other, and both wait for memory more than they work.

use std::panic::resume_unwind;
use std::sync::mpsc::{IntoIter, SyncSender, sync_channel};
use std::thread::Builder;

/// Bytes of pieces handed over at once: so many that waking the other thread is nothing beside using them, so few that
/// those which lie ready are still in the processor's cache when they are used.
const BATCH_BYTES: usize = 64 * 1024;

/// So many pieces are a batch.
const fn batch_of<T>() -> usize {
    match BATCH_BYTES.checked_div(size_of::<T>()) {
        None | Some(0) => 1,
        Some(pieces) => pieces,
    }
}

/// Batches that lie ready at most.
const BATCHES_AHEAD: usize = 4;

/// Takes pieces on the thread that reads.
#[derive(Debug)]
pub struct Ahead<T> {
    batch: Vec<T>,
    to: SyncSender<Vec<T>>,
    is_wanted: bool,
}

impl<T> Ahead<T> {
    /// Takes the next piece. Waits while enough of them lie ready.
    pub fn put(&mut self, piece: T) {
        self.batch.push(piece);
        if self.batch.len() >= batch_of::<T>() {
            self.hand_over();
        }
    }

    /// Whether anybody still wants them: whoever uses them may stop early.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    fn hand_over(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(batch_of::<T>()));
        self.is_wanted = self.to.send(batch).is_ok();
    }
}

/// Pieces, in the order in which they were read.
#[derive(Debug)]
pub struct Pieces<T> {
    batch: std::vec::IntoIter<T>,
    further: IntoIter<Vec<T>>,
}

impl<T> Iterator for Pieces<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(piece) = self.batch.next() {
                return Some(piece);
            }
            self.batch = self.further.next()?.into_iter();
        }
    }
}

/// Runs `read` on a thread of its own and, here, `using` with all that it puts. Gives back what the two return.
///
/// # Errors
/// The system gave no thread; neither of the two has been run.
///
/// # Panics
/// If one of the two does.
pub fn read_ahead<T: Send, R: Send, U>(
    read: impl FnOnce(&mut Ahead<T>) -> R + Send,
    using: impl FnOnce(&mut Pieces<T>) -> U,
) -> std::io::Result<(R, U)> {
    let (to, batches) = sync_channel(BATCHES_AHEAD);
    std::thread::scope(|scope| {
        let reading = move || {
            let mut ahead = Ahead { batch: Vec::with_capacity(batch_of::<T>()), to, is_wanted: true };
            let returned = read(&mut ahead);
            ahead.hand_over();
            returned
        };
        let reader = Builder::new().name("read-ahead".to_owned()).spawn_scoped(scope, reading)?;
        let mut pieces = Pieces { batch: Vec::new().into_iter(), further: batches.into_iter() };
        let used = using(&mut pieces);
        // Where not all were used, also after a panic, the reader must not wait for room any more.
        drop(pieces);
        Ok((reader.join().unwrap_or_else(|panic| resume_unwind(panic)), used))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// More than lie ready at a time.
    const MANY: usize = 2 * batch_of::<usize>() * BATCHES_AHEAD + 1;

    fn put_all(ahead: &mut Ahead<usize>) -> usize {
        (0..MANY).for_each(|piece| ahead.put(piece));
        MANY
    }

    #[test]
    fn all_that_is_read_is_used_in_its_order() {
        for count in [0, 1, batch_of::<usize>(), MANY] {
            let read = |ahead: &mut Ahead<usize>| (0..count).for_each(|piece| ahead.put(piece));
            let ((), used) = read_ahead(read, |pieces| pieces.collect::<Vec<_>>()).expect("a thread");
            assert!(used.into_iter().eq(0..count), "{count} pieces");
        }
    }

    #[test]
    fn whoever_stops_early_is_not_read_for_any_longer() {
        let read = |ahead: &mut Ahead<usize>| {
            let unwanted = (0..).find(|piece| {
                ahead.put(*piece);
                !ahead.is_wanted()
            });
            unwanted.is_some()
        };
        assert_eq!(read_ahead(read, Iterator::next).expect("a thread"), (true, Some(0)));
    }

    #[test]
    fn a_panic_on_either_side_ends_both_and_is_passed_on() {
        let words = |ends: &mut dyn FnMut()| {
            let panic = catch_unwind(AssertUnwindSafe(ends)).expect_err("it panics");
            panic.downcast_ref::<&str>().map(|words| (*words).to_owned())
        };
        let using = || drop(read_ahead(put_all, |pieces| pieces.next().map(|_| panic!("while using"))));
        assert_eq!(words(&mut { using }).as_deref(), Some("while using"));
        let read = |ahead: &mut Ahead<usize>| {
            put_all(ahead);
            panic!("while reading")
        };
        let reading = || drop(read_ahead::<usize, (), _>(read, |pieces| pieces.count()));
        assert_eq!(words(&mut { reading }).as_deref(), Some("while reading"));
    }
}
