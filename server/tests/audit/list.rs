//! The list: what each filter finds, who sees what, and the word to open pages.

use std::{collections::BTreeSet, time::Duration};

use app::{
    audit::{Audit as _, View, model::FILTERS},
    error::{ApiError, Thing},
    identity::{Caller, CallerKind, Capability, Permit, Reach, permit},
    list::ListQuery,
    time::Micros,
};
use server::{
    audit::{AuditNews, AuditService},
    identity::AuditedGate,
    journal::AuditRow,
    store::{Db, Sql, testing},
};

use super::append;

const START: Micros = Micros(1_700_000_000_000_000);

pub fn caller(db: &Db, reach: Reach) -> Caller {
    let grants = vec![(Capability::AuditView, reach)];
    let gate = std::sync::Arc::new(AuditedGate::new(db.clone()));
    Caller::new(CallerKind::User, "u-1", "Ada", grants, gate)
}

pub async fn permitted(db: &Db, reach: Reach) -> Permit<View> {
    permit::<View>(&caller(db, reach)).await.expect("it has the capability")
}

pub fn query(pairs: &[(&str, &str)]) -> ListQuery {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    ListQuery::parse(FILTERS, pairs).expect("a query of the test")
}

fn workspaces(ids: &[i64]) -> Reach {
    Reach::Workspaces(ids.iter().copied().collect::<BTreeSet<_>>())
}

/// Six rows, of which no two are alike, each a day after the other.
async fn six() -> Vec<testing::Engine> {
    let mut engines = Vec::new();
    for (engine, hand) in testing::engines_at(START).await {
        let db = &engine.db;
        let mut ada = caller(db, Reach::Everything);
        ada.session = Some("s-ada".to_owned());
        "r-1".clone_into(&mut ada.request_id);
        let mut bob = caller(db, Reach::Everything);
        (bob.id, bob.name, bob.request_id) = ("u-2".into(), "Bob".into(), "r-2".into());
        let view = Capability::AuditView;
        for row in [
            AuditRow::allowed(&ada, "identity.grant.add").target("person", "p-1", "P").workspace(1),
            AuditRow::denied(&bob, "identity.refuse", view),
            AuditRow::failed(&ada, "platform.test", "no").target("operation", 7, "O").workspace(2),
            AuditRow::allowed(&bob, "identity.grant.remove")
                .target("person", "p-1", "P")
                .workspace(1),
            AuditRow::allowed(&bob, "platform.test").target("operation", 8, "O").capability(view),
            AuditRow::stranger("identity.refuse").target("route", "/audit", "/audit"),
        ] {
            append(db, vec![row]).await.expect("appended");
            hand.advance(Duration::from_hours(24));
        }
        engines.push(engine);
    }
    engines
}

/// The filters of a query, and the rows that it must find.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [i64]);

#[tokio::test]
async fn each_filter_finds_what_it_names() {
    let day = |n: i64| START.plus(n * 86_400 * Micros::SECOND).to_string();
    let (second, fourth) = (day(1), day(3));
    let cases: &[Case<'_>] = &[
        (&[], &[6, 5, 4, 3, 2, 1]),
        (&[("action", "identity.refuse")], &[6, 2]),
        (&[("action", "identity.")], &[6, 4, 2, 1]),
        (&[("action", "identity.grant")], &[4, 1]),
        (&[("action", "identity.grant"), ("action", "platform.test")], &[5, 4, 3, 1]),
        (&[("action", "nothing.begins.so")], &[]),
        (&[("decision", "denied")], &[6, 2]),
        (&[("decision", "failed"), ("decision", "denied")], &[6, 3, 2]),
        (&[("actor", "Bob")], &[5, 4, 2]),
        (&[("actor_id", "u-1")], &[3, 1]),
        (&[("target", "person:p-1")], &[4, 1]),
        (&[("target", "operation:7")], &[3]),
        (&[("target", "operation")], &[]),
        (&[("capability", "audit.view")], &[5, 2]),
        (&[("workspace_id", "2")], &[3]),
        (&[("session", "s-ada")], &[3, 1]),
        (&[("request", "r-2")], &[5, 4, 2]),
        (&[("since", &fourth)], &[6, 5, 4]),
        (&[("until", &second)], &[1]),
        (&[("since", &second), ("until", &fourth)], &[3, 2]),
        (&[("actor", "Bob"), ("action", "identity."), ("decision", "allowed")], &[4]),
        (&[("target", "person:p-1"), ("since", &second)], &[4]),
    ];
    for engine in six().await {
        let service = AuditService::new(engine.db.clone());
        let all = permitted(&engine.db, Reach::Everything).await;
        for (pairs, expected) in cases {
            let page = service.list(&all, &query(pairs)).await.expect("a page");
            let seqs: Vec<i64> = page.items.iter().map(|entry| entry.seq).collect();
            assert_eq!(&seqs, expected, "{pairs:?}");
            assert_eq!(page.total, i64::try_from(expected.len()).expect("few"), "{pairs:?}");
            let newer = service.newer(&all, &query(pairs), 3).await.expect("a count");
            let after = expected.iter().filter(|seq| **seq > 3).count();
            assert_eq!(newer, i64::try_from(after).expect("few"), "{pairs:?}");
        }
        let actions = service.actions(&all).await.expect("the actions");
        assert_eq!(
            actions,
            ["identity.grant.add", "identity.grant.remove", "identity.refuse", "platform.test"]
        );
    }
}

#[tokio::test]
async fn pages_follow_one_another() {
    for engine in six().await {
        let service = AuditService::new(engine.db.clone());
        let all = permitted(&engine.db, Reach::Everything).await;
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut pairs = vec![("page_size", "2"), ("action", "identity.")];
            pairs.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = service.list(&all, &query(&pairs)).await.expect("a page");
            seen.extend(page.items.iter().map(|entry| entry.seq));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [6, 4, 2, 1]);
    }
}

#[tokio::test]
async fn a_reach_of_workspaces_sees_their_rows_and_no_others() {
    for engine in six().await {
        let service = AuditService::new(engine.db.clone());
        for (reach, expected) in [
            (workspaces(&[1]), &[4, 1][..]),
            (workspaces(&[2]), &[3]),
            (workspaces(&[1, 2]), &[4, 3, 1]),
            (workspaces(&[9]), &[]),
            (workspaces(&[]), &[]),
        ] {
            let permit = permitted(&engine.db, reach.clone()).await;
            let page = service.list(&permit, &ListQuery::default()).await.expect("a page");
            let seqs: Vec<i64> = page.items.iter().map(|entry| entry.seq).collect();
            assert_eq!(seqs, expected, "{reach:?}");
            for seq in 1..=6 {
                let found = service.get(&permit, seq).await;
                if expected.contains(&seq) {
                    assert_eq!(found.expect("in reach").entry.seq, seq);
                } else {
                    assert_eq!(found, Err(ApiError::NotFound(Thing::AuditEntry)));
                }
            }
            let elsewhere = query(&[("workspace_id", "2"), ("workspace_id", "1")]);
            let page = service.list(&permit, &elsewhere).await.expect("a page");
            assert_eq!(page.items.len(), expected.len(), "a filter widens nothing");
        }
    }
}

#[tokio::test]
async fn open_pages_are_told_once_for_each_workspace() {
    for engine in six().await {
        let db = &engine.db;
        let (news, beside) = (AuditNews::new(db.clone()), AuditNews::new(engine.again().await));
        let (one, other) = tokio::join!(news.tell(), beside.tell());
        let told = [one.expect("told"), other.expect("told")];
        assert_eq!(told.iter().filter(|told| **told).count(), 1, "one replica tells");
        let sql = "SELECT workspace_id, capability FROM event_outbox ORDER BY workspace_id";
        let rows = db.fetch_all(Sql::new(sql)).await.expect("the outbox");
        let ids: Vec<i64> =
            rows.iter().map(|row| row.i64("workspace_id").expect("an id")).collect();
        assert_eq!(ids, [0, 1, 2], "0 is heard by who reaches everything");
        assert!(rows.iter().all(|row| row.text("capability").expect("a name") == "audit.view"));
        assert!(!news.tell().await.expect("asked"), "nothing new");
    }
}
