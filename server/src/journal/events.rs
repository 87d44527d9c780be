//! News of a change, put into the outbox by the transaction that makes the change.
//!
//! Without a number: numbers taken inside transactions are not in the order of their commits, and whoever reads
//! "everything after 41" misses 40 when it commits later. The sequencer of `events` numbers what is committed.

use app::identity::Capability;

use crate::store::{Sql, StoreError, Tx};

/// Something changed. Carries no content: who hears of it asks again, with their own rights.
#[derive(Clone, Debug)]
pub struct News {
    /// What a live region listens to: `operations`.
    pub topic: &'static str,
    /// What happened: `OPERATION_UPDATED`.
    pub kind: &'static str,
    /// The thing that changed.
    pub id: String,
    /// Who may hear of it.
    pub capability: Capability,
    pub workspace_id: i64,
}

pub async fn publish(tx: &mut Tx, news: News) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO event_outbox (topic, kind, subject, capability, workspace_id, created_at) VALUES (",
    )
    .arg(news.topic)
    .push(", ")
    .arg(news.kind)
    .push(", ")
    .arg(news.id)
    .push(", ")
    .arg(news.capability.as_str())
    .push(", ")
    .arg(news.workspace_id)
    .push(", ")
    .arg(now)
    .push(")");
    tx.execute(sql).await?;
    tx.has_news();
    Ok(())
}
