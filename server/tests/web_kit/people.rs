//! People, grants, sessions and keys of a console under test, as its own ways in would have made them.

use app::{
    identity::{Capability, Role},
    time::Micros,
};
use axum::body::Body;
use http::{Request, request::Builder};
use server::{
    clock::Rng,
    identity::{
        local::{
            Passwords,
            links::{self, For},
        },
        sessions::{Method, SignedIn},
        token::{self, Token},
    },
    store::Sql,
};

use super::{Answer, Kit};

pub const PASSWORD: &str = "correct horse battery staple";

/// What a request proves who it comes from with.
#[derive(Clone, Debug)]
pub enum Proof {
    Nothing,
    Session(String),
    Key(String),
}

impl Proof {
    /// On a request, as a browser or a program sends it.
    pub fn on(&self, request: Builder) -> Builder {
        match self {
            Self::Nothing => request.header("sec-fetch-site", "same-origin"),
            Self::Session(token) => request
                .header("cookie", format!("qd_session={token}"))
                .header("sec-fetch-site", "same-origin"),
            Self::Key(key) => request.header("authorization", format!("Bearer {key}")),
        }
    }
}

/// What a key is made with; without an owner it stands for a service.
#[derive(Clone, Debug, Default)]
pub struct Key<'a> {
    pub owner: Option<&'a str>,
    pub capabilities: &'a [Capability],
    pub workspace: Option<i64>,
    pub expires_at: Option<Micros>,
}

impl Kit {
    /// A change of the store that no page makes; rights are worked out anew after it.
    pub async fn change(&self, sql: Sql) {
        let mut tx = self.console.db.begin().await.expect("a transaction");
        tx.execute(sql).await.expect("a change");
        let epoch = Sql::new("UPDATE identity_epoch SET epoch = epoch + 1");
        tx.execute(epoch).await.expect("the epoch");
        tx.commit(Vec::new()).await.expect("committed");
    }

    /// An account of the console itself; its id is its name.
    pub async fn person(&self, login: &str) -> String {
        let passwords = Passwords::new(Rng::seeded(11)).expect("passwords");
        let hash = passwords.hash(PASSWORD).await.expect("a hash");
        self.person_with(login, Some(&hash)).await
    }

    /// Somebody who has no password and comes by other ways.
    pub async fn stranger(&self, login: &str) -> String {
        self.person_with(login, None).await
    }

    async fn person_with(&self, login: &str, hash: Option<&str>) -> String {
        let sql = Sql::new(
            "INSERT INTO people (id, source, login, display_name, password_hash, created_at) VALUES (",
        )
        .arg(login)
        .push(", 'local', ")
        .arg(login)
        .push(", ")
        .arg(format!("{login} the tried"))
        .push(", ")
        .arg(hash)
        .push(", 0)");
        self.change(sql).await;
        login.to_owned()
    }

    pub async fn workspace(&self, id: i64, name: &str) {
        let sql = Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (").arg(id);
        self.change(sql.push(", ").arg(name).push(", 0)")).await;
    }

    pub async fn grant(&self, kind: &str, subject: &str, role: Role, workspace: Option<i64>) {
        let sql = Sql::new(
            "INSERT INTO grants (id, subject_kind, subject_id, role, workspace_id, created_at, created_by_id, \
             created_by_name) VALUES (",
        )
        .arg(self.console.rng.uuid())
        .push(", ")
        .arg(kind)
        .push(", ")
        .arg(subject)
        .push(", ")
        .arg(role.as_str())
        .push(", ")
        .arg(workspace)
        .push(", 0, 'test', 'Test')");
        self.change(sql).await;
    }

    pub async fn take_grants_of(&self, subject: &str) {
        self.change(Sql::new("DELETE FROM grants WHERE subject_id = ").arg(subject)).await;
    }

    pub async fn disable(&self, person: &str) {
        let now = self.console.clock.now();
        let sql = Sql::new("UPDATE people SET disabled_at = ").arg(now);
        self.change(sql.push(" WHERE id = ").arg(person)).await;
    }

    /// Somebody with a role, signed in.
    pub async fn signed_in(&self, login: &str, role: Option<(Role, Option<i64>)>) -> Proof {
        let person = self.stranger(login).await;
        if let Some((role, workspace)) = role {
            self.grant("person", &person, role, workspace).await;
        }
        self.enter(&person).await
    }

    /// Another session of theirs.
    pub async fn enter(&self, person: &str) -> Proof {
        let mut tx = self.console.db.begin().await.expect("a transaction");
        let who = SignedIn {
            person_id: person,
            method: Method::Local,
            address: None,
            device: Some("a test"),
        };
        let begun = self.console.sessions.begin(&mut tx, who).await.expect("a session");
        tx.commit(Vec::new()).await.expect("committed");
        Proof::Session(begun.token.reveal().to_owned())
    }

    pub async fn key(&self, key: Key<'_>) -> (String, Proof) {
        let token = Token::new("qd_", &self.console.rng);
        let id = self.console.rng.uuid();
        let service = key.owner.is_none().then_some("robot");
        let sql = Sql::new(
            "INSERT INTO api_keys (id, name, prefix, token_hash, owner_id, service_identity, capabilities, \
             workspace_id, expires_at, created_at, created_by_id, created_by_name) VALUES (",
        )
        .arg(&id)
        .push(", 'a key', 'qd_', ")
        .arg(token::hash(token.reveal()))
        .push(", ")
        .arg(key.owner)
        .push(", ")
        .arg(service)
        .push(", ")
        .arg(Capability::names(key.capabilities))
        .push(", ")
        .arg(key.workspace)
        .push(", ")
        .arg(key.expires_at)
        .push(", 0, 'test', 'Test')");
        self.change(sql).await;
        (id, Proof::Key(token.reveal().to_owned()))
    }

    pub async fn link(&self, whom: &For) -> String {
        let mut tx = self.console.db.begin().await.expect("a transaction");
        let issued = links::issue(&mut tx, &self.console.rng, whom).await;
        let (link, _) = issued.expect("a link");
        tx.commit(Vec::new()).await.expect("committed");
        link.reveal().to_owned()
    }

    pub async fn get_as(&self, proof: &Proof, path: &str) -> Answer {
        self.send(proof.on(Request::get(path)), Body::empty()).await
    }

    /// Posts a form as a page of ours does.
    pub async fn form(&self, proof: &Proof, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = proof.on(Request::post(path));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request, encoded(fields)).await
    }

    pub async fn json_as(&self, proof: &Proof, path: &str, body: serde_json::Value) -> Answer {
        let request = proof.on(Request::post(path)).header("content-type", "application/json");
        self.send(request, body.to_string()).await
    }

    /// Tries name and password as a program does, from an address.
    pub async fn try_from(&self, peer: &str, name: &str, password: &str) -> Answer {
        let body = serde_json::json!({ "name": name, "password": password }).to_string();
        let request = Request::post("/api/v1/session").header("content-type", "application/json");
        self.send_from(peer, request, body).await
    }

    pub async fn count(&self, sql: Sql) -> i64 {
        let row = self.console.db.fetch_one(sql).await.expect("a row");
        row.i64("n").expect("a number")
    }

    /// Action and decision of the audit log, oldest first.
    pub async fn audited(&self) -> Vec<(String, String)> {
        let sql = Sql::new("SELECT action, decision FROM audit_log ORDER BY seq");
        let rows = self.console.db.fetch_all(sql).await.expect("the log");
        let text = |row: &server::store::Row, name| row.text(name).expect("a text");
        rows.iter().map(|row| (text(row, "action"), text(row, "decision"))).collect()
    }
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}
