//! Settings of an item as bodies spell them; creating and changing an item share them.

use super::money;
use super::node::{Given, Node, Object};
use super::report::Report;
use domain::limits::{QUANTITY_MAX, WAITLIST_CAPACITY_MAX};
use domain::payment::Provider;
use domain::policy::SettingsPatch;
use domain::text::ItemName;
use domain::time::{DurationMs, Timestamp};
use domain::units::Quantity;

/// Every setting's name.
pub(super) const NAMES: [&str; 13] = [
    "name",
    "unit_price",
    "per_order_max",
    "per_customer_limit",
    "hold_time_ms",
    "grace_ms",
    "waitlist",
    "extension",
    "cool_off",
    "close_when_sold",
    "payments",
    "opens_at",
    "closes_at",
];

/// What `null` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NullMeans {
    /// The default: a new item has nothing that it could take away.
    Default,
    /// Take it away: only the two instants can be.
    Remove,
}

/// Reads settings out of an object.
pub(super) struct SettingsReader<'o, 'n> {
    pub(super) object: &'o Object<'n>,
    pub(super) null: NullMeans,
}

impl SettingsReader<'_, '_> {
    fn one<T>(
        &self,
        object: &Object<'_>,
        name: &str,
        report: &mut Report,
        read: impl FnOnce(&Node<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        match object.given(name, report, read) {
            Given::Value(value) => Some(value),
            Given::Nothing => None,
            Given::Null => {
                if self.null == NullMeans::Remove {
                    object.wrong(name, report, "cannot be taken away");
                }
                None
            }
        }
    }

    fn instant(&self, name: &str, report: &mut Report) -> Option<Option<Timestamp>> {
        match self.object.given(name, report, |node, report| node.instant(report)) {
            Given::Value(instant) => Some(Some(instant)),
            Given::Nothing => None,
            Given::Null => Some(None),
        }
    }

    fn quantity(&self, name: &str, report: &mut Report) -> Option<Quantity> {
        self.one(self.object, name, report, |node, report| {
            let count = node.whole(report, 1..=QUANTITY_MAX.into(), "a maximum")?;
            u32::try_from(count).ok().and_then(|count| Quantity::new(count).ok())
        })
    }

    fn duration(&self, object: &Object<'_>, name: &str, report: &mut Report) -> Option<DurationMs> {
        // The ranges are the domain's to check; here it only has to be a count of milliseconds.
        let most = u64::from(u32::MAX);
        self.one(object, name, report, |node, report| node.whole(report, 0..=most, "a time in milliseconds"))
            .map(DurationMs::from_millis)
    }

    fn count<T: TryFrom<u64>>(&self, object: &Object<'_>, name: &str, most: u64, report: &mut Report) -> Option<T> {
        self.one(object, name, report, |node, report| {
            let count = node.whole(report, 0..=most, "a count")?;
            T::try_from(count).ok()
        })
    }

    fn group(&self, name: &str, report: &mut Report, members: impl FnOnce(&Object<'_>, &mut Report)) {
        self.one(self.object, name, report, |node, report| {
            let object = node.object(report)?;
            members(&object, report);
            Some(())
        });
    }

    /// Every setting that is given, as a change.
    pub(super) fn read(&self, report: &mut Report) -> SettingsPatch {
        let mut patch = SettingsPatch {
            name: self.one(self.object, "name", report, |node, report| node.parsed(report, ItemName::parse)),
            unit_price: self.one(self.object, "unit_price", report, money::read),
            per_order_max: self.quantity("per_order_max", report),
            per_customer_limit: self.quantity("per_customer_limit", report),
            hold_time: self.duration(self.object, "hold_time_ms", report),
            grace: self.duration(self.object, "grace_ms", report),
            close_when_sold: self.one(self.object, "close_when_sold", report, |node, report| node.flag(report)),
            opens_at: self.instant("opens_at", report),
            closes_at: self.instant("closes_at", report),
            ..SettingsPatch::default()
        };
        self.group("waitlist", report, |object, report| {
            patch.waitlist_enabled = self.one(object, "enabled", report, |node, report| node.flag(report));
            patch.waitlist_capacity = self.count(object, "capacity", WAITLIST_CAPACITY_MAX.into(), report);
            object.only(&["enabled", "capacity"], report);
        });
        self.group("extension", report, |object, report| {
            patch.extension_times = self.count(object, "times", u8::MAX.into(), report);
            patch.extension_by = self.duration(object, "by_ms", report);
            object.only(&["times", "by_ms"], report);
        });
        self.group("cool_off", report, |object, report| {
            patch.cool_off_after_expiries = self.count(object, "after_expiries", u8::MAX.into(), report);
            patch.cool_off_lasts = self.duration(object, "lasts_ms", report);
            object.only(&["after_expiries", "lasts_ms"], report);
        });
        self.group("payments", report, |object, report| {
            patch.payment_provider = self.provider(object, report);
            patch.honour_late_payments = self.one(object, "honour_late", report, |node, report| node.flag(report));
            patch.parked_window = self.duration(object, "parked_window_ms", report);
            object.only(&["provider", "honour_late", "parked_window_ms"], report);
        });
        patch
    }

    /// Who is asked for opportunities to pay; `null`: nobody.
    fn provider(&self, object: &Object<'_>, report: &mut Report) -> Option<Option<Provider>> {
        let read = |node: &Node<'_>, report: &mut Report| {
            let name = node.text(report)?;
            let known = Provider::named(name).filter(|provider| *provider != Provider::External);
            known.or_else(|| {
                node.wrong(report, format!("must be \"simulated\", \"stripe\" or \"generic\", not {name:?}"))
            })
        };
        match object.given("provider", report, read) {
            Given::Value(provider) => Some(Some(provider)),
            Given::Nothing => None,
            Given::Null => Some(None),
        }
    }
}
