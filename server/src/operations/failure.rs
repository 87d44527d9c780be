//! Why a run failed: a code for programs, a sentence for people, and a fingerprint that makes a thousand
//! failures of one cause one line. Knows no store and no clock.

use std::borrow::Cow;

use crate::store::StoreError;

/// The sentence is cut here; the rest stands in the log.
const SUMMARY_MAX: usize = 300;

/// What a step or a run says when it could not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    code: Cow<'static, str>,
    message: String,
}

impl Failure {
    /// `code` is a fixed word such as `upstream_unreachable`; `message` may hold what was found.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into() }
    }

    pub fn code(&self) -> &str {
        &self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The work may not go on: the worker no longer holds the run, or has to let it go. The engine knows
    /// that by itself; a type that swallows it changes nothing.
    pub(super) fn interrupted() -> Self {
        Self::new("interrupted", "The worker let go of this run.")
    }

    /// A person asked for the end of the run.
    pub(super) fn cancelled() -> Self {
        Self::new("cancelled", "Cancelled.")
    }

    /// What a finished step of an earlier attempt said, in its own code: the same cause keeps its fingerprint.
    pub(super) fn recorded(code: Option<String>, message: &str) -> Self {
        let code = code.map_or(Cow::Borrowed("step_failed"), Cow::Owned);
        Self { code, message: message.to_owned() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new("store_unavailable", format!("The database did not answer: {error}"))
    }
}

/// The first line, short enough for a row.
pub fn summary(message: &str) -> String {
    let line =
        message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("No reason given.");
    if line.chars().count() <= SUMMARY_MAX {
        return line.to_owned();
    }
    line.chars().take(SUMMARY_MAX - 1).chain(['…']).collect()
}

/// The same for failures that differ only in ids, numbers, paths and times. 16 hexadecimal digits.
pub fn fingerprint(kind: &str, code: &str, message: &str) -> String {
    let mut hash = Fnv1a::default();
    for part in [kind, code, &normalised(message)] {
        hash.write(part.as_bytes());
        hash.write(&[0]);
    }
    format!("{:016x}", hash.0)
}

/// The message with everything replaced that differs from one failure to the next.
fn normalised(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut word = String::new();
    for c in message.chars() {
        if c.is_alphanumeric() || "-_./:+".contains(c) {
            word.push(c);
        } else {
            push_word(&mut out, &word);
            word.clear();
            out.push(c);
        }
    }
    push_word(&mut out, &word);
    out
}

fn push_word(out: &mut String, word: &str) {
    // 2026-11-21, and whatever time follows.
    let starts_with_date = word.len() >= 10
        && word.bytes().take(10).enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if starts_with_date {
        out.push_str("<time>");
    } else if word.starts_with('/') && word.len() > 1 {
        out.push_str("<path>");
    } else {
        push_parts(out, word);
    }
}

/// Names such as `web-7f9c6d5b-xkzqw`: the parts that look made up become one `<id>`.
fn push_parts(out: &mut String, word: &str) {
    let mut after_id = false;
    for piece in word.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let end = piece.char_indices().next_back().filter(|(_, c)| !c.is_alphanumeric());
        let (part, mark) = piece.split_at(end.map_or(piece.len(), |(at, _)| at));
        let is_id = looks_made_up(part, after_id);
        if !is_id {
            out.push_str(part);
        } else if !after_id {
            out.push_str("<id>");
        } else if out.ends_with('-') {
            out.pop();
        } else {
            out.push_str("<id>");
        }
        after_id = is_id;
        out.push_str(mark);
    }
}

/// A number, a hash, or the five characters that Kubernetes puts behind one (it leaves out vowels and digits
/// that look like letters).
fn looks_made_up(part: &str, after_id: bool) -> bool {
    const SUFFIX: &str = "bcdfghjklmnpqrstvwxz2456789";
    part.chars().any(char::is_numeric)
        || (part.len() >= 12 && part.bytes().all(|b| b.is_ascii_hexdigit()))
        || (after_id && part.len() == 5 && part.chars().all(|c| SUFFIX.contains(c)))
}

/// FNV-1a with 64 bits: short, the same in every release, and no promise of secrecy is needed here.
struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_has_one_fingerprint() {
        for (a, b) in [
            ("pod web-7f9c6d5b-x2x1z is gone", "pod web-6b8d1c2f-q9q8r is gone"),
            ("pod web-7f9c6d5b-x2x4z is gone", "pod web-6b8d1c2f-xkzqw is gone"),
            ("node 10.0.3.17:6443 refused", "node 192.168.1.2:443 refused"),
            (
                "timed out after 30 s at 2026-11-21T09:30:00Z",
                "timed out after 31 s at 2025-01-02T03:04:05Z",
            ),
            ("cannot open /var/lib/a/1", "cannot open /tmp/b"),
            (
                "run 0b7b3f6e-9f0e-4f0a-8a2b-0123456789ab",
                "run 11111111-2222-4333-8444-abcdefabcdef",
            ),
        ] {
            assert_eq!(fingerprint("t", "c", a), fingerprint("t", "c", b), "{a} / {b}");
        }
    }

    #[test]
    fn two_causes_have_two() {
        let one = fingerprint("t", "c", "connection refused");
        assert_ne!(one, fingerprint("t", "c", "connection reset"));
        assert_ne!(one, fingerprint("u", "c", "connection refused"));
        assert_ne!(one, fingerprint("t", "d", "connection refused"));
    }

    #[test]
    fn a_summary_is_one_short_line() {
        assert_eq!(summary("\n  first \nsecond"), "first");
        assert_eq!(summary(""), "No reason given.");
        assert_eq!(summary(&"é".repeat(500)).chars().count(), SUMMARY_MAX);
    }
}
