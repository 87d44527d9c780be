//! What the server must supply so that home can be drawn, and what a domain supplies that has open work.

use async_trait::async_trait;

use super::model::{Answer, OpenWork};
use crate::{
    error::ApiError,
    identity::{Caller, Capability},
    time::Micros,
};

/// A domain with things that need a human. Registered in the console's wiring.
#[async_trait]
pub trait NeedsHuman: Send + Sync {
    /// As people call it: `operations`.
    fn name(&self) -> &'static str;

    /// Who lacks one of these sees nothing of it, and is not refused either.
    fn needs(&self) -> &'static [Capability];

    /// What is open within the caller's reach, in a bounded look; what failed is counted from `day_began`.
    async fn look(&self, caller: &Caller, day_began: Micros) -> Result<Answer, ApiError>;
}

#[async_trait]
pub trait Home: Send + Sync {
    /// What every source says that this caller may hear. A source that fails is named, the others are heard.
    async fn open_work(&self, caller: &Caller, day_began: Micros) -> OpenWork;
}
