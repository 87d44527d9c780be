//! Events: each is heard once and in order by whoever may hear it, whatever happens in between.

use std::{collections::BTreeSet, time::Duration};

use app::{
    error::{ApiError, Dependency, Rule},
    identity::{Caller, Capability, Reach},
    time::Micros,
};
use axum::response::Response;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue};
use server::{
    clock::{Clock, Rng},
    events::{self, Feed, StreamItem, StreamState, Subscription},
    journal::events::{News, publish},
    store::{Db, Dialect, Sql, StoreError, testing},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn news(id: impl Into<String>) -> News {
    News {
        topic: "operations",
        kind: "OPERATION_UPDATED",
        id: id.into(),
        capability: Capability::OperationsView,
        workspace_id: 1,
    }
}

async fn tell(db: &Db, news: News) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    publish(&mut tx, news).await?;
    tx.commit(Vec::new()).await
}

async fn open(db: &Db) -> Feed {
    Feed::open(db.clone()).await.expect("a feed")
}

async fn from(feed: &Feed, after: i64) -> Subscription {
    feed.subscribe(Some(after), &testing::admin()).await.expect("subscribed")
}

/// The next `count` things heard; a minute is the end of all patience.
async fn hear(subscription: &mut Subscription, count: usize) -> Vec<(i64, String)> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let next = tokio::time::timeout(Duration::from_mins(1), subscription.next()).await;
        match next.expect("something to hear").expect("the store answers") {
            StreamItem::Notice(notice) => heard.push((notice.seq, notice.id)),
            StreamItem::Reset { seq } => panic!("told to start over at {seq}"),
        }
    }
    heard
}

fn is_silent(subscription: &mut Subscription) -> bool {
    let next = Box::pin(subscription.next());
    futures::FutureExt::now_or_never(next).is_none()
}

const COMMITTERS: usize = 16;
const EACH: usize = 30;

/// One committer: each transaction takes its place in the outbox early and commits at a time of its own, so that
/// commits overtake one another; each seventh is given up.
async fn commit_many(db: Db, who: usize, rng: Rng) {
    for n in 0..EACH {
        let mut tx = db.begin().await.expect("a transaction");
        publish(&mut tx, news(format!("{who}-{n}"))).await.expect("published");
        for _ in 0..rng.below(4) {
            tx.fetch_one(Sql::new("SELECT 1 AS one")).await.expect("a row");
        }
        if n % 7 == 6 {
            drop(tx);
        } else {
            tx.commit(Vec::new()).await.expect("committed");
        }
    }
}

fn all_committed() -> BTreeSet<String> {
    let ids = (0..COMMITTERS).flat_map(|who| (0..EACH).map(move |n| (who, n)));
    ids.filter(|(_, n)| n % 7 != 6).map(|(who, n)| format!("{who}-{n}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_committers_at_once_lose_no_event_and_confuse_no_order() {
    for engine in testing::engines().await {
        // Two replicas number and follow at once; SQLite has one process only.
        let replicas = match engine.dialect() {
            Dialect::Sqlite => vec![engine.db.clone()],
            Dialect::Postgres => vec![engine.db.clone(), engine.again().await],
        };
        let stop = CancellationToken::new();
        let (mut feeds, mut readers, mut writers) =
            (JoinSet::new(), JoinSet::new(), JoinSet::new());
        let expected = all_committed();
        for db in &replicas {
            let feed = open(db).await;
            for _ in 0..3 {
                let mut subscription = from(&feed, 0).await;
                let count = expected.len();
                readers.spawn(async move { hear(&mut subscription, count).await });
            }
            let (feed, stop) = (feed.clone(), stop.clone());
            feeds.spawn(async move { feed.run(stop).await });
        }
        for who in 0..COMMITTERS {
            let db = replicas[who % replicas.len()].clone();
            writers.spawn(commit_many(db, who, Rng::seeded(who as u64)));
        }
        while let Some(writer) = writers.join_next().await {
            writer.expect("a committer ends well");
        }
        while let Some(reader) = readers.join_next().await {
            let heard = reader.expect("a reader ends well");
            assert!((1..).zip(&heard).all(|(n, (seq, _))| n == *seq), "in order, without a gap");
            for who in 0..COMMITTERS {
                let own = heard.iter().filter_map(|(_, id)| id.strip_prefix(&format!("{who}-")));
                let own: Vec<usize> = own.map(|n| n.parse().expect("a number")).collect();
                assert!(own.is_sorted(), "one after the other was committed: {own:?}");
            }
            let ids: BTreeSet<String> = heard.into_iter().map(|(_, id)| id).collect();
            assert_eq!(ids, expected, "each once");
        }
        stop.cancel();
        while let Some(feed) = feeds.join_next().await {
            feed.expect("a feed ends well").expect("without an error");
        }
        let left = engine
            .db
            .fetch_one(Sql::new("SELECT count(*) AS n FROM event_outbox"))
            .await
            .expect("a row");
        assert_eq!(left.i64("n").expect("a count"), 0);
    }
}

#[tokio::test]
async fn another_replica_hears_without_waiting_for_its_poll() {
    if !testing::dialects().contains(&Dialect::Postgres) {
        return;
    }
    // A clock that stands still: no poll ever comes.
    let (clock, _hand) = Clock::manual(Micros(0));
    let engine = testing::Engine::fresh(Dialect::Postgres, clock).await;
    let (here, there) = (open(&engine.db).await, open(&engine.again().await).await);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for feed in [here, there.clone()] {
        let stop = stop.clone();
        tasks.spawn(async move { feed.run(stop).await });
    }
    // Until the other one listens, only its first look can find news: so it is told until it hears.
    let mut subscription = from(&there, 0).await;
    let mut told = 0;
    testing::eventually("the other replica hears", || {
        told += 1;
        let (db, heard) = (engine.db.clone(), there.head());
        async move {
            tell(&db, news(told.to_string())).await?;
            Ok((heard > 0).then_some(()))
        }
    })
    .await;
    let before = there.head();
    tell(&engine.db, news("the last")).await.expect("committed");
    let mut last = before;
    while let (seq, id) = hear(&mut subscription, 1).await.remove(0)
        && id != "the last"
    {
        last = seq;
    }
    assert!(last >= before);
    stop.cancel();
    while let Some(task) = tasks.join_next().await {
        task.expect("ends well").expect("without an error");
    }
}

#[tokio::test]
async fn a_listener_goes_on_from_what_it_saw_last_even_over_a_restart() {
    for engine in testing::engines().await {
        let feed = open(&engine.db).await;
        for id in ["a", "b", "c"] {
            tell(&engine.db, news(id)).await.expect("committed");
        }
        feed.turn().await.expect("numbered");
        let mut subscription = from(&feed, 1).await;
        assert_eq!(hear(&mut subscription, 2).await, [(2, "b".to_owned()), (3, "c".to_owned())]);
        assert!(is_silent(&mut subscription));
        drop((subscription, feed));
        engine.db.close().await;

        // The next process: a change that was committed while nobody numbered is not lost either.
        let db = engine.again().await;
        tell(&db, news("d")).await.expect("committed");
        let feed = open(&db).await;
        assert_eq!(feed.head(), 3);
        let mut subscription = from(&feed, 2).await;
        let mut fresh = feed.subscribe(None, &testing::admin()).await.expect("subscribed");
        feed.turn().await.expect("numbered");
        assert_eq!(hear(&mut subscription, 2).await, [(3, "c".to_owned()), (4, "d".to_owned())]);
        assert_eq!(hear(&mut fresh, 1).await, [(4, "d".to_owned())]);
        assert_eq!((subscription.place(), fresh.place(), feed.head()), (4, 4, 4));
    }
}

#[tokio::test]
async fn whoever_falls_behind_memory_reads_on_from_the_table() {
    for engine in testing::engines().await {
        let feed = open(&engine.db).await;
        let mut slow = from(&feed, 0).await;
        for batch in 0..3 {
            let mut tx = engine.db.begin().await.expect("a transaction");
            for n in 0..500 {
                publish(&mut tx, news(format!("{}", batch * 500 + n + 1)))
                    .await
                    .expect("published");
            }
            tx.commit(Vec::new()).await.expect("committed");
            feed.turn().await.expect("numbered");
        }
        let heard = hear(&mut slow, 1_500).await;
        let expected: Vec<(i64, String)> = (1..=1_500).map(|n| (n, n.to_string())).collect();
        assert_eq!(heard, expected);
    }
}

#[tokio::test]
async fn a_place_outside_the_window_means_to_start_over() {
    for (engine, hand) in testing::engines_at(Micros(0)).await {
        let feed = open(&engine.db).await;
        for id in ["a", "b", "c"] {
            tell(&engine.db, news(id)).await.expect("committed");
        }
        feed.turn().await.expect("numbered");
        let mut behind = from(&feed, 0).await;
        hand.advance(Duration::from_hours(25));
        for id in ["d", "e"] {
            tell(&engine.db, news(id)).await.expect("committed");
        }
        feed.turn().await.expect("numbered");
        let day = Duration::from_hours(24);
        assert_eq!(feed.prune(day, 100_000).await.expect("pruned"), 3);
        assert_eq!(feed.prune(day, 100_000).await.expect("nothing more"), 0);

        for (after, what) in [(2, "older than the window"), (6, "a number that was never given")] {
            let mut lost = from(&feed, after).await;
            assert_eq!(lost.next().await.expect("told"), StreamItem::Reset { seq: 5 }, "{what}");
            assert!(is_silent(&mut lost));
            assert_eq!(lost.place(), 5);
        }
        let mut edge = from(&feed, 3).await;
        assert_eq!(hear(&mut edge, 2).await, [(4, "d".to_owned()), (5, "e".to_owned())]);
        // Subscribed before the pruning and served from memory: it misses nothing.
        assert_eq!(hear(&mut behind, 5).await.len(), 5);

        // By number, and with a process that has nothing in memory.
        assert_eq!(feed.prune(day, 1).await.expect("pruned"), 1);
        let later = open(&engine.db).await;
        let mut lost = from(&later, 3).await;
        assert_eq!(lost.next().await.expect("told"), StreamItem::Reset { seq: 5 });
        assert_eq!(feed.prune(day, 0).await.expect("pruned"), 1);
        let mut up_to_date = from(&later, 5).await;
        tell(&engine.db, news("f")).await.expect("committed");
        later.turn().await.expect("numbered");
        assert_eq!(hear(&mut up_to_date, 1).await, [(6, "f".to_owned())]);
    }
}

#[tokio::test]
async fn pruned_while_far_behind_is_said_too() {
    for engine in testing::engines().await {
        let feed = open(&engine.db).await;
        let mut slow = from(&feed, 0).await;
        for id in ["a", "b", "c"] {
            tell(&engine.db, news(id)).await.expect("committed");
        }
        // Another process numbers and prunes; this one never had them in memory.
        let other = open(&engine.db).await;
        other.turn().await.expect("numbered");
        other.prune(Duration::MAX, 1).await.expect("pruned");
        feed.turn().await.expect("followed");
        assert_eq!(slow.next().await.expect("told"), StreamItem::Reset { seq: 3 });
        assert!(is_silent(&mut slow));
        tell(&engine.db, news("d")).await.expect("committed");
        feed.turn().await.expect("numbered");
        assert_eq!(hear(&mut slow, 1).await, [(4, "d".to_owned())]);
    }
}

#[tokio::test]
async fn nobody_hears_what_they_may_not_see() {
    for engine in testing::engines().await {
        let feed = open(&engine.db).await;
        for (id, capability, workspace_id) in [
            ("one", Capability::OperationsView, 1),
            ("two", Capability::OperationsView, 2),
            ("settings", Capability::SettingsManage, 1),
        ] {
            tell(&engine.db, News { capability, workspace_id, ..news(id) })
                .await
                .expect("committed");
        }
        feed.turn().await.expect("numbered");
        let hears = async |caller: Caller| {
            let mut subscription = feed.subscribe(Some(0), &caller).await.expect("subscribed");
            let mut ids = Vec::new();
            while let Some(item) = futures::FutureExt::now_or_never(subscription.next()) {
                let StreamItem::Notice(notice) = item.expect("an answer") else {
                    panic!("no reset")
                };
                ids.push(notice.id);
            }
            assert_eq!(subscription.place(), 3, "what was not heard was passed all the same");
            ids
        };
        let view = |reach| vec![(Capability::OperationsView, reach)];
        assert_eq!(hears(testing::admin()).await, ["one", "two", "settings"]);
        assert_eq!(hears(testing::caller("all", view(Reach::Everything))).await, ["one", "two"]);
        let second = Reach::Workspaces(BTreeSet::from([2]));
        assert_eq!(hears(testing::caller("second", view(second))).await, ["two"]);
        let neither = Reach::Workspaces(BTreeSet::from([3]));
        assert_eq!(hears(testing::caller("third", view(neither))).await, Vec::<String>::new());
        assert_eq!(hears(testing::caller("none", Vec::new())).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_feed_that_lost_its_store_goes_on_from_where_it_was() {
    for engine in testing::engines().await {
        let faults = server::store::Faults::none();
        let db = engine.with_faults(&faults).await;
        let feed = open(&db).await;
        let mut subscription = from(&feed, 0).await;
        for n in 1..=12_u64 {
            tell(&engine.db, news(n.to_string())).await.expect("committed");
            faults.add(n, server::store::Fault::LoseAnswer);
            // Fails somewhere: before, within or after the numbering.
            let _ = feed.turn().await;
        }
        // What is still planned happens now; then nothing stands in the way.
        while feed.turn().await.is_err() {}
        let heard = hear(&mut subscription, 12).await;
        let expected: Vec<(i64, String)> = (1..=12).map(|n| (n, n.to_string())).collect();
        assert_eq!(heard, expected);
    }
}

/// The stream over HTTP, read piece by piece.
struct Line {
    body: axum::body::BodyDataStream,
}

async fn request(
    state: &StreamState,
    caller: &Caller,
    query: &str,
    headers: &[(&'static str, &str)],
) -> Response {
    let mut all = HeaderMap::new();
    all.insert("host", HeaderValue::from_static("127.0.0.1:7080"));
    for (name, value) in headers {
        all.insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    let query = (!query.is_empty()).then_some(query);
    let same = caller.clone();
    let again: events::Again = Box::new(move || {
        let same = same.clone();
        Box::pin(async move { Ok(Some(same)) })
    });
    let keep: events::Keep = Box::new(|_, _| Box::pin(async {}));
    events::answer(state.clone(), caller, query, &all, again, keep).await
}

impl Line {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self { body: response.into_body().into_data_stream() }
    }

    async fn piece(&mut self) -> Option<String> {
        let piece = tokio::time::timeout(Duration::from_mins(1), self.body.next())
            .await
            .expect("a piece")?;
        Some(String::from_utf8(piece.expect("no error").to_vec()).expect("text"))
    }
}

fn state(feed: &Feed, clock: Clock) -> StreamState {
    StreamState {
        feed: feed.clone(),
        clock,
        rng: Rng::seeded(3),
        shutdown: CancellationToken::new(),
        origin: None,
        epoch: tokio::sync::watch::channel(0).1,
    }
}

#[tokio::test]
async fn the_stream_greets_replays_keeps_alive_and_ends_with_the_server() {
    for (engine, hand) in testing::engines_at(Micros(0)).await {
        let feed = open(&engine.db).await;
        for id in ["a", "b"] {
            tell(&engine.db, news(id)).await.expect("committed");
        }
        feed.turn().await.expect("numbered");
        let state = state(&feed, engine.db.clock().clone());
        let caller = testing::admin();

        let mut line = Line::of(request(&state, &caller, "after=1", &[]).await);
        let greeting = line.piece().await.expect("a greeting");
        let retry =
            greeting.lines().find_map(|l| l.strip_prefix("retry: ")).expect("when to come back");
        let retry: u64 = retry.parse().expect("milliseconds");
        assert!((1_000..=5_000).contains(&retry), "{greeting}");
        assert!(greeting.contains("id: 1\n") && !greeting.contains("data"), "{greeting}");
        let notice =
            "id: 2\nevent: notice\ndata: {\"seq\":2,\"topic\":\"operations\",\"id\":\"b\"}\n\n";
        assert_eq!(line.piece().await.expect("a notice"), notice);

        // The header is the later word.
        let mut again =
            Line::of(request(&state, &caller, "after=0", &[("last-event-id", "1")]).await);
        again.piece().await.expect("a greeting");
        assert_eq!(again.piece().await.expect("a notice"), notice);

        let mut lost = Line::of(request(&state, &caller, "after=77", &[]).await);
        lost.piece().await.expect("a greeting");
        assert_eq!(lost.piece().await.expect("told"), "id: 2\nevent: reset\ndata: {\"seq\":2}\n\n");

        let mut quiet = Box::pin(line.piece());
        assert!(futures::poll!(quiet.as_mut()).is_pending());
        hand.advance(Duration::from_secs(15));
        let mark = quiet.await.expect("a sign of life");
        assert!(
            mark.starts_with(':') && mark.contains("id: 2\n") && !mark.contains("data"),
            "{mark:?}"
        );

        state.shutdown.cancel();
        assert_eq!(line.piece().await, None, "drained");
        let refused = request(&state, &caller, "", &[]).await;
        assert_eq!(refused.extensions().get(), Some(&ApiError::Unavailable(Dependency::Shutdown)));
    }
}

#[tokio::test]
async fn the_stream_refuses_strangers_nonsense_and_too_many() {
    let engine = testing::Engine::fresh(testing::dialects()[0], Clock::system()).await;
    let feed = open(&engine.db).await;
    let mut state = state(&feed, Clock::system());
    let caller = testing::admin();
    let refusal = async |state: &StreamState, query: &str, headers: &[(&'static str, &str)]| {
        let response = request(state, &caller, query, headers).await;
        let error = response.extensions().get::<ApiError>().cloned();
        assert!(
            error.is_none()
                || response.status().as_u16() == error.as_ref().map_or(0, ApiError::status)
        );
        error
    };
    for own in ["http://127.0.0.1:7080", "https://127.0.0.1:7080"] {
        assert_eq!(refusal(&state, "", &[("origin", own)]).await, None);
    }
    for stranger in [
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:70800",
        "https://evil.example",
        "http://127.0.0.1:7080.evil.example",
    ] {
        assert_eq!(
            refusal(&state, "", &[("origin", stranger)]).await,
            Some(ApiError::CrossSite),
            "{stranger}"
        );
    }
    state.origin = Some("https://console.example".to_owned());
    assert_eq!(refusal(&state, "", &[("origin", "https://console.example")]).await, None);
    assert_eq!(
        refusal(&state, "", &[("origin", "http://127.0.0.1:7080")]).await,
        Some(ApiError::CrossSite)
    );

    for nonsense in ["after=x", "after=-1", "after=1.5", "after=99999999999999999999"] {
        assert!(
            matches!(refusal(&state, nonsense, &[]).await, Some(ApiError::Invalid(v)) if v[0].field == "after"),
            "{nonsense}"
        );
    }
    assert!(matches!(
        refusal(&state, "", &[("last-event-id", "x")]).await,
        Some(ApiError::Invalid(_))
    ));
    let unknown = refusal(&state, "since=1", &[]).await;
    assert_eq!(unknown, Some(ApiError::invalid("since", Rule::UnknownField)));

    let mut lines = Vec::new();
    for _ in 0..20 {
        lines.push(Line::of(request(&state, &caller, "", &[]).await));
    }
    assert!(matches!(refusal(&state, "", &[]).await, Some(ApiError::RateLimited { .. })));
    let other = testing::caller("another", Vec::new());
    assert_eq!(request(&state, &other, "", &[]).await.status(), 200, "others are not meant");
    lines.pop();
    assert_eq!(refusal(&state, "", &[]).await, None, "one was closed");
    drop(lines);
}
