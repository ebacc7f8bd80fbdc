//! The closed loop: each connection asks again as soon as it has its answer.

use super::Thread;
use super::connection::Connection;
use super::tally::Ending;
use std::rc::Rc;
use std::time::Instant;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(super) async fn run(thread: &Rc<Thread>, connections: Vec<Connection>) {
    let mut loops = JoinSet::new();
    for connection in connections {
        loops.spawn_local(ask_again_and_again(Rc::clone(thread), connection));
    }
    while loops.join_next().await.is_some() {}
}

async fn ask_again_and_again(thread: Rc<Thread>, mut connection: Connection) {
    let mut request = Vec::with_capacity(512);
    let (measured_from, end) = (thread.measured_from(), thread.end());
    let mut sent = Instant::now();
    while sent < end && !thread.is_halted() {
        request.clear();
        if !thread.source.borrow_mut().next(&mut request) {
            return;
        }
        let exchanged = timeout(thread.plan.patience, connection.exchange(&request)).await;
        let now = Instant::now();
        // What is answered within the measured time is its throughput.
        let is_measured = (measured_from..end).contains(&now);
        let (answer, ending) = match exchanged {
            Ok(Ok(head)) => {
                thread.source.borrow_mut().heard(&request, &head, now - sent);
                (Some(head), Ending::of(head.status))
            }
            Ok(Err(_)) => (None, Ending::Failed),
            Err(_) => {
                thread.hangs_up(&request);
                connection.drop_stream();
                (None, Ending::TimedOut)
            }
        };
        thread.record(answer, ending, now - sent, is_measured);
        sent = now;
    }
}
