//! Waits for facts, with a deadline; nothing in the fleet sleeps and hopes.

use std::{fmt::Display, time::Duration};

use anyhow::{Result, bail};
use tokio::time::Instant;

const PAUSE: Duration = Duration::from_millis(50);
/// One look takes no longer: a connection that got lost costs one look, not the whole wait.
const LOOK: Duration = Duration::from_secs(10);

/// Looks again and again until `look` finds something; its error of the last look is the reason when the time is over.
pub async fn until<T, E: Display, F>(what: &str, limit: Duration, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Option<T>, E>,
{
    let deadline = Instant::now() + limit;
    loop {
        let look_ends = deadline.min(Instant::now() + LOOK);
        let reason = match tokio::time::timeout_at(look_ends, look()).await {
            Ok(Ok(Some(found))) => return Ok(found),
            Ok(Ok(None)) => "it is not so yet".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() >= deadline {
            bail!("waited {limit:?} for {what}: {reason}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_reason_is_told() {
        let error =
            until("rain", Duration::from_millis(10), async || Err::<Option<()>, _>("a blue sky"))
                .await;
        assert!(error.expect_err("it never comes").to_string().contains("a blue sky"));
    }

    #[tokio::test]
    async fn a_look_that_never_answers_ends_too() {
        let error = until("an answer", Duration::from_millis(10), async || {
            std::future::pending::<()>().await;
            Ok::<Option<()>, String>(None)
        });
        assert!(error.await.expect_err("it hangs").to_string().contains("no answer"));
    }
}
