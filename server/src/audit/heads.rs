//! Signs the head of the chain every five minutes, when it has moved, and once at the start.
//!
//! A signed head is written down twice: in the table, and as a line of the log, which often lives elsewhere. On
//! the way it looks at what the database says of the chain's end: a head that does not fit is told, not signed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    SignedHead,
    store::{self, Ends},
};
use crate::{
    clock::Clock,
    store::{Db, StoreError},
    tasks,
    vault::ChainKeys,
};

const EVERY: Duration = Duration::from_mins(5);

pub struct Heads {
    db: Db,
    chain: ChainKeys,
    clock: Clock,
}

impl Heads {
    pub fn new(db: Db, chain: ChainKeys) -> Self {
        let clock = db.clock().clone();
        Self { db, chain, clock }
    }

    /// Until told to stop. A store that does not answer ends it; it is started again.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut said = 0;
        loop {
            said = self.sign(said).await?.map_or(said, |head| head.seq);
            tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.clock.sleep(EVERY) => {}
            }
        }
    }

    /// Signs the head unless it is still where it was.
    pub async fn sign(&self, said: i64) -> Result<Option<SignedHead>, StoreError> {
        let ends = store::ends(&self.db).await?;
        if ends.head == 0 && ends.last == 0 && ends.signed == 0 || ends.head == said {
            return Ok(None);
        }
        sign_end(&self.db, &self.chain, ends).await
    }
}

/// Signs where the chain ends, unless that is not as it was left.
pub(super) async fn sign_end(
    db: &Db,
    chain: &ChainKeys,
    ends: Ends,
) -> Result<Option<SignedHead>, StoreError> {
    let hash = ends.head_hash.clone().and_then(|hash| hash.try_into().ok());
    let fits = ends.last == ends.head && ends.signed <= ends.head;
    let (Some(hash), true, true) = (hash, fits, ends.row_hash == ends.head_hash) else {
        tracing::error!(
            audit.head = ends.head,
            audit.last = ends.last,
            audit.signed = ends.signed,
            "The end of the audit chain is not as it was left: run `quarterdeck audit verify`."
        );
        return Ok(None);
    };
    let head = SignedHead::sign(chain, db.now().await?, ends.head, hash);
    store::keep_head(db, &head).await?;
    tracing::info!(audit.seq = head.seq, "audit chain head signed: {head}");
    Ok(Some(head))
}
