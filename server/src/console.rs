//! The composition root: everything the console is made of, wired here and nowhere else.

mod readiness;
mod upkeep;
mod work;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use app::identity::{Gate, model::WaysIn};
use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    audit::{self, AuditService},
    clock::{Clock, Rng},
    config::Config,
    egress::{Egress, EgressConfig, Scope},
    events::{Feed, StreamState},
    fleet::{
        self, Clients, FleetService,
        probes::Probes,
        watch::{FeedNotices, Watches},
        watched::WatchedService,
    },
    home::HomeService,
    identity::{
        self, AuditedGate, Callers,
        admin::Admin,
        callers::{SignedInCallers, session_cookie},
        epochs::Epochs,
        local::{self, Accounts},
        oidc,
        own::OwnThings,
        rights::RightsBook,
        sessions::{self, Sessions},
    },
    operations::{
        OperationsService,
        operations::{prune, rehearsal, self_check},
        probe::Upstream,
        queue::Queue,
        spec::Catalog,
    },
    store::{Db, StoreConfig, StoreError},
    tasks::Tasks,
    vault::{KeyUses, NamingColumn, Vault},
    web::{
        assets::Assets, health::Readiness, limits::Limits, metrics::Metrics, strangers::Strangers,
    },
    workspaces::WorkspacesService,
};

/// What every handler can reach. Leaked once, so that it can be `Copy` into every closure of a render.
pub struct Console {
    pub config: Config,
    pub clock: Clock,
    pub rng: Rng,
    pub db: Db,
    pub egress: Egress,
    pub vault: Vault,
    pub feed: Feed,
    pub gate: Arc<dyn Gate>,
    pub callers: Arc<dyn Callers>,
    pub sessions: Arc<Sessions>,
    pub epochs: Epochs,
    /// Everybody's own things, with the accounts of this console.
    pub accounts: Arc<OwnThings>,
    /// None when no identity provider is configured.
    pub oidc: Option<Arc<oidc::SignIn>>,
    pub operations: Arc<OperationsService>,
    /// What needs a human, from each domain that has something to say.
    pub home: Arc<HomeService>,
    pub audit: Arc<AuditService>,
    /// What goes on in clusters, and how people see it.
    pub watches: Watches,
    pub watched: Arc<WatchedService>,
    /// Refused requests of nobody, until they are written.
    pub strangers: Arc<Strangers>,
    /// People, grants and keys.
    pub admin: Arc<Admin>,
    pub workspaces: Arc<WorkspacesService>,
    pub fleet: Arc<FleetService>,
    /// Looks after the clusters.
    pub probes: Arc<Probes>,
    pub tasks: Tasks,
    pub task_list: Arc<dyn app::settings::Tasks>,
    pub metrics: Metrics,
    pub assets: Assets,
    pub readiness: Readiness,
    pub limits: Limits,
    /// Cancelled when the console begins to stop: streams end, readiness says so.
    pub shutdown: CancellationToken,
}

/// What a test may choose for itself.
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub rng: Rng,
    pub db: Db,
    pub vault: Vault,
    /// None for those that the configuration asks for.
    pub callers: Option<Arc<dyn Callers>>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Passwords(#[from] local::PasswordError),
}

impl Console {
    /// Wires everything; starts nothing yet.
    pub async fn open(parts: Parts) -> Result<&'static Self, OpenError> {
        let Parts { config, clock, rng, db, vault, callers } = parts;
        db.chain_with(vault.chain());
        app::paths::set_base(config.base());
        let gate: Arc<dyn Gate> = Arc::new(AuditedGate::new(db.clone()));
        let tasks = Tasks::new(clock.clone(), rng.clone());
        let feed = Feed::open(db.clone()).await?;
        let egress = Egress::new(egress_config(&config), &clock);
        let limits = sessions::Limits { idle: SESSION_IDLE, lifetime: SESSION_LIFETIME };
        let sessions = Arc::new(Sessions::new(db.clone(), rng.clone(), limits));
        let rights = Arc::new(rights(&config, &db));
        let accounts =
            Accounts::new(db.clone(), rng.clone(), Arc::clone(&sessions), Arc::clone(&gate))?;
        let signed_in = SignedInCallers {
            sessions: Arc::clone(&sessions),
            rights: Arc::clone(&rights),
            clock: clock.clone(),
            gate: Arc::clone(&gate),
            cookie: session_cookie(&config),
        };
        let callers = callers.unwrap_or_else(|| Arc::new(signed_in));
        let accounts = OwnThings {
            db: db.clone(),
            sessions: Arc::clone(&sessions),
            rights,
            accounts: Arc::new(accounts),
        };
        let fleet = fleet_service(&db, &vault, &rng, &egress, &gate);
        let oidc = sign_in(&config, &clock, &rng, &db, &vault, &sessions, &gate);
        let operations = Arc::new(operations(&config, &fleet, &egress, &feed, &gate));
        let probes = Arc::new(upkeep::probes(&fleet, &operations, &gate));
        let metrics = upkeep::metrics(&db, &feed, &operations, &probes);
        api::openapi::describe_inputs(operations.described());
        let watches = Watches::new(
            Arc::new(fleet.clients.clone()),
            Arc::new(FeedNotices(feed.clone())),
            clock.clone(),
            rng.clone(),
        );
        let of_watches = watches.clone();
        fleet.clients.when_forgotten(move |cluster| of_watches.forget(cluster));
        let inside = WatchedService::new(db.clone(), clock.clone(), watches.clone());
        let home = HomeService::new(
            clock.clone(),
            vec![Arc::clone(&operations) as _, Arc::clone(&fleet) as _],
        );
        let readiness = Readiness::new(clock.clone());
        readiness::register(&readiness, &db, &feed);
        Ok(Box::leak(Box::new(Self {
            feed,
            gate,
            callers,
            sessions,
            epochs: Epochs::new(db.clone()),
            accounts: Arc::new(accounts),
            oidc,
            operations,
            home: Arc::new(home),
            audit: Arc::new(AuditService::new(db.clone())),
            watches,
            watched: Arc::new(inside),
            strangers: Arc::default(),
            admin: Arc::new(Admin::new(db.clone(), rng.clone(), &config)),
            workspaces: Arc::new(WorkspacesService::new(db.clone())),
            fleet,
            probes,
            egress,
            task_list: Arc::new(tasks.clone()),
            tasks,
            metrics,
            assets: Assets::embedded(),
            readiness,
            limits: Limits::new(&config, &clock),
            shutdown: CancellationToken::new(),
            config,
            clock,
            rng,
            db,
            vault,
        })))
    }

    /// The ways in, for the page that shows them.
    pub fn ways_in(&self) -> WaysIn {
        WaysIn {
            provider: self.oidc.is_some(),
            demo: self.config.demo_users.is_some(),
            read_only: self.config.read_only,
        }
    }
}

/// Whatever a key of the ring seals or signs: a key is free when nothing of this needs it.
pub const KEY_USES: KeyUses = KeyUses {
    sealed: &[
        identity::oidc::SEALED_TOKENS,
        identity::oidc::SEALED_FLOWS,
        fleet::store::credentials::SEALED,
        fleet::store::drafts::SEALED,
    ],
    naming: &[
        NamingColumn { table: "audit_log", column: "hash_key" },
        NamingColumn { table: "audit_heads", column: "key_id" },
        NamingColumn { table: "audit_checkpoint", column: "key_id" },
    ],
};

/// DESIGN §5.3.
const SESSION_IDLE: Duration = Duration::from_hours(8);
const SESSION_LIFETIME: Duration = Duration::from_hours(24);

impl FromRef<&'static Console> for StreamState {
    fn from_ref(console: &&'static Console) -> Self {
        Self {
            feed: console.feed.clone(),
            clock: console.clock.clone(),
            rng: console.rng.clone(),
            shutdown: console.shutdown.clone(),
            origin: console.config.public_url.as_ref().map(|url| url.origin.clone()),
            epoch: console.epochs.watch(),
        }
    }
}

fn fleet_service(
    db: &Db,
    vault: &Vault,
    rng: &Rng,
    egress: &Egress,
    gate: &Arc<dyn Gate>,
) -> Arc<FleetService> {
    let system = identity::system(Arc::clone(gate));
    let own = fleet::clients::Own::default();
    let clients = Clients::new(db.clone(), vault.clone(), egress.clone(), system, own);
    Arc::new(FleetService::new(db.clone(), vault.clone(), rng.clone(), clients, Queue::default()))
}

fn rights(config: &Config, db: &Db) -> RightsBook {
    let grants = config.oidc_grants.iter().map(|grant| (grant.group.clone(), grant.role));
    RightsBook::new(db.clone(), grants.collect())
}

/// Every type of operation, and what starts on a clock.
fn operations(
    config: &Config,
    fleet: &FleetService,
    egress: &Egress,
    feed: &Feed,
    gate: &Arc<dyn Gate>,
) -> OperationsService {
    let FleetService { db, vault, rng, clients, queue } = fleet;
    let upstreams = config.upstreams.iter();
    let upstreams = upstreams.map(|u| Upstream { name: u.name.clone(), url: u.url.clone() });
    let deps = self_check::Deps {
        db: db.clone(),
        folder: folder(config),
        room: self_check::Room::of,
        assets: Assets::check,
        upstreams: upstreams.collect(),
        egress: egress.clone(),
    };
    let catalog = rehearsal::register(self_check::register(Catalog::default(), deps));
    let catalog = prune::register(catalog, upkeep::pruned(config, db, feed, gate));
    let catalog = audit::operations::verify::register(catalog, db);
    let catalog = fleet::operations::discover::register(catalog, db, clients);
    let catalog = fleet::operations::register::register(catalog, db, clients);
    let catalog = fleet::operations::rotate::register(catalog, db, clients);
    let catalog = fleet::operations::reseal::register(catalog, db, vault, KEY_USES.sealed);
    let zone = &config.schedule_time_zone;
    let verify = audit::operations::verify::schedule(zone);
    let schedules = vec![self_check::schedule(), prune::schedule(), verify];
    let system = identity::system(Arc::clone(gate));
    OperationsService::new(db.clone(), rng.clone(), catalog, schedules, system).hearing(queue)
}

/// Sign-in through the configured provider, with its own authority trusted there and nowhere else.
fn sign_in(
    config: &Config,
    clock: &Clock,
    rng: &Rng,
    db: &Db,
    vault: &Vault,
    sessions: &Arc<Sessions>,
    gate: &Arc<dyn Gate>,
) -> Option<Arc<oidc::SignIn>> {
    let provider = config.oidc.clone()?;
    let mut egress = egress_config(config);
    let own = provider.ca_file.iter().flat_map(|file| file.0.iter().cloned());
    egress.extra_authorities.extend(own);
    let http = Egress::new(egress, clock).client(Scope::Registered);
    let back = oidc::routes::callback_url(config);
    let made = oidc::Oidc::new(provider, back, http, clock.clone(), rng.clone());
    // Addresses of a configuration that was read are addresses.
    let oidc = made.inspect_err(|error| tracing::error!(%error, "no sign-in by OpenID Connect"));
    Some(Arc::new(oidc::SignIn::new(oidc::Parts {
        oidc: oidc.ok()?,
        db: db.clone(),
        vault: vault.clone(),
        rng: rng.clone(),
        sessions: Arc::clone(sessions),
        granted_groups: config.oidc_grants.iter().map(|grant| grant.group.clone()).collect(),
        home: oidc::routes::home_url(config),
        base: config.base().to_owned(),
        gate: Arc::clone(gate),
    })))
}

fn egress_config(config: &Config) -> EgressConfig {
    let extra = config.egress_ca_files.iter().flat_map(|file| file.0.iter().cloned());
    EgressConfig { extra_authorities: extra.collect(), ..EgressConfig::default() }
}

/// Where the disk fills first: beside the SQLite file, or where temporary files go.
fn folder(config: &Config) -> PathBuf {
    let file =
        config.database_url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
    let parent = file.and_then(|path| Path::new(path).parent());
    match parent {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => std::env::temp_dir(),
    }
}

/// How the configuration wants the store opened.
pub fn store_config(config: &Config) -> StoreConfig {
    StoreConfig {
        url: config.database_url.clone(),
        max_connections: config.database_connections,
        statement_timeout: config.statement_timeout,
        read_only: config.read_only,
        ..StoreConfig::default()
    }
}
