//! Ids that route themselves: a reservation's UUID names its item and its place there, and a keyed tag makes it
//! impossible to guess (docs/decisions/0003).

use crate::ids::{ItemNo, Ordinal, PartitionNo};
use core::fmt;
use uuid::Uuid;

/// An item's secret: drawn when the item is created, kept in its first event. Ids and idempotency hashes rest on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ItemKey([u8; 32]);

impl ItemKey {
    /// From 32 random bytes, or from the log.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the log.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A 128-bit keyed hash of `parts`, each preceded by its length so that no two lists of parts run together.
    pub(crate) fn hash128(&self, parts: &[&[u8]]) -> u128 {
        let length: usize = parts.iter().map(|part| size_of::<u64>() + part.len()).sum();
        // In one piece: the hash of many small ones costs three times as much.
        let mut text = Vec::with_capacity(length);
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part);
        }
        let hash = blake3::keyed_hash(&self.0, &text);
        u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
    }

    /// A seed for hash tables whose keys strangers choose.
    pub fn table_seed(&self) -> u64 {
        // The low half is as random as the whole.
        (self.hash128(&[b"table"]) & u128::from(u64::MAX)) as u64
    }
}

impl fmt::Debug for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ItemKey(secret)")
    }
}

const TAG_BITS: u32 = 58;
const TAG_MASK: u128 = (1 << TAG_BITS) - 1;

/// RFC 9562, 5.8: 48 bits of ours, the version, 12 bits, the variant, 62 bits.
fn version_8(stream: ItemNo, number: u32, tag: u128) -> u128 {
    let payload = (u128::from(stream.as_u32()) << 90) | (u128::from(number) << TAG_BITS) | tag;
    let (high, middle, low) = (payload >> 74, (payload >> 62) & 0xfff, payload & ((1 << 62) - 1));
    (high << 80) | (0x8 << 76) | (middle << 64) | (0b10 << 62) | low
}

/// A reservation's id: a UUID version 8 of item number (32 bits), ordinal (32 bits) and a keyed tag (58 bits) over
/// both. Shown as `rsv_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId(Uuid);

impl ReservationId {
    /// The id of reservation `ordinal` of `item`.
    #[must_use]
    pub fn new(item: ItemNo, ordinal: Ordinal, key: &ItemKey) -> Self {
        let tag = key.hash128(&[b"id", &item.as_u32().to_le_bytes(), &ordinal.0.to_le_bytes()]) & TAG_MASK;
        Self(Uuid::from_u128(version_8(item, ordinal.0, tag)))
    }

    /// Reads the form that [`fmt::Display`] writes.
    ///
    /// # Errors
    /// [`IdError`] for anything else. Whether the id was ever issued is for [`ReservationId::is_genuine`] to say.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        parse_prefixed(text, "rsv_").map(Self)
    }

    fn payload(self) -> u128 {
        let raw = self.0.as_u128();
        ((raw >> 80) << 74) | (((raw >> 64) & 0xfff) << 62) | (raw & ((1 << 62) - 1))
    }

    /// The item it says it belongs to.
    #[must_use]
    pub fn item(self) -> ItemNo {
        ItemNo::from_u32((self.payload() >> 90) as u32)
    }

    /// The place within the item that it names.
    #[must_use]
    pub fn ordinal(self) -> Ordinal {
        Ordinal(((self.payload() >> TAG_BITS) & u128::from(u32::MAX)) as u32)
    }

    /// Whether the item with this key gave out this id, as far as the tag can tell.
    #[must_use]
    pub fn is_genuine(self, key: &ItemKey) -> bool {
        self == Self::new(self.item(), self.ordinal(), key)
    }

    /// The plain UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// From the form it has in the log.
    #[must_use]
    pub const fn from_u128(raw: u128) -> Self {
        Self(Uuid::from_u128(raw))
    }

    /// The form it has in the log.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

/// The id of a refund: a UUID version 8 of the stream its capture was recorded in (an item's, or a partition's own
/// for bundles), the capture's number there, and a keyed tag. Shown as `rfd_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundId(Uuid);

impl RefundId {
    /// The id of the refund of capture number `capture` in `stream`.
    #[must_use]
    pub fn new(stream: ItemNo, capture: u32, key: &ItemKey) -> Self {
        let tag = key.hash128(&[b"refund", &stream.as_u32().to_le_bytes(), &capture.to_le_bytes()]) & TAG_MASK;
        Self(Uuid::from_u128(version_8(stream, capture, tag)))
    }

    /// Reads the form that [`fmt::Display`] writes.
    ///
    /// # Errors
    /// [`IdError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        parse_prefixed(text, "rfd_").map(Self)
    }

    /// The stream it says its capture is in.
    #[must_use]
    pub fn stream(self) -> ItemNo {
        ReservationId(self.0).item()
    }

    /// The number of the capture that it names.
    #[must_use]
    pub fn capture(self) -> u32 {
        ReservationId(self.0).ordinal().0
    }

    /// Whether the stream with this key gave out this id, as far as the tag can tell.
    #[must_use]
    pub fn is_genuine(self, key: &ItemKey) -> bool {
        self == Self::new(self.stream(), self.capture(), key)
    }
}

/// The id of a bundle: a UUID version 8 of the stream it lives in (a partition's own) and 90 random bits. It is drawn
/// before the first part is held, so a part of a bundle that never came to be can be told from every other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId(Uuid);

impl BundleId {
    /// An id in the stream of `partition`, from fresh random bits.
    #[must_use]
    pub fn new(partition: PartitionNo, random: u128) -> Self {
        let stream = ItemNo::partition_stream(partition);
        Self(Uuid::from_u128(version_8(stream, (random >> 64) as u32, random & TAG_MASK)))
    }

    /// Reads the form that [`fmt::Display`] writes.
    ///
    /// # Errors
    /// [`IdError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let uuid = parse_prefixed(text, "bnd_")?;
        Self::of_uuid(uuid).ok_or(IdError { prefix: "bnd_" })
    }

    fn of_uuid(uuid: Uuid) -> Option<Self> {
        ReservationId(uuid).item().is_partition_stream().then_some(Self(uuid))
    }

    /// From the form it has in the log.
    #[must_use]
    pub const fn from_u128(raw: u128) -> Self {
        Self(Uuid::from_u128(raw))
    }

    /// The form it has in the log.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// The partition it lives in.
    #[must_use]
    pub fn partition(self) -> PartitionNo {
        ReservationId(self.0).item().partition()
    }
}

/// What an order is the order of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderOf {
    /// One reservation.
    Reservation(ReservationId),
    /// A bundle.
    Bundle(BundleId),
}

/// The id of an order: the UUID of its reservation or bundle, shown as `ord_…`, so that a payment provider may name
/// an order before it exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(ReservationId);

impl OrderId {
    /// The order of `reservation`.
    #[must_use]
    pub const fn of(reservation: ReservationId) -> Self {
        Self(reservation)
    }

    /// The order of `bundle`.
    #[must_use]
    pub const fn of_bundle(bundle: BundleId) -> Self {
        Self(ReservationId(bundle.0))
    }

    /// Whose order it is: bundles live in partitions' own streams, which hold no reservations.
    #[must_use]
    pub fn owner(self) -> OrderOf {
        match BundleId::of_uuid(self.0.uuid()) {
            Some(bundle) => OrderOf::Bundle(bundle),
            None => OrderOf::Reservation(self.0),
        }
    }

    /// The reservation whose order it is, if it is not a bundle's.
    #[must_use]
    pub const fn reservation(self) -> ReservationId {
        self.0
    }

    /// Reads the form that [`fmt::Display`] writes.
    ///
    /// # Errors
    /// [`IdError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        parse_prefixed(text, "ord_").map(|uuid| Self(ReservationId(uuid)))
    }

    /// From the form it has in the log.
    #[must_use]
    pub const fn from_u128(raw: u128) -> Self {
        Self(ReservationId::from_u128(raw))
    }

    /// The form it has in the log.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

/// A text that is no id of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id of this kind is {prefix} followed by 32 hexadecimal digits")]
pub struct IdError {
    /// What the id should begin with.
    pub prefix: &'static str,
}

fn parse_prefixed(text: &str, prefix: &'static str) -> Result<Uuid, IdError> {
    let digits = text.strip_prefix(prefix).ok_or(IdError { prefix })?;
    // One spelling for each id: what is compared, logged and cached is the same everywhere.
    let plain = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let uuid = Uuid::try_parse(digits).map_err(|_| IdError { prefix })?;
    if plain && uuid.get_version_num() == 8 && uuid.get_variant() == uuid::Variant::RFC4122 {
        Ok(uuid)
    } else {
        Err(IdError { prefix })
    }
}

macro_rules! shown_as {
    ($name:ident, $prefix:literal, |$id:ident| $uuid:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let ($id, mut digits) = (self, Uuid::encode_buffer());
                f.write_str($prefix)?;
                f.write_str($uuid.simple().encode_lower(&mut digits))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

shown_as!(ReservationId, "rsv_", |id| id.0);
shown_as!(OrderId, "ord_", |id| id.0.0);
shown_as!(RefundId, "rfd_", |id| id.0);
shown_as!(BundleId, "bnd_", |id| id.0);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_gives_back_its_item_and_ordinal_and_is_genuine_only_for_its_key(
            item in any::<u32>(), ordinal in any::<u32>(), key in any::<[u8; 32]>(), other in any::<[u8; 32]>(),
        ) {
            prop_assume!(key != other);
            let key = ItemKey::from_bytes(key);
            let id = ReservationId::new(ItemNo::from_u32(item), Ordinal(ordinal), &key);
            prop_assert_eq!(id.item().as_u32(), item);
            prop_assert_eq!(id.ordinal(), Ordinal(ordinal));
            prop_assert!(id.is_genuine(&key));
            prop_assert!(!id.is_genuine(&ItemKey::from_bytes(other)));
            prop_assert_eq!(ReservationId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(OrderId::parse(&OrderId::of(id).to_string()), Ok(OrderId::of(id)));
        }
    }

    #[test]
    fn only_one_spelling_of_an_id_is_accepted() {
        let id = ReservationId::new(ItemNo::from_u32(1), Ordinal(0), &ItemKey::from_bytes([7; 32]));
        let text = id.to_string();
        for wrong in [text.to_uppercase(), text.replace("rsv_", "ord_"), format!("{text}0"), id.uuid().to_string()] {
            assert!(ReservationId::parse(&wrong).is_err(), "{wrong}");
        }
        assert!(ReservationId::parse("rsv_67e5504410b1426f9247bb680e5fe0c8").is_err(), "a version 4 UUID is not ours");
    }
}
