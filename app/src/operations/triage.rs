//! Triage: trying a failed run again, ending one, and noting that somebody looked into it. What crosses the wire, and
//! what may be offered for a run; the server decides anew when it is asked.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{OperationRun, Outcome, Started, Status};
use crate::{
    error::{ApiError, Rule},
    identity::{Caller, Capability},
};

/// A reason has so many characters (Unicode scalar values) after trimming.
pub const REASON_MIN: usize = 5;
pub const REASON_MAX: usize = 500;

/// How a run stood when somebody decided about it. A run that has moved on since is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub status: Status,
    pub outcome: Outcome,
    pub attempt: i64,
}

impl Seen {
    pub fn of(run: &OperationRun) -> Self {
        Self { status: run.status, outcome: run.outcome, attempt: run.attempt }
    }
}

/// The body of `POST /api/v1/operations/{id}/retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryOperation {
    /// Required where doing it twice may do harm: 5 to 500 characters.
    pub reason: Option<String>,
}

/// The body of `POST /api/v1/operations/{id}/cancel` and of `…/end`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelOperation {
    /// When given, a run that no longer stands so is left alone (409).
    pub expected: Option<Seen>,
}

/// The body of `POST /api/v1/operations/{id}/investigate`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvestigateOperation {
    /// What was found: 5 to 500 characters after trimming.
    pub reason: String,
    /// When given, a run that no longer stands so is left alone (409).
    pub expected: Option<Seen>,
}

/// How a type takes being done twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase", tag = "safety")]
pub enum Safety {
    /// May be done again; what it did before does no harm.
    Safe,
    /// Goes on after its last finished step when its worker is lost.
    Resumable,
    /// Never runs again by itself; a retry by hand asks for a typed reason.
    Unsafe { why: String },
}

/// What may be done about a run now, whoever asks. Marking it investigated always may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Triage {
    pub retry: bool,
    /// Why it cannot be tried again, where a failed run cannot.
    pub retry_refused: Option<String>,
    /// Null when this console no longer knows the type.
    pub retry_safety: Option<Safety>,
    pub cancel: bool,
    /// Its worker has not followed the request to end it.
    pub end_anyway: bool,
    /// What this caller would need besides to see it.
    pub lacking: Option<Capability>,
}

/// What became of a request to end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended.
    Ended,
    /// Its worker has been asked.
    Asked,
}

/// The text, trimmed, if it is a reason.
pub fn read_reason(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text.contains('\0') {
        return Err(ApiError::invalid("reason", Rule::NulByte));
    }
    if !(REASON_MIN..=REASON_MAX).contains(&text.chars().count()) {
        return Err(ApiError::invalid("reason", Rule::Length { min: 5, max: 500 }));
    }
    Ok(text.to_owned())
}

/// Each method asks for `platform.operations.manage` and the type's own capability, and writes the audit row in the
/// transaction that changes the run.
#[async_trait]
pub trait Triages: Send + Sync {
    /// Queues a new run that does the same. Two at once make one.
    async fn retry(
        &self,
        caller: &Caller,
        id: i64,
        request: RetryOperation,
    ) -> Result<Started, ApiError>;

    async fn cancel(
        &self,
        caller: &Caller,
        id: i64,
        request: CancelOperation,
    ) -> Result<Cancelled, ApiError>;

    /// Ends a run that was cancelled a minute ago and whose worker did not follow.
    async fn end_anyway(
        &self,
        caller: &Caller,
        id: i64,
        request: CancelOperation,
    ) -> Result<(), ApiError>;

    async fn investigate(
        &self,
        caller: &Caller,
        id: i64,
        request: InvestigateOperation,
    ) -> Result<(), ApiError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_5_to_500_characters_after_trimming() {
        assert_eq!(
            read_reason("  known: node was drained\n").as_deref(),
            Ok("known: node was drained")
        );
        assert_eq!(read_reason("ééééé").as_deref(), Ok("ééééé"));
        assert!(read_reason(&"🦀".repeat(500)).is_ok());
        for bad in ["", "    ", "abcd", "  abcd  ", "ab\0cde", &"x".repeat(501)] {
            assert!(read_reason(bad).is_err(), "{bad:?}");
        }
    }
}
