//! What the pages and the JSON API ask of the log.

use app::{
    audit::{
        Audit, View,
        model::{AuditDetail, AuditEntry},
    },
    error::{ApiError, Thing},
    identity::Permit,
    list::{ListQuery, Page},
};
use async_trait::async_trait;

use super::store::entries::{self, ENTRIES};
use crate::store::{Db, StoreError, list};

/// The newest entries of a list are counted up to here for "3 new".
const NEWER_MAX: i64 = 100;

/// Cheap to clone.
#[derive(Clone)]
pub struct AuditService {
    pub(super) db: Db,
}

impl AuditService {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The query with each beginning of actions in the place of what it stands for: names have an index.
    pub(super) async fn resolved(&self, query: &ListQuery) -> Result<ListQuery, ApiError> {
        let asked = query.values("action");
        if asked.is_empty() {
            return Ok(query.clone());
        }
        let known = entries::actions(&self.db).await.map_err(refused)?;
        let mut resolved = query.clone();
        for value in asked {
            for action in known.iter().filter(|action| action.starts_with(value.as_str())) {
                resolved = resolved.with("action", action);
            }
        }
        // One that begins nothing stays, and finds nothing.
        (resolved.page, resolved.cursor) = (query.page, query.cursor);
        Ok(resolved)
    }
}

#[async_trait]
impl Audit for AuditService {
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<AuditEntry>, ApiError> {
        let query = self.resolved(query).await?;
        let found =
            list::page(&self.db, &ENTRIES, permit.reach(), &query).await.map_err(refused)?;
        let items = entries::read(&self.db, &found.items).await.map_err(refused)?;
        Ok(list::fill(found, items))
    }

    async fn newer(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
        after: i64,
    ) -> Result<i64, ApiError> {
        let query = self.resolved(query).await?;
        let newer = list::newer(&self.db, &ENTRIES, permit.reach(), &query, after, NEWER_MAX);
        newer.await.map_err(refused)
    }

    async fn get(&self, permit: &Permit<View>, seq: i64) -> Result<AuditDetail, ApiError> {
        let found = entries::find(&self.db, permit.reach(), seq).await.map_err(refused)?;
        found.ok_or(ApiError::NotFound(Thing::AuditEntry))
    }

    async fn actions(&self, _: &Permit<View>) -> Result<Vec<String>, ApiError> {
        entries::actions(&self.db).await.map_err(refused)
    }
}

/// What the domain answers when the store could not.
pub(super) fn refused(error: StoreError) -> ApiError {
    tracing::error!(%error, "The store could not answer for the audit log.");
    error.into()
}
