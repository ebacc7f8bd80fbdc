//! What customers do, and what they are told: the tape that is judged afterwards.

use super::asking::{Asked, Asker, Told};
use http::{Method, StatusCode};
use rand::RngExt;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// The item on sale.
pub(crate) const SKU: &str = "lamp";

/// A request and the answer that settled it.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) asked: Asked,
    pub(crate) told: Told,
}

/// What all clients of one simulation share.
#[derive(Default)]
pub(crate) struct Tape {
    pub(crate) settled: RefCell<Vec<Settled>>,
    /// Whether the sale is open.
    pub(crate) is_open: Cell<bool>,
    /// Whether nothing goes wrong any more.
    pub(crate) is_calm: Cell<bool>,
    /// Requests sent again.
    pub(crate) again: Cell<u64>,
    /// Requests whose answer, asked for again at the end, was the same.
    pub(crate) same: Cell<u64>,
}

fn asked(method: Method, path: String, customer: &str, key: Option<String>, body: Value) -> Asked {
    Asked { method, path, customer: customer.to_owned(), key, body, as_service: false }
}

/// Creates and opens the item, whatever it takes.
pub(crate) async fn open_sale(tape: Rc<Tape>, seed: u64, stock: u32) -> turmoil::Result {
    let mut asker = Asker::operator(seed);
    let price = json!({ "amount": 500, "currency": "USD" });
    let item = json!({ "sku": SKU, "total": stock, "unit_price": price, "hold_time_ms": 2_000, "grace_ms": 200,
                       "close_when_sold": false });
    let create = asked(Method::POST, "/v1/admin/items".to_owned(), "", Some("operator-key-0001".to_owned()), item);
    let told = asker.ask(&create).await;
    assert_eq!(told.status, StatusCode::CREATED, "{}", told.text);
    let key = Some("operator-key-0002".to_owned());
    let open = asked(Method::POST, format!("/v1/admin/items/{SKU}/open"), "", key, Value::Null);
    let told = asker.ask(&open).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    tape.is_open.set(true);
    Ok(())
}

/// Buys now and then, and in the end asks for every answer again.
pub(crate) async fn shop(tape: Rc<Tape>, name: String, seed: u64, visits: u32) -> turmoil::Result {
    let mut visitor = Visitor { tape, name, asker: Asker::customer(seed), keys: 0, mine: Vec::new() };
    while !visitor.tape.is_open.get() {
        sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..visits {
        visitor.visit().await;
        let pause = Duration::from_millis(visitor.asker.dice.random_range(1..400));
        sleep(pause).await;
    }
    while !visitor.tape.is_calm.get() {
        sleep(Duration::from_millis(50)).await;
    }
    visitor.ask_all_again().await;
    visitor.tape.again.set(visitor.tape.again.get() + visitor.asker.again);
    Ok(())
}

struct Visitor {
    tape: Rc<Tape>,
    name: String,
    asker: Asker,
    keys: u32,
    mine: Vec<Settled>,
}

impl Visitor {
    fn key(&mut self) -> Option<String> {
        self.keys += 1;
        Some(format!("{}-key-{:012}", self.name, self.keys))
    }

    async fn ask(&mut self, asked: Asked) -> Told {
        let told = self.asker.ask(&asked).await;
        let settled = Settled { asked, told: told.clone() };
        self.mine.push(settled.clone());
        self.tape.settled.borrow_mut().push(settled);
        told
    }

    async fn visit(&mut self) {
        let (key, quantity) = (self.key(), self.asker.dice.random_range(1..3));
        let path = format!("/v1/items/{SKU}/reservations");
        let reserve = asked(Method::POST, path, &self.name, key, json!({ "quantity": quantity }));
        let told = self.ask(reserve).await;
        if !told.status.is_success() {
            return;
        }
        let id = told.text_of("id");
        match self.asker.dice.random_range(0..10) {
            0..3 => {
                let path = format!("/v1/reservations/{id}");
                let cancel = asked(Method::DELETE, path, &self.name, None, Value::Null);
                self.ask(cancel).await;
            }
            3..8 => self.buy(&id).await,
            // Left alone: it expires, or waits until it is promoted and expires then.
            _ => {}
        }
    }

    async fn buy(&mut self, reservation: &str) {
        let key = self.key();
        let order = json!({ "reservation": reservation });
        let told = self.ask(asked(Method::POST, "/v1/orders".to_owned(), &self.name, key, order)).await;
        if told.status != StatusCode::CREATED {
            return;
        }
        let key = self.key();
        let path = format!("/v1/orders/{}/confirm", told.text_of("id"));
        let payment = json!({ "payment_reference": format!("pay-{}-{}", self.name, self.keys) });
        let confirm = Asked { as_service: true, ..asked(Method::POST, path, &self.name, key, payment) };
        self.ask(confirm).await;
    }

    /// The same key has the same answer, also after all that happened.
    async fn ask_all_again(&mut self) {
        let accepted = |settled: &Settled| settled.asked.key.is_some() && settled.told.status.is_success();
        let mine: Vec<Settled> = self.mine.iter().filter(|settled| accepted(settled)).cloned().collect();
        for Settled { asked, told } in mine {
            let again = self.asker.ask(&asked).await;
            assert_eq!(again, told, "{} {} {:?} is answered otherwise", asked.method, asked.path, asked.key);
            self.tape.same.set(self.tape.same.get() + 1);
        }
    }
}
