//! All SQL of local accounts.

use app::time::Micros;

use crate::store::{Db, Row, Sql, StoreError, Tx};

pub async fn insert_link(
    tx: &mut Tx,
    token_hash: Vec<u8>,
    person_id: Option<&str>,
    expires_at: Micros,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO setup_links (token_hash, person_id, created_at, expires_at) VALUES (",
    )
    .arg(token_hash)
    .push(", ")
    .arg(person_id)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(expires_at)
    .push(")");
    tx.execute(sql).await.map(|_| ())
}

pub async fn delete_links_of(tx: &mut Tx, person_id: &str) -> Result<(), StoreError> {
    let sql = Sql::new("DELETE FROM setup_links WHERE person_id = ").arg(person_id);
    tx.execute(sql).await.map(|_| ())
}

/// Whose link it was, when it was still good.
pub async fn spend_link(
    tx: &mut Tx,
    token_hash: Vec<u8>,
) -> Result<Option<Option<String>>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE setup_links SET used_at = ")
        .arg(now)
        .push(" WHERE used_at IS NULL AND expires_at > ")
        .arg(now)
        .push(" AND token_hash = ")
        .arg(token_hash)
        .push(" RETURNING person_id");
    tx.fetch_optional(sql).await?.map(|row| row.opt_text("person_id")).transpose()
}

/// Whose link it is, while it is good: a look without taking it.
pub async fn find_link(
    db: &Db,
    token_hash: Vec<u8>,
    now: Micros,
) -> Result<Option<Option<String>>, StoreError> {
    let sql = Sql::new("SELECT person_id FROM setup_links WHERE used_at IS NULL AND expires_at > ")
        .arg(now)
        .push(" AND token_hash = ")
        .arg(token_hash);
    db.fetch_optional(sql).await?.map(|row| row.opt_text("person_id")).transpose()
}

/// A local account.
pub struct Account {
    pub id: String,
    pub login: String,
    pub name: String,
    pub password_hash: Option<String>,
    pub disabled: bool,
}

const ACCOUNT: &str = "SELECT id, login, display_name, password_hash, disabled_at FROM people \
     WHERE source = 'local' AND ";

fn account(row: &Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: row.text("id")?,
        login: row.text("login")?,
        name: row.text("display_name")?,
        password_hash: row.opt_text("password_hash")?,
        disabled: row.opt_micros("disabled_at")?.is_some(),
    })
}

pub async fn find_account(db: &Db, login: &str) -> Result<Option<Account>, StoreError> {
    let row = db.fetch_optional(Sql::new(ACCOUNT).push("login = ").arg(login)).await?;
    row.as_ref().map(account).transpose()
}

pub async fn find_account_by_id(db: &Db, id: &str) -> Result<Option<Account>, StoreError> {
    let row = db.fetch_optional(Sql::new(ACCOUNT).push("id = ").arg(id)).await?;
    row.as_ref().map(account).transpose()
}

/// The account as it is now, held until the transaction ends.
pub async fn lock_account(tx: &mut Tx, id: &str) -> Result<Option<Account>, StoreError> {
    let sql = Sql::new("UPDATE people SET login = login WHERE source = 'local' AND id = ")
        .arg(id)
        .push(" RETURNING id, login, display_name, password_hash, disabled_at");
    tx.fetch_optional(sql).await?.as_ref().map(account).transpose()
}

pub async fn anybody(tx: &mut Tx) -> Result<bool, StoreError> {
    tx.fetch_one(Sql::new(ANYBODY)).await?.bool("known")
}

pub async fn is_anybody_known(db: &Db) -> Result<bool, StoreError> {
    db.fetch_one(Sql::new(ANYBODY)).await?.bool("known")
}

const ANYBODY: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM people) THEN 1 ELSE 0 END AS known";

/// None when the name is taken.
pub async fn insert_account(
    tx: &mut Tx,
    account: &Account,
    email: Option<&str>,
) -> Result<Option<()>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO people (id, source, login, display_name, email, password_hash, created_at) VALUES (",
    )
    .arg(&account.id)
    .push(", 'local', ")
    .arg(&account.login)
    .push(", ")
    .arg(&account.name)
    .push(", ")
    .arg(email)
    .push(", ")
    .arg(account.password_hash.as_deref())
    .push(", ")
    .arg(now)
    .push(") ON CONFLICT (source, login) DO NOTHING RETURNING id");
    Ok(tx.fetch_optional(sql).await?.map(|_| ()))
}

pub async fn set_password(tx: &mut Tx, id: &str, hash: &str) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE people SET password_hash = ").arg(hash).push(" WHERE id = ").arg(id);
    tx.execute(sql).await.map(|_| ())
}

/// How often it failed and when last, held until the transaction ends. Long ago when it never did.
pub async fn lock_failures(tx: &mut Tx, subject: &str) -> Result<(i64, Micros), StoreError> {
    let sql = Sql::new("INSERT INTO sign_in_failures (subject, failures, last_at) VALUES (")
        .arg(subject)
        .push(", 0, 0) ON CONFLICT (subject) DO UPDATE SET subject = excluded.subject RETURNING failures, last_at");
    let row = tx.fetch_one(sql).await?;
    Ok((row.i64("failures")?, row.micros("last_at")?))
}

pub async fn set_failures(tx: &mut Tx, subject: &str, failures: i64) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE sign_in_failures SET failures = ")
        .arg(failures)
        .push(", last_at = ")
        .arg(now)
        .push(" WHERE subject = ")
        .arg(subject);
    tx.execute(sql).await.map(|_| ())
}

pub async fn delete_failures(tx: &mut Tx, subject: &str) -> Result<(), StoreError> {
    let sql = Sql::new("DELETE FROM sign_in_failures WHERE subject = ").arg(subject);
    tx.execute(sql).await.map(|_| ())
}

pub async fn one_failure_less(tx: &mut Tx, subject: &str) -> Result<(), StoreError> {
    let sql = Sql::new(
        "UPDATE sign_in_failures SET failures = failures - 1 WHERE failures > 0 AND subject = ",
    )
    .arg(subject);
    tx.execute(sql).await.map(|_| ())
}

/// What is of no use to anyone any more: counts of long ago, links and sessions past their time. Says how many.
pub async fn prune(tx: &mut Tx, before: Micros) -> Result<u64, StoreError> {
    let mut gone = 0;
    let forgotten = tx.now().await?.plus(-super::throttle::FORGOTTEN_AFTER);
    let sql = Sql::new("DELETE FROM sign_in_failures WHERE last_at < ").arg(forgotten);
    gone += tx.execute(sql).await?;
    let sql = Sql::new("DELETE FROM setup_links WHERE expires_at < ").arg(before);
    gone += tx.execute(sql).await?;
    let sql = Sql::new("DELETE FROM sessions WHERE expires_at < ").arg(before);
    gone += tx.execute(sql).await?;
    Ok(gone)
}
