//! API keys, as far as everybody needs to know them: what ours look like.

/// Tells people, and scanners of leaked secrets, what it is.
pub const PREFIX: &str = "qd_";
/// Of a key that is stored hashed, as many letters are kept as tell it from others.
const SHOWN: usize = 8;

/// The part of a key that lists show.
pub fn shown(key: &str) -> String {
    key.chars().take(SHOWN).collect()
}
