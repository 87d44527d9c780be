//! Who is refused because nobody signed in: counted in memory, one audit row for each address, route and minute.
//!
//! A stranger must not be able to fill the audit log, nor our memory, by asking often: the addresses of a minute are
//! bounded, and what is beyond that is counted by route alone. Written by a task, not by the refused request.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use app::time::Micros;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    journal::AuditRow,
    store::{Db, StoreError},
    tasks,
};

/// Rows that one minute may make, routes without an address not counted.
const KEPT: usize = 256;
const MINUTE: i64 = 60 * Micros::SECOND;
/// Rows of one transaction: everybody else's audit rows wait for it.
const BATCH: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    minute: i64,
    /// None for addresses beyond those that are told apart.
    address: Option<IpAddr>,
    route: &'static str,
}

#[derive(Clone, Copy)]
struct Count {
    times: u64,
    first: Micros,
    last: Micros,
}

#[derive(Default)]
pub struct Strangers(Mutex<HashMap<Key, Count>>);

impl Strangers {
    /// Counts one refusal at a route of the table.
    pub fn refused(&self, now: Micros, address: Option<IpAddr>, route: &'static str) {
        let mut seen = self.seen();
        let minute = now.0.div_euclid(MINUTE);
        let mut key = Key { minute, address: address.map(network), route };
        if !seen.contains_key(&key) && seen.len() >= KEPT {
            key.address = None;
        }
        let count = seen.entry(key).or_insert(Count { times: 0, first: now, last: now });
        count.times += 1;
        count.last = now;
    }

    /// Writes each minute that is over, until told to stop; then what is left.
    pub async fn run(&self, db: &Db, stop: CancellationToken) -> Result<(), StoreError> {
        let clock: Clock = db.clock().clone();
        loop {
            self.write(db, clock.now().0.div_euclid(MINUTE)).await?;
            tasks::beat();
            let left = MINUTE - clock.now().0.rem_euclid(MINUTE);
            let wait = Duration::from_micros(left.unsigned_abs());
            tokio::select! {
                () = stop.cancelled() => return self.write(db, i64::MAX).await,
                () = clock.sleep(wait) => {}
            }
        }
    }

    /// Writes what was counted before a minute. What could not be written is counted on.
    pub async fn write(&self, db: &Db, before: i64) -> Result<(), StoreError> {
        let over: Vec<(Key, Count)> =
            self.seen().extract_if(|key, _| key.minute < before).collect();
        let mut batches = over.chunks(BATCH);
        while let Some(batch) = batches.next() {
            let rows = batch.iter().map(|(key, count)| row(key, count)).collect();
            let written = async { db.begin().await?.commit(rows).await }.await;
            if let Err(error) = written {
                self.put_back(batch);
                batches.for_each(|batch| self.put_back(batch));
                return Err(error);
            }
        }
        Ok(())
    }

    fn put_back(&self, batch: &[(Key, Count)]) {
        let mut seen = self.seen();
        for (key, count) in batch {
            let key = if seen.len() < KEPT { *key } else { Key { address: None, ..*key } };
            let there = seen.entry(key).or_insert(Count { times: 0, ..*count });
            there.times += count.times;
            there.first = there.first.min(count.first);
            there.last = there.last.max(count.last);
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Key, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has an IPv6 network has 2⁶⁴ addresses of it: they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other => other,
    }
}

fn row(key: &Key, count: &Count) -> AuditRow {
    let mut row = AuditRow::stranger("identity.refuse")
        .target("route", key.route, key.route)
        .reason("not signed in")
        .detail("count", count.times)
        .detail("first", count.first.to_string())
        .detail("last", count.last.to_string());
    row.address = key.address.map(|address| address.to_string());
    if key.address.is_none() {
        row = row.detail("addresses", "several");
    }
    row
}
