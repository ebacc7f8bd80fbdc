//! What operators ask for: new items, changes of settings, changes of stock.

use super::json::Json;
use super::report::{pointed, setting};
use super::settings::{NAMES, NullMeans, SettingsReader};
use super::shop::object;
use crate::problem::Problem;
use domain::limits::STOCK_TOTAL_MAX;
use domain::money::Money;
use domain::policy::{ItemSpec, Policy, Settings, SettingsPatch};
use domain::text::{ItemName, Reason, Sku};
use domain::units::{StockChange, Units};

/// `POST …/stock`.
#[derive(Debug, PartialEq)]
pub(crate) struct StockAsked {
    pub(crate) change: StockChange,
    pub(crate) reason: Reason,
}

/// `POST /v1/admin/items`: everything but sku, total and unit price has a default; the name's is the sku.
pub(crate) fn create(json: &Json<'_>) -> Result<ItemSpec, Problem> {
    let known: Vec<&str> = ["sku", "total"].into_iter().chain(NAMES).collect();
    let (sku, total, patch) = object(json, &known, |object, report| {
        let sku = object.required("sku", report, |node, report| node.parsed(report, Sku::parse));
        let total = object.required("total", report, |node, report| {
            let count = node.whole(report, 0..=STOCK_TOTAL_MAX.into(), "a stock")?;
            u32::try_from(count).ok().and_then(|count| Units::new(count).ok())
        });
        let patch = SettingsReader { object, null: NullMeans::Default }.read(report);
        if !object.has("unit_price") {
            object.wrong("unit_price", report, "is missing");
        }
        Some((sku?, total?, patch))
    })?;
    let missing = || pointed("/unit_price", "is missing");
    let unit_price = patch.unit_price.ok_or_else(missing)?;
    let settings = patch.applied_to(&defaults(&sku, unit_price)?);
    settings.validate().map_err(|error| setting(&error))?;
    Ok(ItemSpec { sku, total, settings })
}

fn defaults(sku: &Sku, unit_price: Money) -> Result<Settings, Problem> {
    // Every sku is a name too: shorter, and of fewer characters.
    let name = ItemName::parse(sku.as_str()).map_err(|error| pointed("/name", error.to_string()))?;
    Ok(Settings { name, unit_price, policy: Policy::default(), opens_at: None, closes_at: None })
}

/// `PATCH /v1/admin/items/{sku}` (RFC 7396): what is not named stays; `null` takes `opens_at` or `closes_at` away.
pub(crate) fn change(json: &Json<'_>) -> Result<SettingsPatch, Problem> {
    object(json, &NAMES, |object, report| {
        let patch = SettingsReader { object, null: NullMeans::Remove }.read(report);
        if object.is_empty() {
            report.at("", "names no setting to change");
        }
        Some(patch)
    })
}

/// `POST …/refund`.
#[derive(Debug, PartialEq)]
pub(crate) struct RefundAsked {
    pub(crate) return_units: bool,
    pub(crate) reason: Reason,
}

impl RefundAsked {
    /// Reads it. Whether units return has to be said: the wrong guess sells what is broken, or keeps what is whole.
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["return_units", "reason"], |object, report| {
            let return_units = object.required("return_units", report, |node, report| node.flag(report));
            let reason = object.required("reason", report, |node, report| node.parsed(report, Reason::parse));
            Some(Self { return_units: return_units?, reason: reason? })
        })
    }
}

/// `POST …/settle`.
#[derive(Debug, PartialEq)]
pub(crate) struct SettleAsked {
    pub(crate) reason: Reason,
}

impl SettleAsked {
    /// Reads it.
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["reason"], |object, report| {
            let reason = object.required("reason", report, |node, report| node.parsed(report, Reason::parse));
            Some(Self { reason: reason? })
        })
    }
}

impl StockAsked {
    /// Reads it.
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["change", "reason"], |object, report| {
            let change = object.required("change", report, |node, report| {
                // At most 10^9, so it fits.
                let by = node.signed(report, STOCK_TOTAL_MAX as i32, "a change of stock")?;
                match StockChange::new(by) {
                    Ok(change) => Some(change),
                    Err(error) => node.wrong(report, error.to_string()),
                }
            });
            let reason = object.required("reason", report, |node, report| node.parsed(report, Reason::parse));
            Some(Self { change: change?, reason: reason? })
        })
    }
}
