//! What the server must supply so that sign-in and one's own page can be drawn.

use async_trait::async_trait;

use super::{
    Caller,
    model::{Own, Welcome},
};
use crate::error::ApiError;

#[async_trait]
pub trait Accounts: Send + Sync {
    /// Who the caller is, with their sessions.
    async fn own(&self, caller: &Caller) -> Result<Own, ApiError>;

    /// Whom a link that works once is for, while it works.
    async fn find_welcome(&self, link: &str) -> Result<Option<Welcome>, ApiError>;
}
