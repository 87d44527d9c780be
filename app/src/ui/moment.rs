//! How long ago and how long: the two sentences about time that need no calendar, so that the browser can
//! keep them true on a page that stays open.

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// "just now", "12 s ago", "29 min ago", "8 h ago", "3 d ago"; "in 5 min" for what is yet to come.
pub fn relative(seconds_ago: i64) -> String {
    let size = seconds_ago.saturating_abs();
    let span = match size {
        0 => return "just now".to_owned(),
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => format!("{} min", s / MINUTE),
        s if s < DAY => format!("{} h", s / HOUR),
        s => format!("{} d", s / DAY),
    };
    if seconds_ago > 0 { format!("{span} ago") } else { format!("in {span}") }
}

/// "<1 ms", "12 ms", "0.2 s", "41 s", "1 min 4 s", "2 h 5 min", "3 d 4 h". A negative span is a clock's fault: "0 ms".
pub fn span(micros: i64) -> String {
    let millis = micros.max(0) / 1000;
    let seconds = millis / 1000;
    match seconds {
        0 if (1..1000).contains(&micros) => "<1 ms".to_owned(),
        0 if millis < 100 => format!("{millis} ms"),
        s if s < 10 => format!("{s}.{} s", millis % 1000 / 100),
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => two(s, MINUTE, "min", 1, "s"),
        s if s < DAY => two(s, HOUR, "h", MINUTE, "min"),
        s => two(s, DAY, "d", HOUR, "h"),
    }
}

fn two(seconds: i64, big: i64, big_name: &str, small: i64, small_name: &str) -> String {
    let (whole, rest) = (seconds / big, seconds % big / small);
    if rest == 0 {
        format!("{whole} {big_name}")
    } else {
        format!("{whole} {big_name} {rest} {small_name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_take_the_largest_whole_unit() {
        let said: Vec<String> =
            [0, 12, 59, 60, 3599, 3600, 86_399, 86_400, 40 * 86_400].map(relative).to_vec();
        assert_eq!(
            said,
            ["just now", "12 s ago", "59 s ago", "1 min ago", "59 min ago", "1 h ago", "23 h ago"]
                .into_iter()
                .chain(["1 d ago", "40 d ago"])
                .collect::<Vec<_>>()
        );
        assert_eq!(relative(-300), "in 5 min");
        assert_eq!(relative(i64::MIN), "in 106751991167300 d");
    }

    #[test]
    fn spans_say_no_more_than_is_useful() {
        let cases = [
            (-5, "0 ms"),
            (0, "0 ms"),
            (640, "<1 ms"),
            (12_400, "12 ms"),
            (99_999, "99 ms"),
            (204_000, "0.2 s"),
            (9_999_999, "9.9 s"),
            (41_700_000, "41 s"),
            (64_000_000, "1 min 4 s"),
            (120_000_000, "2 min"),
            (7_500_000_000, "2 h 5 min"),
            (273_600_000_000, "3 d 4 h"),
        ];
        for (micros, said) in cases {
            assert_eq!(span(micros), said, "{micros}");
        }
    }
}
