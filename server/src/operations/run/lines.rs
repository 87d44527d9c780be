//! The log of a run, as its type writes it, and the news that it has grown.
//!
//! Each line is a write of its own; news of lines is told in the transaction of one of them, at most once in
//! [`timing::LOG_NEWS`]. Lines written in silence are told of soon after, so that the last one of a burst is not
//! left until something else happens.

use std::convert::Infallible;

use app::operations::log::Level;
use futures::FutureExt as _;

use super::{Book, Run};
use crate::operations::{failure::Failure, store::work as held, timing};

impl Run {
    /// One line of the run's log. Beyond [`timing::LOG_LINES_MAX`] lines are dropped, and the log says so.
    pub async fn log(&self, line: impl Into<String>) -> Result<(), Failure> {
        self.line(Level::Info, line.into()).await
    }

    /// A line about what a reader should look at, though the work goes on.
    pub async fn warn(&self, line: impl Into<String>) -> Result<(), Failure> {
        self.line(Level::Warn, line.into()).await
    }

    /// A line about what went wrong.
    pub async fn error(&self, line: impl Into<String>) -> Result<(), Failure> {
        self.line(Level::Error, line.into()).await
    }

    async fn line(&self, level: Level, line: String) -> Result<(), Failure> {
        let (number, tells) = {
            let mut book = self.0.book.lock().await;
            book.lines += 1;
            (book.lines, book.lines <= timing::LOG_LINES_MAX && self.tells_now(&mut book))
        };
        let (level, text) = match number.cmp(&timing::LOG_LINES_MAX) {
            std::cmp::Ordering::Less => (level, self.presentable(&line, timing::LOG_LINE_MAX)),
            std::cmp::Ordering::Equal => {
                (Level::Warn, "The log is full; later lines are dropped.".to_owned())
            }
            std::cmp::Ordering::Greater => return Ok(()),
        };
        self.write(|| {
            let line = held::Line { number, level, text: &text };
            async move { held::log(&self.0.db, &self.0.lease, &line, tells).await }.boxed()
        })
        .await?;
        if !tells {
            // After the write: what is told of must be there.
            self.0.book.lock().await.untold = true;
            self.0.silent_lines.notify_one();
        }
        Ok(())
    }

    /// Whether it is time to say that there are new lines: at most once in [`timing::LOG_NEWS`].
    fn tells_now(&self, book: &mut Book) -> bool {
        let now = self.0.clock.monotonic();
        let tells = book.told_at.is_none_or(|at| now.saturating_sub(at) >= timing::LOG_NEWS);
        if tells {
            book.told_at = Some(now);
            book.untold = false;
        }
        tells
    }

    /// Tells of lines that were written in silence, soon after: to be driven beside the work. News that cannot
    /// be told harms no run.
    pub(in crate::operations) async fn tell_of_lines(&self) -> Infallible {
        loop {
            self.0.silent_lines.notified().await;
            let told_at = self.0.book.lock().await.told_at.unwrap_or_default();
            let since = self.0.clock.monotonic().saturating_sub(told_at);
            self.0.clock.sleep(timing::LOG_NEWS.saturating_sub(since)).await;
            let is_due = {
                let mut book = self.0.book.lock().await;
                // A later line may have told of all before it.
                book.untold && self.tells_now(&mut book)
            };
            if is_due
                && let Err(failure) =
                    self.write(|| held::tell_lines(&self.0.db, &self.0.lease).boxed()).await
            {
                tracing::warn!(run.id = self.0.facts.id, %failure, "New log lines could not be told of.");
            }
        }
    }
}
