//! A cluster's lists: what they say of their rows, how far these can be trusted, and that no name becomes markup.

use std::sync::Arc;

use async_trait::async_trait;
use leptos::prelude::provide_context;

use super::{
    kit::{Drawn, NOW, draw_over, page, request},
    pages::HOSTILE,
};
use crate::{
    error::{ApiError, Thing},
    fleet::{
        View,
        watched::{
            Cause, ClusterName, EventRow, Evidence, Finding, Kind, Listed, NodeRow, NodeState,
            Overview, Phase, PodRow, Reason, Severity, WatchState, WatchStatus, Watched,
            WorkloadRow, WorkloadState,
        },
    },
    identity::Permit,
    list::ListQuery,
};

/// What the service answers.
#[derive(Clone)]
struct Told {
    name: String,
    watch: WatchStatus,
}

fn live() -> WatchStatus {
    WatchStatus {
        kind: Kind::Pods,
        state: WatchState::Live,
        reason: None,
        since: NOW,
        synced_at: Some(NOW),
        heard_at: Some(NOW),
        objects: 1,
        expected: None,
    }
}

fn finding() -> Finding {
    Finding {
        cause: Cause::CrashLoop,
        severity: Severity::Bad,
        kind: "Deployment".to_owned(),
        namespace: Some("payments".to_owned()),
        name: "checkout".to_owned(),
        pods: 2,
        says: "Container main ended with exit code 1.".to_owned(),
        evidence: vec![Evidence {
            source: "status.containers[main].lastState".to_owned(),
            value: "Error, exit code 1".to_owned(),
            at: Some(NOW),
        }],
        next: "Read the log.".to_owned(),
        since: Some(NOW),
    }
}

impl Told {
    fn listed<T>(&self, rows: Vec<T>) -> Listed<T> {
        Listed {
            page: page(rows),
            watches: vec![self.watch.clone()],
            cluster: ClusterName { id: "c-1".to_owned(), name: "spoke-porto".to_owned() },
            namespaces: vec!["payments".to_owned()],
        }
    }
}

#[async_trait]
impl Watched for Told {
    async fn nodes(
        &self,
        _: &Permit<View>,
        _: &str,
        _: &ListQuery,
    ) -> Result<Listed<NodeRow>, ApiError> {
        Ok(self.listed(vec![NodeRow {
            name: self.name.clone(),
            state: NodeState::NotReady,
            since: Some(NOW),
            pressure: vec!["DiskPressure".to_owned()],
            cordoned: true,
            roles: vec!["worker".to_owned()],
            taints: vec![],
            version: "v1.36.3".to_owned(),
            os: "Debian".to_owned(),
            cpu: Some("32".to_owned()),
            memory: Some("256Gi".to_owned()),
            gpus: 4,
            pods: None,
            created_at: NOW,
        }]))
    }

    async fn pods(
        &self,
        _: &Permit<View>,
        _: &str,
        query: &ListQuery,
    ) -> Result<Listed<PodRow>, ApiError> {
        if query.value("namespace") == Some("empty") {
            return Ok(self.listed(vec![]));
        }
        Ok(self.listed(vec![PodRow {
            namespace: "payments".to_owned(),
            name: self.name.clone(),
            phase: Phase::Running,
            status: "CrashLoopBackOff".to_owned(),
            healthy: false,
            containers_ready: 1,
            containers: 2,
            restarts: 37,
            node: Some("node-1".to_owned()),
            workload_kind: Some("Deployment".to_owned()),
            workload: Some("checkout".to_owned()),
            created_at: NOW,
        }]))
    }

    async fn workloads(
        &self,
        _: &Permit<View>,
        _: &str,
        _: &ListQuery,
    ) -> Result<Listed<WorkloadRow>, ApiError> {
        Ok(self.listed(vec![WorkloadRow {
            namespace: "payments".to_owned(),
            kind: "Deployment".to_owned(),
            name: self.name.clone(),
            desired: 3,
            ready: 1,
            healthy: false,
            state: WorkloadState::Unhealthy,
            says: "1 of 3 ready".to_owned(),
            images: vec![],
            finding: Some(finding()),
            created_at: NOW,
        }]))
    }

    async fn events(
        &self,
        _: &Permit<View>,
        _: &str,
        _: &ListQuery,
    ) -> Result<Listed<EventRow>, ApiError> {
        Ok(self.listed(vec![EventRow {
            namespace: "payments".to_owned(),
            about_kind: "Pod".to_owned(),
            about: self.name.clone(),
            warning: true,
            reason: "BackOff".to_owned(),
            message: self.name.clone(),
            source: "kubelet".to_owned(),
            count: 12,
            first_at: NOW,
            last_at: NOW,
        }]))
    }

    async fn findings(
        &self,
        _: &Permit<View>,
        _: &str,
        _: &ListQuery,
    ) -> Result<Listed<Finding>, ApiError> {
        Ok(self.listed(vec![finding()]))
    }

    async fn overview(&self, _: &Permit<View>, _: &str) -> Result<Overview, ApiError> {
        // None of these pages asks for it.
        Err(ApiError::NotFound(Thing::Cluster))
    }
}

async fn drawn(told: Told, address: &str) -> Drawn {
    let services = move || provide_context::<Arc<dyn Watched>>(Arc::new(told.clone()));
    Box::pin(draw_over(services, request(address))).await
}

fn told(name: &str) -> Told {
    Told { name: name.to_owned(), watch: live() }
}

fn says(drawn: &Drawn, words: &[&str]) {
    assert_eq!(drawn.status, 200);
    for word in words {
        assert!(drawn.html.contains(word), "{word} is missing:\n{}", drawn.main());
    }
    assert!(!drawn.html.contains("style="), "the CSP refuses styles in attributes");
}

#[tokio::test]
async fn each_list_says_what_it_knows() {
    let nodes = drawn(told("node-1"), "/clusters/c-1/nodes").await;
    says(
        &nodes,
        &[
            "<title>Nodes of a cluster · Quarterdeck</title>",
            "<h1>Nodes of spoke-porto</h1>",
            "not ready",
            "DiskPressure",
            "cordoned",
            "href=\"/clusters/c-1/pods?node=node-1\"",
            "data-topics=\"cluster:c-1:nodes\"",
        ],
    );
    let pods = drawn(told("checkout-1"), "/clusters/c-1/pods?state=unhealthy").await;
    says(
        &pods,
        &[
            "CrashLoopBackOff",
            "1/2",
            "Deployment checkout",
            "href=\"/clusters/c-1/events?namespace=payments&amp;kind=Pod&amp;object=checkout-1\"",
        ],
    );
    let workloads = drawn(told("checkout"), "/clusters/c-1/workloads").await;
    says(&workloads, &["crash loop", "exit code 1", "Evidence, and what to do", "Read the log."]);
    let events = drawn(told("checkout-1"), "/clusters/c-1/events?type=warning").await;
    says(&events, &["BackOff", "12"]);
    assert!(!pods.html.contains("This may not be"), "a live list needs no caveat");
}

#[tokio::test]
async fn what_is_not_live_says_so() {
    let mut of = told("checkout-1");
    of.watch.state = WatchState::Stale;
    of.watch.reason = Some(Reason::Unreachable);
    let stale = drawn(of.clone(), "/clusters/c-1/pods").await;
    says(&stale, &["may have changed", "cannot be reached", "Last heard"]);
    of.watch.state = WatchState::Refused;
    of.watch.reason = Some(Reason::Forbidden);
    let refused = drawn(of.clone(), "/clusters/c-1/pods?namespace=empty").await;
    says(&refused, &["the credential may not list them", "Nothing matches"]);
    of.watch = WatchStatus {
        state: WatchState::Starting,
        reason: None,
        synced_at: None,
        objects: 250,
        expected: Some(10_000),
        ..live()
    };
    let reading = drawn(of, "/clusters/c-1/pods").await;
    says(&reading, &["250 of about 10,000 so far", "About 10,000 pods"]);
}

#[tokio::test]
async fn a_filter_that_is_none_is_told() {
    let drawn = drawn(told("x"), "/clusters/c-1/pods?state=asleep").await;
    assert_eq!(drawn.status, 422);
    assert!(drawn.html.contains("cannot be shown as asked"));
}

#[tokio::test]
async fn no_name_becomes_markup() {
    for name in HOSTILE {
        for list in ["nodes", "pods", "workloads", "events"] {
            let drawn = drawn(told(name), &format!("/clusters/c-1/{list}")).await;
            for markup in ["<script>alert", "<img src=x"] {
                assert!(!drawn.html.contains(markup), "{list}: {markup}");
            }
        }
    }
}
