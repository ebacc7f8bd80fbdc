//! What streams say of each other: items stand where they are registered, and bundles are whole.

use super::bundle::{PartitionBooks, State};
use super::item::ItemBooks;
use super::life::Life;
use crate::event::{BundleLine, Decision};
use crate::finding::Rule;
use serde::Serialize;
use std::collections::BTreeMap;

/// Whether all logs were read as they stood at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Nothing was written meanwhile.
    One,
    /// A log read early may lack what one read late already follows: that alone is not said to be wrong.
    Several,
}

/// Every item is registered under its number.
pub(super) fn registered(items: &mut BTreeMap<u32, ItemBooks>, partitions: &BTreeMap<u32, PartitionBooks>) {
    for (number, books) in items {
        let said = partitions.get(&(number & 0xff00_0000)).and_then(|partition| partition.registered.get(number));
        let sku = books.sku.clone();
        books.check(Rule::Registered, said == Some(&sku), || format!("{sku} stands where {said:?} is registered"));
    }
}

/// An id's item and ordinal.
const fn parts_of(id: u128) -> (u32, u32) {
    let ordinal = (((id >> 80) & 0xffff) << 16) | (((id >> 64) & 0xfff) << 4) | ((id >> 58) & 0xf);
    ((id >> 96) as u32, ordinal as u32)
}

/// Every line of a bundle has its part, which follows it; and every part that follows has its bundle.
pub(super) fn bundles(
    items: &mut BTreeMap<u32, ItemBooks>,
    partitions: &mut BTreeMap<u32, PartitionBooks>,
    moment: Moment,
) {
    for partition in partitions.values_mut() {
        for entry in &partition.bundles {
            for line in &entry.held.lines {
                let seen = part(items, line);
                let may_lag = moment == Moment::Several;
                let right = match &seen {
                    None => may_lag,
                    Some(seen) => {
                        let same = seen.bundle == entry.held.id && seen.customer == entry.held.customer;
                        let amount = seen.quantity == i64::from(line.quantity) && seen.price == line.amount;
                        let sku = seen.sku == line.sku;
                        same && amount && sku && (may_lag || follows(entry.state, seen.life, seen.decision))
                    }
                };
                let (id, state) = (entry.held.id, entry.state);
                partition.findings.check(Rule::Torn, right, || {
                    format!("bundle {id:x} is {state:?}, and its line {line:?} is {seen:?}")
                });
            }
        }
    }
    for (number, books) in items.iter_mut() {
        parts_without_bundles(*number, books, partitions, moment);
    }
}

/// A part as its item has it.
#[derive(Debug)]
struct Seen {
    bundle: u128,
    decision: Option<Decision>,
    life: Life,
    quantity: i64,
    price: crate::event::Money,
    customer: String,
    sku: String,
}

fn part(items: &BTreeMap<u32, ItemBooks>, line: &BundleLine) -> Option<Seen> {
    let (item, ordinal) = parts_of(line.reservation);
    let books = items.get(&item)?;
    let entry = books.entries.get(ordinal as usize)?;
    let part = entry.part?;
    Some(Seen {
        bundle: part.bundle,
        decision: part.decision,
        life: entry.life,
        quantity: entry.quantity,
        price: books.price_of(ordinal),
        customer: entry.customer.clone(),
        sku: books.sku.clone(),
    })
}

/// Whether a part may be so: it has not followed yet, or it did what its bundle did.
fn follows(state: State, life: Life, decision: Option<Decision>) -> bool {
    match (state, decision) {
        (_, None) => life == Life::Part,
        (State::Sold | State::Returned, Some(Decision::Sold))
        | (State::Returned, Some(Decision::Returned))
        | (State::Cancelled, Some(Decision::Cancelled))
        | (State::Expired, Some(Decision::Expired)) => true,
        (State::Held | State::Sold | State::Returned | State::Cancelled | State::Expired, Some(_)) => false,
    }
}

/// A part whose bundle was never held may only be let go; one whose bundle was held must be one of its lines.
fn parts_without_bundles(item: u32, books: &mut ItemBooks, partitions: &BTreeMap<u32, PartitionBooks>, moment: Moment) {
    for (ordinal, entry) in (0u32..).zip(&books.entries) {
        let Some(part) = entry.part else { continue };
        let (stream, _) = parts_of(part.bundle);
        let home = partitions.get(&stream);
        let bundle = home.and_then(|home| home.bundles.get(*home.by_id.get(&part.bundle)?));
        let right = match bundle {
            None => moment == Moment::Several || matches!(part.decision, None | Some(Decision::Abandoned)),
            Some(bundle) => bundle.held.lines.iter().any(|line| parts_of(line.reservation) == (item, ordinal)),
        };
        books
            .findings
            .check(Rule::Torn, right, || format!("part {ordinal} of bundle {:x} has no line there", part.bundle));
    }
}
