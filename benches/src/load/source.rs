//! What customers ask for: a supply of requests, one for each thread, from numbers and a seed alone.

use super::wire::Head;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// A supply of requests.
pub trait Source {
    /// Writes the next request behind what is in `into`; says whether there is one.
    fn next(&mut self, into: &mut Vec<u8>) -> bool;

    /// Hears what came of a request, for those who ask something else then. Only in a closed loop.
    fn heard(&mut self, request: &[u8], answer: &Head, after: Duration) {
        let _of_no_interest = (request, answer, after);
    }
}

/// Which item the next customer wants.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Each the same often.
    Uniform,
    /// A few much oftener than the rest: item `k` in proportion to 1/k.
    Zipf,
}

/// A customer's name, as it is sent: whom a later request is from must be the one who reserved.
#[derive(Clone, Copy, Debug)]
pub struct Customer {
    /// The run's number.
    pub run: u32,
    /// The thread within it.
    pub thread: usize,
    /// Who came as which there, from 1.
    pub number: u64,
}

impl std::fmt::Display for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "c{:04x}{:02x}{:010x}", self.run, self.thread, self.number)
    }
}

/// New customers who each reserve one unit, some of them twice with the same key.
pub struct Reserving {
    skus: Arc<[String]>,
    /// The sum of weights up to each item.
    cumulated: Vec<f64>,
    retried: f64,
    random: ChaCha8Rng,
    left: u64,
    run: u32,
    thread: usize,
    number: u64,
    last: Option<(usize, u64)>,
}

/// What a source of reservations is made of.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The items.
    pub skus: Arc<[String]>,
    /// Which of them is wanted how often.
    pub choice: Choice,
    /// The share of requests that repeat the one before, key and all.
    pub retried: f64,
    /// How many requests there are in each thread.
    pub requests_per_thread: u64,
    /// Tells this run's customers from those of another on the same server.
    pub run: u32,
    /// Draws the same customers again.
    pub seed: u64,
}

impl Wishes {
    /// New customers for one item.
    #[must_use]
    pub fn one_item(sku: &str, run: u32, seed: u64) -> Self {
        Self {
            skus: Arc::from([sku.to_owned()]),
            choice: Choice::Uniform,
            retried: 0.0,
            requests_per_thread: u64::MAX,
            run,
            seed,
        }
    }

    /// One thread's supply.
    #[must_use]
    pub fn source(&self, thread: usize) -> Box<dyn Source> {
        let weight = |index: usize| match self.choice {
            Choice::Uniform => 1.0,
            Choice::Zipf => 1.0 / (index as f64 + 1.0),
        };
        let weights = (0..self.skus.len()).map(weight);
        let cumulated = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Box::new(Reserving {
            skus: Arc::clone(&self.skus),
            cumulated: cumulated.collect(),
            retried: self.retried,
            random: ChaCha8Rng::seed_from_u64(self.seed.wrapping_mul(31).wrapping_add(thread as u64)),
            left: self.requests_per_thread,
            run: self.run,
            thread,
            number: 0,
            last: None,
        })
    }
}

/// The number of the customer who sends a request that [`Reserving`] wrote.
#[must_use]
pub fn customer_in(request: &[u8]) -> Option<u64> {
    let (_, behind) = std::str::from_utf8(request).ok()?.split_once("\r\nx-customer-id: ")?;
    customer_number(behind.lines().next()?)
}

/// The number in the name of a customer of [`Reserving`]'s.
#[must_use]
pub fn customer_number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix('c')?, 16).ok()
}

impl Reserving {
    fn choose(&mut self) -> usize {
        let Some(&sum) = self.cumulated.last().filter(|_| self.cumulated.len() > 1) else { return 0 };
        let drawn = self.random.random::<f64>() * sum;
        self.cumulated.partition_point(|&up_to| up_to <= drawn).min(self.cumulated.len() - 1)
    }
}

impl Source for Reserving {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        let repeats = self.retried > 0.0 && self.random.random::<f64>() < self.retried;
        let (item, number) = match self.last.take().filter(|_| repeats) {
            Some(last) => last,
            None => {
                self.number += 1;
                let wish = (self.choose(), self.number);
                self.last = Some(wish);
                wish
            }
        };
        let Some(sku) = self.skus.get(item) else { return false };
        let customer = Customer { run: self.run, thread: self.thread, number };
        // Writing to memory does not fail.
        write!(
            into,
            "POST /v1/items/{sku}/reservations HTTP/1.1\r\nhost: bench\r\nx-customer-id: {customer}\r\n\
             idempotency-key: k{customer}\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n\
             {{\"quantity\":1}}"
        )
        .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(wishes: &Wishes, count: usize) -> Vec<String> {
        let mut source = wishes.source(1);
        let one = |_| {
            let mut request = Vec::new();
            assert!(source.next(&mut request));
            String::from_utf8(request).expect("it is text")
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn every_customer_is_a_new_one_and_the_length_is_right() {
        let all = requests(&Wishes::one_item("hot", 3, 1), 100);
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), 100);
        let (_, body) = all.first().and_then(|first| first.split_once("\r\n\r\n")).expect("head and body");
        assert_eq!(body.len(), 14);
    }

    #[test]
    fn a_customer_is_found_in_the_request_that_they_send() {
        let all = requests(&Wishes::one_item("hot", 3, 1), 3);
        let numbers: Vec<_> = all.iter().map(|request| customer_in(request.as_bytes())).collect();
        assert_eq!(numbers, [1, 2, 3].map(|number| Some((3 << 48) + (1 << 40) + number)));
        assert_eq!(customer_in(b"GET / HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn a_fifth_of_the_requests_can_be_repetitions_of_the_one_before() {
        let all = requests(&Wishes { retried: 0.2, ..Wishes::one_item("hot", 3, 1) }, 10_000);
        let repeated = all.iter().zip(all.iter().skip(1)).filter(|(one, next)| one == next).count();
        // Nobody repeats a repetition, so a little below a fifth.
        assert!((1_500..2_000).contains(&repeated), "{repeated}");
    }

    #[test]
    fn a_few_items_can_be_wanted_much_oftener_than_the_rest() {
        let skus: Arc<[String]> = (0..100).map(|number| format!("item-{number}")).collect();
        let wanted = |choice| {
            let all = requests(&Wishes { skus: Arc::clone(&skus), choice, ..Wishes::one_item("", 1, 1) }, 10_000);
            all.iter().filter(|request| request.starts_with("POST /v1/items/item-0/")).count()
        };
        assert!(wanted(Choice::Uniform) < 200);
        assert!(wanted(Choice::Zipf) > 1_500);
    }
}
