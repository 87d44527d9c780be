//! Random words that prove something: session cookies, API keys, one-time links. Only their hashes are stored.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::clock::Rng;

/// Shown once to whom it belongs, and never logged.
pub struct Token(String);

impl Token {
    /// 256 random bits after a prefix that tells people and scanners what it is.
    pub fn new(prefix: &str, rng: &Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> Vec<u8> {
        hash(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

/// What the store knows of a token. No salt and no slow hash: the tokens are random themselves.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// The session's mark in audit rows: enough to tell sessions apart, of no use to whoever reads it.
pub fn mark(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_random_and_not_shown() {
        let rng = Rng::seeded(1);
        let (one, other) = (Token::new("qd_", &rng), Token::new("qd_", &rng));
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), 3 + 43);
        assert!(!format!("{one:?}").contains(&one.reveal()[3..8]));
        assert_eq!(one.hash(), hash(one.reveal()));
        assert_eq!(mark(&one.hash()).len(), 16);
    }
}
