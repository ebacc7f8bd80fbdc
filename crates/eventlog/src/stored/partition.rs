//! A stored partition: what a snapshot holds of it besides its items (version 1).

use super::value::{at, checked};
use crate::codec::{CodecError, from_snapshot_bytes, to_bytes};
use domain::ids::{ItemNo, PartitionNo, Seq};
use domain::partition::Partition;
use domain::text::Sku;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct PartitionV1 {
    no: u8,
    seq: u64,
    now_ms: u64,
    items: Vec<(String, u32)>,
}

/// A partition's facts as bytes.
#[must_use]
pub fn encode_partition(partition: &Partition) -> Vec<u8> {
    let items = partition.items().map(|(sku, item)| (sku.as_str().to_owned(), item.as_u32())).collect();
    let (no, seq, now_ms) = (partition.no().0, partition.seq().0, partition.now().as_millis());
    to_bytes(&PartitionV1 { no, seq, now_ms, items })
}

/// A partition's facts from bytes.
///
/// # Errors
/// [`CodecError`] where the bytes are not what [`encode_partition`] writes.
pub fn decode_partition(bytes: &[u8]) -> Result<Partition, CodecError> {
    let stored: PartitionV1 = from_snapshot_bytes(bytes)?;
    let items = stored
        .items
        .into_iter()
        .map(|(sku, item)| Ok((checked("sku", Sku::parse(&sku))?, ItemNo::from_u32(item))))
        .collect::<Result<_, CodecError>>()?;
    Ok(Partition::from_parts(PartitionNo(stored.no), Seq(stored.seq), at(stored.now_ms), items))
}
