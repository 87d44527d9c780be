//! The chain of retries that a run stands in, as it crosses the wire: what was tried before, what came after,
//! and which success made a failure past.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Outcome, Status};
use crate::time::Micros;

/// The newest runs of a chain that are shown beside its first one.
pub const CHAIN_SHOWN: i64 = 20;

/// One run of a chain, as far as the chain needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineageRun {
    pub id: i64,
    pub status: Status,
    pub outcome: Outcome,
    pub cancelled: bool,
    pub initiator_kind: String,
    pub initiator_name: Option<String>,
    pub retry_of_run_id: Option<i64>,
    pub created_at: Micros,
    pub completed_at: Option<Micros>,
}

/// All runs of a chain, oldest first: the first one, this one and the newest 20.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lineage {
    pub runs: Vec<LineageRun>,
    /// How many runs the chain has, shown or not; those that were pruned are not counted.
    pub total: i64,
    /// Where this run stands among them, from 1.
    pub position: i64,
    /// The chain began with a run that is not kept any more.
    pub first_is_gone: bool,
    /// The success that made this failure past; it may stand outside of the chain.
    pub superseded_by: Option<LineageRun>,
}

impl Lineage {
    /// How many runs stand between the first and those that are shown.
    pub fn omitted(&self) -> i64 {
        self.total.saturating_sub(i64::try_from(self.runs.len()).unwrap_or(i64::MAX)).max(0)
    }

    /// Whether anybody tried this run again, or it is such a try itself.
    pub fn is_chain(&self) -> bool {
        self.total > 1 || self.first_is_gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: i64) -> LineageRun {
        LineageRun {
            id,
            status: Status::Completed,
            outcome: Outcome::Failed,
            cancelled: false,
            initiator_kind: "user".to_owned(),
            initiator_name: None,
            retry_of_run_id: None,
            created_at: Micros(id),
            completed_at: None,
        }
    }

    #[test]
    fn a_chain_that_is_cut_says_how_much_is_left_out() {
        let runs: Vec<_> = std::iter::once(1).chain(31..=50).map(run).collect();
        let chain = Lineage { runs, total: 50, position: 50, ..Lineage::default() };
        assert_eq!((chain.omitted(), chain.is_chain()), (29, true));
        let alone = Lineage { runs: vec![run(7)], total: 1, position: 1, ..Lineage::default() };
        assert_eq!((alone.omitted(), alone.is_chain()), (0, false));
        let orphan = Lineage { first_is_gone: true, ..alone };
        assert!(orphan.is_chain());
    }
}
