//! The three lists: rows by the store's list, verdicts by the one rule, counts, causes and choices.
//!
//! What is stuck no column tells, so that list goes another way: the active runs that match are judged, slim, and
//! the page's rows are read for what remains.

use app::{
    error::ApiError,
    identity::{Permit, Reach},
    list::{Cursor, ListQuery, Page},
    operations::{
        Lists, View,
        filters::{List, STUCK_CLASS_KEY},
        lists::{Choices, ClassCount, Count, Counts, FailureGroup, ListedRun},
        model::{OperationRun, Outcome, Status},
        stuck::{Activity, Stuck, StuckClass},
    },
};
use async_trait::async_trait;

use super::{
    Base, OperationsService,
    store::{
        self, RUNS, Standing,
        active::{Active, active},
        choices, groups, refused,
    },
    stuck::Judge,
};
use crate::store::{Db, StoreError, list};

/// The newest runs of a list are counted up to here for "3 new".
const NEWER_MAX: i64 = 100;

/// In the order of [`Counts`].
const STATES: [list::State; 4] = [
    ("status", Status::Queued.as_str()),
    ("status", Status::Running.as_str()),
    ("outcome", Outcome::Succeeded.as_str()),
    ("outcome", Outcome::Failed.as_str()),
];

/// What a list of stuck runs was judged from.
#[derive(Default)]
struct Judged {
    /// Newest first.
    stuck: Vec<(i64, Stuck)>,
    /// Older ones were looked at first, and there were more.
    more: bool,
}

impl Judged {
    fn of_class(&self, class: StuckClass) -> usize {
        self.stuck.iter().filter(|(_, stuck)| stuck.class == class).count()
    }

    fn count(&self, rows: usize) -> Count {
        let total = i64::try_from(rows).unwrap_or(i64::MAX);
        Count { total, total_capped: self.more }
    }
}

/// Which active runs of this query do not move.
async fn judge(base: &Base, reach: &Reach, query: &ListQuery) -> Result<Judged, StoreError> {
    let found = active(&base.db, reach, query, base.db.now().await?).await?;
    if found.runs.is_empty() {
        return Ok(Judged::default());
    }
    let judge = Judge::open(base, found.runs.iter().map(|run| run.kind.as_str())).await?;
    let classes = query.values(STUCK_CLASS_KEY);
    let verdict = |run: &Active| {
        let activity = Activity { served: judge.is_served(&run.queue), ..run.activity };
        judge.activity(&run.kind, &activity).map(|stuck| (run.id, stuck))
    };
    let wanted = |(_, stuck): &(i64, Stuck)| {
        classes.is_empty() || classes.iter().any(|class| class == stuck.class.as_str())
    };
    let stuck = found.runs.iter().rev().filter_map(verdict).filter(wanted);
    Ok(Judged { stuck: stuck.collect(), more: found.more })
}

/// One page of them, as every list answers it.
async fn stuck_page(
    base: &Base,
    reach: &Reach,
    query: &ListQuery,
) -> Result<Page<ListedRun>, StoreError> {
    let judged = judge(base, reach, query).await?;
    let ids: Vec<i64> = judged.stuck.iter().map(|(id, _)| *id).collect();
    let page = place(query, &ids, judged.more);
    let standings = store::read(&base.db, &base.catalog, &page.items).await?;
    // What moved on in between is no row of this list any more.
    let rows = listed(base, standings).await?.into_iter().filter(|row| row.stuck.is_some());
    let rows = rows.collect();
    Ok(list::fill(page, rows))
}

/// The page that a query names, out of all ids, newest first.
fn place(query: &ListQuery, ids: &[i64], more: bool) -> Page<i64> {
    let size = usize::try_from(query.page_size()).unwrap_or(1);
    let start = match query.cursor {
        None => usize::try_from(query.page() - 1).unwrap_or(0).saturating_mul(size),
        Some(Cursor::OlderThan(id)) => ids.partition_point(|other| *other >= id),
        Some(Cursor::NewerThan(id)) => {
            ids.partition_point(|other| *other > id).saturating_sub(size)
        }
    };
    let end = match query.cursor {
        Some(Cursor::NewerThan(id)) => ids.partition_point(|other| *other > id),
        _ => start.saturating_add(size),
    };
    let (start, end) = (start.min(ids.len()), end.min(ids.len()));
    let items = ids[start..end].to_vec();
    let older = (end < ids.len()).then(|| items.last().copied().unwrap_or(i64::MAX));
    let newer = (start > 0).then(|| items.first().copied().unwrap_or(0));
    let rows = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    Page {
        items,
        total: rows,
        total_capped: more,
        page: query.cursor.is_none().then(|| query.page()),
        page_size: query.page_size(),
        total_pages: (rows + i64::from(query.page_size()) - 1) / i64::from(query.page_size()),
        next_cursor: older.map(|id| Cursor::OlderThan(id).to_string()),
        previous_cursor: newer.map(|id| Cursor::NewerThan(id).to_string()),
        searched: None,
    }
}

/// The runs, each with why it does not move.
async fn listed(base: &Base, standings: Vec<Standing>) -> Result<Vec<ListedRun>, StoreError> {
    let active = standings.iter().filter(|standing| standing.run.status != Status::Completed);
    let kinds: Vec<&str> = active.map(|standing| standing.run.kind.as_str()).collect();
    let judge = if kinds.is_empty() { None } else { Some(Judge::open(base, kinds).await?) };
    let rows = standings.into_iter().map(|standing| {
        let stuck = judge.as_ref().and_then(|judge| judge.verdict(&standing));
        let stuck_class = stuck.map(|stuck| stuck.class);
        ListedRun { run: OperationRun { stuck_class, ..standing.run }, stuck }
    });
    Ok(rows.collect())
}

/// What the store is asked for a list: its own conditions and those of the query, at the same place.
fn narrowed(list: List, query: &ListQuery) -> ListQuery {
    if list != List::Failures {
        return query.clone();
    }
    // A failure is completed; the store knows that the one implies the other.
    let mut failed = query.with("outcome", "failed");
    (failed.page, failed.cursor) = (query.page, query.cursor);
    failed
}

fn is_derived(list: List, query: &ListQuery) -> bool {
    list == List::Stuck || !query.values(STUCK_CLASS_KEY).is_empty()
}

#[async_trait]
impl Lists for OperationsService {
    async fn list(
        &self,
        permit: &Permit<View>,
        list: List,
        query: &ListQuery,
    ) -> Result<Page<ListedRun>, ApiError> {
        let (base, reach) = (&self.base, permit.reach());
        if is_derived(list, query) {
            return stuck_page(base, reach, query).await.map_err(refused);
        }
        let query = narrowed(list, query);
        let found = list::page(&base.db, &RUNS, reach, &query).await.map_err(refused)?;
        let runs = store::read(&base.db, &base.catalog, &found.items).await.map_err(refused)?;
        let runs = listed(base, runs).await.map_err(refused)?;
        Ok(list::fill(found, runs))
    }

    async fn newer(
        &self,
        permit: &Permit<View>,
        list: List,
        query: &ListQuery,
        after: i64,
    ) -> Result<i64, ApiError> {
        let (base, reach) = (&self.base, permit.reach());
        if is_derived(list, query) {
            let judged = judge(base, reach, query).await.map_err(refused)?;
            let newer = judged.stuck.iter().filter(|(id, _)| *id > after).count();
            return Ok(i64::try_from(newer).unwrap_or(NEWER_MAX).min(NEWER_MAX));
        }
        let query = narrowed(list, query);
        list::newer(&base.db, &RUNS, reach, &query, after, NEWER_MAX).await.map_err(refused)
    }

    async fn counts(&self, permit: &Permit<View>, query: &ListQuery) -> Result<Counts, ApiError> {
        Box::pin(counts(&self.base, permit.reach(), query)).await.map_err(refused)
    }

    async fn failure_groups(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<FailureGroup>, ApiError> {
        let base = &self.base;
        groups::groups(&base.db, &base.catalog, permit.reach(), query).await.map_err(refused)
    }

    async fn choices(&self, permit: &Permit<View>) -> Result<Choices, ApiError> {
        let types = self.base.catalog.iter();
        let types = types.map(|entry| (entry.spec.kind.to_owned(), entry.spec.label.to_owned()));
        Box::pin(named(&self.base.db, permit.reach(), types.collect())).await.map_err(refused)
    }
}

async fn counts(base: &Base, reach: &Reach, query: &ListQuery) -> Result<Counts, StoreError> {
    let states = list::counts(&base.db, &RUNS, reach, query, &STATES);
    let (states, judged) = futures::try_join!(states, judge(base, reach, query))?;
    let count = |n: usize| {
        let (total, total_capped) = states.get(n).copied().unwrap_or_default();
        Count { total, total_capped }
    };
    let classes = StuckClass::ALL.into_iter().map(|class| (class, judged.of_class(class)));
    let classes = classes.filter(|(_, rows)| *rows > 0);
    Ok(Counts {
        queued: count(0),
        running: count(1),
        succeeded: count(2),
        failed: count(3),
        stuck: judged.count(judged.stuck.len()),
        stuck_classes: classes
            .map(|(class, rows)| ClassCount { class, count: judged.count(rows) })
            .collect(),
    })
}

async fn named(
    db: &Db,
    reach: &Reach,
    types: Vec<(String, String)>,
) -> Result<Choices, StoreError> {
    let (workspaces, tenants, initiators) = futures::try_join!(
        choices::workspaces(db, reach),
        choices::tenants(db, reach),
        choices::initiators(db, reach),
    )?;
    Ok(Choices { types, workspaces, tenants, initiators })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pairs: &[(&str, &str)]) -> ListQuery {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ListQuery::parse(List::Stuck.filters(), pairs).expect("allowed")
    }

    #[test]
    fn a_list_in_hand_is_paged_like_one_in_the_store() {
        let ids: Vec<i64> = (1..=7).rev().collect();
        let page = |pairs: &[(&str, &str)]| place(&at(pairs), &ids, false);
        let first = page(&[("page_size", "3")]);
        assert_eq!(first.items, [7, 6, 5]);
        assert_eq!((first.total, first.total_pages, first.page), (7, 3, Some(1)));
        assert_eq!((first.next_cursor.as_deref(), first.previous_cursor), (Some("o.5"), None));
        let last = page(&[("page_size", "3"), ("cursor", "o.2")]);
        assert_eq!((last.items.as_slice(), last.next_cursor), ([1].as_slice(), None));
        assert_eq!(last.previous_cursor.as_deref(), Some("n.1"));
        let back = page(&[("page_size", "3"), ("cursor", "n.3")]);
        assert_eq!(back.items, [6, 5, 4]);
        assert_eq!(back.previous_cursor.as_deref(), Some("n.6"));
        // What a cursor names may have moved on.
        let gone = page(&[("page_size", "3"), ("cursor", "n.9")]);
        assert!(gone.items.is_empty() && gone.previous_cursor.is_none());
        assert!(page(&[("page", "9")]).items.is_empty());
    }
}
