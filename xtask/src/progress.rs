//! Owns what the terminal shows of a step: one line, its name before and its time after.
//! Must not run or decide anything itself.

use std::io::{Write as _, stdout};
use std::time::{Duration, Instant};

use anyhow::Result;

/// Wide enough for the longest step name, so that the times stand in one column.
const WIDTH: usize = 46;

/// Does one step and prints its line. Whatever the step starts must write to a log, not here.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    print!("  {name:<WIDTH$}");
    // A line that cannot be shown is no reason to stop.
    drop(stdout().flush());
    let since = Instant::now();
    let result = work();
    let note = if result.is_ok() { "" } else { "  failed" };
    println!("{:>9}{note}", seconds(since.elapsed()));
    result
}

/// A line without work of its own.
pub fn note(name: &str, after: Duration) {
    println!("  {name:<WIDTH$}{:>9}", seconds(after));
}

pub fn seconds(time: Duration) -> String {
    if time >= Duration::from_secs(100) {
        return format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60);
    }
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_to_read() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(252)), "4 min 12 s");
    }
}
