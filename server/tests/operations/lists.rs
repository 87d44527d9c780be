//! Lists of operations against a model that reads every row and thinks for itself, on both engines.

use super::kit::Kit;
use app::{
    identity::{Capability, Permit, Reach, permit},
    list::{Cursor, ListQuery, Page},
    operations::{
        Lists, Operations as _, View,
        filters::{COUNT_FILTERS, FILTERS, List},
        lists::{Count, ListedRun},
    },
    time::Micros,
};
use server::{
    clock::Rng,
    operations::seeding,
    store::{Faults, Sql, testing},
};

/// What the model knows of a run.
struct Row {
    id: i64,
    columns: Vec<(&'static str, Option<String>)>,
    created_at: i64,
    text: String,
}

const COLUMNS: [(&str, &str); 7] = [
    ("type", "type"),
    ("status", "status"),
    ("outcome", "outcome"),
    ("workspace_id", "workspace_id"),
    ("tenant_id", "tenant_id"),
    ("initiator", "initiator_name"),
    ("fingerprint", "error_fingerprint"),
];

/// Every run, newest first.
async fn rows(kit: &Kit) -> Vec<Row> {
    let mut rows = Vec::new();
    loop {
        let below = rows.last().map_or(i64::MAX, |row: &Row| row.id);
        let sql = Sql::new(
            "SELECT id, type, status, outcome, workspace_id, tenant_id, initiator_name, created_at, \
             error_fingerprint, search_text FROM operation_runs WHERE id < ",
        )
        .arg(below)
        .push(" ORDER BY id DESC LIMIT 2000");
        let more = kit.db.fetch_all(sql).await.expect("rows");
        if more.is_empty() {
            return rows;
        }
        rows.extend(more.iter().map(|row| {
            Row {
                id: row.i64("id").expect("an id"),
                columns: COLUMNS
                    .iter()
                    .map(|(key, column)| {
                        let value = match *column {
                            "workspace_id" | "tenant_id" => {
                                row.opt_i64(column).expect("a number").map(|id| id.to_string())
                            }
                            _ => row.opt_text(column).expect("a text"),
                        };
                        (*key, value)
                    })
                    .collect(),
                created_at: row.i64("created_at").expect("a time"),
                text: row.text("search_text").expect("a text"),
            }
        }));
    }
}

/// What the list should hold.
fn expected(rows: &[Row], query: &ListQuery) -> Vec<i64> {
    let time = |key| query.value(key).map(|at| at.parse::<Micros>().expect("a time").0);
    let (after, before) = (time("created_after"), time("created_before"));
    let words = query.value("q").map(str::to_lowercase);
    let matches = |row: &&Row| {
        let each = row.columns.iter().all(|(key, value)| {
            let wanted = query.values(key);
            wanted.is_empty() || value.as_ref().is_some_and(|value| wanted.contains(value))
        });
        each && after.is_none_or(|at| row.created_at >= at)
            && before.is_none_or(|at| row.created_at < at)
            && words.as_ref().is_none_or(|words| row.text.contains(words.as_str()))
    };
    rows.iter().filter(matches).map(|row| row.id).collect()
}

fn query(pairs: &[(String, String)]) -> ListQuery {
    ListQuery::parse(FILTERS, pairs.iter().cloned()).expect("allowed")
}

/// A few filters with values, some of which occur together and some of which never do.
fn random(rng: &Rng, rows: &[Row]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let pick = |end: usize| usize::try_from(rng.below(end as u64)).expect("small");
    for (n, (key, _)) in COLUMNS.iter().enumerate() {
        if rng.below(10) < 6 {
            continue;
        }
        for _ in 0..=rng.below(3) {
            if let Some(value) = &rows[pick(rows.len())].columns[n].1 {
                pairs.push(((*key).to_owned(), value.clone()));
            }
        }
    }
    for key in ["created_after", "created_before"] {
        if rng.below(10) < 2 {
            let at = Micros(rows[pick(rows.len())].created_at);
            pairs.push((key.to_owned(), at.to_string()));
        }
    }
    if rng.below(10) < 3 {
        let text = &rows[pick(rows.len())].text;
        let start = pick(text.len() - 1);
        let end = (start + 1 + pick(9)).min(text.len());
        let words = text[start..end].trim().replace('\n', "");
        pairs.push(("q".to_owned(), words));
    }
    pairs
}

async fn page(kit: &Kit, permit: &Permit<View>, query: &ListQuery) -> Page<ListedRun> {
    of(kit, permit, List::Runs, query).await
}

async fn of(kit: &Kit, permit: &Permit<View>, list: List, query: &ListQuery) -> Page<ListedRun> {
    Lists::list(&kit.service, permit, list, query).await.expect("the list answers")
}

fn ids(page: &Page<ListedRun>) -> Vec<i64> {
    page.items.iter().map(|row| row.run.id).collect()
}

/// Goes through a list from its top to its end by its cursors.
async fn walk(kit: &Kit, permit: &Permit<View>, query: &ListQuery) -> Vec<i64> {
    let (mut ids, mut at) = (Vec::new(), query.clone());
    loop {
        let page = page(kit, permit, &at).await;
        ids.extend(page.items.iter().map(|row| row.run.id));
        let Some(next) = page.next_cursor else { return ids };
        let id = next.strip_prefix("o.").and_then(|id| id.parse().ok()).expect("a cursor");
        at = at.at(Cursor::OlderThan(id));
    }
}

async fn compare(kit: &Kit, permit: &Permit<View>, rows: &[Row], pairs: &[(String, String)]) {
    let mut sized = pairs.to_vec();
    sized.push(("page_size".to_owned(), "100".to_owned()));
    let query = query(&sized);
    let expected = expected(rows, &query);
    let first = page(kit, permit, &query).await;
    assert_eq!(ids(&first), expected[..expected.len().min(100)], "{pairs:?}");
    let count = i64::try_from(expected.len()).expect("small");
    if first.total_capped {
        assert!(
            first.total <= count && first.total >= count.min(100),
            "{pairs:?}: {}",
            first.total
        );
    } else {
        assert_eq!(first.total, count, "{pairs:?}");
    }
    if expected.len() < 1_500 {
        assert_eq!(walk(kit, permit, &query).await, expected, "{pairs:?}");
    }
    // Back from the middle: the page that ends right above it.
    if expected.len() > 10 {
        let middle = expected.len() / 2;
        let back = page(kit, permit, &query.at(Cursor::NewerThan(expected[middle]))).await;
        assert_eq!(ids(&back), expected[middle.saturating_sub(100)..middle], "{pairs:?} back");
        let after = expected[middle];
        let newer = kit.service.newer(permit, List::Runs, &query, after).await.expect("a count");
        let really = i64::try_from(middle.min(100)).expect("small");
        assert_eq!(newer, really, "{pairs:?} newer");
    }
}

#[tokio::test]
async fn every_combination_of_filters_finds_what_the_rows_say() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        seeding::runs(&kit.db, 1_500).await.expect("rows");
        let (rows, rng) = (rows(&kit).await, Rng::seeded(7));
        let permit = permit::<View>(&kit.admin).await.expect("may");
        compare(&kit, &permit, &rows, &[]).await;
        for _ in 0..150 {
            compare(&kit, &permit, &rows, &random(&rng, &rows)).await;
        }
    }
}

/// More rows than a leading filter may have, so that slices are walked too.
#[tokio::test]
async fn a_longer_list_is_found_in_slices() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        seeding::runs(&kit.db, 26_000).await.expect("rows");
        let rows = rows(&kit).await;
        let permit = permit::<View>(&kit.admin).await.expect("may");
        let many = |key: &str, values: &[&str]| -> Vec<(String, String)> {
            values.iter().map(|value| (key.to_owned(), (*value).to_owned())).collect()
        };
        let types = [
            "fleet.refresh",
            "agents.prompt",
            "audit.verify",
            "gpu.inventory",
            "system.prune",
            "reports.generate",
        ];
        let types = many("type", &types);
        for more in [
            many("initiator", &["Schedule"]),
            many("status", &["completed", "queued"]),
            many("q", &["evicted"]),
            many("q", &["zz"]),
            many("q", &["7"]),
        ] {
            compare(&kit, &permit, &rows, &[types.clone(), more].concat()).await;
        }
        let failures = [many("status", &["completed"]), many("outcome", &["failed"])].concat();
        compare(&kit, &permit, &rows, &failures).await;
        let never = [many("status", &["queued"]), many("outcome", &["failed"])].concat();
        compare(&kit, &permit, &rows, &never).await;
        compare(&kit, &permit, &rows, &many("q", &[seeding::NEEDLE])).await;
        let capped = page(&kit, &permit, &ListQuery::default()).await;
        assert_eq!((capped.total, capped.total_capped, capped.total_pages), (10_000, true, 500));
        let last = page(&kit, &permit, &query(&[("page".to_owned(), "500".to_owned())])).await;
        assert_eq!(last.items.first().map(|row| row.run.id), Some(rows[9_980].id));
        assert_eq!(last.page, Some(500));
        let beyond =
            [("page".to_owned(), "400".to_owned()), ("outcome".to_owned(), "failed".to_owned())];
        let beyond = page(&kit, &permit, &query(&beyond)).await;
        assert!(beyond.items.is_empty() && beyond.total > 1_000);
    }
}

#[tokio::test]
async fn a_list_reaches_no_further_than_its_permit() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        seeding::runs(&kit.db, 600).await.expect("rows");
        let rows = rows(&kit).await;
        let reach = Reach::Workspaces([3, 5].into());
        let narrow = testing::caller("n", vec![(Capability::OperationsView, reach)]);
        let permit = permit::<View>(&narrow).await.expect("may");
        let within = [("workspace_id", "3"), ("workspace_id", "5")].map(owned);
        let all = expected(&rows, &query(&within));
        assert_eq!(walk(&kit, &permit, &ListQuery::default()).await, all);
        let one = query(&[owned(("workspace_id", "5")), owned(("workspace_id", "7"))]);
        let fives = expected(&rows, &query(&[owned(("workspace_id", "5"))]));
        assert_eq!(walk(&kit, &permit, &one).await, fives);
        let other = query(&[owned(("workspace_id", "7"))]);
        assert_eq!(page(&kit, &permit, &other).await.total, 0);
        let foreign = rows.iter().find(|row| !all.contains(&row.id)).expect("there are others");
        assert!(kit.service.get(&permit, foreign.id).await.is_err());
        assert!(kit.service.get(&permit, all[0]).await.is_ok());
        let types = kit.service.catalog(&permit).await.expect("types");
        assert!(types.iter().all(|entry| !entry.startable && entry.last_run.is_none()));
    }
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[tokio::test]
async fn pages_are_complete_and_without_doubles_while_runs_come_in() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        seeding::runs(&kit.db, 500).await.expect("rows");
        let permit = permit::<View>(&kit.admin).await.expect("may");
        let before: Vec<i64> = rows(&kit).await.iter().map(|row| row.id).collect();
        let (mut seen, mut at) = (Vec::new(), ListQuery::default());
        loop {
            let page = page(&kit, &permit, &at).await;
            seen.extend(page.items.iter().map(|row| row.run.id));
            for _ in 0..3 {
                kit.start("test.steps").await;
            }
            let Some(next) = page.next_cursor else { break };
            let id = next.trim_start_matches("o.").parse().expect("a cursor");
            at = ListQuery::default().at(Cursor::OlderThan(id));
        }
        assert_eq!(seen, before);
        let newer = kit.service.newer(&permit, List::Runs, &ListQuery::default(), before[0]).await;
        assert_eq!(newer, Ok(75));
    }
}

/// Failures are the runs with one status and one outcome, whatever else is asked.
#[tokio::test]
async fn failures_are_what_completed_and_failed() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        seeding::runs(&kit.db, 1_500).await.expect("rows");
        let (rows, rng) = (rows(&kit).await, Rng::seeded(11));
        let permit = permit::<View>(&kit.admin).await.expect("may");
        let fixed = [("status", "completed"), ("outcome", "failed")].map(owned);
        for turn in 0..60 {
            let mut pairs = if turn == 0 { Vec::new() } else { random(&rng, &rows) };
            pairs.retain(|(key, _)| List::Failures.filters().iter().any(|f| f.key == *key));
            pairs.push(owned(("page_size", "100")));
            let asked = ListQuery::parse(List::Failures.filters(), pairs.iter().cloned());
            let asked = asked.expect("allowed");
            let all = expected(&rows, &query(&[pairs.clone(), fixed.to_vec()].concat()));
            let first = of(&kit, &permit, List::Failures, &asked).await;
            assert_eq!(ids(&first), all[..all.len().min(100)], "{pairs:?}");
            let Some(middle) = all.get(all.len() / 2) else { continue };
            let older = asked.at(Cursor::OlderThan(*middle));
            let rest = ids(&of(&kit, &permit, List::Failures, &older).await);
            let below: Vec<i64> = all.iter().copied().filter(|id| id < middle).take(100).collect();
            assert_eq!(rest, below, "{pairs:?} from the middle");
            let newer = kit.service.newer(&permit, List::Failures, &asked, *middle).await;
            let really = i64::try_from((all.len() / 2).min(100)).expect("small");
            assert_eq!(newer, Ok(really), "{pairs:?} newer");
        }
    }
}

/// Each figure is what the rows say, or less and says so.
#[tokio::test]
async fn states_are_counted_of_what_the_filters_leave() {
    // Of the second size the newest are looked at, but for what is rare.
    for (size, turns) in [(1_500, 40), (22_000, 12)] {
        for engine in testing::engines().await {
            let kit = Kit::on(&engine.db);
            seeding::runs(&kit.db, size).await.expect("rows");
            let (rows, rng) = (rows(&kit).await, Rng::seeded(5));
            for turn in 0..turns {
                let mut pairs = if turn == 0 { Vec::new() } else { random(&rng, &rows) };
                pairs.retain(|(key, _)| COUNT_FILTERS.iter().any(|f| f.key == *key));
                counted(&kit, &rows, &pairs, size < 20_000).await;
            }
        }
    }
}

async fn counted(kit: &Kit, rows: &[Row], pairs: &[(String, String)], to_the_end: bool) {
    let permit = permit::<View>(&kit.admin).await.expect("may");
    let asked = ListQuery::parse(COUNT_FILTERS, pairs.iter().cloned()).expect("allowed");
    let counts = kit.service.counts(&permit, &asked).await.expect("counts");
    for (key, value, count) in [
        ("status", "queued", counts.queued),
        ("status", "running", counts.running),
        ("outcome", "succeeded", counts.succeeded),
        ("outcome", "failed", counts.failed),
    ] {
        let asked = [pairs, &[owned((key, value))]].concat();
        let really = i64::try_from(expected(rows, &query(&asked)).len()).expect("small");
        if to_the_end {
            assert_eq!(count, Count { total: really, total_capped: false }, "{pairs:?} {value}");
        } else if count.total_capped {
            assert!(count.total <= really, "{pairs:?} {value}: {count:?} of {really}");
        } else {
            assert_eq!(count.total, really, "{pairs:?} {value}");
        }
    }
}

/// What a filter can be set to is within reach.
#[tokio::test]
async fn choices_name_what_the_caller_sees() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        seeding::runs(&kit.db, 600).await.expect("rows");
        let all = permit::<View>(&kit.admin).await.expect("may");
        let all = kit.service.choices(&all).await.expect("choices");
        assert_eq!(all.workspaces.len(), 20);
        assert_eq!(all.tenants.len(), 60);
        assert!(all.initiators.contains(&"Schedule".to_owned()));
        assert!(all.types.contains(&("test.steps".to_owned(), "Steps".to_owned())));
        let reach = Reach::Workspaces([3].into());
        let narrow = testing::caller("n", vec![(Capability::OperationsView, reach)]);
        let narrow = permit::<View>(&narrow).await.expect("may");
        let narrow = kit.service.choices(&narrow).await.expect("choices");
        let names: Vec<&str> = narrow.workspaces.iter().map(|w| w.name.as_str()).collect();
        assert_eq!((names, narrow.tenants.len()), (vec!["team-3"], 3));
        let sql = Sql::new(
            "SELECT COUNT(DISTINCT initiator_name) AS n FROM operation_runs WHERE workspace_id = 3",
        );
        let really = usize::try_from(kit.count(sql).await).expect("small").min(30);
        assert_eq!(narrow.initiators.len(), really);
    }
}

/// A page is a fixed number of statements, however long it is.
#[tokio::test]
async fn a_page_of_a_hundred_asks_no_more_than_a_page_of_one() {
    for engine in testing::engines().await {
        seeding::runs(&engine.db, 600).await.expect("rows");
        // Active ones of one type on the page of one, of many on the page of a hundred.
        let faults = Faults::none();
        let kit = Kit::on(&engine.with_faults(&faults).await);
        let permit = permit::<View>(&kit.admin).await.expect("may");
        let ask = async |list: List, size: &str| {
            let pairs = [owned(("page_size", size))];
            let query = ListQuery::parse(list.filters(), pairs).expect("allowed");
            let before = faults.seen();
            let page = of(&kit, &permit, list, &query).await;
            (faults.seen() - before, page.items.len())
        };
        for list in List::ALL {
            // Budgets are learnt once per type and minute, not per page.
            ask(list, "100").await;
            let (one, of_one) = ask(list, "1").await;
            let (hundred, of_hundred) = ask(list, "100").await;
            // A page that is the whole list need not be counted.
            assert!(hundred <= one && one < 12, "{list:?}: {one} and {hundred}");
            assert!(of_one == 1 && of_hundred > 10, "{list:?}: {of_one} and {of_hundred}");
        }
    }
}
