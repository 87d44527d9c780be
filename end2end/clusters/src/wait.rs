//! Waiting for what will be, without a guess at how long it takes.

use std::time::{Duration, Instant};

/// Generous, since other work may share the processors; nothing waits longer than it must.
const LIMIT: Duration = Duration::from_mins(2);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When none came in two minutes.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(since.elapsed() < LIMIT, "it never came: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
