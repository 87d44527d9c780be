//! Requests that wait for something to happen: how long one may ask for, and how many one caller may have open.
//!
//! Must not know what is waited for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::{
    error::{ApiError, Expected, Rule},
    identity::Caller,
};

/// The longest wait that can be asked for: proxies give up on a silent connection not long after.
pub const LONGEST: Duration = Duration::from_mins(1);
/// A script waits for one thing, a dashboard for a few (DESIGN §4).
const WAITS_PER_CALLER: usize = 8;
/// Too many at once: one must end first, so there is no use in hurrying.
const RETRY_AFTER_S: u32 = 5;

/// How many waits each caller has open. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Waits(Arc<Mutex<HashMap<String, usize>>>);

/// One of a caller's waits; gives its place back when it ends.
pub struct WaitSlot {
    waits: Waits,
    key: String,
}

impl Waits {
    pub fn take(&self, caller: &Caller) -> Result<WaitSlot, ApiError> {
        let key = format!("{caller:?}");
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = waits.entry(key.clone()).or_default();
        if *open >= WAITS_PER_CALLER {
            return Err(ApiError::RateLimited { retry_after_s: RETRY_AFTER_S });
        }
        *open += 1;
        drop(waits);
        Ok(WaitSlot { waits: self.clone(), key })
    }
}

impl Drop for WaitSlot {
    fn drop(&mut self) {
        let mut waits = self.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = waits.get_mut(&self.key) {
            *open -= 1;
            if *open == 0 {
                waits.remove(&self.key);
            }
        }
    }
}

/// Reads `30s`; `30` means the same.
pub fn parse(field: &str, text: &str) -> Result<Duration, ApiError> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        let expected = Expected::Seconds;
        return Err(ApiError::invalid(field, Rule::Malformed { expected }));
    }
    let asked = digits.parse().map_or(Duration::MAX, Duration::from_secs);
    if asked > LONGEST {
        return Err(ApiError::invalid(field, Rule::Range { min: 0, max: 60 }));
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_of_seconds_up_to_a_minute() {
        for (text, seconds) in [("30s", 30), ("0s", 0), ("60", 60), ("007s", 7)] {
            assert_eq!(parse("wait", text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1.5s", "1m", "30 s", "+3", "\u{664}s", "30ss"] {
            let expected = Rule::Malformed { expected: Expected::Seconds };
            assert_eq!(parse("wait", text), Err(ApiError::invalid("wait", expected)), "{text}");
        }
        for text in ["61s", "99999999999999999999999"] {
            let range = Rule::Range { min: 0, max: 60 };
            assert_eq!(parse("wait", text), Err(ApiError::invalid("wait", range)), "{text}");
        }
    }
}
