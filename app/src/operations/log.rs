//! A run's log as people read it: what may stand in a line, where a reader's word is found in it, and the
//! lines as they cross the wire.
//!
//! A line is what some machine wrote. It may hold escape sequences that colour or clear a terminal, marks that
//! turn the direction of writing, and anything else that makes text look like what it is not; [`shown`] makes
//! all of that visible. Knows no page and no store.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Lines that a page shows at first, and that one call answers when nothing else is asked.
pub const LINES_SHOWN: i64 = 200;
/// Lines that one call answers at most.
pub const LINES_MAX: i64 = 1_000;
/// Lines that an open page keeps; older ones leave at the top.
pub const LINES_KEPT: usize = 2_000;

/// One line as an open page draws it: its times are written by the server, for the reader's zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownLine {
    pub seq: i64,
    /// RFC 3339.
    pub at: String,
    /// "09:29:51.204".
    pub time: String,
    /// "21 Nov 2026, 09:29:51 Europe/Lisbon".
    pub title: String,
    pub level: String,
    /// Safe to show: see [`shown`].
    pub text: String,
}

/// Lines that follow a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownLines {
    pub lines: Vec<ShownLine>,
    /// There are more behind the last of these already.
    pub more: bool,
}

/// A line as it may be shown. Colours of a terminal are dropped; whatever else cannot be seen or would turn
/// the text around is spelled out. Tabs and line ends stay: the page lays them out.
pub fn shown(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = without_colour(rest) {
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\t' | '\n' => out.push(c),
            // A line end of other systems, or a bar that redraws itself: the text before it stays readable.
            '\r' if rest.starts_with('\n') => {}
            '\0'..='\u{1f}' => out.push(picture(c)),
            '\u{7f}' => out.push('\u{2421}'),
            c if is_unseen(c) => {
                // Writing into a string cannot fail.
                let _ = write!(out, "‹U+{:04X}›", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// What follows `ESC [ … m`, when the text begins with it.
fn without_colour(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("\u{1b}[")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    rest[end..].strip_prefix('m')
}

/// The picture that Unicode has for a control character.
fn picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or('\u{fffd}')
}

/// Controls of the second row, marks of direction, and what takes no room at all.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Where `needle` stands in `text`, without regard to case: byte ranges that do not overlap, `most` of them at
/// most.
pub fn matches(text: &str, needle: &str, most: usize) -> Vec<(usize, usize)> {
    let needle: Vec<char> = needle.chars().flat_map(char::to_lowercase).collect();
    if needle.is_empty() {
        return Vec::new();
    }
    // Lower case may have another length, so each character remembers where it came from.
    let folded: Vec<(char, usize, usize)> = text
        .char_indices()
        .flat_map(|(at, c)| c.to_lowercase().map(move |low| (low, at, at + c.len_utf8())))
        .collect();
    let mut found = Vec::new();
    let mut from = 0;
    while from + needle.len() <= folded.len() && found.len() < most {
        let here = &folded[from..from + needle.len()];
        if here.iter().zip(&needle).all(|((c, ..), wanted)| c == wanted) {
            found.push((here[0].1, here[here.len() - 1].2));
            from += needle.len();
        } else {
            from += 1;
        }
    }
    found
}

#[cfg(feature = "ssr")]
pub use wire::*;

#[cfg(feature = "ssr")]
mod wire {
    use serde::Serialize;
    use utoipa::ToSchema;

    use super::{ShownLine, ShownLines, shown};
    use crate::{
        operations::model::{Status, words},
        time::Micros,
        ui::Clockface,
    };

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
    #[serde(rename_all = "lowercase")]
    pub enum Level {
        Info,
        Warn,
        Error,
    }

    words!(Level: Info = "info", Warn = "warn", Error = "error");

    /// One line of a run's log.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
    pub struct LogLine {
        /// From 1, without gaps.
        pub seq: i64,
        pub at: Micros,
        pub level: Level,
        /// As it was written, without the values that its type calls secret.
        pub line: String,
    }

    /// Lines of a run's log, oldest first.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
    pub struct LogPage {
        pub lines: Vec<LogLine>,
        /// The number of the newest line that is kept; 0 when there is none.
        pub last_seq: i64,
        /// Ask with this as `after` to go on.
        pub next_after: i64,
        /// Of the run; a completed one writes no more.
        pub status: Status,
    }

    /// Which lines are asked for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Span {
        /// The first ones after this number.
        After(i64),
        /// The last ones before this number.
        Before(i64),
        /// The newest.
        Last,
    }

    impl LogPage {
        /// Whether there are lines behind these.
        pub fn has_more(&self) -> bool {
            self.next_after < self.last_seq
        }

        pub fn shown(&self, clock: &Clockface) -> ShownLines {
            let lines = self.lines.iter().map(|line| line.shown(clock)).collect();
            ShownLines { lines, more: self.has_more() }
        }
    }

    impl LogLine {
        pub fn shown(&self, clock: &Clockface) -> ShownLine {
            ShownLine {
                seq: self.seq,
                at: self.at.to_string(),
                time: clock.precise(self.at),
                title: clock.absolute(self.at),
                level: self.level.as_str().to_owned(),
                text: shown(&self.line),
            }
        }

        /// As it stands in the file: UTC, and nothing in it can pass for another line.
        pub fn in_file(&self) -> String {
            let text = shown(&self.line).replace('\n', "\n    ");
            format!("{} {:<5} {text}\n", self.at, self.level.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_seen_or_gone() {
        let cases = [
            ("\u{1b}[31mred\u{1b}[0m and \u{1b}[1;38:5:9mbold\u{1b}[m", "red and bold"),
            ("\u{1b}[2J\u{1b}]0;owned\u{7}", "␛[2J␛]0;owned␇"),
            ("a\rb", "a␍b"),
            ("a\r\nb\tc", "a\nb\tc"),
            ("user\u{202e}txt.exe", "user‹U+202E›txt.exe"),
            ("\u{2066}x\u{2069}\u{feff}", "‹U+2066›x‹U+2069›‹U+FEFF›"),
            ("\u{85}\u{9b}31m", "‹U+0085›‹U+009B›31m"),
            ("\u{1b}[", "␛["),
            ("\u{1b}[12", "␛[12"),
            ("שלום <b>é</b>", "שלום <b>é</b>"),
            ("", ""),
        ];
        for (line, seen) in cases {
            assert_eq!(shown(line), seen, "{line:?}");
        }
    }

    #[test]
    fn a_word_is_found_whatever_its_case_and_wherever_it_stands() {
        let found = |text: &str, needle: &str| -> Vec<String> {
            let places = matches(text, needle, 10);
            places.into_iter().map(|(from, to)| text[from..to].to_owned()).collect()
        };
        assert_eq!(found("Error: error, ERROR", "error"), ["Error", "error", "ERROR"]);
        assert_eq!(found("aaaa", "aa"), ["aa", "aa"]);
        assert_eq!(found("İstanbul x", "x"), ["x"], "lower case has one character more");
        assert_eq!(found("straße", "SSE"), Vec::<String>::new());
        assert_eq!(found("日本語ログ", "語ロ"), ["語ロ"]);
        assert_eq!(found("abc", ""), Vec::<String>::new());
        assert_eq!(found("", "a"), Vec::<String>::new());
        assert_eq!(matches("aaaaaa", "a", 3).len(), 3);
    }
}
