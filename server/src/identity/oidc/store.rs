//! All SQL of sign-in through a provider: flows on their way, people as the provider tells them, sessions' tokens,
//! logouts that were heard.

use app::time::Micros;

use crate::store::{Db, Row, Sql, StoreError, Tx};

pub async fn insert_flow(
    tx: &mut Tx,
    state_hash: &[u8],
    sealed: Vec<u8>,
    expires_at: Micros,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    tx.execute(Sql::new("DELETE FROM sign_in_flows WHERE expires_at <= ").arg(now)).await?;
    let sql =
        Sql::new("INSERT INTO sign_in_flows (state_hash, sealed, created_at, expires_at) VALUES (")
            .arg(state_hash)
            .push(", ")
            .arg(sealed)
            .push(", ")
            .arg(now)
            .push(", ")
            .arg(expires_at)
            .push(")");
    tx.execute(sql).await.map(|_| ())
}

/// Takes a flow out for good: whoever comes second finds nothing.
pub async fn take_flow(tx: &mut Tx, state_hash: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("DELETE FROM sign_in_flows WHERE state_hash = ")
        .arg(state_hash)
        .push(" RETURNING sealed, expires_at");
    let Some(row) = tx.fetch_optional(sql).await? else { return Ok(None) };
    let lasts = now < row.micros("expires_at")?;
    lasts.then(|| row.bytes("sealed")).transpose()
}

pub struct Known {
    pub id: String,
    pub is_new: bool,
    pub disabled: bool,
}

/// The person behind a key, made when nobody is, with the name and e-mail of today.
pub async fn upsert_person(
    tx: &mut Tx,
    fresh_id: &str,
    login: &str,
    name: &str,
    email: Option<&str>,
) -> Result<Known, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO people (id, source, login, display_name, email, created_at) VALUES (",
    )
    .arg(fresh_id)
    .push(", 'oidc', ")
    .arg(login)
    .push(", ")
    .arg(name)
    .push(", ")
    .arg(email)
    .push(", ")
    .arg(now)
    .push(") ON CONFLICT (source, login) DO NOTHING RETURNING id");
    if tx.fetch_optional(sql).await?.is_some() {
        return Ok(Known { id: fresh_id.to_owned(), is_new: true, disabled: false });
    }
    let sql = Sql::new("UPDATE people SET display_name = ")
        .arg(name)
        .push(", email = ")
        .arg(email)
        .push(" WHERE source = 'oidc' AND login = ")
        .arg(login)
        .push(" RETURNING id, disabled_at");
    let row = tx.fetch_one(sql).await?;
    let disabled = row.opt_micros("disabled_at")?.is_some();
    Ok(Known { id: row.text("id")?, is_new: false, disabled })
}

/// Makes these the groups of a person; says whether anything changed.
pub async fn replace_groups(
    tx: &mut Tx,
    person_id: &str,
    groups: &[String],
) -> Result<bool, StoreError> {
    let sql = Sql::new("SELECT name FROM person_groups WHERE person_id = ").arg(person_id);
    let rows = tx.fetch_all(sql.push(" ORDER BY name")).await?;
    let had: Vec<String> = rows.iter().map(|row| row.text("name")).collect::<Result<_, _>>()?;
    let mut sorted: Vec<&String> = groups.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    if had.iter().eq(sorted.iter().copied()) {
        return Ok(false);
    }
    let sql = Sql::new("DELETE FROM person_groups WHERE person_id = ").arg(person_id);
    tx.execute(sql).await?;
    for some in sorted.chunks(100) {
        let mut sql = Sql::new("INSERT INTO person_groups (person_id, name) VALUES ");
        for (n, name) in some.iter().enumerate() {
            sql = sql.push(if n == 0 { "" } else { ", " }).list([person_id, name.as_str()]);
        }
        tx.execute(sql).await?;
    }
    Ok(true)
}

/// By a grant of the person's own, or of a group that they are in.
pub async fn holds_grant(tx: &mut Tx, person_id: &str) -> Result<bool, StoreError> {
    let sql = Sql::new(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM grants WHERE (subject_kind = 'person' AND subject_id = ",
    )
    .arg(person_id)
    .push(
        ") OR (subject_kind = 'group' AND subject_id IN \
         (SELECT name FROM person_groups WHERE person_id = ",
    )
    .arg(person_id)
    .push("))) THEN 1 ELSE 0 END AS held");
    tx.fetch_one(sql).await?.bool("held")
}

/// What a session keeps of its provider.
pub struct Held {
    pub tokens: Vec<u8>,
    pub expire_at: Micros,
    pub groups_read_at: Micros,
}

pub async fn set_tokens(
    tx: &mut Tx,
    session: &str,
    provider_session: Option<&str>,
    held: Held,
) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE sessions SET provider_session = ")
        .arg(provider_session)
        .push(", tokens = ")
        .arg(held.tokens)
        .push(", tokens_expire_at = ")
        .arg(held.expire_at)
        .push(", groups_read_at = ")
        .arg(held.groups_read_at)
        .push(" WHERE id = ")
        .arg(session);
    tx.execute(sql).await.map(|_| ())
}

/// A session whose tokens somebody should look after.
#[derive(Clone, Debug)]
pub struct Due {
    pub id: String,
    pub person_id: String,
    pub tokens: Vec<u8>,
    pub groups_read_at: Micros,
}

/// Those that must be asked about by now, the most urgent first. Who was not seen since `seen_after` is let go.
pub async fn list_due(
    db: &Db,
    now: Micros,
    expiring: Micros,
    read_before: Micros,
    seen_after: Micros,
) -> Result<Vec<Due>, StoreError> {
    let sql = Sql::new(
        "SELECT id, person_id, tokens, groups_read_at FROM sessions \
         WHERE tokens IS NOT NULL AND ended_at IS NULL AND expires_at > ",
    )
    .arg(now)
    .push(" AND seen_at > ")
    .arg(seen_after)
    .push(" AND (refresh_until IS NULL OR refresh_until <= ")
    .arg(now)
    .push(") AND (tokens_expire_at <= ")
    .arg(expiring)
    .push(" OR groups_read_at <= ")
    .arg(read_before)
    .push(") ORDER BY tokens_expire_at, id LIMIT 100");
    db.fetch_all(sql).await?.iter().map(due).collect()
}

fn due(row: &Row) -> Result<Due, StoreError> {
    Ok(Due {
        id: row.text("id")?,
        person_id: row.text("person_id")?,
        tokens: row.bytes("tokens")?,
        groups_read_at: row.opt_micros("groups_read_at")?.unwrap_or_default(),
    })
}

/// Takes the session for this owner alone; false when another one has it or it was refreshed meanwhile.
pub async fn claim(tx: &mut Tx, due: &Due, owner: &str, until: Micros) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE sessions SET refresh_owner = ")
        .arg(owner)
        .push(", refresh_until = ")
        .arg(until)
        .push(" WHERE ended_at IS NULL AND id = ")
        .arg(&due.id)
        .push(" AND tokens = ")
        .arg(due.tokens.as_slice())
        .push(" AND (refresh_until IS NULL OR refresh_until <= ")
        .arg(now)
        .push(")");
    Ok(tx.execute(sql).await? == 1)
}

/// Puts new tokens in and gives the session free; false when it ended or was taken meanwhile.
pub async fn keep(tx: &mut Tx, session: &str, owner: &str, held: Held) -> Result<bool, StoreError> {
    let sql = Sql::new("UPDATE sessions SET tokens = ")
        .arg(held.tokens)
        .push(", tokens_expire_at = ")
        .arg(held.expire_at)
        .push(", groups_read_at = ")
        .arg(held.groups_read_at)
        .push(", refresh_owner = NULL, refresh_until = NULL WHERE ended_at IS NULL AND id = ")
        .arg(session)
        .push(" AND refresh_owner = ")
        .arg(owner);
    Ok(tx.execute(sql).await? == 1)
}

/// Not before then again, unless somebody else has it by now.
pub async fn put_off(
    tx: &mut Tx,
    session: &str,
    owner: &str,
    until: Micros,
) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE sessions SET refresh_owner = NULL, refresh_until = ")
        .arg(until)
        .push(" WHERE id = ")
        .arg(session)
        .push(" AND (refresh_owner IS NULL OR refresh_owner = ")
        .arg(owner)
        .push(")");
    tx.execute(sql).await.map(|_| ())
}

/// The sealed tokens of a session that lasts.
pub async fn find_tokens(db: &Db, session: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = Sql::new(
        "SELECT tokens FROM sessions WHERE ended_at IS NULL AND tokens IS NOT NULL AND id = ",
    );
    db.fetch_optional(sql.arg(session)).await?.map(|row| row.bytes("tokens")).transpose()
}

/// A session that a logout may be about.
pub struct Live {
    pub id: String,
    pub person_id: String,
    pub name: String,
    pub tokens: Vec<u8>,
}

/// The provider's own session, or all sessions that came from the provider.
pub async fn list_live(
    tx: &mut Tx,
    provider_session: Option<&str>,
) -> Result<Vec<Live>, StoreError> {
    let sql = Sql::new(
        "SELECT s.id, s.person_id, p.display_name, s.tokens FROM sessions s JOIN people p ON p.id = s.person_id \
         WHERE s.ended_at IS NULL AND s.tokens IS NOT NULL",
    );
    let sql = match provider_session {
        Some(sid) => sql.push(" AND s.provider_session = ").arg(sid),
        None => sql,
    };
    let live = |row: &Row| {
        Ok(Live {
            id: row.text("id")?,
            person_id: row.text("person_id")?,
            name: row.text("display_name")?,
            tokens: row.bytes("tokens")?,
        })
    };
    tx.fetch_all(sql).await?.iter().map(live).collect()
}

/// False when this token was heard before.
pub async fn hear_logout(tx: &mut Tx, id: &str, until: Micros) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    tx.execute(Sql::new("DELETE FROM provider_logouts WHERE expires_at <= ").arg(now)).await?;
    let sql = Sql::new("INSERT INTO provider_logouts (token_id, expires_at) VALUES (")
        .arg(id)
        .push(", ")
        .arg(until)
        .push(") ON CONFLICT DO NOTHING RETURNING token_id");
    Ok(tx.fetch_optional(sql).await?.is_some())
}
