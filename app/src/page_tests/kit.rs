//! The service, the request and the drawing.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use jiff::tz::TimeZone;
use leptos::prelude::provide_context;

use crate::{
    audit::{
        Audit, View as AuditView,
        model::{AuditDetail, AuditEntry, Decision},
    },
    error::{ApiError, Thing},
    home::{
        Home,
        model::{FailedToday, OpenWork, Source},
    },
    identity::{Caller, CallerKind, Capability, Gate, Permit, Reach},
    list::{ListQuery, Page},
    operations::{
        Follow, Lists, Operations, Reached, SavedViews, View,
        filters::List,
        inputs::InputField,
        lineage::Lineage,
        lists::{Choices, Counts, FailureGroup, ListedRun},
        log::{LogLine, LogPage, Span},
        model::{
            LastRun, Named, OperationDetail, OperationRun, OperationType, Outcome, StartOperation,
            Started, Status, Step, StepStatus,
        },
        runbooks::{
            Desk, ManageRunbooks, Runbook, RunbookSource, RunbookVersion, Runbooks, SaveRunbook,
            Shelf, Treatment,
        },
        saved_views::{NewSavedView, SavedView},
        since::{Found, SinceLastSuccess},
        stuck::{Budget, BudgetSource, Stuck},
        triage::{Safety, Triage},
        workers::{WorkerProcess, Workers},
    },
    request::{Assets, Banner, PageRequest, Zone},
    settings::{
        Tasks,
        model::{TaskState, TaskStatus},
    },
    shell::shell,
    time::Micros,
};

pub const NOW: Micros = Micros(1_795_256_191_000_000);

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

struct Deaf;

#[async_trait]
impl Gate for Deaf {
    async fn refused(&self, _: &Caller, _: Capability) {}
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

pub fn gate() -> Arc<dyn Gate> {
    Arc::new(Deaf)
}

pub fn caller(capabilities: &[Capability]) -> Caller {
    let grants = capabilities.iter().map(|c| (*c, Reach::Everything)).collect();
    Caller::new(CallerKind::User, "u", "Local admin", grants, Arc::new(Deaf))
}

pub fn request(address: &str) -> PageRequest {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    PageRequest {
        path: path.to_owned(),
        query: query.to_owned(),
        pairs: serde_html_form::from_str(query).expect("a test's own query"),
        now: NOW,
        zone: Zone { tz: TimeZone::UTC, name: "UTC".to_owned(), told: false },
        request_id: "0b7e91c4".to_owned(),
        caller: Some(caller(Capability::ALL)),
        assets: Assets {
            css: "/assets/quarterdeck.1.css".to_owned(),
            js: "/assets/quarterdeck.1.js".to_owned(),
            wasm: "/assets/quarterdeck.1.wasm".to_owned(),
            favicon: "/assets/favicon.1.svg".to_owned(),
        },
        banner: Some(Banner::Demo),
        environment: None,
        flash: None,
        refused: None,
        posted: None,
        shown: None,
        failed: None,
    }
}

pub struct Drawn {
    pub status: u16,
    pub location: Option<String>,
    pub html: String,
}

impl Drawn {
    /// The page itself, without what stands around every page.
    pub fn main(&self) -> &str {
        self.html.split_once("<main").map_or("", |(_, main)| main)
    }
}

/// The addresses that the router knows. Asking for them starts what drawing needs, once per process.
pub fn routes() -> &'static [String] {
    static ROUTES: OnceLock<Vec<String>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        let routes = leptos_axum::generate_route_list(shell);
        routes.iter().map(|route| route.path().to_owned()).collect()
    })
}

pub async fn draw(world: &World, request: PageRequest) -> Drawn {
    let (operations, tasks, audit) = (world.clone(), world.clone(), world.clone());
    let lists = Arc::new(world.clone());
    let workers = world.clone();
    let follow = world.clone();
    let (runbooks, home) = (world.clone(), world.clone());
    let services = move || {
        provide_context::<Arc<dyn Follow>>(Arc::new(follow.clone()));
        provide_context::<Arc<dyn Operations>>(Arc::new(operations.clone()));
        provide_context::<Arc<dyn Lists>>(lists.clone());
        provide_context::<Arc<dyn SavedViews>>(lists.clone());
        provide_context::<Arc<dyn Runbooks>>(Arc::new(runbooks.clone()));
        provide_context::<Arc<dyn Home>>(Arc::new(home.clone()));
        provide_context::<Arc<dyn Audit>>(Arc::new(audit.clone()));
        provide_context::<Arc<dyn Tasks>>(Arc::new(tasks.clone()));
        provide_context::<Arc<dyn Workers>>(Arc::new(workers.clone()));
    };
    Box::pin(draw_over(services, request)).await
}

/// Over the services that `services` puts into context.
pub async fn draw_over(
    services: impl Fn() + Clone + Send + Sync + 'static,
    request: PageRequest,
) -> Drawn {
    routes();
    let address = if request.query.is_empty() {
        request.path.clone()
    } else {
        format!("{}?{}", request.path, request.query)
    };
    let context = move || {
        provide_context(request.clone());
        services();
    };
    let bare = http::Request::builder().uri(address).body(axum::body::Body::empty());
    let bare = bare.expect("a test's own address");
    let answer = leptos_axum::render_app_async_with_context(context, shell)(bare).await;
    let status = answer.status().as_u16();
    let location = answer.headers().get("location").and_then(|l| l.to_str().ok());
    let location = location.map(str::to_owned);
    let body = answer.into_body().collect().await.expect("the page ends").to_bytes();
    let html = String::from_utf8(body.to_vec()).expect("a page is UTF-8");
    Drawn { status, location, html }
}

/// A run that stands alone: nobody tried it again, and there is no success to compare it with.
pub fn detail(run: OperationRun, steps: Vec<Step>) -> OperationDetail {
    let since_last_success = SinceLastSuccess::nothing(Found::NoneKept);
    let lineage = Lineage { total: 1, position: 1, ..Lineage::default() };
    let triage = Triage {
        retry: false,
        retry_refused: None,
        retry_safety: None,
        cancel: false,
        end_anyway: false,
        lacking: None,
    };
    OperationDetail { run, steps, lineage, since_last_success, stuck: None, triage }
}

pub fn run(id: i64, label: &str, target: Option<&str>) -> OperationRun {
    let created = NOW.plus(-(48_300 - id) * 60 * Micros::SECOND);
    OperationRun {
        id,
        workspace_id: 1,
        tenant_id: None,
        workspace: Named { id: 1, name: "platform".to_owned() },
        tenant: None,
        kind: "system.self_check".to_owned(),
        type_label: label.to_owned(),
        status: Status::Completed,
        outcome: Outcome::Succeeded,
        initiator_kind: "system".to_owned(),
        initiator_id: None,
        initiator_name: Some("schedule".to_owned()),
        target: target.map(str::to_owned),
        target_label: None,
        queue: "default".to_owned(),
        priority: 0,
        attempt: 1,
        error_summary: None,
        error_fingerprint: None,
        stuck_class: None,
        progress: None,
        retry_of_run_id: None,
        superseded_by_run_id: None,
        cancelled: false,
        open_work: false,
        input: serde_json::json!({}),
        context: serde_json::json!({}),
        scheduled_at: created,
        created_at: created,
        started_at: Some(created.plus(Micros::SECOND)),
        completed_at: Some(created.plus(3 * Micros::SECOND + 100_000)),
    }
}

pub fn step(position: i64, label: &str, status: StepStatus, detail: Option<&str>) -> Step {
    let started = NOW.plus(position * Micros::SECOND);
    let ran = matches!(status, StepStatus::Succeeded | StepStatus::Failed);
    Step {
        position,
        name: label.to_owned(),
        label: label.to_owned(),
        status,
        detail: detail.map(str::to_owned),
        started_at: (ran || status == StepStatus::Running).then_some(started),
        completed_at: ran.then(|| started.plus(200_000)),
    }
}

pub fn entry(seq: i64, action: &str, decision: Decision) -> AuditEntry {
    AuditEntry {
        seq,
        at: NOW.plus(-seq * Micros::SECOND),
        actor_kind: "user".to_owned(),
        actor_id: "u-1".to_owned(),
        actor_name: "Ada".to_owned(),
        on_behalf_of: None,
        service_identity: None,
        action: action.to_owned(),
        target_kind: Some("operation".to_owned()),
        target_id: Some("7".to_owned()),
        target_label: Some("Self-check".to_owned()),
        workspace_id: Some(1),
        workspace_name: Some("platform".to_owned()),
        capability: Some("identity.manage".to_owned()),
        decision,
        reason: None,
        request_id: "r-1".to_owned(),
        correlation_id: "r-1".to_owned(),
        session_hash: Some("s-1".to_owned()),
        address: Some("127.0.0.1".to_owned()),
        details: serde_json::json!({"role": "admin"}),
    }
}

pub fn page<T>(items: Vec<T>) -> Page<T> {
    Page {
        total: i64::try_from(items.len()).unwrap_or(0),
        items,
        total_capped: false,
        page: Some(1),
        page_size: 20,
        total_pages: 1,
        next_cursor: None,
        previous_cursor: None,
        searched: None,
    }
}

fn last_run() -> LastRun {
    LastRun {
        id: 48_211,
        status: Status::Completed,
        outcome: Outcome::Failed,
        created_at: NOW.plus(-90 * Micros::SECOND),
        started_at: Some(NOW.plus(-89 * Micros::SECOND)),
        completed_at: Some(NOW.plus(-88 * Micros::SECOND)),
    }
}

pub fn world(items: Vec<OperationRun>) -> World {
    World {
        page: Ok(page(items)),
        detail: None,
        catalog: vec![OperationType {
            kind: "system.self_check".to_owned(),
            label: "Self-check".to_owned(),
            summary: "Checks what the console stands on and says what it found.".to_owned(),
            capability: Capability::OperationsManage,
            startable: true,
            runbook: "# When it fails\n\n1. Read the failed *step*.\n2. Run `df`.\n\n<script>alert(1)</script>"
                .to_owned(),
            schedule: Some("every 5 minutes".to_owned()),
            last_run: Some(last_run()),
            recent_runs: vec![last_run()],
        }],
        inputs: Vec::new(),
        versions: Vec::new(),
        work: OpenWork {
            looked_at: NOW,
            day_began: NOW,
            rows: Vec::new(),
            more: false,
            today: Some(FailedToday::default()),
            closed: Vec::new(),
            sources: vec![Source { name: "operations", unavailable: None }],
        },
        entries: Ok(page(Vec::new())),
        counts: Counts::default(),
        groups: Vec::new(),
        views: Vec::new(),
        workers: vec![WorkerProcess {
            id: "w-1".to_owned(),
            name: "ops-1:4711".to_owned(),
            queues: vec!["system".to_owned(), "upkeep".to_owned()],
            workers: 4,
            version: "0.1.0".to_owned(),
            started_at: NOW.plus(-3600 * Micros::SECOND),
            heartbeat_at: NOW.plus(-7 * Micros::SECOND),
            alive: true,
        }],
        lines: Vec::new(),
        tasks: vec![TaskState {
            name: "events.sequencer".to_owned(),
            what: "Numbers news in the order of their commits.".to_owned(),
            state: TaskStatus::Running,
            restarts: 0,
            last_error: None,
            since: NOW.plus(-3600 * Micros::SECOND),
            last_beat: Some(NOW.plus(-2 * Micros::SECOND)),
        }],
    }
}
