//! A checkpoint: "the rows up to this one were pruned, and this was the hash of the last of them".
//!
//! Signed with the chain key, so only a console with the key ring can have pruned. The first row that is left names
//! the checkpoint's hash as the one before it.

use std::{fmt, str::FromStr};

use app::time::Micros;

use super::{
    SignedHead,
    head::{Doubt, NoHead},
};
use crate::{journal::encoding::Hash, vault::ChainKeys};

const MARK: &str = "qd-audit-checkpoint:1:";

/// The same fields as a head, and never one: the mark is signed along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint(pub(super) SignedHead);

impl Checkpoint {
    pub fn sign(chain: &ChainKeys, at: Micros, seq: i64, hash: Hash) -> Self {
        Self(SignedHead::sign_as(MARK, chain, at, seq, hash))
    }

    pub fn check(&self, chain: &ChainKeys) -> Result<(), Doubt> {
        self.0.check_as(MARK, chain)
    }

    /// The last row that was pruned.
    pub fn seq(&self) -> i64 {
        self.0.seq
    }

    pub fn hash(&self) -> Hash {
        self.0.hash
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_as(MARK, out)
    }
}

impl FromStr for Checkpoint {
    type Err = NoHead;

    fn from_str(line: &str) -> Result<Self, NoHead> {
        SignedHead::read_as(MARK, line).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_no_checkpoint() {
        let chain = ChainKeys::for_tests();
        let checkpoint = Checkpoint::sign(&chain, Micros(1), 7, [7; 32]);
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint.clone()));
        assert_eq!(checkpoint.check(&chain), Ok(()));
        let head = SignedHead::sign(&chain, Micros(1), 7, [7; 32]);
        assert_eq!(Checkpoint(head).check(&chain), Err(Doubt::OtherSignature));
    }
}
