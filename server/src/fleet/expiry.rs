//! Tells in time that a credential ends: once, seven days before, as an event; and until it is replaced, as open work.
//! Clusters that cannot be reached are open work too.

use std::time::Duration;

use app::{
    error::ApiError,
    fleet::{credentials::WARN_BEFORE, model::ClusterState},
    home::{
        NeedsHuman,
        model::{Answer, OpenRow, ROWS_MAX, Severity, WayOn},
    },
    identity::{Caller, Capability, model::WorkspaceName},
    paths,
    time::Micros,
    ui::moment,
};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{
    FleetService,
    store::{
        expiry::{self as store, Ending, Troubled},
        refused,
    },
};
use crate::{
    journal::events::{News, publish},
    store::StoreError,
    tasks,
};

const EVERY: Duration = Duration::from_hours(1);
const SOURCE: &str = "fleet";
const VIEW: Capability = Capability::FleetView;

impl FleetService {
    /// At once and then hourly, until told to stop. Any replica may do it: whoever writes first tells.
    pub async fn warn(&self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            self.warn_once().await?;
            tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.db.clock().sleep(EVERY) => {}
            }
        }
    }

    /// How many were told of.
    pub async fn warn_once(&self) -> Result<usize, StoreError> {
        let mut tx = self.db.begin().await?;
        let ending = store::take_unwarned(&mut tx, WARN_BEFORE).await?;
        for Ending { cluster_id, workspace_id } in &ending {
            let news = News {
                topic: app::events::CLUSTERS,
                kind: "CREDENTIAL_EXPIRING",
                id: cluster_id.clone(),
                capability: VIEW,
                workspace_id: *workspace_id,
            };
            publish(&mut tx, news).await?;
        }
        tx.commit(Vec::new()).await?;
        Ok(ending.len())
    }
}

#[async_trait]
impl NeedsHuman for FleetService {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn needs(&self) -> &'static [Capability] {
        &[VIEW]
    }

    async fn look(&self, caller: &Caller, _: Micros) -> Result<Answer, ApiError> {
        let Some(reach) = caller.reach(VIEW) else { return Ok(Answer::default()) };
        let limit = i64::try_from(ROWS_MAX).unwrap_or(i64::MAX) + 1;
        let now = self.db.now().await.map_err(refused)?;
        let found = store::troubled(&self.db, &reach, now.plus(WARN_BEFORE), limit).await;
        let found = found.map_err(refused)?;
        let more = found.len() > ROWS_MAX;
        let rows = found.into_iter().flat_map(|troubled| rows(&troubled, now)).collect();
        Ok(Answer { rows, more, today: None, closed: Vec::new() })
    }
}

fn rows(troubled: &Troubled, now: Micros) -> Vec<OpenRow> {
    let mut rows = Vec::new();
    let href = paths::cluster(&troubled.id);
    let row = |key: &str, what: String, severity, state: &str, since, next: &str| OpenRow {
        source: SOURCE,
        key: format!("{key}.{}", troubled.id),
        what,
        why: None,
        severity,
        state: state.to_owned(),
        subject: Some(troubled.name.clone()),
        workspace: WorkspaceName { id: troubled.workspace_id, name: troubled.workspace.clone() },
        since,
        count: 1,
        href: href.clone(),
        next: WayOn { label: next.to_owned(), href: href.clone() },
        all: None,
        capability: VIEW,
        again: None,
        expires_at: None,
    };
    if troubled.state == ClusterState::Offline {
        let what = format!("{} cannot be reached", troubled.name);
        let since = troubled.state_since;
        let row = row("offline", what, Severity::Bad, "offline", since, "Look at the cluster");
        rows.push(OpenRow { why: troubled.last_error.clone(), ..row });
    }
    if let Some(at) = troubled.expires_at.filter(|at| at.since(now) <= WARN_BEFORE) {
        let (what, severity, state) = if at <= now {
            (format!("The credential of {} has expired", troubled.name), Severity::Bad, "expired")
        } else {
            let left = moment::span(at.since(now));
            let what = format!("The credential of {} ends in {left}", troubled.name);
            (what, Severity::Warn, "ends soon")
        };
        let since = at.plus(-WARN_BEFORE);
        rows.push(row("credential", what, severity, state, since, "Rotate it"));
    }
    rows
}
