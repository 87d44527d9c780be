//! The keys of the audit chain: one for each key of the ring, by the same name. What is hashed is `journal`'s.

use std::{fmt, sync::Arc};

use ring::hmac;

use super::ring::{Key, KeyRing};

/// Cheap to clone.
#[derive(Clone)]
pub struct ChainKeys(Arc<[(String, ChainKey)]>);

/// HMAC-SHA-256 with one key.
#[derive(Clone)]
pub struct ChainKey(hmac::Key);

impl ChainKeys {
    pub(super) fn of(ring: &KeyRing) -> Self {
        Self(ring.keys().map(|key| (key.id().to_owned(), ChainKey::of(key))).collect())
    }

    /// Those of the tests' ring.
    #[doc(hidden)]
    pub fn for_tests() -> Self {
        Self::of(&KeyRing::for_tests())
    }

    /// The id and the key under which rows are appended.
    pub fn active(&self) -> (&str, &ChainKey) {
        let (id, key) = &self.0[0];
        (id, key)
    }

    /// The key of rows that were appended under this id.
    pub fn find(&self, id: &str) -> Option<&ChainKey> {
        self.0.iter().find(|(other, _)| other == id).map(|(_, key)| key)
    }
}

impl ChainKey {
    fn of(key: &Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.derive(&["audit.chain"]).as_slice()))
    }

    pub fn mac(&self, data: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.0, data);
        tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }
}

impl fmt::Debug for ChainKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ChainKeys")?;
        out.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ChainKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Rng;

    #[test]
    fn rows_of_an_older_key_find_it_again() {
        let old = KeyRing::for_tests();
        let new = KeyRing::generate(&Rng::seeded(3));
        let text = format!("{}{}", new.text().as_str(), old.text().as_str());
        let keys = ChainKeys::of(&KeyRing::parse(&text).expect("two keys"));
        assert_eq!(Some(keys.active().0), new.ids().next());
        let mac = ChainKeys::for_tests().active().1.mac(b"row");
        assert_eq!(keys.find("test").map(|key| key.mac(b"row")), Some(mac));
        assert_ne!(keys.active().1.mac(b"row"), mac);
        assert!(keys.find("nobody").is_none());
    }
}
