//! Following one run: its steps, its log, and waiting until there is more of either.
//!
//! Whoever waits holds a place in the event feed and asks again when the feed names their run: a hundred that
//! wait cost nothing while nothing happens.

use std::time::Duration;

use app::{
    error::{ApiError, Thing},
    events::{OPERATION_LOGS, OPERATIONS},
    identity::Permit,
    operations::{
        Follow, Reached, View,
        log::{LogPage, Span},
        model::Step,
    },
};
use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    OperationsService,
    store::{self, follow, refused},
};
use crate::{
    clock::Clock,
    events::{Feed, StreamItem, Subscription},
};

#[async_trait]
impl Follow for OperationsService {
    async fn steps(&self, permit: &Permit<View>, id: i64) -> Result<Vec<Step>, ApiError> {
        self.reached(permit, id).await?;
        store::steps(&self.base.db, id).await.map_err(refused)
    }

    async fn log(
        &self,
        permit: &Permit<View>,
        id: i64,
        span: Span,
        limit: i64,
    ) -> Result<LogPage, ApiError> {
        let reached = self.reached(permit, id).await?;
        let lines = follow::lines(&self.base.db, id, span, limit).await.map_err(refused)?;
        Ok(follow::page(lines, reached, span))
    }

    async fn reached(&self, permit: &Permit<View>, id: i64) -> Result<Reached, ApiError> {
        let found = follow::reached(&self.base.db, permit.reach(), id).await.map_err(refused)?;
        found.ok_or(ApiError::NotFound(Thing::Operation))
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.base.catalog.kinds().collect()
    }
}

/// What a wait listens to.
pub struct Ears {
    pub feed: Feed,
    pub clock: Clock,
    /// Ends every wait when the server stops.
    pub shutdown: CancellationToken,
    /// Changes when rights may have: whoever waits is then to be looked at again.
    pub epoch: watch::Receiver<i64>,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woke {
    Enough,
    TimeIsUp,
    ServerStops,
    RightsMoved,
}

impl Ears {
    /// Waits for news of one run until `is_enough` says so of how far it has come, at most for `longest`.
    pub async fn wait(
        &mut self,
        follow: &OperationsService,
        permit: &Permit<View>,
        id: i64,
        longest: Duration,
        is_enough: impl Fn(Reached) -> bool + Send,
    ) -> Result<Woke, ApiError> {
        // A place in the feed first: what happens after the look is then heard.
        let mut news = self.feed.subscribe(None, permit.caller()).await.map_err(refused)?;
        let wanted = id.to_string();
        let enough = async {
            while !is_enough(follow.reached(permit, id).await?) {
                heard(&mut news, &wanted).await?;
            }
            Ok(Woke::Enough)
        };
        tokio::select! {
            biased;
            done = enough => done,
            () = self.shutdown.cancelled() => Ok(Woke::ServerStops),
            () = moved(&mut self.epoch) => Ok(Woke::RightsMoved),
            () = self.clock.sleep(longest) => Ok(Woke::TimeIsUp),
        }
    }
}

/// The next news of this run, or that news was missed.
async fn heard(news: &mut Subscription, wanted: &str) -> Result<(), ApiError> {
    loop {
        match news.next().await.map_err(refused)? {
            StreamItem::Reset { .. } => return Ok(()),
            StreamItem::Notice(notice) => {
                let ours = [OPERATIONS, OPERATION_LOGS].contains(&notice.topic.as_str());
                if ours && notice.id == wanted {
                    return Ok(());
                }
            }
        }
    }
}

async fn moved(epoch: &mut watch::Receiver<i64>) {
    if epoch.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
