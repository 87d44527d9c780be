//! The store's own troubles, on purpose: a test asks for one at the n-th statement and sees what its code does.
//!
//! Statements are counted from 1 over all connections of a [`super::Db`]: a begin, each statement, each commit.
//! In the product no `Faults` is given and none of this runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Db, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the statement arrives.
    Fail,
    /// The database refuses: another writer holds it.
    Lock,
    /// The statement waits first.
    Delay(Duration),
    /// The statement is done, the connection breaks before its answer arrives.
    LoseAnswer,
    /// The statement is done, its answer waits.
    DelayAnswer(Duration),
}

/// A plan of faults and a count of statements; clones share both.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    seen: u64,
    at: BTreeMap<u64, Fault>,
    every: Option<(u64, Fault)>,
    cut: bool,
    waiting: usize,
}

/// A delay that goes on; a statement that is given up is not waited for any more.
struct Waiting<'a>(&'a Faults);

impl<'a> Waiting<'a> {
    fn begin(faults: &'a Faults) -> Self {
        faults.0.lock().unwrap_or_else(PoisonError::into_inner).waiting += 1;
        Self(faults)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).waiting -= 1;
    }
}

impl Faults {
    /// No fault, only the count.
    pub fn none() -> Self {
        Self::default()
    }

    /// One fault at the `n`-th statement from now.
    pub fn at(n: u64, fault: Fault) -> Self {
        let faults = Self::default();
        faults.add(n, fault);
        faults
    }

    /// The same fault at each `n`-th statement.
    pub fn every(n: u64, fault: Fault) -> Self {
        let faults = Self::default();
        faults.0.lock().unwrap_or_else(PoisonError::into_inner).every = Some((n.max(1), fault));
        faults
    }

    /// One more fault, at the `n`-th statement from now.
    pub fn add(&self, n: u64, fault: Fault) {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = plan.seen + n;
        plan.at.insert(at, fault);
    }

    /// How many statements there were.
    pub fn seen(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen
    }

    /// From now on nothing reaches the database, until [`Faults::mend`].
    pub fn cut(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cut = true;
    }

    pub fn mend(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cut = false;
    }

    /// How many statements stand in a delay.
    pub fn waiting(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting
    }

    /// Forgets what is planned and did not happen.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).at.clear();
    }

    fn next(&self) -> Option<Fault> {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plan.seen += 1;
        let seen = plan.seen;
        let again = plan
            .every
            .as_ref()
            .filter(|(n, _)| seen.is_multiple_of(*n))
            .map(|(_, fault)| fault.clone());
        let planned = plan.at.remove(&seen).or(again);
        if plan.cut { Some(Fault::Fail) } else { planned }
    }
}

/// Runs a statement under the plan. Each call counts as one statement.
pub(super) async fn under<T>(
    db: &Db,
    statement: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let Some(faults) = &db.0.faults else { return statement.await };
    match faults.next() {
        None => statement.await,
        Some(Fault::Fail) => Err(broken()),
        Some(Fault::Lock) => Err(StoreError::Locked("on purpose".to_owned())),
        Some(Fault::Delay(duration)) => {
            wait(db, faults, duration).await;
            statement.await
        }
        Some(Fault::LoseAnswer) => {
            statement.await?;
            Err(broken())
        }
        Some(Fault::DelayAnswer(duration)) => {
            let answer = statement.await;
            wait(db, faults, duration).await;
            answer
        }
    }
}

async fn wait(db: &Db, faults: &Faults, duration: Duration) {
    let _waiting = Waiting::begin(faults);
    db.clock().sleep(duration).await;
}

fn broken() -> StoreError {
    StoreError::Connection("on purpose".to_owned())
}
