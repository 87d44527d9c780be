//! The demo's three people, one per role, each with a password and an API key of this start alone. They exist only under
//! the demo's own flag, which the configuration takes on loopback only.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::Context as _;
use app::{
    error::{ApiError, Conflict, SignInFailure},
    identity::{Caller, Capability, Gate, Role},
};
use serde::Serialize;

use super::{Account, Accounts, Knock, store};
use crate::{
    clock::Rng,
    identity::{
        self,
        sessions::{Begun, Method},
        store::{NewKey, insert_grant, insert_key, move_epoch, revoke_keys_of},
        token::Token,
    },
    journal::AuditRow,
    store::Db,
};

/// How each demo account is called: as its role.
pub const fn login(role: Role) -> &'static str {
    role.as_str()
}

/// What the demo's own file says: for visitors and for programs.
#[derive(Serialize)]
struct Access {
    users: Vec<User>,
    api_keys: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct User {
    name: &'static str,
    role: &'static str,
    password: String,
}

/// Makes the accounts, or gives those of an earlier start new passwords and keys, and writes them into the file.
pub async fn prepare(db: &Db, rng: &Rng, gate: Arc<dyn Gate>, file: &Path) -> anyhow::Result<()> {
    let passwords = super::Passwords::new(rng.clone())?;
    let system = identity::system(gate);
    let mut access = Access { users: Vec::new(), api_keys: BTreeMap::new() };
    for role in Role::ALL.iter().copied() {
        let password = Token::new("", rng).reveal().to_owned();
        let key = Token::new(identity::keys::PREFIX, rng);
        let hash = passwords.hash(&password).await?;
        account(db, rng, &system, role, hash, &key)
            .await
            .with_context(|| format!("the demo's {} could not be made", role.as_str()))?;
        access.users.push(User { name: login(role), role: role.as_str(), password });
        access.api_keys.insert(login(role), key.reveal().to_owned());
    }
    write(file, &serde_json::to_vec_pretty(&access)?)
        .with_context(|| format!("demo_users: {} cannot be written", file.display()))
}

async fn account(
    db: &Db,
    rng: &Rng,
    system: &Caller,
    role: Role,
    hash: String,
    key: &Token,
) -> Result<(), ApiError> {
    let mut tx = db.begin().await?;
    move_epoch(&mut tx).await?;
    let mut rows = Vec::new();
    let known = store::find_account(db, login(role)).await?;
    let id = if let Some(account) = &known {
        // Somebody's own account: a demo over a real database must not take it.
        if account.name != name(role) {
            return Err(ApiError::Conflict(Conflict::NameTaken));
        }
        store::set_password(&mut tx, &account.id, &hash).await?;
        account.id.clone()
    } else {
        let account = Account {
            id: rng.uuid(),
            login: login(role).to_owned(),
            name: name(role),
            password_hash: Some(hash),
            disabled: false,
        };
        store::insert_account(&mut tx, &account, None).await?;
        let (grant, subject) = (rng.uuid(), ("person", account.id.as_str()));
        insert_grant(&mut tx, &grant, subject, role, None, system).await?;
        rows.push(
            AuditRow::allowed(system, "identity.person.add")
                .target("person", &account.id, &account.name)
                .detail("by", "demo")
                .detail("role", role.as_str()),
        );
        account.id
    };
    revoke_keys_of(&mut tx, &id, KEY).await?;
    let capabilities = role.capabilities();
    let (key_id, prefix) = (rng.uuid(), identity::keys::shown(key.reveal()));
    let new = NewKey {
        id: &key_id,
        name: KEY,
        prefix: &prefix,
        token_hash: key.hash(),
        owner_id: Some(&id),
        service_identity: None,
        capabilities: &capabilities,
        workspace_id: None,
        expires_at: None,
    };
    insert_key(&mut tx, new, system).await?;
    rows.push(
        AuditRow::allowed(system, "identity.key.mint")
            .target("api_key", &key_id, KEY)
            .detail("owner", id.as_str())
            .detail("capabilities", Capability::names(&capabilities)),
    );
    Ok(tx.commit(rows).await?)
}

const KEY: &str = "demo";

fn name(role: Role) -> String {
    format!("Demo {}", role.as_str())
}

/// Readable by its owner alone from its first byte on, and complete as soon as it is there.
fn write(file: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let fresh = file.with_extension("new");
    drop(std::fs::remove_file(&fresh));
    let mut out =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    out.write_all(text)?;
    out.sync_all()?;
    std::fs::rename(&fresh, file)
}

impl Accounts {
    /// One click: no password, hence only where the configuration has the demo on.
    pub async fn demo_sign_in(&self, role: Role, knock: Knock<'_>) -> Result<Begun, ApiError> {
        self.writable()?;
        // The console listens on loopback only then; a proxy that says otherwise is not believed either.
        if !knock.address.is_some_and(|address| address.is_loopback()) {
            return Err(ApiError::SignInFailed(SignInFailure::Credentials));
        }
        let account = store::find_account(&self.db, login(role)).await?;
        let account = account.filter(|account| !account.disabled);
        let account = account.ok_or(ApiError::SignInFailed(SignInFailure::Credentials))?;
        let mut tx = self.db.begin().await?;
        let begun = self.begin(&mut tx, &account, Method::Demo, knock).await?;
        let row = self.began(&account, &begun, Method::Demo, knock);
        tx.commit(vec![row]).await?;
        Ok(begun)
    }
}
