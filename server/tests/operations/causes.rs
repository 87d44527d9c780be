//! Failures by cause: one line per fingerprint of what is within reach, however many workspaces it stands in.

use app::{
    identity::{Capability, Permit, Reach, permit},
    list::{ListQuery, Page},
    operations::{
        Lists, View,
        filters::{GROUP_FILTERS, List},
        lists::FailureGroup,
    },
};
use server::{
    operations::seeding,
    store::{Db, Sql, Value, testing},
};

use super::kit::Kit;

struct Line {
    workspace_id: i64,
    fingerprint: &'static str,
    summary: &'static str,
    failures: i64,
    seen: (i64, i64),
    last_run_id: i64,
}

async fn write(db: &Db, lines: &[Line]) {
    let mut tx = db.begin().await.expect("a write begins");
    for workspace in [2_i64, 3] {
        let sql = Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES ").list([
            Value::from(workspace),
            format!("team-{workspace}").into(),
            0_i64.into(),
        ]);
        tx.execute(sql).await.expect("a workspace");
    }
    for line in lines {
        let sql = Sql::new(
            "INSERT INTO operation_failure_groups (workspace_id, fingerprint, type, code, summary, \
             failures, first_seen, last_seen, last_run_id) VALUES ",
        )
        .list([
            Value::from(line.workspace_id),
            line.fingerprint.into(),
            "test.fail".into(),
            "broken".into(),
            line.summary.into(),
            line.failures.into(),
            line.seen.0.into(),
            line.seen.1.into(),
            line.last_run_id.into(),
        ]);
        tx.execute(sql).await.expect("a line");
    }
    tx.commit(Vec::new()).await.expect("a commit");
}

const LINES: &[Line] = &[
    Line {
        workspace_id: 1,
        fingerprint: "a",
        summary: "pod 1 is gone",
        failures: 3,
        seen: (10, 40),
        last_run_id: 4,
    },
    Line {
        workspace_id: 2,
        fingerprint: "a",
        summary: "pod 2 is gone",
        failures: 4,
        seen: (5, 50),
        last_run_id: 9,
    },
    Line {
        workspace_id: 3,
        fingerprint: "b",
        summary: "Disk 100% FULL",
        failures: 1,
        seen: (60, 60),
        last_run_id: 11,
    },
];

async fn groups(kit: &Kit, permit: &Permit<View>, pairs: &[(&str, &str)]) -> Page<FailureGroup> {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let query = ListQuery::parse(GROUP_FILTERS, pairs).expect("allowed");
    kit.service.failure_groups(permit, &query).await.expect("the list answers")
}

#[tokio::test]
async fn causes_are_summed_over_what_is_within_reach() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        write(&kit.db, LINES).await;
        let all = permit::<View>(&kit.admin).await.expect("may");
        let page = groups(&kit, &all, &[]).await;
        let said: Vec<_> = page
            .items
            .iter()
            .map(|g| {
                (g.fingerprint.as_str(), g.failures, g.first_seen.0, g.last_seen.0, g.workspaces)
            })
            .collect();
        assert_eq!(said, [("b", 1, 60, 60, 1), ("a", 7, 5, 50, 2)]);
        assert_eq!((page.total, page.total_capped), (2, false));
        let a = &page.items[1];
        assert_eq!((a.summary.as_str(), a.last_run_id), ("pod 2 is gone", 9), "of the newest");
        assert_eq!((a.kind.as_str(), a.code.as_str()), ("test.fail", "broken"));

        let found = async |pairs: &[(&str, &str)]| -> Vec<(String, i64)> {
            let page = groups(&kit, &all, pairs).await;
            page.items.into_iter().map(|g| (g.fingerprint, g.failures)).collect()
        };
        assert_eq!(found(&[("q", "100% full")]).await, [("b".to_owned(), 1)]);
        assert_eq!(found(&[("workspace_id", "1")]).await, [("a".to_owned(), 3)]);
        let two = [("workspace_id", "1"), ("workspace_id", "3")];
        assert_eq!(found(&two).await, [("b".to_owned(), 1), ("a".to_owned(), 3)]);
        assert!(found(&[("type", "test.steps")]).await.is_empty());
        let second = groups(&kit, &all, &[("page_size", "1"), ("page", "2")]).await;
        assert_eq!((second.items[0].fingerprint.as_str(), second.total), ("a", 2));

        let reach = Reach::Workspaces([1, 3].into());
        let narrow = testing::caller("n", vec![(Capability::OperationsView, reach)]);
        let narrow = permit::<View>(&narrow).await.expect("may");
        let page = groups(&kit, &narrow, &[]).await;
        let said: Vec<_> = page.items.iter().map(|g| (g.summary.as_str(), g.failures)).collect();
        assert_eq!(said, [("Disk 100% FULL", 1), ("pod 1 is gone", 3)]);
        let none = groups(&kit, &narrow, &[("workspace_id", "2")]).await;
        assert_eq!((none.items.len(), none.total), (0, 0));
    }
}

/// As the engine writes them: two runs that fail for one reason are one line, which leads to both.
#[tokio::test]
async fn failed_runs_are_one_line_that_leads_to_them() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let first = kit.start("test.fail").await.id;
        let second = kit.start("test.fail").await.id;
        kit.start("test.panic").await;
        kit.start("test.steps").await;
        kit.work_all("w").await.expect("works");
        let all = permit::<View>(&kit.admin).await.expect("may");
        let page = groups(&kit, &all, &[("type", "test.fail")]).await;
        assert_eq!((page.total, page.items[0].failures), (1, 2));
        assert_eq!(page.items[0].last_run_id, second);
        assert_eq!(groups(&kit, &all, &[]).await.total, 2);
        let cause = [("fingerprint".to_owned(), page.items[0].fingerprint.clone())];
        let cause = ListQuery::parse(List::Failures.filters(), cause).expect("allowed");
        let failures = Lists::list(&kit.service, &all, List::Failures, &cause).await;
        let failures = failures.expect("a list");
        let ids: Vec<i64> = failures.items.iter().map(|row| row.run.id).collect();
        assert_eq!((ids, failures.total), (vec![second, first], 2));
    }
}

/// Over many failures in twenty workspaces, by what the rows themselves say.
#[tokio::test]
async fn the_lines_say_what_the_rows_say() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        seeding::runs(&kit.db, 2_000).await.expect("rows");
        let sql = Sql::new(
            "SELECT error_fingerprint, COUNT(*) AS n, MAX(id) AS newest, MAX(completed_at) AS last \
             FROM operation_runs WHERE outcome = 'failed' AND workspace_id IN (3, 4, 5) \
             GROUP BY error_fingerprint ORDER BY last DESC, error_fingerprint",
        );
        let rows = kit.db.fetch_all(sql).await.expect("rows");
        let really: Vec<(String, i64, i64)> = rows
            .iter()
            .map(|row| {
                let number = |column| row.i64(column).expect("a number");
                let fingerprint = row.text("error_fingerprint").expect("a text");
                (fingerprint, number("n"), number("newest"))
            })
            .collect();
        let reach = Reach::Workspaces([3, 4, 5].into());
        let narrow = testing::caller("n", vec![(Capability::OperationsView, reach)]);
        let narrow = permit::<View>(&narrow).await.expect("may");
        let page = groups(&kit, &narrow, &[("page_size", "100")]).await;
        let said: Vec<(String, i64, i64)> =
            page.items.into_iter().map(|g| (g.fingerprint, g.failures, g.last_run_id)).collect();
        assert!(said.len() > 10);
        assert_eq!(said, really);
    }
}
