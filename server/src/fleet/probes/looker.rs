//! One look at one cluster: the API server and what has an address of its own at once, then what is reached through the
//! API server. Each has its own end, so none takes another's time.

use std::{future::Future, sync::Arc, time::Duration};

use app::{fleet::trouble::Trouble, time::Micros};
use async_trait::async_trait;
use futures::future::join_all;
use uuid::Uuid;

use super::{
    Look, Seen, api_server, nodes,
    state::{ApiReading, Ill, NodesReading, Readings, Unread, Upstream, UpstreamReading},
    upstream,
};
use crate::{
    clock::Clock,
    fleet::{
        Clients, ClusterClient, FleetError, Purpose,
        store::{credentials::Part, probes::Target},
    },
};

/// Looks with the clusters' own credentials.
pub struct Looker {
    clients: Clients,
    clock: Clock,
}

impl Looker {
    pub fn new(clients: Clients, clock: Clock) -> Self {
        Self { clients, clock }
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.clock.sleep(limit) => None,
        }
    }

    async fn api(
        &self,
        client: &ClusterClient,
        target: &Target,
        within: Duration,
    ) -> (ApiReading, Option<Duration>) {
        let began = self.clock.monotonic();
        let looked = self.within(within, api_server::look(&client.client)).await;
        let took = self.clock.monotonic().saturating_sub(began);
        let expired = target.credential_expires_at.is_some_and(|at| at <= self.clock.now());
        match looked.unwrap_or(ApiReading::Down(Trouble::Timeout)) {
            ApiReading::Down(Trouble::Unreachable) => {
                // The handshake knows better than what became of the connection.
                let trouble = client.handshakes.last().refused.unwrap_or(Trouble::Unreachable);
                (ApiReading::Down(trouble), None)
            }
            ApiReading::Down(trouble) => (ApiReading::Down(trouble), None),
            ApiReading::Refused(Trouble::Unauthorized) if expired => {
                (ApiReading::Refused(Trouble::Expired), Some(took))
            }
            reading => (reading, Some(took)),
        }
    }

    /// None for one that is reached through the API server.
    async fn direct(
        &self,
        id: Uuid,
        target: &Target,
        of: Upstream,
        within: Duration,
    ) -> Option<UpstreamReading> {
        let Some(url) = target.url(of) else { return Some(UpstreamReading::NotConfigured) };
        if upstream::proxied(url).is_some() {
            return None;
        }
        let asked = async {
            match self.clients.upstream_token(id, part(of)).await {
                Ok(token) => {
                    upstream::direct(&self.clients.outgoing(), url, token.as_ref(), of).await
                }
                Err(_) => UpstreamReading::Unread(Unread::Token),
            }
        };
        Some(
            Box::pin(self.within(within, asked))
                .await
                .unwrap_or(UpstreamReading::Down(Ill::Silent)),
        )
    }

    async fn through(
        &self,
        client: &kube::Client,
        target: &Target,
        of: Upstream,
        within: Duration,
    ) -> UpstreamReading {
        let Some(base) = target.url(of).and_then(upstream::proxied) else {
            return UpstreamReading::NotConfigured;
        };
        let asked = self.within(within, upstream::through(client, &base, of)).await;
        asked.unwrap_or(UpstreamReading::Down(Ill::Silent))
    }

    /// What can only be asked by way of the API server.
    async fn behind(
        &self,
        client: &kube::Client,
        target: &Target,
        mut upstreams: [Option<UpstreamReading>; 3],
        within: Duration,
    ) -> (NodesReading, [UpstreamReading; 3]) {
        let open: Vec<Upstream> =
            Upstream::ALL.into_iter().filter(|of| upstreams[*of as usize].is_none()).collect();
        let asked = open.iter().map(|of| self.through(client, target, *of, within));
        let nodes = self.within(within, nodes::look(client));
        let (nodes, found) = tokio::join!(nodes, join_all(asked));
        for (of, reading) in open.into_iter().zip(found) {
            upstreams[of as usize] = Some(reading);
        }
        (nodes.unwrap_or_default(), upstreams.map(Option::unwrap_or_default))
    }
}

const fn part(of: Upstream) -> Part {
    match of {
        Upstream::Prometheus => Part::Prometheus,
        Upstream::Tempo => Part::Tempo,
        Upstream::Loki => Part::Loki,
    }
}

/// None: there is nothing to be said of the cluster, by a fault of ours or since nothing opens it any more.
fn opened(
    client: Result<Arc<ClusterClient>, FleetError>,
) -> Option<Result<Arc<ClusterClient>, Trouble>> {
    match client {
        Ok(client) => Some(Ok(client)),
        Err(error) => match error.trouble() {
            Some(Trouble::NoCredential | Trouble::NoOutpost) => None,
            Some(trouble) => Some(Err(trouble)),
            None => {
                tracing::warn!(%error, "a cluster could not be looked at");
                None
            }
        },
    }
}

#[async_trait]
impl Look for Looker {
    async fn look(&self, target: &Target, within: Duration) -> Option<Seen> {
        let id = Uuid::parse_str(&target.id).ok()?;
        let client = opened(self.clients.of(id, Purpose::Probe).await)?;
        let direct = join_all(Upstream::ALL.map(|of| self.direct(id, target, of, within)));
        let api = async {
            match &client {
                Ok(client) => self.api(client, target, within).await,
                Err(trouble) => (api_server::of(*trouble), None),
            }
        };
        let ((api, latency), found) = tokio::join!(api, direct);
        let mut upstreams = [None; 3];
        upstreams.iter_mut().zip(found).for_each(|(held, found)| *held = found);
        let (nodes, upstreams) = match &client {
            Ok(client) if api == ApiReading::Up => {
                self.behind(&client.client, target, upstreams, within).await
            }
            _ => {
                let unread =
                    |held: Option<_>| held.unwrap_or(UpstreamReading::Unread(Unread::ApiServer));
                (NodesReading::Unread, upstreams.map(unread))
            }
        };
        let certificate_expires_at: Option<Micros> =
            client.ok().and_then(|client| client.handshakes.last().expires_at);
        Some(Seen { readings: Readings { api, nodes, upstreams }, latency, certificate_expires_at })
    }
}
