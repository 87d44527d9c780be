//! The key ring: parsed key material. The first key is the active one, the others only open.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hkdf;
use zeroize::Zeroizing;

use super::{TEST_KEYS, VaultError};
use crate::clock::Rng;

pub(super) const KEY_BYTES: usize = 32;

/// Fits the length byte of the sealed form, and a line of a log.
const ID_LENGTH: usize = 64;

/// Cheap to clone. Shows the ids of its keys and nothing else.
#[derive(Clone)]
pub struct KeyRing(Arc<[Key]>);

/// One key of the ring, never empty-handed: its bytes are wiped with the last clone of the ring.
pub(super) struct Key {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl KeyRing {
    /// A ring of one fresh key.
    pub fn generate(rng: &Rng) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rng.fill(bytes.as_mut_slice());
        let mut name = [0; 4];
        rng.fill(&mut name);
        let id = format!("k-{:08x}", u32::from_be_bytes(name));
        Self(Arc::new([Key { id, bytes }]))
    }

    /// One key per line, `id base64`; the first is the active one. Empty lines and what follows a `#` do not count.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let refused = |why| VaultError::Line { line: number, why };
            let key = Key::parse(line).map_err(refused)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(refused("has the name of a key above it"));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(VaultError::Empty) } else { Ok(Self(keys.into())) }
    }

    #[doc(hidden)]
    pub fn for_tests() -> Self {
        Self::parse(TEST_KEYS).expect("the ring of tests is one line")
    }

    /// As [`KeyRing::parse`] takes it: for the key file and for `quarterdeck keys new`.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for key in self.keys() {
            let bytes = Zeroizing::new(STANDARD.encode(key.bytes.as_slice()));
            for part in [key.id.as_str(), " ", bytes.as_str(), "\n"] {
                text.push_str(part);
            }
        }
        text
    }

    /// The keys of the audit chain that this ring gives; no database is asked.
    pub fn chain(&self) -> super::ChainKeys {
        super::ChainKeys::of(self)
    }

    /// The active one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(Key::id)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    pub(super) fn active(&self) -> &Key {
        &self.0[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.keys().find(|key| key.id == id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("KeyRing")?;
        out.debug_list().entries(self.ids()).finish()
    }
}

impl Key {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_whitespace();
        let (Some(id), Some(text), None) = (words.next(), words.next(), words.next()) else {
            return Err("is not two words");
        };
        if !is_id(id) {
            return Err("has a name that is not 1 to 64 letters, digits and . _ -");
        }
        // Base64's estimate is a few bytes more than what comes out.
        let mut decoded = Zeroizing::new([0; KEY_BYTES + 4]);
        let length = STANDARD.decode_slice(text, decoded.as_mut_slice());
        if length != Ok(KEY_BYTES) {
            return Err("has no key of 32 bytes in base64");
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(&decoded[..KEY_BYTES]);
        Ok(Self { id: id.to_owned(), bytes })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// HKDF-SHA-256: a key of its own for each purpose, from which neither this key nor another purpose's follows.
    pub(super) fn derive(&self, purpose: &[&str]) -> Zeroizing<[u8; KEY_BYTES]> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"quarterdeck.vault.1");
        let info: Vec<&[u8]> = purpose.iter().map(|part| part.as_bytes()).collect();
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        salt.extract(self.bytes.as_slice())
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(derived.as_mut_slice()))
            .expect("32 bytes are what HKDF-SHA-256 gives at once");
        derived
    }
}

/// What may stand in a line, in an error and in the sealed form.
pub(super) fn is_id(id: &str) -> bool {
    (1..=ID_LENGTH).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_reads_what_it_writes() {
        let rng = Rng::seeded(1);
        let (one, two) = (KeyRing::generate(&rng), KeyRing::generate(&rng));
        let text = format!("# first\n{}\n  \n{}", two.text().as_str(), one.text().as_str());
        let both = KeyRing::parse(&text).expect("two lines");
        let ids: Vec<&str> = two.ids().chain(one.ids()).collect();
        assert_eq!(both.ids().collect::<Vec<_>>(), ids);
        assert_eq!(both.active().id(), ids[0]);
        assert_eq!(both.find(ids[1]).map(|k| k.bytes.clone()), Some(one.active().bytes.clone()));
        assert_eq!(KeyRing::parse(&both.text()).expect("itself").text(), both.text());
    }

    #[test]
    fn a_line_that_is_no_key_is_refused_by_its_number_and_never_repeated() {
        let good = "cXVhcnRlcmRlY2sgdGVzdCByaW5nLCBub3Qgc2VjcmU=";
        for (text, told) in [
            (format!("a {good}\na {good}"), "line 2"),
            (format!("# x\n\n{good}"), "line 3"),
            (format!("a/b {good}"), "name"),
            (format!("a {good} c"), "two words"),
            (format!("a {}", &good[4..]), "32 bytes"),
            (format!("a {good}{good}"), "32 bytes"),
            (format!("a {}", good.replace('=', "!")), "32 bytes"),
            (format!("{} {good}", "a".repeat(65)), "name"),
            ("# nothing\n".to_owned(), "no key"),
        ] {
            let refused = KeyRing::parse(&text).expect_err(&text).to_string();
            assert!(refused.contains(told), "{refused}");
            assert!(!refused.contains(&good[4..20]), "{refused}");
        }
    }

    #[test]
    fn each_purpose_and_each_key_has_a_key_of_its_own() {
        let ring = KeyRing::for_tests();
        let other = KeyRing::generate(&Rng::seeded(2));
        let key = ring.active();
        assert_eq!(key.derive(&["a"]), key.derive(&["a"]));
        assert_ne!(key.derive(&["a"]), key.derive(&["b"]));
        assert_ne!(key.derive(&["a"]), other.active().derive(&["a"]));
        assert_ne!(key.derive(&["a"]).as_slice(), key.bytes.as_slice());
    }

    #[test]
    fn a_ring_shows_names_only() {
        let shown = format!("{:?} {:#?}", KeyRing::for_tests(), KeyRing::for_tests());
        assert!(shown.starts_with("KeyRing[\"test\"]"), "{shown}");
        assert!(!shown.contains("cXVh") && !shown.contains("113"), "{shown}");
    }
}
