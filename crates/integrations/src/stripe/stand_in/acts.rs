//! What the stand-in does with intents and refunds, and which parameters it does not take.
//!
//! What this file does not do: check keys and headers, or fail. The server around it does.

use super::{Answer, Form, Inner, error};
use serde_json::json;

impl Inner {
    pub(super) fn act(&mut self, call: &str, form: &Form) -> Answer {
        match *call.split('/').collect::<Vec<_>>() {
            ["POST ", "v1", "payment_intents"] => self.create(form),
            ["GET ", "v1", "payment_intents", id] => self.intents.get(id).map_or_else(missing, |it| (200, it.clone())),
            ["POST ", "v1", "payment_intents", id, "cancel"] => match self.intents.get_mut(id) {
                None => missing(),
                Some(intent) if intent["status"].as_str().is_some_and(|status| status.starts_with("requires_")) => {
                    intent["status"] = json!("canceled");
                    (200, intent.clone())
                }
                Some(_) => invalid("payment_intent_unexpected_state", "You cannot cancel this PaymentIntent"),
            },
            ["POST ", "v1", "refunds"] => self.refund(form),
            _ => invalid("", "Unrecognized request URL"),
        }
    }

    fn create(&mut self, form: &Form) -> Answer {
        const FIELDS: [&str; 6] = [
            "amount",
            "currency",
            "metadata[order]",
            "metadata[customer]",
            "automatic_payment_methods[enabled]",
            "description",
        ];
        if let Some(answer) = wrong_fields(form, &FIELDS) {
            return answer;
        }
        let (amount, currency) = (number(form), form.get("currency").map_or("", String::as_str));
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return invalid("parameter_invalid", "Invalid currency");
        }
        if amount < 50 {
            return invalid("amount_too_small", "Amount must be at least $0.50 usd");
        }
        let id = format!("pi_{}", self.intents.len());
        let intent = json!({ "id": id, "object": "payment_intent", "amount": amount, "amount_received": 0,
                             "currency": currency, "status": "requires_payment_method",
                             "client_secret": format!("{id}_secret_x") });
        self.intents.insert(id, intent.clone());
        (200, intent)
    }

    fn refund(&mut self, form: &Form) -> Answer {
        if let Some(answer) = wrong_fields(form, &["payment_intent", "amount", "metadata[refund]"]) {
            return answer;
        }
        let amount = number(form);
        let Some(intent) = form.get("payment_intent").and_then(|id| self.intents.get_mut(id)) else { return missing() };
        if intent["refunded"] == json!(true) {
            return invalid("charge_already_refunded", "Charge has already been refunded");
        }
        if intent["amount_received"] != json!(amount) {
            return invalid("", "Refund amount is not the amount of the charge");
        }
        intent["refunded"] = json!(true);
        self.refunds += 1;
        (200, json!({ "id": format!("re_{}", self.refunds), "object": "refund", "status": "succeeded" }))
    }
}

/// Stripe refuses what it does not know and what is empty; here all that is known is also required.
fn wrong_fields(form: &Form, known: &[&str]) -> Option<Answer> {
    if let Some(field) = form.keys().find(|field| !known.contains(&field.as_str())) {
        return Some(invalid("parameter_unknown", field));
    }
    let lacks = |field: &&&str| form.get(**field).is_none_or(String::is_empty);
    known.iter().find(lacks).map(|field| invalid("parameter_missing", field))
}

fn number(form: &Form) -> u64 {
    form.get("amount").and_then(|amount| amount.parse().ok()).unwrap_or_default()
}

fn invalid(code: &str, message: &str) -> Answer {
    (400, error("invalid_request_error", code, message))
}

fn missing() -> Answer {
    (404, error("invalid_request_error", "resource_missing", "No such payment_intent"))
}
