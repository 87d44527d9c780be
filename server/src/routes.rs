//! Every address of the product, with who may use it. Domains bring their handlers; the table is here, so
//! that it can be read in one piece.

use app::{identity::Capability, paths::route};

use crate::{
    api, events,
    fleet::forms as clusters,
    identity::{admin::forms as admin, forms as identity, oidc::routes as oidc},
    operations::{forms, runbook_forms, view_forms},
    web::{
        Access::{self, Needs, Public, SignedIn},
        Routes, assets, health,
    },
    workspaces::forms as places,
};

/// Sees who may do what.
const SEES: Access = Needs(&[Capability::IdentityView]);
/// Decides who may do what. A page shows its refused form again, so who changes also sees.
const DECIDES: Access = Needs(&[Capability::IdentityView, Capability::IdentityManage]);
const MANAGES: Access = Needs(&[Capability::IdentityManage]);
const SETS_UP: Access = Needs(&[Capability::IdentityView, Capability::SettingsManage]);

/// What seed 003 asks for below `/system`, and for operations over JSON.
const SYSTEM: Access = Needs(&[Capability::AccessSystemPanel, Capability::OperationsView]);

const WRITES_RUNBOOKS: Access =
    Needs(&[Capability::AccessSystemPanel, Capability::OperationsView, Capability::RunbooksManage]);
/// Who decides about operations also sees them.
const TRIAGES: Access = Needs(&[
    Capability::AccessSystemPanel,
    Capability::OperationsView,
    Capability::OperationsManage,
]);

pub fn all() -> Routes {
    let routes = Routes::new()
        // Asked by machines before anyone is known; they tell nothing about the installation.
        .get("/healthz", Public, health::healthz)
        .get("/readyz", Public, health::readyz)
        .get("/version", Public, health::version)
        .get(assets::ROUTE, Public, assets::serve)
        // Each source of open work is asked only for those who hold what it needs.
        .page(route::HOME, SignedIn)
        .get(route::API_OPEN_WORK, SignedIn, api::home::open_work)
        // Each event is filtered by what the caller may see.
        .get(route::EVENTS_STREAM, SignedIn, events::stream)
        .get(route::OPENAPI, SignedIn, api::openapi::document)
        .get(route::SCHEMA, SignedIn, api::schemas::one);
    let routes = watched(audit(operations(sign_in(routes))));
    fleet(workspaces(administration(settings(routes))))
}

/// Public, since nobody is known before; the provider's own sign-out proves itself by what it posts.
fn sign_in(routes: Routes) -> Routes {
    routes
        .page(route::SIGN_IN, Public)
        .post(route::SIGN_IN, Public, identity::sign_in)
        .page(route::WELCOME, Public)
        .post(route::WELCOME, Public, identity::welcome)
        .post(route::API_SESSION, Public, api::session::begin)
        // Of one's own.
        .delete(route::API_SESSION, SignedIn, api::session::end)
        .get(route::API_ME, SignedIn, api::session::me)
        .post(route::SIGN_OUT, SignedIn, identity::sign_out)
        .page(route::ACCOUNT, SignedIn)
        .post(route::ACCOUNT_PASSWORD, SignedIn, identity::change_password)
        .post(route::ACCOUNT_SESSIONS, SignedIn, identity::end_session)
        .get(oidc::START, Public, oidc::depart)
        .get(oidc::CALLBACK, Public, oidc::arrive)
        .post(oidc::LOGOUT, Public, oidc::log_out)
}

fn operations(routes: Routes) -> Routes {
    routes
        .page(route::RUNS, SYSTEM)
        // Whoever sees a list may keep its filters; a shared view has a capability of its own.
        .post(route::RUNS, SYSTEM, view_forms::views)
        .page(route::FAILURES, SYSTEM)
        .post(route::FAILURES, SYSTEM, view_forms::views)
        .page(route::STUCK, SYSTEM)
        .post(route::STUCK, SYSTEM, view_forms::views)
        .get(route::API_FAILURES, SYSTEM, api::lists::failures)
        .get(route::API_FAILURE_GROUPS, SYSTEM, api::lists::groups)
        .get(route::API_STUCK, SYSTEM, api::lists::stuck)
        .get(route::API_OPERATION_COUNTS, SYSTEM, api::lists::counts)
        .get(route::API_SAVED_VIEWS, SYSTEM, api::saved_views::list)
        .post(route::API_SAVED_VIEWS, SYSTEM, api::saved_views::create)
        .patch(route::API_SAVED_VIEW, SYSTEM, api::saved_views::rename)
        .delete(route::API_SAVED_VIEW, SYSTEM, api::saved_views::delete)
        .page(route::RUN, SYSTEM)
        // The service asks for the type's own capability besides.
        .post(route::RUN, TRIAGES, forms::triage)
        .page(route::RUNBOOKS, SYSTEM)
        // What it starts has a capability of its own, which the service asks for.
        .post(route::RUNBOOKS, SYSTEM, forms::start)
        .page(route::RUNBOOK, SYSTEM)
        // Saving asks for platform.runbooks.manage, starting for the type's own capability.
        .post(route::RUNBOOK, SYSTEM, runbook_forms::runbook)
        .get(route::API_RUNBOOKS, SYSTEM, api::runbooks::list)
        .get(route::API_RUNBOOK, SYSTEM, api::runbooks::get)
        .put(route::API_RUNBOOK, WRITES_RUNBOOKS, api::runbooks::save)
        .get(route::API_RUNBOOK_VERSIONS, SYSTEM, api::runbooks::versions)
        .server_fn("/api/ui/operations/newer", SYSTEM)
        .get(route::API_OPERATIONS, SYSTEM, api::lists::runs)
        .post(route::API_OPERATIONS, SYSTEM, api::operations::start)
        .get(route::API_OPERATION_TYPES, SYSTEM, api::operations::types)
        .get(route::API_OPERATION_WORKERS, SYSTEM, api::workers::list)
        .get_that_waits(route::API_OPERATION, SYSTEM, api::follow::get)
        .get(route::API_OPERATION_STEPS, SYSTEM, api::follow::steps)
        .get_that_waits(route::API_OPERATION_LOG, SYSTEM, api::follow::log)
        .get(route::RUN_LOG, SYSTEM, api::follow::file)
        .server_fn("/api/ui/operations/log", SYSTEM)
        .post(route::API_OPERATION_RETRY, TRIAGES, api::triage::retry)
        .post(route::API_OPERATION_CANCEL, TRIAGES, api::triage::cancel)
        .post(route::API_OPERATION_END, TRIAGES, api::triage::end_anyway)
        .post(route::API_OPERATION_INVESTIGATE, TRIAGES, api::triage::investigate)
}

/// Auditors need no other right to read the log.
const AUDIT: Access = Needs(&[Capability::AuditView]);

fn audit(routes: Routes) -> Routes {
    routes
        .page(route::AUDIT, AUDIT)
        .page(route::AUDIT_ENTRY, AUDIT)
        .get(route::AUDIT_EXPORT, AUDIT, api::audit::export)
        .server_fn("/api/ui/audit/newer", AUDIT)
        .get(route::API_AUDIT, AUDIT, api::audit::list)
        .get(route::API_AUDIT_ENTRY, AUDIT, api::audit::get)
        .get(route::API_AUDIT_EXPORT, AUDIT, api::audit::export)
}

/// What goes on in clusters. Nothing there is changed from here.
fn watched(routes: Routes) -> Routes {
    routes
        .page(route::CLUSTER_NODES, FLEET)
        .page(route::CLUSTER_PODS, FLEET)
        .page(route::CLUSTER_WORKLOADS, FLEET)
        .page(route::CLUSTER_EVENTS, FLEET)
        .get(route::API_CLUSTER_NODES, FLEET, api::clusters_watched::nodes)
        .get(route::API_CLUSTER_PODS, FLEET, api::clusters_watched::pods)
        .get(route::API_CLUSTER_WORKLOADS, FLEET, api::clusters_watched::workloads)
        .get(route::API_CLUSTER_EVENTS, FLEET, api::clusters_watched::events)
        .get(route::API_CLUSTER_FINDINGS, FLEET, api::clusters_watched::findings)
        .get(route::API_CLUSTER_OVERVIEW, FLEET, api::clusters_watched::overview)
}

fn settings(routes: Routes) -> Routes {
    routes
        // For auditors too, hence no right to change settings: it shows how this process fares.
        .page(route::TASKS, SYSTEM)
}

fn administration(routes: Routes) -> Routes {
    routes
        .page(route::PEOPLE, SEES)
        .post(route::PEOPLE, DECIDES, admin::people)
        .page(route::PERSON, SEES)
        .post(route::PERSON, DECIDES, admin::person)
        .page(route::GRANTS, SEES)
        .post(route::GRANTS, DECIDES, admin::grants)
        .page(route::KEYS, SEES)
        .post(route::KEYS, DECIDES, admin::keys)
        // One's own keys give nothing that one has not; keys for services are refused here by the service.
        .page(route::OWN_KEYS, SignedIn)
        .post(route::OWN_KEYS, SignedIn, admin::own_keys)
        .get(route::API_PEOPLE, SEES, api::people::list)
        .post(route::API_PEOPLE, MANAGES, api::people::add)
        .get(route::API_PERSON, SEES, api::people::get)
        .patch(route::API_PERSON, MANAGES, api::people::change)
        .post(route::API_PERSON_LINK, MANAGES, api::people::link)
        .delete(route::API_PEOPLE_SESSION, MANAGES, api::people::end_session)
        .get(route::API_GRANTS, SEES, api::grants::list)
        .post(route::API_GRANTS, MANAGES, api::grants::add)
        .get(route::API_GRANTS_CONFIGURED, SEES, api::grants::configured)
        .delete(route::API_GRANT, MANAGES, api::grants::remove)
        .get(route::API_KEYS, SEES, api::keys::list)
        .post(route::API_KEYS, MANAGES, api::keys::mint)
        .delete(route::API_KEY, MANAGES, api::keys::revoke)
        .get(route::API_OWN_KEYS, SignedIn, api::keys::list_own)
        .post(route::API_OWN_KEYS, SignedIn, api::keys::mint_own)
        .delete(route::API_OWN_KEY, SignedIn, api::keys::revoke_own)
}

fn workspaces(routes: Routes) -> Routes {
    const CHANGES: Access = Needs(&[Capability::SettingsManage]);
    routes
        .page(route::WORKSPACES, SEES)
        .post(route::WORKSPACES, SETS_UP, places::workspaces)
        .get(route::API_WORKSPACES, SEES, api::workspaces::list)
        .post(route::API_WORKSPACES, CHANGES, api::workspaces::create)
        .get(route::API_WORKSPACE, SEES, api::workspaces::get)
        .patch(route::API_WORKSPACE, CHANGES, api::workspaces::rename)
        .delete(route::API_WORKSPACE, CHANGES, api::workspaces::archive)
        .get(route::API_TENANTS, SEES, api::workspaces::tenants_list)
        .post(route::API_TENANTS, CHANGES, api::workspaces::tenants_create)
        .get(route::API_TENANT, SEES, api::workspaces::tenants_get)
        .patch(route::API_TENANT, CHANGES, api::workspaces::tenants_rename)
        .delete(route::API_TENANT, CHANGES, api::workspaces::tenants_archive)
}

/// Whoever may look at clusters.
const FLEET: Access = Needs(&[Capability::FleetView]);
/// Whoever keeps them also sees them.
const KEEPS_FLEET: Access = Needs(&[Capability::FleetView, Capability::FleetManage]);

fn fleet(routes: Routes) -> Routes {
    routes
        .page(route::CLUSTERS, FLEET)
        .page(route::CLUSTER_NEW, KEEPS_FLEET)
        .post(route::CLUSTER_NEW, KEEPS_FLEET, clusters::register)
        .page(route::CLUSTER, FLEET)
        .post(route::CLUSTER, KEEPS_FLEET, clusters::cluster_page)
        .post(route::API_CLUSTERS_IMPORT, KEEPS_FLEET, api::clusters::import)
        .get(route::API_CLUSTERS, FLEET, api::clusters::list)
        .post(route::API_CLUSTERS, KEEPS_FLEET, api::clusters::create)
        .get(route::API_CLUSTER, FLEET, api::clusters::get)
        .patch(route::API_CLUSTER, KEEPS_FLEET, api::clusters::change)
        .delete(route::API_CLUSTER, KEEPS_FLEET, api::clusters::remove)
        .get(route::API_CLUSTER_BY_NAME, FLEET, api::clusters::get_by_name)
        .get(route::API_CLUSTER_STATUS, FLEET, api::clusters::status)
        .get(route::API_CLUSTER_HISTORY, FLEET, api::fleet::history)
        .post(route::API_CLUSTER_REFRESH, KEEPS_FLEET, api::clusters::refresh)
        .get(route::API_CLUSTER_CREDENTIALS, FLEET, api::clusters::credential)
        .put(route::API_CLUSTER_CREDENTIALS, KEEPS_FLEET, api::clusters::store_credential)
        .delete(route::API_CLUSTER_CREDENTIALS, KEEPS_FLEET, api::clusters::remove_credential)
        .post(route::API_CLUSTER_VALIDATE, KEEPS_FLEET, api::clusters::validate)
        .get(route::API_FLEET_SUMMARY, FLEET, api::fleet::summary)
        .get(route::API_FLEET_HEALTH, FLEET, api::fleet::health)
        .get(route::API_FLEET_CAPABILITIES, FLEET, api::fleet::capabilities)
}
