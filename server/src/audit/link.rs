//! One row against its own hash: for the chain in a database, for a bundle, and before a row is pruned.

use super::{store::Link, verify::Fault};
use crate::{
    journal::encoding::{Hash, VERSION},
    vault::ChainKeys,
};

/// A row whose hash is the hash of what stands in it.
pub struct Proven {
    /// The hash of the row before, as this row names it.
    pub prev: Hash,
    pub hash: Hash,
}

pub fn prove(chain: &ChainKeys, link: &Link) -> Result<Proven, Fault> {
    let (Some(version), Some(key_id), Some(prev), Some(hash)) =
        (link.version, &link.key, &link.prev, &link.hash)
    else {
        return Err(Fault::Unchained);
    };
    if version != i64::from(VERSION) {
        return Err(Fault::UnknownVersion(version));
    }
    let key = chain.find(key_id).ok_or_else(|| Fault::UnknownKey(key_id.clone()))?;
    let prev: Hash = prev.as_slice().try_into().map_err(|_| Fault::Hash)?;
    let own = key.mac(&link.fields.encode(&prev, key_id));
    if own[..] != hash[..] {
        return Err(Fault::Hash);
    }
    Ok(Proven { prev, hash: own })
}
