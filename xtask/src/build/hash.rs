//! Owns the short names of contents: in asset names, cache folders and fingerprints.

use sha2::{Digest as _, Sha256};

/// 48 bits in hex: enough to tell versions of one file apart, short enough to read in a network log.
pub fn short(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let number = digest[..6].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:012x}")
}

/// `quarterdeck.css` with contents → `quarterdeck.3f09ab12cd34.css`.
pub fn name(logical: &str, bytes: &[u8]) -> String {
    let hash = short(bytes);
    match logical.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}.{hash}.{extension}"),
        _ => format!("{logical}.{hash}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_start_of_sha_256() {
        // The well-known digest of nothing.
        assert_eq!(short(b""), "e3b0c44298fc");
    }

    #[test]
    fn the_hash_stands_before_the_extension() {
        assert_eq!(name("quarterdeck.css", b""), "quarterdeck.e3b0c44298fc.css");
        assert_eq!(name("quarterdeck_bg.wasm", b""), "quarterdeck_bg.e3b0c44298fc.wasm");
        assert_eq!(name("robots", b""), "robots.e3b0c44298fc");
        assert_eq!(name(".hidden", b""), ".hidden.e3b0c44298fc");
    }

    #[test]
    fn other_contents_get_another_name() {
        assert_ne!(name("a.js", b"1"), name("a.js", b"2"));
    }
}
