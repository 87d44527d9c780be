//! The configuration: read once, at start, from flags, the environment and one optional TOML file.
//!
//! The only module that looks at the environment. Each setting stands once in [`settings::SETTINGS`]; its
//! flag, its variable, its key in the file and its lines in `--help` all come from there. A flag wins over
//! the environment, the environment over the file. Every value is checked here, before anything is opened,
//! and all faults are told at once, each with the setting and where its value came from.

mod command;
pub mod oidc;
mod setting;
mod settings;
mod sources;
mod values;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use jiff::tz::TimeZone;

pub use oidc::{GroupRole, OidcConfig};
pub use sources::{Environment, Fault, Faults};
pub use values::{Authorities, LogFormat, PublicUrl, Upstream};

use sources::{Given, Reader};

use crate::vault::KeyRing;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Command {
    Serve(Box<Config>),
    Work(Box<Config>),
    Migrate {
        config: Box<Config>,
        check: bool,
    },
    AuditVerify {
        config: Box<Config>,
        ask: AuditAsk,
    },
    Backup {
        config: Box<Config>,
        ask: BackupAsk,
    },
    Restore {
        config: Box<Config>,
        ask: RestoreAsk,
    },
    NewKey,
    /// Needs no configuration either.
    Rbac(crate::fleet::rbac::Ask),
    ListKeys(Box<Config>),
    RotateKey(Box<Config>),
    RetireKey {
        config: Box<Config>,
        id: String,
    },
}

/// Which part of the audit chain to verify, and against what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditAsk {
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// A line of the log with a signed head.
    pub head: Option<String>,
    /// An exported bundle instead of the database.
    pub bundle: Option<PathBuf>,
}

/// Where a backup goes, and what into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupAsk {
    pub file: PathBuf,
    pub include_key: bool,
}

/// What is restored, or only looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreAsk {
    pub file: PathBuf,
    pub check: bool,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Metrics and verbose readiness; none switches them off.
    pub metrics_listen: Option<SocketAddr>,
    pub public_url: Option<PublicUrl>,
    pub trusted_proxies: Vec<IpNet>,
    /// Trusted by outgoing https besides the system's.
    pub egress_ca_files: Vec<Authorities>,
    pub insecure_http: bool,
    /// Where the passwords and keys of the demo's people go; none outside of demonstrations.
    pub demo_users: Option<PathBuf>,
    pub read_only: bool,
    /// A line above every page, such as "production".
    pub environment: Option<String>,
    /// May hold a password: never logged, never shown.
    pub database_url: String,
    pub database_connections: u32,
    pub statement_timeout: Duration,
    /// None for the file beside the SQLite file.
    pub vault_key_file: Option<PathBuf>,
    /// The key ring itself, instead of a file.
    pub vault_keys: Option<KeyRing>,
    /// Audit entries are kept so long.
    pub audit_retention_days: u32,
    pub retention: Retention,
    pub max_body_bytes: usize,
    pub request_timeout: Duration,
    pub shutdown_grace: Duration,
    /// Searches that one caller may make in a second.
    pub search_rate: u32,
    pub workers: usize,
    /// Empty for all of them.
    pub queues: Vec<String>,
    /// The console's own schedules run on its clock.
    pub schedule_time_zone: TimeZone,
    pub upstreams: Vec<Upstream>,
    /// None when nobody signs in through an identity provider.
    pub oidc: Option<OidcConfig>,
    pub oidc_grants: Vec<GroupRole>,
    pub log_format: LogFormat,
    pub log_level: String,
}

/// How long what is kept of the past is kept (DECIDED 25); the audit log has its own setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub run_days: u32,
    pub failed_run_days: u32,
    pub run_log_days: u32,
    pub open_work_days: u32,
    pub health_days: u32,
    pub removed_cluster_days: u32,
    pub event_hours: u32,
    pub event_count: u32,
}

impl Retention {
    fn read(read: &mut Reader<'_>) -> Self {
        Self {
            run_days: read.value("run_retention_days", values::number::<1, 36_500>),
            failed_run_days: read.value("failed_run_retention_days", values::number::<1, 36_500>),
            run_log_days: read.value("run_log_retention_days", values::number::<1, 36_500>),
            open_work_days: read.value("open_work_days", values::number::<1, 36_500>),
            health_days: read.value("health_retention_days", values::number::<1, 365>),
            removed_cluster_days: read
                .value("removed_cluster_retention_days", values::number::<1, 3_650>),
            event_hours: read.value("event_retention_hours", values::number::<1, 8_760>),
            event_count: read.value("event_retention_count", values::number::<1_000, 10_000_000>),
        }
    }
}

impl Config {
    /// The defaults, as they stand in `--help`.
    pub fn defaults() -> Self {
        let given = Given::default();
        // The defaults are constants of this crate, and a test reads them all.
        Self::from_given(&given).expect("the defaults are valid")
    }

    /// The path below which the console is published: empty, or `/console`.
    pub fn base(&self) -> &str {
        self.public_url.as_ref().map_or("", |url| url.base.as_str())
    }

    fn from_given(given: &Given) -> Result<Self, Faults> {
        let mut read = Reader::new(given);
        let config = Self {
            listen: read.value("listen", values::address),
            metrics_listen: read.value("metrics_listen", values::address_or_off),
            public_url: read.optional("public_url", values::public_url),
            trusted_proxies: read.list("trusted_proxies", values::network),
            egress_ca_files: read.list("egress_ca_files", values::authorities),
            insecure_http: read.value("insecure_http", values::yes_or_no),
            demo_users: read.optional("demo_users", values::file),
            read_only: read.value("read_only", values::yes_or_no),
            environment: read.optional("environment", values::short_line),
            database_url: read.value("database_url", values::database_url),
            database_connections: read.value("database_connections", values::number::<2, 200>),
            statement_timeout: read.value("statement_timeout", values::seconds::<1, 600>),
            vault_key_file: read.optional("vault_key_file", values::file),
            vault_keys: read.optional("vault_keys", values::key_ring),
            audit_retention_days: read.value("audit_retention_days", values::number::<1, 36_500>),
            retention: Retention::read(&mut read),
            max_body_bytes: read.value("max_body_bytes", values::bytes),
            request_timeout: read.value("request_timeout", values::seconds::<1, 600>),
            shutdown_grace: read.value("shutdown_grace", values::seconds::<0, 600>),
            search_rate: read.value("search_rate", values::number::<1, 100_000>),
            workers: read.value("workers", values::count::<0, 16>),
            queues: read.list("queues", values::queue),
            schedule_time_zone: read.value("schedule_time_zone", values::time_zone),
            upstreams: read.list("upstreams", values::upstream),
            oidc: oidc::read(&mut read),
            oidc_grants: read.list("oidc_grant", oidc::group_role),
            log_format: read.value("log_format", values::log_format),
            log_level: read.value("log_level", values::log_level),
        };
        let mut faults = read.into_faults();
        faults.extend(config.contradictions());
        faults.extend(oidc::contradictions(
            config.oidc.as_ref(),
            &config.oidc_grants,
            config.public_url.is_some(),
            |key| given.has(key),
        ));
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    /// What no single value shows.
    fn contradictions(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(address) = self.metrics_listen
            && address.port() != 0
            && address == self.listen
        {
            let why = format!("{address} is taken by `listen`; choose another port, or `off`");
            faults.push(Fault::of("metrics_listen", why));
        }
        // Without it no name of this console is known, and any name that is pointed at it would be believed.
        if !self.listen.ip().is_loopback() && self.public_url.is_none() {
            let why = format!(
                "{} can be reached from other machines, and `public_url` does not say how: set it to the https \
                 address of the proxy before the console, or listen on a loopback address such as 127.0.0.1:{}",
                self.listen,
                self.listen.port()
            );
            faults.push(Fault::of("listen", why));
        }
        let local = self.public_url.as_ref().is_none_or(PublicUrl::is_loopback);
        if self.demo_users.is_some() && !(local && self.listen.ip().is_loopback()) {
            let why = "lets everybody enter as anybody, so the console may be reached from this machine alone: \
                       `listen` and `public_url` must be loopback addresses";
            faults.push(Fault::of("demo_users", why));
        }
        if let Some(url) = &self.public_url
            && !url.https
            && !url.is_loopback()
            && !self.insecure_http
        {
            let why = "is plain http: whoever listens on the way can read sessions and act with them. \
                       Publish it over https, or set `insecure_http` if you mean it";
            faults.push(Fault::of("public_url", format!("{} {why}", url.origin)));
        }
        if self.vault_keys.is_some() && self.vault_key_file.is_some() {
            let why = "stands beside `vault_key_file`, and only one of them can be the key ring";
            faults.push(Fault::of("vault_keys", why));
        }
        let mut names: Vec<&str> = self.upstreams.iter().map(|u| u.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next);
        if let Some((name, _)) = twice {
            faults.push(Fault::of("upstreams", format!("the name `{name}` stands twice")));
        }
        faults
    }
}

/// Reads the command line, with the process's own arguments and environment.
pub fn read() -> Result<Command, clap::Error> {
    sources::read(std::env::args_os(), &Environment::of_process())
}

#[cfg(test)]
mod tests;
