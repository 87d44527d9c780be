//! Every URL of the product, once. Links are made by these functions alone.

use std::sync::OnceLock;

static BASE: OnceLock<String> = OnceLock::new();

/// Sets the sub-path under which the console is published (`""` or `/console`). Called once, at start.
pub fn set_base(base: impl Into<String>) {
    let _ = BASE.set(base.into());
}

pub fn base() -> &'static str {
    BASE.get().map_or("", String::as_str)
}

fn under(path: &str) -> String {
    format!("{}{path}", base())
}

/// What the router matches; the base is stripped before.
pub mod route {
    pub const HOME: &str = "/";
    pub const RUNS: &str = "/system/ops/runs";
    pub const RUN: &str = "/system/ops/runs/{id}";
    pub const FAILURES: &str = "/system/ops/failures";
    pub const STUCK: &str = "/system/ops/stuck";
    pub const RUN_LOG: &str = "/system/ops/runs/{id}/log";
    pub const RUNBOOKS: &str = "/system/ops/runbooks";
    pub const API_OPERATION_RETRY: &str = "/api/v1/operations/{id}/retry";
    pub const API_OPERATION_CANCEL: &str = "/api/v1/operations/{id}/cancel";
    pub const API_OPERATION_END: &str = "/api/v1/operations/{id}/end";
    pub const API_OPERATION_INVESTIGATE: &str = "/api/v1/operations/{id}/investigate";
    pub const TASKS: &str = "/settings/tasks";
    pub const AUDIT: &str = "/audit";
    pub const AUDIT_ENTRY: &str = "/audit/{seq}";
    pub const AUDIT_EXPORT: &str = "/audit/export";
    pub const API_AUDIT: &str = "/api/v1/audit";
    pub const API_AUDIT_ENTRY: &str = "/api/v1/audit/{seq}";
    pub const API_AUDIT_EXPORT: &str = "/api/v1/audit/export";
    pub const SIGN_IN: &str = "/sign-in";
    pub const SIGN_IN_WITH_PROVIDER: &str = "/sign-in/oidc";
    pub const SIGN_OUT: &str = "/sign-out";
    /// Where a link that works once leads: `?link=…`.
    pub const WELCOME: &str = "/welcome";
    pub const PEOPLE: &str = "/settings/people";
    pub const PERSON: &str = "/settings/people/{id}";
    pub const GRANTS: &str = "/settings/grants";
    pub const KEYS: &str = "/settings/keys";
    pub const OWN_KEYS: &str = "/account/keys";
    pub const WORKSPACES: &str = "/settings/workspaces";
    pub const API_PEOPLE: &str = "/api/v1/people";
    pub const API_PERSON: &str = "/api/v1/people/{id}";
    pub const API_PERSON_LINK: &str = "/api/v1/people/{id}/link";
    pub const API_PEOPLE_SESSION: &str = "/api/v1/people/sessions/{id}";
    pub const API_GRANTS: &str = "/api/v1/grants";
    pub const API_GRANTS_CONFIGURED: &str = "/api/v1/grants/configured";
    pub const API_GRANT: &str = "/api/v1/grants/{id}";
    pub const API_KEYS: &str = "/api/v1/keys";
    pub const API_KEY: &str = "/api/v1/keys/{id}";
    pub const API_OWN_KEYS: &str = "/api/v1/me/keys";
    pub const API_OWN_KEY: &str = "/api/v1/me/keys/{id}";
    pub const CLUSTERS: &str = "/clusters";
    pub const CLUSTER_NEW: &str = "/clusters/new";
    pub const CLUSTER: &str = "/clusters/{id}";
    pub const API_CLUSTERS: &str = "/api/v1/clusters";
    pub const API_CLUSTER: &str = "/api/v1/clusters/{id}";
    pub const API_CLUSTERS_IMPORT: &str = "/api/v1/clusters/import";
    pub const API_CLUSTER_BY_NAME: &str = "/api/v1/clusters/by-name/{name}";
    pub const API_CLUSTER_STATUS: &str = "/api/v1/clusters/{id}/status";
    pub const API_CLUSTER_HISTORY: &str = "/api/v1/clusters/{id}/history";
    pub const API_CLUSTER_REFRESH: &str = "/api/v1/clusters/{id}/refresh";
    pub const API_CLUSTER_CREDENTIALS: &str = "/api/v1/clusters/{id}/credentials";
    pub const API_CLUSTER_VALIDATE: &str = "/api/v1/clusters/{id}/credentials/validate";
    pub const API_FLEET_SUMMARY: &str = "/api/v1/fleet/summary";
    pub const API_FLEET_HEALTH: &str = "/api/v1/fleet/health";
    pub const API_FLEET_CAPABILITIES: &str = "/api/v1/fleet/capabilities";
    pub const API_WORKSPACES: &str = "/api/v1/workspaces";
    pub const API_WORKSPACE: &str = "/api/v1/workspaces/{id}";
    pub const API_TENANTS: &str = "/api/v1/tenants";
    pub const API_TENANT: &str = "/api/v1/tenants/{id}";
    pub const ACCOUNT: &str = "/account";
    pub const ACCOUNT_PASSWORD: &str = "/account/password";
    pub const ACCOUNT_SESSIONS: &str = "/account/sessions";
    pub const API_SESSION: &str = "/api/v1/session";
    pub const API_ME: &str = "/api/v1/me";
    pub const EVENTS_STREAM: &str = "/events/stream";
    pub const API_OPERATIONS: &str = "/api/v1/operations";
    pub const API_OPERATION: &str = "/api/v1/operations/{id}";
    pub const API_OPERATION_STEPS: &str = "/api/v1/operations/{id}/steps";
    pub const API_OPERATION_LOG: &str = "/api/v1/operations/{id}/log";
    pub const API_OPERATION_TYPES: &str = "/api/v1/operations/types";
    pub const API_FAILURES: &str = "/api/v1/operations/failures";
    pub const API_FAILURE_GROUPS: &str = "/api/v1/operations/failures/groups";
    pub const API_STUCK: &str = "/api/v1/operations/stuck";
    pub const API_OPERATION_COUNTS: &str = "/api/v1/operations/counts";
    pub const API_SAVED_VIEWS: &str = "/api/v1/saved-views";
    pub const API_SAVED_VIEW: &str = "/api/v1/saved-views/{id}";
    pub const API_OPEN_WORK: &str = "/api/v1/open-work";
    pub const RUNBOOK: &str = "/system/ops/runbooks/{type}";
    pub const API_RUNBOOKS: &str = "/api/v1/runbooks";
    pub const API_RUNBOOK: &str = "/api/v1/runbooks/{type}";
    pub const API_RUNBOOK_VERSIONS: &str = "/api/v1/runbooks/{type}/versions";
    pub const API_OPERATION_WORKERS: &str = "/api/v1/operations/workers";
    pub const CLUSTER_NODES: &str = "/clusters/{id}/nodes";
    pub const CLUSTER_PODS: &str = "/clusters/{id}/pods";
    pub const CLUSTER_WORKLOADS: &str = "/clusters/{id}/workloads";
    pub const CLUSTER_EVENTS: &str = "/clusters/{id}/events";
    pub const API_CLUSTER_NODES: &str = "/api/v1/clusters/{id}/nodes";
    pub const API_CLUSTER_PODS: &str = "/api/v1/clusters/{id}/pods";
    pub const API_CLUSTER_WORKLOADS: &str = "/api/v1/clusters/{id}/workloads";
    pub const API_CLUSTER_EVENTS: &str = "/api/v1/clusters/{id}/events";
    pub const API_CLUSTER_FINDINGS: &str = "/api/v1/clusters/{id}/findings";
    pub const API_CLUSTER_OVERVIEW: &str = "/api/v1/clusters/{id}/overview";
    pub const OPENAPI: &str = "/api/openapi.json";
    pub const SCHEMA: &str = "/api/schemas/{file}";
}

pub fn home() -> String {
    under(route::HOME)
}

/// One of a cluster's lists: `nodes`, `pods`, `workloads`, `events`.
pub fn cluster_list(id: &str, list: &str) -> String {
    format!("{}/{list}", cluster(id))
}

pub fn cluster_list_where(id: &str, list: &str, query: &crate::list::ListQuery) -> String {
    match query.to_query_string() {
        query if query.is_empty() => cluster_list(id, list),
        query => format!("{}?{query}", cluster_list(id, list)),
    }
}

pub fn runs() -> String {
    under(route::RUNS)
}

/// The list with these filters: its URL is its whole state.
pub fn runs_where(query: &crate::list::ListQuery) -> String {
    match query.to_query_string() {
        query if query.is_empty() => runs(),
        query => format!("{}?{query}", runs()),
    }
}

pub fn failures() -> String {
    under(route::FAILURES)
}

/// Failures by cause: the same page in another view.
pub fn failures_by_cause(query: &crate::list::ListQuery) -> String {
    let view = format!("{}?group=cause", failures());
    match query.to_query_string() {
        query if query.is_empty() => view,
        query => format!("{view}&{query}"),
    }
}

pub fn stuck() -> String {
    under(route::STUCK)
}

/// Those of one target, found by its name.
pub fn runs_on(target: &str) -> String {
    format!("{}?q={}", runs(), crate::list::percent(target))
}

pub fn run(id: i64) -> String {
    under(&route::RUN.replace("{id}", &id.to_string()))
}

/// The whole log of a run as a file.
pub fn run_log(id: i64) -> String {
    under(&route::RUN_LOG.replace("{id}", &id.to_string()))
}

/// A run's page with the lines before one of its log; the newest lines when none is named.
pub fn run_lines(id: i64, before: Option<i64>) -> String {
    match before {
        Some(seq) => format!("{}?log_before={seq}#log", run(id)),
        None => format!("{}#log", run(id)),
    }
}

/// The same run over JSON.
pub fn api_operation(id: i64) -> String {
    under(&route::API_OPERATION.replace("{id}", &id.to_string()))
}

pub fn runbooks() -> String {
    under(route::RUNBOOKS)
}

/// The failures of one cause.
pub fn failures_of_cause(fingerprint: &str, workspace_id: i64) -> String {
    let fingerprint = crate::list::percent(fingerprint);
    format!("{}?fingerprint={fingerprint}&workspace_id={workspace_id}", failures())
}

/// Runs of one type that do not move for one reason.
pub fn stuck_of_class(class: &str, kind: &str, workspace_id: i64) -> String {
    let kind = crate::list::percent(kind);
    let filters = format!("stuck_class={class}&type={kind}&workspace_id={workspace_id}");
    format!("{}?{filters}", stuck())
}

/// The page of a type, in a workspace; without one, in the reader's first.
pub fn runbook(kind: &str, workspace_id: Option<i64>) -> String {
    let path = under(&route::RUNBOOK.replace("{type}", &crate::list::percent(kind)));
    match workspace_id {
        Some(id) => format!("{path}?workspace_id={id}"),
        None => path,
    }
}

/// A version that a workspace wrote, with what it changed.
pub fn runbook_version(kind: &str, workspace_id: i64, version: i64) -> String {
    format!("{}&version={version}#versions", runbook(kind, Some(workspace_id)))
}

/// Where a type's start form stands.
pub fn start_form(kind: &str, workspace_id: Option<i64>) -> String {
    format!("{}#start", runbook(kind, workspace_id))
}

pub fn tasks() -> String {
    under(route::TASKS)
}

pub fn audit() -> String {
    under(route::AUDIT)
}

/// The audit log with these filters.
pub fn audit_where(query: &crate::list::ListQuery) -> String {
    filtered(audit(), query)
}

pub fn audit_entry(seq: i64) -> String {
    under(&route::AUDIT_ENTRY.replace("{seq}", &seq.to_string()))
}

/// All of the list with these filters as one file: `csv` or `ndjson`.
pub fn audit_export(format: &'static str, query: &crate::list::ListQuery) -> String {
    let mut query = query.from_start();
    query.page_size = None;
    let path = format!("{}?format={format}", under(route::AUDIT_EXPORT));
    match query.to_query_string() {
        query if query.is_empty() => path,
        query => format!("{path}&{query}"),
    }
}

pub fn people() -> String {
    under(route::PEOPLE)
}

pub fn person(id: &str) -> String {
    under(&route::PERSON.replace("{id}", &crate::list::percent(id)))
}

pub fn grants() -> String {
    under(route::GRANTS)
}

pub fn keys() -> String {
    under(route::KEYS)
}

/// The keys of whoever asks.
pub fn own_keys() -> String {
    under(route::OWN_KEYS)
}

pub fn clusters() -> String {
    under(route::CLUSTERS)
}

/// Where a cluster is registered.
pub fn cluster_new() -> String {
    under(route::CLUSTER_NEW)
}

/// The same with one of the ways to say what opens it.
pub fn cluster_new_by(way: &str) -> String {
    format!("{}?by={way}", cluster_new())
}

/// A registration that is looked at and not decided yet.
pub fn cluster_draft(draft: &str) -> String {
    format!("{}?draft={}", cluster_new(), crate::list::percent(draft))
}

/// All clusters, a tile each.
pub fn clusters_as_grid() -> String {
    format!("{}?view=grid", clusters())
}

pub fn cluster(id: &str) -> String {
    under(&route::CLUSTER.replace("{id}", &crate::list::percent(id)))
}

pub fn workspaces() -> String {
    under(route::WORKSPACES)
}

/// A list's address with these filters.
pub fn filtered(list: String, query: &crate::list::ListQuery) -> String {
    match query.to_query_string() {
        query if query.is_empty() => list,
        query => format!("{list}?{query}"),
    }
}

/// The sign-in page, which leads on to `to` afterwards: a path of ours.
pub fn sign_in(to: Option<&str>) -> String {
    let to = to.filter(|to| *to != route::HOME);
    match to {
        Some(to) => format!("{}?to={}", under(route::SIGN_IN), crate::list::percent(to)),
        None => under(route::SIGN_IN),
    }
}

pub fn sign_in_with_provider(to: Option<&str>) -> String {
    let start = under(route::SIGN_IN_WITH_PROVIDER);
    to.map_or_else(|| start.clone(), |to| format!("{start}?to={}", crate::list::percent(to)))
}

/// One of our own addresses, as somebody asked for it: without the base.
pub fn at(path: &str) -> String {
    under(path)
}

pub fn account() -> String {
    under(route::ACCOUNT)
}

pub fn account_password() -> String {
    under(route::ACCOUNT_PASSWORD)
}

pub fn account_sessions() -> String {
    under(route::ACCOUNT_SESSIONS)
}

/// Where the form behind a link that works once is posted.
pub fn welcome_form() -> String {
    under(route::WELCOME)
}

pub fn sign_out() -> String {
    under(route::SIGN_OUT)
}

/// Where a link that works once leads.
pub fn welcome(link: &str) -> String {
    format!("{}?link={}", under(route::WELCOME), crate::list::percent(link))
}

pub fn events_stream() -> String {
    under(route::EVENTS_STREAM)
}

/// The same for a page of what is watched in a cluster: whichever process has the line watches what the page shows.
pub fn events_stream_watching(topics: &[String]) -> String {
    // As the fleet spells them.
    let watched = topics.iter().filter(|topic| topic.starts_with("cluster:"));
    let pairs: Vec<String> =
        watched.map(|topic| format!("watch={}", crate::list::percent(topic))).collect();
    if pairs.is_empty() {
        events_stream()
    } else {
        format!("{}?{}", events_stream(), pairs.join("&"))
    }
}
