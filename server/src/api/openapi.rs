//! `/api/openapi.json`: every address of the JSON API, from the handlers and the types themselves. What a
//! list can be filtered by comes from its filters, so that it is written once.

use std::sync::OnceLock;

use app::{
    audit::model::FILTERS as AUDIT,
    events::Notice,
    fleet::watched::filters as watched,
    identity::model::{GRANT_FILTERS, KEY_FILTERS, PEOPLE_FILTERS},
    list::{Filter, FilterKind},
    operations::{
        filters,
        inputs::{self, InputField},
        saved_views::SAVED_VIEW_FILTERS,
    },
    paths, workspaces,
};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;
use utoipa::{
    OpenApi,
    openapi::{
        self, KnownFormat, Required, SchemaFormat, Server,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ArrayBuilder, Object, ObjectBuilder, Schema, Type},
    },
};

use super::{
    audit, clusters, clusters_watched, fleet, follow, grants, home, keys, lists, operations,
    people, runbooks, saved_views, session, triage, workers, workspaces as places,
};
use crate::{
    version::Version,
    web::{Failed, errors::ErrorResponse, query::Query},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Quarterdeck",
        description = "The same services and permits as the pages. Errors are `ErrorResponse`, whoever \
                       refuses. Unknown fields and filters are refused. `/api/v1` only grows.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        lists::runs, lists::failures, lists::groups, lists::stuck, lists::counts,
        saved_views::list, saved_views::create, saved_views::rename, saved_views::delete,
        operations::start, operations::types,
        follow::get, follow::steps, follow::log,
        home::open_work,
        runbooks::list, runbooks::get, runbooks::save, runbooks::versions,
        triage::retry, triage::cancel, triage::end_anyway, triage::investigate,
        workers::list,
        session::begin, session::end, session::me,
        audit::list, audit::get, audit::export,
        people::list, people::get, people::add, people::change, people::link, people::end_session,
        grants::list, grants::configured, grants::add, grants::remove,
        keys::list, keys::mint, keys::revoke, keys::list_own, keys::mint_own, keys::revoke_own,
        clusters::list, clusters::create, clusters::import, clusters::get, clusters::get_by_name, clusters::change, clusters::remove,
        clusters::status, clusters::refresh, clusters::credential, clusters::store_credential,
        clusters::remove_credential, clusters::validate, fleet::summary, fleet::health,
        fleet::capabilities, fleet::history,
        places::list, places::get, places::create, places::rename, places::archive,
        places::tenants_list, places::tenants_get, places::tenants_create, places::tenants_rename,
        places::tenants_archive,
        clusters_watched::nodes, clusters_watched::pods, clusters_watched::workloads,
        clusters_watched::events, clusters_watched::findings, clusters_watched::overview,
    ),
    components(schemas(ErrorResponse, InputField, Notice, Version)),
    tags(
        (name = "operations", description = "What people and schedules asked for, and how it went"),
        (name = "saved views", description = "A list's filters under a name, one's own or shared"),
        (name = "home", description = "What needs a human"),
        (name = "runbooks", description = "What to do when, and who wrote it"),
        (name = "clusters", description = "The fleet: which clusters there are, and what goes on in them"),
        (name = "audit", description = "Who did what, and whether they might"),
        (name = "people", description = "Who may sign in, and where they are signed in"),
        (name = "grants", description = "Who has which role, and where"),
        (name = "keys", description = "What machines sign in with"),
        (name = "clusters", description = "What is registered, how it fares, what opens it"),
        (name = "fleet", description = "All clusters in figures"),
        (name = "workspaces", description = "Whose everything is"),
        (name = "tenants", description = "Parts of a workspace"),
        (name = "identity", description = "Who asks, and what they may do"),
    ),
    modifiers(&Credentials),
    security(("session" = []), ("bearer" = []), ("key" = []))
)]
struct Described;

/// The three ways to say who asks. Machines take a key; browsers have a session.
struct Credentials;

impl utoipa::Modify for Credentials {
    fn modify(&self, document: &mut openapi::OpenApi) {
        use utoipa::openapi::security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme,
        };
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-qd_session"));
        let header = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("key", SecurityScheme::ApiKey(header));
    }
}

/// The lists, with the filters that each takes.
const LISTS: &[(&str, &[Filter])] = &[
    (paths::route::API_OPERATIONS, filters::FILTERS),
    (paths::route::API_FAILURES, filters::FAILURE_FILTERS),
    (paths::route::API_FAILURE_GROUPS, filters::GROUP_FILTERS),
    (paths::route::API_STUCK, filters::STUCK_FILTERS),
    (paths::route::API_OPERATION_COUNTS, filters::COUNT_FILTERS),
    (paths::route::API_SAVED_VIEWS, SAVED_VIEW_FILTERS),
    (paths::route::API_CLUSTERS, app::fleet::model::FILTERS),
    (paths::route::API_AUDIT, AUDIT),
    (paths::route::API_AUDIT_EXPORT, AUDIT),
    (paths::route::API_PEOPLE, PEOPLE_FILTERS),
    (paths::route::API_GRANTS, GRANT_FILTERS),
    (paths::route::API_KEYS, KEY_FILTERS),
    (paths::route::API_OWN_KEYS, KEY_FILTERS),
    (paths::route::API_WORKSPACES, workspaces::model::FILTERS),
    (paths::route::API_TENANTS, workspaces::model::TENANT_FILTERS),
    (paths::route::API_CLUSTER_NODES, watched::NODE_FILTERS),
    (paths::route::API_CLUSTER_PODS, watched::POD_FILTERS),
    (paths::route::API_CLUSTER_WORKLOADS, watched::WORKLOAD_FILTERS),
    (paths::route::API_CLUSTER_EVENTS, watched::EVENT_FILTERS),
];

/// What each type of operation asks for, by its name.
static INPUTS: OnceLock<Vec<(&'static str, &'static [InputField])>> = OnceLock::new();

/// Tells which types there are. Called once, before the document is asked for.
pub fn describe_inputs(types: impl IntoIterator<Item = (&'static str, &'static [InputField])>) {
    INPUTS.get_or_init(|| types.into_iter().collect());
}

/// The document; made once.
pub fn of_api() -> &'static openapi::OpenApi {
    static DOCUMENT: OnceLock<openapi::OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = Described::openapi();
        env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
        let base = if paths::base().is_empty() { "/" } else { paths::base() };
        document.servers = Some(vec![Server::new(base)]);
        for (path, filters) in LISTS {
            let list = document.paths.paths.get_mut(*path).and_then(|item| item.get.as_mut());
            if let Some(list) = list {
                add(list, filters);
            }
        }
        add_inputs(&mut document);
        document
    })
}

pub async fn document(query: Query) -> Result<Response, Failed> {
    query.none()?;
    let text = of_api().to_json().map_err(Failed::internal)?;
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], text).into_response())
}

/// One schema for each type's input, and that the input of a start is one of them.
fn add_inputs(document: &mut openapi::OpenApi) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    let mut any_of = Vec::new();
    for (kind, fields) in INPUTS.get().into_iter().flatten() {
        let name = format!("Input.{kind}");
        let Ok(schema) = serde_json::from_value(inputs::schema(fields)) else { continue };
        any_of.push(json!({ "$ref": format!("#/components/schemas/{name}") }));
        schemas.insert(name, schema);
    }
    let Some(start) = schemas.get_mut("StartOperation").filter(|_| !any_of.is_empty()) else {
        return;
    };
    let mut described = serde_json::to_value(&*start).unwrap_or_default();
    described["properties"]["input"] = json!({
        "description": "The input of the type that `type` names; an empty object when absent",
        "anyOf": any_of,
    });
    if let Ok(described) = serde_json::from_value(described) {
        *start = described;
    }
}

fn add(list: &mut Operation, filters: &[Filter]) {
    list.parameters
        .get_or_insert_default()
        .extend(filters.iter().map(|filter| parameter(filter).into()));
}

fn parameter(filter: &Filter) -> Parameter {
    let one = value(filter.kind);
    let schema: Schema =
        if filter.is_single() { one.into() } else { ArrayBuilder::new().items(one).build().into() };
    ParameterBuilder::new()
        .name(filter.key)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(filter.label))
        .style((!filter.is_single()).then_some(ParameterStyle::Form))
        .explode((!filter.is_single()).then_some(true))
        .schema(Some(schema))
        .build()
}

fn value(kind: FilterKind) -> Object {
    let object = match kind {
        FilterKind::OneOf(choices) => ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(choices.iter().map(|choice| choice.value))),
        FilterKind::Integer => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64))),
        FilterKind::Since | FilterKind::Until => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
        FilterKind::Exact | FilterKind::Search => {
            ObjectBuilder::new().schema_type(Type::String).max_length(Some(200))
        }
    };
    object.build()
}
