//! The sealed form: `version ‖ length of the key id ‖ key id ‖ nonce ‖ ciphertext with its tag`.
//!
//! AES-256-GCM with a random nonce of 96 bits, so at most 2³² values per key; rotate before that. What it is bound
//! to (table, row, column, key id, each behind its length) is not part of the form: a value that is moved does not
//! open.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{
    VaultError,
    ring::{Key, is_id},
};
use crate::clock::Rng;

const VERSION: u8 = 1;

/// Where a sealed value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub table: &'static str,
    /// The primary key, as text.
    pub row: &'a str,
    pub column: &'static str,
}

pub(super) fn seal(key: &Key, place: Place<'_>, plain: &[u8], rng: &Rng) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill(&mut nonce);
    let id = key.id().as_bytes();
    let mut sealed =
        Vec::with_capacity(2 + id.len() + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    sealed.push(VERSION);
    sealed.push(u8::try_from(id.len()).expect("an id has at most 64 bytes"));
    sealed.extend_from_slice(id);
    sealed.extend_from_slice(&nonce);
    let body = sealed.len();
    sealed.extend_from_slice(plain);
    let aad = Aad::from(bound_to(place, key.id()));
    let tag = cipher(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed[body..])
        .expect("only 64 GiB are too much for AES-GCM");
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

pub(super) fn open(
    key: &Key,
    place: Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (id, nonce, body) = parts(sealed).ok_or(VaultError::Broken)?;
    if id != key.id() {
        return Err(VaultError::Broken);
    }
    let mut opened = Zeroizing::new(body.to_owned());
    let length = cipher(key)
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound_to(place, id)),
            opened.as_mut_slice(),
        )
        .map_err(|_| VaultError::Broken)?
        .len();
    opened.truncate(length);
    Ok(opened)
}

/// How everything begins that was sealed under the key of this name.
pub(super) fn prefix(id: &str) -> Vec<u8> {
    let length = u8::try_from(id.len()).expect("an id has at most 64 bytes");
    [&[VERSION, length], id.as_bytes()].concat()
}

/// Under which key it was sealed; none when it is not of our form.
pub(super) fn key_id(sealed: &[u8]) -> Option<&str> {
    parts(sealed).map(|(id, _, _)| id)
}

fn parts(sealed: &[u8]) -> Option<(&str, [u8; NONCE_LEN], &[u8])> {
    let (&version, rest) = sealed.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (id, rest) = rest.split_at_checked(length.into())?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
    let id = std::str::from_utf8(id).ok().filter(|id| is_id(id))?;
    (version == VERSION).then_some((id, *nonce, body))
}

fn cipher(key: &Key) -> LessSafeKey {
    let bytes = key.derive(&["vault.seal"]);
    let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice());
    LessSafeKey::new(key.expect("AES-256 takes 32 bytes"))
}

fn bound_to(place: Place<'_>, key_id: &str) -> Vec<u8> {
    let mut bound = vec![VERSION];
    for part in [place.table, place.row, place.column, key_id] {
        let length = u64::try_from(part.len()).expect("a length fits 64 bits");
        bound.extend_from_slice(&length.to_be_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_places_are_spelled_alike() {
        let place = |row, column| Place { table: "t", row, column };
        assert_ne!(bound_to(place("a", "bc"), "k"), bound_to(place("ab", "c"), "k"));
        assert_ne!(bound_to(place("a", "b"), "ck"), bound_to(place("a", "bc"), "k"));
        assert_ne!(bound_to(place("a", ""), "k"), bound_to(place("", "a"), "k"));
    }

    #[test]
    fn what_is_not_of_our_form_has_no_key() {
        let nothing: [&[u8]; 6] = [
            b"",
            b"\x01",
            b"\x01\xff",
            b"\x01\x01k",
            b"\x01\x00123456789012",
            b"\x01\x01/123456789012",
        ];
        for sealed in nothing {
            assert_eq!(key_id(sealed), None, "{sealed:?}");
        }
        assert_eq!(key_id(b"\x01\x01k123456789012"), Some("k"));
        assert_eq!(key_id(b"\x02\x01k123456789012"), None);
    }
}
