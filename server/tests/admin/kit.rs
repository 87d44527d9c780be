//! The services over a fresh database of each engine, people to act upon, and callers to act as.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use app::{
    error::ApiError,
    identity::{
        Caller, CallerKind, Capability, Gate, Grants as _, Manage, Permit, Reach, Role, View,
        model::{Grant, NewGrant, NewKey, SubjectKind},
        permit,
    },
    list::ListQuery,
    time::Micros,
};
use async_trait::async_trait;
use server::{
    clock::{ManualClock, Rng},
    config::Config,
    identity::{
        admin::Admin,
        rights::{Holder, RightsBook},
        sessions::{Limits, Method, Sessions, SignedIn},
    },
    store::{
        Db, Sql,
        testing::{Engine, engines_at},
    },
    workspaces::WorkspacesService,
};

pub const NOW: Micros = Micros(1_795_256_191_000_000);

/// Remembers what was refused.
#[derive(Default)]
pub struct Heard(Mutex<Vec<Capability>>);

#[async_trait]
impl Gate for Heard {
    async fn refused(&self, _: &Caller, capability: Capability) {
        self.0.lock().expect("no test panics in here").push(capability);
    }
}

pub struct Kit {
    pub admin: Arc<Admin>,
    pub workspaces: WorkspacesService,
    pub sessions: Sessions,
    pub rights: RightsBook,
    pub db: Db,
    pub hand: ManualClock,
    pub heard: Arc<Heard>,
    _engine: Engine,
}

/// A kit on each engine.
pub async fn kits() -> Vec<Kit> {
    let mut kits = Vec::new();
    for (engine, hand) in engines_at(NOW).await {
        let db = engine.db.clone();
        let limits = Limits {
            idle: std::time::Duration::from_hours(8),
            lifetime: std::time::Duration::from_hours(24),
        };
        kits.push(Kit {
            admin: Arc::new(Admin::new(db.clone(), Rng::seeded(3), &Config::defaults())),
            workspaces: WorkspacesService::new(db.clone()),
            sessions: Sessions::new(db.clone(), Rng::seeded(4), limits),
            rights: RightsBook::new(db.clone(), Vec::new()),
            db,
            hand,
            heard: Arc::default(),
            _engine: engine,
        });
    }
    kits
}

impl Kit {
    /// A local account with a password, and with nothing granted.
    pub async fn person(&self, id: &str) -> String {
        let mut tx = self.db.begin().await.expect("a transaction");
        let sql = Sql::new(
            "INSERT INTO people (id, source, login, display_name, password_hash, created_at) VALUES (",
        )
        .arg(id)
        .push(", 'local', ")
        .arg(id)
        .push(", ")
        .arg(format!("The {id}"))
        .push(", 'x', ")
        .arg(NOW)
        .push(")");
        tx.execute(sql).await.expect("a person");
        tx.commit(Vec::new()).await.expect("committed");
        id.to_owned()
    }

    /// As the provider tells of somebody.
    pub async fn person_of_provider(&self, id: &str, groups: &[&str]) {
        let mut tx = self.db.begin().await.expect("a transaction");
        let sql =
            Sql::new("INSERT INTO people (id, source, login, display_name, created_at) VALUES (")
                .arg(id)
                .push(", 'oidc', ")
                .arg(format!("https://idp|{id}"))
                .push(", ")
                .arg(format!("The {id}"))
                .push(", ")
                .arg(NOW)
                .push(")");
        tx.execute(sql).await.expect("a person");
        for group in groups {
            let sql = Sql::new("INSERT INTO person_groups (person_id, name) VALUES (").arg(id);
            tx.execute(sql.push(", ").arg(*group).push(")")).await.expect("a group");
        }
        tx.commit(Vec::new()).await.expect("committed");
    }

    pub async fn workspace(&self, name: &str) -> i64 {
        let mut tx = self.db.begin().await.expect("a transaction");
        let sql = Sql::new("INSERT INTO workspaces (name, created_at) VALUES (").arg(name);
        let sql = sql.push(", ").arg(NOW).push(") RETURNING id");
        let id = tx.fetch_one(sql).await.expect("a row").i64("id").expect("an id");
        tx.commit(Vec::new()).await.expect("committed");
        id
    }

    /// A caller with the rights that the store gives this person now.
    pub async fn as_person(&self, id: &str) -> Caller {
        let rights = self.rights_of(&Holder::Person(id.to_owned())).await;
        Caller::new(CallerKind::User, id, format!("The {id}"), rights, self.gate())
    }

    pub async fn rights_of(&self, holder: &Holder) -> Vec<(Capability, Reach)> {
        let held = self.rights.held(holder).await.expect("grants");
        server::identity::rights::rights(&held)
    }

    /// The built-in admin, who is in no table.
    pub fn root(&self) -> Caller {
        self.holding(Capability::ALL, &Reach::Everything)
    }

    pub fn holding(&self, capabilities: &[Capability], reach: &Reach) -> Caller {
        let grants = capabilities.iter().map(|c| (*c, reach.clone())).collect();
        Caller::new(CallerKind::User, "local-admin", "Local admin", grants, self.gate())
    }

    pub fn gate(&self) -> Arc<dyn Gate> {
        Arc::clone(&self.heard) as _
    }

    /// What was refused since this was asked last.
    pub fn refusals(&self) -> Vec<Capability> {
        std::mem::take(&mut *self.heard.0.lock().expect("no test panics in here"))
    }

    pub async fn grant(
        &self,
        by: &Caller,
        subject: &str,
        role: Role,
        workspace_id: Option<i64>,
    ) -> Result<Grant, ApiError> {
        let subject = subject.to_owned();
        let new = NewGrant { subject_kind: SubjectKind::Person, subject, role, workspace_id };
        self.admin.as_ref().add_grant(by, new).await
    }

    pub async fn admin_named(&self, id: &str) -> Caller {
        self.person(id).await;
        self.grant(&self.root(), id, Role::Admin, None).await.expect("granted");
        self.as_person(id).await
    }

    pub async fn sign_in(&self, person_id: &str) -> String {
        let mut tx = self.db.begin().await.expect("a transaction");
        let signed_in =
            SignedIn { person_id, method: Method::Local, address: None, device: Some("a test") };
        let begun = self.sessions.begin(&mut tx, signed_in).await.expect("a session");
        tx.commit(Vec::new()).await.expect("committed");
        begun.token.reveal().to_owned()
    }

    pub async fn is_signed_in(&self, cookie: &str) -> bool {
        self.sessions.find(cookie, self.db.clock().now()).await.expect("an answer").is_some()
    }

    pub async fn opens(&self, key: &str) -> bool {
        self.sessions.find_key(key, self.db.clock().now()).await.expect("an answer").is_some()
    }

    pub async fn epoch(&self) -> i64 {
        let sql = Sql::new("SELECT epoch FROM identity_epoch");
        self.db.fetch_one(sql).await.expect("a row").i64("epoch").expect("a number")
    }

    /// The actions in the audit log, in their order, with who acted and all that was said.
    pub async fn audited(&self) -> Vec<(String, String)> {
        let sql = Sql::new(
            "SELECT action, target_id, target_label, details, capability FROM audit_log ORDER BY seq",
        );
        let rows = self.db.fetch_all(sql).await.expect("the log");
        let text = |row: &server::store::Row, column| {
            row.opt_text(column).expect("text").unwrap_or_default()
        };
        rows.iter()
            .map(|row| {
                let said = ["target_id", "target_label", "details", "capability"];
                (text(row, "action"), said.map(|column| text(row, column)).join(" "))
            })
            .collect()
    }

    pub async fn actions(&self) -> Vec<String> {
        self.audited().await.into_iter().map(|(action, _)| action).collect()
    }
}

/// Asks for a permit as a page does.
#[async_trait]
pub trait Administration {
    async fn add_grant(&self, by: &Caller, new: NewGrant) -> Result<Grant, ApiError>;
}

#[async_trait]
impl Administration for Admin {
    async fn add_grant(&self, by: &Caller, new: NewGrant) -> Result<Grant, ApiError> {
        self.add(&manage(by).await?, new).await
    }
}

pub async fn manage(caller: &Caller) -> Result<Permit<Manage>, ApiError> {
    permit::<Manage>(caller).await
}

pub async fn view(caller: &Caller) -> Permit<View> {
    permit::<View>(caller).await.expect("this caller may see")
}

pub fn all() -> ListQuery {
    ListQuery::default()
}

pub fn within(id: i64) -> Reach {
    Reach::Workspaces(BTreeSet::from([id]))
}

pub fn key(name: &str, capabilities: &[Capability]) -> NewKey {
    NewKey {
        name: name.to_owned(),
        capabilities: capabilities.to_vec(),
        workspace_id: None,
        expires_in_days: None,
        expires_at: None,
        service_identity: None,
        key: None,
    }
}
