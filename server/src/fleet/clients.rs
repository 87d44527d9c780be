//! The only maker of kube clients: one per cluster and credential, made when somebody needs it, made anew when the
//! credential was replaced, and let go when the cluster was removed.
//!
//! Every connection is the guarded one. kube's own retries are off: whoever asks knows better whether to ask again.
//! Requests under way keep the client that they began with, so a rotation breaks none of them.

mod upstreams;

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use app::{
    fleet::{
        credentials::SecretRef, model::Transport, registration::IN_CLUSTER_URL, trouble::Trouble,
    },
    identity::Caller,
};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use kube::client::{Body, middleware::BaseUriLayer};
use tower::{Layer as _, Service};
use uuid::Uuid;

use super::{
    FleetError,
    credentials::{Key, Opens},
    store::credentials::{self, Part, SEALED, Stored, Way},
    tls::{self, Handshakes, Trust},
    tokens::{OfFile, OfSecret, Tokens},
};
use crate::{
    clock::Clock,
    egress::{Connector, Egress, Scope},
    journal::AuditRow,
    store::Db,
    vault::Vault,
};

/// How long until the beginning of an answer is there; what follows (a watch, a log) has an end of its own.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_mins(1);
const IDLE_MAX: usize = 8;
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a client is used for; each use of a credential is written down once per client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    Probe,
    Discovery,
    Watch,
    Validation,
    Agents,
    Observe,
    Gpu,
    Debug,
}

impl Purpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Discovery => "discovery",
            Self::Watch => "watch",
            Self::Validation => "validation",
            Self::Agents => "agents",
            Self::Observe => "observe",
            Self::Gpu => "gpu",
            Self::Debug => "debug",
        }
    }
}

/// A client of one cluster, made with one credential.
pub struct ClusterClient {
    pub client: kube::Client,
    pub cluster_id: Uuid,
    pub cluster_name: String,
    pub workspace_id: i64,
    /// Of the credential; 0 where the console's own identity is used.
    pub version: i64,
    pub handshakes: Handshakes,
    /// What it was made from: another one is another client.
    made_from: String,
    used_for: Mutex<BTreeSet<Purpose>>,
}

/// Where the console finds the cluster that it runs in.
#[derive(Clone, Debug)]
pub struct Own {
    pub url: String,
    /// Holds `token` and `ca.crt`.
    pub folder: PathBuf,
}

impl Default for Own {
    fn default() -> Self {
        Self { url: IN_CLUSTER_URL.to_owned(), folder: PathBuf::from(SERVICE_ACCOUNT) }
    }
}

/// Makes clients and keeps them. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    db: Db,
    vault: Vault,
    egress: Egress,
    own: Own,
    /// Who uses a credential when nobody asked: the console itself.
    system: Caller,
    made: Mutex<HashMap<Uuid, Arc<ClusterClient>>>,
    forgotten: OnceLock<Box<dyn Fn(Uuid) + Send + Sync>>,
}

/// What a request to one API server goes through.
pub struct Made {
    pub client: kube::Client,
    pub handshakes: Handshakes,
}

impl Clients {
    pub fn new(db: Db, vault: Vault, egress: Egress, system: Caller, own: Own) -> Self {
        let made = Mutex::default();
        Self(Arc::new(Inner { db, vault, egress, own, system, made, forgotten: OnceLock::new() }))
    }

    /// The client of a cluster, by the credential that is stored now.
    pub async fn of(
        &self,
        cluster_id: Uuid,
        purpose: Purpose,
    ) -> Result<Arc<ClusterClient>, FleetError> {
        let found = credentials::find_way(&self.0.db, &cluster_id.to_string(), Part::Api).await?;
        let Some(way) = found else {
            self.forget(cluster_id);
            return Err(FleetError::Missing);
        };
        let made_from = match (way.transport, &way.credential) {
            (Transport::Outpost, _) => return Err(Trouble::NoOutpost.into()),
            (Transport::InCluster, _) => "in_cluster".to_owned(),
            (Transport::Direct, None) => {
                self.forget(cluster_id);
                return Err(Trouble::NoCredential.into());
            }
            (Transport::Direct, Some(stored)) => format!("{} {}", stored.id, way.api_server_url),
        };
        let client = match self.kept(cluster_id).filter(|kept| kept.made_from == made_from) {
            Some(kept) => kept,
            None => self.make(cluster_id, &way, made_from).await?,
        };
        self.write_use(&client, purpose).await?;
        Ok(client)
    }

    /// Lets the client of a cluster go; requests under way end by themselves.
    pub fn forget(&self, cluster_id: Uuid) {
        self.made().remove(&cluster_id);
        if let Some(tell) = self.0.forgotten.get() {
            tell(cluster_id);
        }
    }

    /// Tells who else must let go of a cluster; said once, when the console is put together.
    pub fn when_forgotten(&self, tell: impl Fn(Uuid) + Send + Sync + 'static) {
        let _ = self.0.forgotten.set(Box::new(tell));
    }

    fn made(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<ClusterClient>>> {
        // A map of finished clients has no state that a panic could leave half changed.
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, cluster_id: Uuid) -> Option<Arc<ClusterClient>> {
        self.made().get(&cluster_id).cloned()
    }

    async fn make(
        &self,
        cluster_id: Uuid,
        way: &Way,
        made_from: String,
    ) -> Result<Arc<ClusterClient>, FleetError> {
        let made = match (&way.transport, &way.credential) {
            (Transport::Direct, Some(stored)) => {
                let key = self.open(stored)?;
                self.connect(
                    &way.api_server_url,
                    key,
                    stored.secret_ref.as_deref(),
                    Some(&stored.id),
                )
                .await?
            }
            _ => self.own().await?,
        };
        let client = Arc::new(ClusterClient {
            client: made.client,
            cluster_id,
            cluster_name: way.name.clone(),
            workspace_id: way.workspace_id,
            version: way.credential.as_ref().map_or(0, |stored| stored.version),
            handshakes: made.handshakes,
            made_from,
            used_for: Mutex::default(),
        });
        let mut kept = self.made();
        // Two that made it at once keep the same.
        if let Some(theirs) =
            kept.get(&cluster_id).filter(|theirs| theirs.made_from == client.made_from)
        {
            return Ok(Arc::clone(theirs));
        }
        kept.insert(cluster_id, Arc::clone(&client));
        Ok(client)
    }

    /// What is stored for a cluster, where it can be opened.
    pub(super) async fn key_of(&self, cluster_id: Uuid) -> Result<Option<Key>, FleetError> {
        let way = credentials::find_way(&self.0.db, &cluster_id.to_string(), Part::Api).await?;
        let stored = way.and_then(|way| way.credential);
        // One that cannot be opened any more is no reason not to store another.
        Ok(stored.and_then(|stored| self.open(&stored).ok()))
    }

    fn open(&self, stored: &Stored) -> Result<Key, FleetError> {
        let sealed = stored.sealed.as_deref().ok_or(Trouble::Credential)?;
        let opened = self.0.vault.open_sealed(SEALED.place(&stored.id), sealed)?;
        Ok(Key::read(&opened)?)
    }

    /// A client for an address and a key that may not be stored yet; `row` is where it is stored.
    pub async fn connect(
        &self,
        url: &str,
        key: Key,
        secret_ref: Option<&str>,
        row: Option<&str>,
    ) -> Result<Made, FleetError> {
        let mut trust = Trust { authority: key.authority.as_deref(), client: None };
        let clock = self.0.db.clock().clone();
        let tokens = match &key.opens {
            Opens::Token { token } => Tokens::fixed(token)?,
            Opens::Certificate { certificate, key } => {
                trust.client = Some((certificate, key));
                Tokens::None
            }
            Opens::SecretRef => {
                let reference = secret_ref.and_then(SecretRef::read).ok_or(Trouble::Credential)?;
                let client = self.own().await.map_err(|_| Trouble::SecretRef)?.client;
                Tokens::changing(OfSecret { client, reference }, clock)
            }
            Opens::Oidc(provider) => {
                let source = self.provider(provider.clone(), row, &key);
                Tokens::changing(source, clock)
            }
        };
        self.build(url, &trust, key.server_name.as_deref(), tokens)
    }

    fn provider(
        &self,
        provider: super::credentials::Provider,
        row: Option<&str>,
        key: &Key,
    ) -> super::oidc::OfProvider {
        super::oidc::OfProvider::new(
            provider,
            &self.0.egress.client(Scope::Registered),
            self.0.db.clock().clone(),
            row.map(|row| super::oidc::Place {
                db: self.0.db.clone(),
                vault: self.0.vault.clone(),
                row: row.to_owned(),
                key: key.clone(),
            }),
        )
    }

    /// By the identity that the console's own pod was given.
    pub async fn own(&self) -> Result<Made, FleetError> {
        let Own { url, folder } = &self.0.own;
        let authority = tokio::fs::read_to_string(folder.join("ca.crt")).await;
        let authority = authority.map_err(|_| Trouble::NoCredential)?;
        let trust = Trust { authority: Some(&authority), client: None };
        let tokens = Tokens::changing(OfFile(folder.join("token")), self.0.db.clock().clone());
        self.build(url, &trust, None, tokens)
    }

    fn build(
        &self,
        url: &str,
        trust: &Trust<'_>,
        server_name: Option<&str>,
        tokens: Tokens,
    ) -> Result<Made, FleetError> {
        let handshakes = Handshakes::default();
        let config = tls::config(trust, &handshakes)?;
        let name = tls::server_name(server_name)?;
        // Whoever registers a cluster may choose where it is (DECIDED 27).
        let connector = self.0.egress.connector(Scope::Registered, config, name);
        let base: Uri = url.parse().map_err(|_| Trouble::AddressRefused)?;
        let way = Outgoing { http: http(connector), tokens, clock: self.0.db.clock().clone() };
        let client = kube::Client::new(BaseUriLayer::new(base).layer(way), "default");
        Ok(Made { client, handshakes })
    }

    /// Once per client and purpose; a use that cannot be written down does not happen.
    async fn write_use(&self, client: &ClusterClient, purpose: Purpose) -> Result<(), FleetError> {
        let used = || client.used_for.lock().unwrap_or_else(PoisonError::into_inner);
        if used().contains(&purpose) || self.0.db.is_read_only() {
            return Ok(());
        }
        let row = AuditRow::allowed(&self.0.system, "fleet.credential.use")
            .target("cluster", client.cluster_id, client.cluster_name.clone())
            .workspace(client.workspace_id)
            .detail("purpose", purpose.as_str())
            .detail("credential_version", client.version);
        self.0.db.begin().await?.commit(vec![row]).await?;
        used().insert(purpose);
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "its connections are the guarded ones")]
fn http(connector: Connector) -> legacy::Client<Connector, Body> {
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_MAX)
        .build(connector)
}

/// The way out of one client: says who it is, and waits no longer than it should.
#[derive(Clone)]
struct Outgoing {
    http: legacy::Client<Connector, Body>,
    tokens: Tokens,
    clock: Clock,
}

impl Outgoing {
    async fn send(self, mut request: Request<Body>) -> Result<Response<Incoming>, FleetErrorBox> {
        let token = self.tokens.current().await.map_err(FleetError::Trouble)?;
        if let Some(token) = &token {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        }
        let agent = HeaderValue::from_static(concat!("quarterdeck/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        let answered = tokio::select! {
            answered = self.http.request(request) => answered?,
            () = self.clock.sleep(HEAD_WITHIN) => {
                return Err(FleetError::Trouble(Trouble::Timeout).into());
            }
        };
        if answered.status() == StatusCode::UNAUTHORIZED {
            self.tokens.refused(token.as_ref());
        }
        Ok(answered)
    }
}

type FleetErrorBox = Box<dyn std::error::Error + Send + Sync>;

impl Service<Request<Body>> for Outgoing {
    type Response = Response<Incoming>;
    type Error = FleetErrorBox;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
