//! All SQL of spending a refresh token: one console at a time, and the next token in the place of the spent one.
//!
//! The turn is a row of `leases` and not a transaction, since a provider is asked in between. One that is never given
//! back (its console died) lapses.

use std::time::Duration;

use crate::store::{Db, Sql, StoreError, Tx};

/// Longer than any exchange may take.
const LEASE: Duration = Duration::from_mins(2);

/// Whose turn it is to spend what one row holds.
pub enum Taken {
    /// The credential was replaced or erased.
    Gone,
    /// Another console's; it leaves another token.
    Busy,
    Ours(Turn),
}

pub struct Turn {
    row: String,
    token: i64,
    /// As it lies in the store now.
    pub sealed: Option<Vec<u8>>,
}

fn name(row: &str) -> String {
    format!("credential.{row}")
}

pub async fn take(db: &Db, row: &str) -> Result<Taken, StoreError> {
    let mut tx = db.begin().await?;
    let now = tx.now().await?;
    let until = now.plus(i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX));
    let sql = Sql::new("INSERT INTO leases (name, owner, token, expires_at) VALUES (")
        .arg(name(row))
        .push(", 'exchange', ")
        .arg(now)
        .push(", ")
        .arg(until)
        .push(
            ") ON CONFLICT (name) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at \
             WHERE leases.expires_at <= ",
        )
        .arg(now)
        .push(" RETURNING token");
    let Some(won) = tx.fetch_optional(sql).await? else { return Ok(Taken::Busy) };
    let token = won.i64("token")?;
    // Read after the turn was taken: what whoever had it before has left.
    let sql = Sql::new("SELECT sealed FROM cluster_credentials WHERE id = ").arg(row);
    let Some(found) = tx.fetch_optional(sql).await? else { return Ok(Taken::Gone) };
    let sealed = found.opt_bytes("sealed")?;
    tx.commit(Vec::new()).await?;
    Ok(Taken::Ours(Turn { row: row.to_owned(), token, sealed }))
}

/// Puts the next one there and gives the turn back.
pub async fn keep(db: &Db, turn: &Turn, sealed: Vec<u8>) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let sql = Sql::new("UPDATE cluster_credentials SET sealed = ")
        .arg(sealed)
        .push(" WHERE id = ")
        .arg(turn.row.as_str());
    tx.execute(sql).await?;
    end(&mut tx, turn).await?;
    tx.commit(Vec::new()).await
}

pub async fn give_back(db: &Db, turn: &Turn) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    end(&mut tx, turn).await?;
    tx.commit(Vec::new()).await
}

async fn end(tx: &mut Tx, turn: &Turn) -> Result<(), StoreError> {
    let sql = Sql::new("DELETE FROM leases WHERE name = ")
        .arg(name(&turn.row))
        .push(" AND token = ")
        .arg(turn.token);
    tx.execute(sql).await.map(|_| ())
}
