//! What runs in the background while the console serves, each under its name.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Console, KEY_USES};
use crate::{
    audit::{AuditNews, Heads},
    vault::Resealer,
};

const FLEET_WATCHES: &str =
    "Follows what goes on in the clusters that somebody looks at, and tells their open pages.";

const FLEET_PROBES: &str =
    "Looks at each cluster in its turn, and writes down how it fares when that has changed.";

const STORE_UPKEEP: &str = "Hourly, lets SQLite look at its indexes again.";

const IDENTITY_EPOCHS: &str =
    "Every two seconds, looks whether rights have changed, so that open streams feel it.";

const IDENTITY_SEEN: &str = "Every five seconds, writes down which sessions and keys were of use, each once a minute at most.";

const VAULT_RESEAL: &str =
    "Hourly, seals again under the active key what older keys of the ring have sealed.";

const FLEET_EXPIRY: &str =
    "Hourly, tells once of each credential of a cluster that ends within seven days.";

const AUDIT_HEAD: &str =
    "Every five minutes, signs the end of the audit chain when it has moved, and logs it.";

const AUDIT_NEWS: &str =
    "Tells open pages that the audit log has grown, every two seconds at most.";

const AUDIT_STRANGERS: &str = "Every minute, writes down who was refused without being signed in: one entry per address and route.";

const IDENTITY_REFRESH: &str = "Renews the tokens of people who signed in through the identity provider, reads \
     their groups again every quarter of an hour, and ends the session of who may not any more.";

const EVENTS_FEED: &str = "Numbers committed news in the order of their commits and passes them on, \
     at once or within a second.";

impl Console {
    /// Starts what a process needs that works and serves nobody: the engine, and the feed, which numbers its news at
    /// once and calls those that serve.
    pub fn start_work(&'static self) {
        self.tasks.spawn("events.feed", EVENTS_FEED, move |stop| async move {
            Ok(self.feed.run(stop).await?)
        });
        self.operations.spawn(&self.tasks, &self.config.queues, self.config.workers);
    }

    /// Starts what works in the background.
    pub fn start(&'static self) {
        self.tasks.spawn("identity.epochs", IDENTITY_EPOCHS, move |stop| async move {
            Ok(self.epochs.run(stop).await?)
        });
        self.tasks.spawn("fleet.watches", FLEET_WATCHES, move |stop| async move {
            self.watches.run(stop).await
        });
        if self.config.read_only {
            // Each of the others writes.
            return;
        }
        self.tasks.spawn("identity.seen", IDENTITY_SEEN, move |stop| async move {
            Ok(self.sessions.write_seen(stop).await?)
        });
        self.start_work();
        if let Some(sign_in) = &self.oidc {
            self.tasks.spawn("identity.refresh", IDENTITY_REFRESH, move |stop| {
                Arc::clone(sign_in).renew(stop)
            });
        }
        self.keep_audit();
        self.tasks.spawn("vault.reseal", VAULT_RESEAL, move |stop| {
            let (vault, db) = (self.vault.clone(), self.db.clone());
            let resealer = Resealer { vault, db, columns: KEY_USES.sealed };
            async move { Ok(resealer.run(stop).await?) }
        });
        self.tasks.spawn("fleet.expiry", FLEET_EXPIRY, move |stop| async move {
            Ok(self.fleet.warn(stop).await?)
        });
        self.tasks.spawn("fleet.probes", FLEET_PROBES, move |stop| async move {
            Ok(self.probes.run(stop).await?)
        });
        self.tasks.spawn("store.upkeep", STORE_UPKEEP, move |stop| self.keep_up(stop));
    }

    fn keep_audit(&'static self) {
        if let Some(keys) = self.db.chain().cloned() {
            self.tasks.spawn("audit.head", AUDIT_HEAD, move |stop| {
                let heads = Heads::new(self.db.clone(), keys.clone());
                async move { Ok(heads.run(stop).await?) }
            });
        }
        self.tasks.spawn("audit.news", AUDIT_NEWS, move |stop| {
            let news = AuditNews::new(self.db.clone());
            async move { Ok(news.run(stop).await?) }
        });
        self.tasks.spawn("audit.strangers", AUDIT_STRANGERS, move |stop| async move {
            Ok(self.strangers.run(&self.db, stop).await?)
        });
    }

    /// Once at the start, then hourly. What is old is pruned by `system.prune`, which one replica does.
    async fn keep_up(&'static self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            self.db.optimize().await?;
            crate::tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.clock.sleep(Duration::from_hours(1)) => {}
            }
        }
    }
}
