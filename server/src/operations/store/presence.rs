//! Which processes work on which queues.

use std::collections::BTreeSet;

use app::time::Micros;

use crate::store::{Db, Row, Sql, StoreError};

/// The queues that a worker serves which was heard of after `since`.
pub async fn served_queues(db: &Db, since: Micros) -> Result<BTreeSet<String>, StoreError> {
    let sql = Sql::new("SELECT queues FROM operation_workers WHERE heartbeat_at >= ").arg(since);
    let rows = db.fetch_all(sql).await?;
    let lists = rows.iter().map(queues).collect::<Result<Vec<_>, _>>()?;
    Ok(lists.into_iter().flatten().collect())
}

fn queues(row: &Row) -> Result<Vec<String>, StoreError> {
    let column = "queues";
    serde_json::from_str(&row.text(column)?)
        .map_err(|error| StoreError::Column { column, reason: format!("is no list: {error}") })
}

/// Of the newest runs of a type, so many are looked at for successes.
const LOOKED: i64 = 1_000;

/// What the newest successes of a type took.
pub async fn successes(db: &Db, kind: &str, most: usize) -> Result<Vec<i64>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = db.fetch_all(newest_successes(kind, most)).await?;
    rows.iter().map(|row| row.i64("took")).collect()
}

/// By the type first: of a type that never succeeds, all successes of the others would be read.
fn newest_successes(kind: &str, most: i64) -> Sql {
    Sql::new(
        "SELECT took FROM (SELECT id, outcome, completed_at - started_at AS took FROM operation_runs \
         WHERE type = ",
    )
    .arg(kind)
    .push(" ORDER BY id DESC LIMIT ")
    .arg(LOOKED)
    .push(") newest WHERE outcome = 'succeeded' AND took IS NOT NULL ORDER BY id DESC LIMIT ")
    .arg(most)
}

/// The runs that hold the slots which a run of this type and target waits for.
pub async fn slot_holders(
    db: &Db,
    kind: &str,
    target: Option<&str>,
) -> Result<Vec<i64>, StoreError> {
    let keys = [Some(format!("type:{kind}")), target.map(|t| format!("target:{kind}:{t}"))];
    let sql = Sql::new("SELECT DISTINCT run_id FROM operation_slots WHERE limit_key IN ")
        .list(keys.into_iter().flatten())
        .push(" ORDER BY run_id LIMIT 20");
    db.fetch_all(sql).await?.iter().map(|row| row.i64("run_id")).collect()
}

/// How many workers were lost over a run.
pub async fn losses(db: &Db, run_id: i64) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT losses FROM operation_runs WHERE id = ").arg(run_id);
    let row = db.fetch_optional(sql).await?;
    row.map_or(Ok(0), |row| row.i64("losses"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        operations::seeding,
        store::{Dialect, testing},
    };

    #[tokio::test]
    async fn budgets_are_learnt_from_the_newest_runs_of_the_type_alone() {
        for engine in testing::engines().await {
            let db = &engine.db;
            seeding::runs(db, 20_000).await.expect("the database takes the rows");
            if db.dialect() == Dialect::Postgres {
                db.fetch_all(Sql::new("ANALYZE operation_runs")).await.expect("it looks at them");
            }
            let ask = Sql::new(db.dialect().explain()).append(newest_successes("fleet.none", 200));
            let column = match db.dialect() {
                Dialect::Sqlite => "detail",
                Dialect::Postgres => "QUERY PLAN",
            };
            let rows = db.fetch_all(ask).await.expect("a plan");
            let plan: Vec<_> = rows.iter().map(|row| row.text(column).expect("words")).collect();
            let plan = plan.join("\n");
            assert!(plan.contains("operation_runs_by_type"), "{plan}");
            assert!(!plan.contains("operation_runs_by_outcome"), "{plan}");

            assert!(!successes(db, "system.self_check", 200).await.expect("times").is_empty());
            fail_all_but_the_oldest(db, "system.self_check").await;
            assert!(successes(db, "system.self_check", 200).await.expect("times").is_empty());
        }
    }

    /// Leaves successes of this type only among those that are no longer looked at.
    async fn fail_all_but_the_oldest(db: &Db, kind: &str) {
        let mut tx = db.begin().await.expect("a write");
        let sql = Sql::new(
            "UPDATE operation_runs SET outcome = 'failed' WHERE outcome = 'succeeded' AND id IN \
             (SELECT id FROM operation_runs WHERE type = ",
        )
        .arg(kind)
        .push(" ORDER BY id DESC LIMIT ")
        .arg(LOOKED)
        .push(")");
        tx.execute(sql).await.expect("they fail");
        let left = Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE type = ")
            .arg(kind)
            .push(" AND outcome = 'succeeded'");
        let left = tx.fetch_one(left).await.expect("a count").i64("n").expect("a number");
        assert!(left > 0, "older ones succeeded");
        tx.commit(Vec::new()).await.expect("a commit");
    }
}
