//! A signed head: "at this time the chain ended with this row, and this was its hash".
//!
//! Signed with the chain key of its id, so only a console with the key ring can have said so. One line of text
//! goes over the log and comes back through `quarterdeck audit verify --head`.

use std::{fmt, str::FromStr};

use app::time::Micros;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{journal::encoding::Hash, vault::ChainKeys};

/// What the line begins with; the number is the version of its form and of what is signed.
const MARK: &str = "qd-audit-head:1:";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    pub at: Micros,
    pub seq: i64,
    pub hash: Hash,
    pub key_id: String,
    pub signature: Hash,
}

/// Why a signature says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    UnknownKey,
    OtherSignature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no signed head: the console logs one as `{MARK}SEQ:TIME:HASH:KEY:SIGNATURE`")]
pub struct NoHead;

impl SignedHead {
    pub fn sign(chain: &ChainKeys, at: Micros, seq: i64, hash: Hash) -> Self {
        Self::sign_as(MARK, chain, at, seq, hash)
    }

    pub fn check(&self, chain: &ChainKeys) -> Result<(), Doubt> {
        self.check_as(MARK, chain)
    }

    /// The mark is part of what is signed: what was signed as one thing is never taken for another.
    pub(super) fn sign_as(mark: &str, chain: &ChainKeys, at: Micros, seq: i64, hash: Hash) -> Self {
        let (key_id, key) = chain.active();
        let signature = key.mac(&signed(mark, at, seq, &hash, key_id));
        Self { at, seq, hash, key_id: key_id.to_owned(), signature }
    }

    pub(super) fn check_as(&self, mark: &str, chain: &ChainKeys) -> Result<(), Doubt> {
        let key = chain.find(&self.key_id).ok_or(Doubt::UnknownKey)?;
        let own = key.mac(&signed(mark, self.at, self.seq, &self.hash, &self.key_id));
        if own == self.signature { Ok(()) } else { Err(Doubt::OtherSignature) }
    }

    pub(super) fn write_as(&self, mark: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, seq, hash, key_id, signature } = self;
        let [hash, signature] = [hash, signature].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        write!(out, "{mark}{seq}:{}:{hash}:{key_id}:{signature}", at.0)
    }

    pub(super) fn read_as(mark: &str, line: &str) -> Result<Self, NoHead> {
        let (_, rest) = line.rsplit_once(mark).ok_or(NoHead)?;
        let end = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '`' | ',');
        let word = rest.split(end).next().unwrap_or_default();
        let mut parts = word.splitn(4, ':');
        let mut next = || parts.next().ok_or(NoHead);
        let (seq, at, hash, rest) = (next()?, next()?, next()?, next()?);
        let (key_id, signature) = rest.rsplit_once(':').ok_or(NoHead)?;
        Ok(Self {
            at: Micros(at.parse().map_err(|_| NoHead)?),
            seq: seq.parse().map_err(|_| NoHead)?,
            hash: bytes(hash)?,
            key_id: key_id.to_owned(),
            signature: bytes(signature)?,
        })
    }
}

/// Begins with the mark, which no row's encoding does: a row's hash is never a head's signature.
fn signed(mark: &str, at: Micros, seq: i64, hash: &Hash, key_id: &str) -> Vec<u8> {
    let mut bytes = mark.as_bytes().to_vec();
    bytes.extend_from_slice(&at.0.to_be_bytes());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(hash);
    bytes.extend_from_slice(key_id.as_bytes());
    bytes
}

impl fmt::Display for SignedHead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_as(MARK, out)
    }
}

/// Takes a whole line of the log, in either of its formats: what stands around the head is passed over.
impl FromStr for SignedHead {
    type Err = NoHead;

    fn from_str(line: &str) -> Result<Self, NoHead> {
        Self::read_as(MARK, line)
    }
}

fn bytes(text: &str) -> Result<Hash, NoHead> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoHead)?;
    bytes.try_into().map_err(|_| NoHead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> (ChainKeys, SignedHead) {
        let chain = ChainKeys::for_tests();
        let head = SignedHead::sign(&chain, Micros(1_700_000_000_000_000), 41, [7; 32]);
        (chain, head)
    }

    #[test]
    fn a_line_of_the_log_gives_the_head_back() {
        let (chain, head) = head();
        for line in [
            format!("{head}"),
            format!(
                "2026-01-01T00:00:00Z  INFO server::audit: audit chain head signed: {head} seq=41"
            ),
            format!("{{\"message\":\"audit chain head signed: {head}\",\"seq\":41}}"),
            format!("\u{1b}[2mINFO\u{1b}[0m {head}\u{1b}[0m"),
        ] {
            let read: SignedHead = line.parse().expect("a head");
            assert_eq!(read, head, "{line}");
            assert_eq!(read.check(&chain), Ok(()));
        }
        for other in ["", "qd-audit-head:1:", "qd-audit-head:1:1:2:AA:k:AA", "seq=41"] {
            assert_eq!(other.parse::<SignedHead>(), Err(NoHead), "{other}");
        }
    }

    #[test]
    fn whatever_is_changed_is_no_longer_signed() {
        let (chain, head) = head();
        let others = [
            SignedHead { at: Micros(head.at.0 + 1), ..head.clone() },
            SignedHead { seq: 40, ..head.clone() },
            SignedHead { hash: [8; 32], ..head.clone() },
            SignedHead { signature: [0; 32], ..head.clone() },
        ];
        for other in others {
            assert_eq!(other.check(&chain), Err(Doubt::OtherSignature), "{other}");
        }
        let unknown = SignedHead { key_id: "other".to_owned(), ..head };
        assert_eq!(unknown.check(&chain), Err(Doubt::UnknownKey));
    }
}
