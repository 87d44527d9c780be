//! The service that answers what a test tells it to.

use async_trait::async_trait;

use super::{NOW, page};
use crate::{
    audit::{
        Audit, View as AuditView,
        model::{AuditDetail, AuditEntry},
    },
    error::{ApiError, Thing},
    home::{Home, model::OpenWork},
    identity::{Caller, Capability, Permit},
    list::{ListQuery, Page},
    operations::{
        Follow, Lists, Operations, Reached, SavedViews, View,
        filters::List,
        inputs::InputField,
        lists::{Choices, Counts, FailureGroup, ListedRun},
        log::{LogLine, LogPage, Span},
        model::{
            Named, OperationDetail, OperationRun, OperationType, StartOperation, Started, Step,
        },
        runbooks::{
            Desk, ManageRunbooks, Runbook, RunbookSource, RunbookVersion, Runbooks, SaveRunbook,
            Shelf, Treatment,
        },
        saved_views::{NewSavedView, SavedView},
        stuck::{Budget, BudgetSource, Stuck},
        triage::Safety,
        workers::{WorkerProcess, Workers},
    },
    settings::{Tasks, model::TaskState},
    time::Micros,
};

/// What the pages are given.
#[derive(Clone)]
pub struct World {
    pub page: Result<Page<OperationRun>, ApiError>,
    pub detail: Option<OperationDetail>,
    pub catalog: Vec<OperationType>,
    /// What every type asks for.
    pub inputs: Vec<InputField>,
    /// What workspaces wrote, newest first.
    pub versions: Vec<RunbookVersion>,
    pub work: OpenWork,
    pub tasks: Vec<TaskState>,
    pub workers: Vec<WorkerProcess>,
    pub entries: Result<Page<AuditEntry>, ApiError>,
    pub counts: Counts,
    pub groups: Vec<FailureGroup>,
    pub views: Vec<SavedView>,
    /// The log of whatever run is asked for.
    pub lines: Vec<LogLine>,
}

#[async_trait]
impl Operations for World {
    async fn get(&self, _: &Permit<View>, id: i64) -> Result<OperationDetail, ApiError> {
        let found = self.detail.clone().filter(|detail| detail.run.id == id);
        found.ok_or(ApiError::NotFound(Thing::Operation))
    }

    async fn catalog(&self, _: &Permit<View>) -> Result<Vec<OperationType>, ApiError> {
        Ok(self.catalog.clone())
    }

    async fn start(
        &self,
        _: &Caller,
        _: StartOperation,
        _: Option<&str>,
    ) -> Result<Started, ApiError> {
        Err(ApiError::NotFound(Thing::OperationType))
    }
}

#[async_trait]
impl Lists for World {
    async fn list(
        &self,
        _: &Permit<View>,
        _: List,
        _: &ListQuery,
    ) -> Result<Page<ListedRun>, ApiError> {
        let page = self.page.clone()?;
        let stuck = |run: &OperationRun| {
            let class = run.stuck_class?;
            let since = NOW.plus(-125 * Micros::SECOND);
            Some(Stuck { class, since, threshold_micros: 30 * Micros::SECOND })
        };
        let items = page.items.iter().map(|run| ListedRun { run: run.clone(), stuck: stuck(run) });
        Ok(Page {
            items: items.collect(),
            total: page.total,
            total_capped: page.total_capped,
            page: page.page,
            page_size: page.page_size,
            total_pages: page.total_pages,
            next_cursor: page.next_cursor,
            previous_cursor: page.previous_cursor,
            searched: page.searched,
        })
    }

    async fn newer(
        &self,
        _: &Permit<View>,
        _: List,
        _: &ListQuery,
        after: i64,
    ) -> Result<i64, ApiError> {
        Ok(after)
    }

    async fn counts(&self, _: &Permit<View>, _: &ListQuery) -> Result<Counts, ApiError> {
        Ok(self.counts.clone())
    }

    async fn failure_groups(
        &self,
        _: &Permit<View>,
        _: &ListQuery,
    ) -> Result<Page<FailureGroup>, ApiError> {
        Ok(page(self.groups.clone()))
    }

    async fn choices(&self, _: &Permit<View>) -> Result<Choices, ApiError> {
        Ok(Choices {
            types: self.catalog.iter().map(|e| (e.kind.clone(), e.label.clone())).collect(),
            workspaces: vec![Named { id: 1, name: "platform".to_owned() }],
            tenants: Vec::new(),
            initiators: vec!["Ada".to_owned()],
        })
    }
}

#[async_trait]
impl SavedViews for World {
    async fn list(&self, _: &Permit<View>, _: &ListQuery) -> Result<Page<SavedView>, ApiError> {
        Ok(page(self.views.clone()))
    }

    async fn create(&self, _: &Permit<View>, _: NewSavedView) -> Result<SavedView, ApiError> {
        Err(ApiError::NotFound(Thing::SavedView))
    }

    async fn rename(&self, _: &Permit<View>, _: &str, _: &str) -> Result<SavedView, ApiError> {
        Err(ApiError::NotFound(Thing::SavedView))
    }

    async fn delete(&self, _: &Permit<View>, _: &str) -> Result<SavedView, ApiError> {
        Err(ApiError::NotFound(Thing::SavedView))
    }
}

#[async_trait]
impl Follow for World {
    async fn steps(&self, permit: &Permit<View>, id: i64) -> Result<Vec<Step>, ApiError> {
        Operations::get(self, permit, id).await.map(|detail| detail.steps)
    }

    async fn log(
        &self,
        permit: &Permit<View>,
        id: i64,
        span: Span,
        limit: i64,
    ) -> Result<LogPage, ApiError> {
        let reached = self.reached(permit, id).await?;
        let is_asked = |line: &&LogLine| match span {
            Span::After(seq) => line.seq > seq,
            Span::Before(seq) => line.seq < seq,
            Span::Last => true,
        };
        let mut lines: Vec<LogLine> = self.lines.iter().filter(is_asked).cloned().collect();
        let limit = usize::try_from(limit).expect("a small number");
        if matches!(span, Span::After(_)) {
            lines.truncate(limit);
        } else {
            lines.drain(..lines.len().saturating_sub(limit));
        }
        let next_after = lines.last().map_or(0, |line| line.seq);
        Ok(LogPage { lines, last_seq: reached.last_seq, next_after, status: reached.status })
    }

    async fn reached(&self, permit: &Permit<View>, id: i64) -> Result<Reached, ApiError> {
        let status = Operations::get(self, permit, id).await?.run.status;
        Ok(Reached { status, last_seq: self.lines.last().map_or(0, |line| line.seq) })
    }

    fn kinds(&self) -> Vec<&'static str> {
        vec!["system.self_check"]
    }
}

#[async_trait]
impl Runbooks for World {
    async fn runbook(&self, _: &Permit<View>, kind: &str, _: i64) -> Result<Runbook, ApiError> {
        let entry = self.catalog.iter().find(|entry| entry.kind == kind);
        let entry = entry.ok_or(ApiError::NotFound(Thing::OperationType))?;
        let newest = self.versions.first();
        let own = newest.filter(|newest| !newest.markdown.is_empty());
        Ok(Runbook {
            kind: entry.kind.clone(),
            label: entry.label.clone(),
            workspace: Named { id: 1, name: "platform".to_owned() },
            source: if own.is_some() { RunbookSource::Workspace } else { RunbookSource::Product },
            markdown: own.map_or_else(|| entry.runbook.clone(), |own| own.markdown.clone()),
            version: newest.map_or(0, |newest| newest.version),
            author_name: newest.map(|newest| newest.author_name.clone()),
            saved_at: newest.map(|newest| newest.created_at),
        })
    }

    async fn all(&self, permit: &Permit<View>, id: i64) -> Result<Vec<Runbook>, ApiError> {
        Ok(vec![Runbooks::runbook(self, permit, &self.catalog[0].kind, id).await?])
    }

    async fn versions(
        &self,
        _: &Permit<View>,
        _: &str,
        _: i64,
    ) -> Result<Vec<RunbookVersion>, ApiError> {
        Ok(self.versions.clone())
    }

    async fn save(
        &self,
        _: &Permit<ManageRunbooks>,
        _: &str,
        _: i64,
        _: SaveRunbook,
    ) -> Result<Runbook, ApiError> {
        Err(ApiError::NotFound(Thing::OperationType))
    }

    async fn desk(
        &self,
        permit: &Permit<View>,
        kind: &str,
        workspace_id: Option<i64>,
    ) -> Result<Desk, ApiError> {
        let runbook = Runbooks::runbook(self, permit, kind, workspace_id.unwrap_or(1)).await?;
        let entry = self.catalog.iter().find(|entry| entry.kind == kind).cloned();
        let entry = entry.ok_or(ApiError::NotFound(Thing::OperationType))?;
        let named = |id: i64, name: &str| Named { id, name: name.to_owned() };
        Ok(Desk {
            product: entry.runbook.clone(),
            startable_in: if entry.startable { vec![named(1, "platform")] } else { vec![] },
            editable: permit.caller().may(Capability::RunbooksManage),
            kinds: self.catalog.iter().map(|entry| entry.kind.clone()).collect(),
            entry,
            inputs: self.inputs.clone(),
            treatment: treatment(),
            runbook,
            versions: self.versions.clone(),
            workspaces: vec![named(1, "platform"), named(7, "seven")],
            form_key: "f-1".to_owned(),
        })
    }

    async fn shelf(&self, _: &Permit<View>) -> Result<Shelf, ApiError> {
        let types = self.catalog.iter().map(|entry| (entry.clone(), self.inputs.clone()));
        Ok(Shelf { types: types.collect(), form_key: "f-1".to_owned() })
    }
}

fn treatment() -> Treatment {
    Treatment {
        retry_safety: Safety::Unsafe { why: "it moves money.".to_owned() },
        not_retryable_because: None,
        cancelable: true,
        queue: "default".to_owned(),
        at_once: Some(1),
        at_once_per_target: None,
        budget: Budget {
            micros: 60 * Micros::SECOND,
            source: BudgetSource::Declared { successes: 3 },
        },
        next_at: Some(NOW.plus(240 * Micros::SECOND)),
    }
}

#[async_trait]
impl Home for World {
    async fn open_work(&self, caller: &Caller, _: Micros) -> OpenWork {
        let mut work = self.work.clone();
        if !caller.may(Capability::OperationsView) {
            (work.sources, work.rows, work.today) = (vec![], vec![], None);
        }
        work
    }
}

#[async_trait]
impl Audit for World {
    async fn list(
        &self,
        _: &Permit<AuditView>,
        _: &ListQuery,
    ) -> Result<Page<AuditEntry>, ApiError> {
        self.entries.clone()
    }

    async fn newer(
        &self,
        _: &Permit<AuditView>,
        _: &ListQuery,
        after: i64,
    ) -> Result<i64, ApiError> {
        Ok(after)
    }

    async fn get(&self, _: &Permit<AuditView>, seq: i64) -> Result<AuditDetail, ApiError> {
        let entries = self.entries.clone()?.items;
        let entry = entries.into_iter().find(|entry| entry.seq == seq);
        Ok(AuditDetail {
            entry: entry.ok_or(ApiError::NotFound(Thing::AuditEntry))?,
            hash_version: Some(1),
            hash_key: Some("k-1".to_owned()),
            prev_hash: Some("aa".repeat(32)),
            hash: Some("bb".repeat(32)),
        })
    }

    async fn actions(&self, _: &Permit<AuditView>) -> Result<Vec<String>, ApiError> {
        Ok(["identity.grant.add", "identity.refuse"].map(str::to_owned).to_vec())
    }
}

#[async_trait]
impl Workers for World {
    async fn workers(&self, _: &Permit<View>) -> Result<Vec<WorkerProcess>, ApiError> {
        Ok(self.workers.clone())
    }
}

impl Tasks for World {
    fn list(&self) -> Vec<TaskState> {
        self.tasks.clone()
    }
}
