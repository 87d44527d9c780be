//! How late looks at clusters begin, with 500 of them of which 50 are black holes, and what they cost; and how long a
//! registration takes, the look at the cluster included.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use app::{
    error::ApiError,
    fleet::{Clusters as _, Manage, model::ClusterType, registration::NewCluster},
    identity::permit,
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use serde_json::json;
use server::{
    clock::{Clock, Rng},
    egress::{Egress, EgressConfig},
    fleet::{
        Clients, FleetService,
        clients::Own,
        probes::{Discover, Look, Looker, Probes, Seen, interval},
        store::probes::Target,
    },
    operations::queue::Queue,
    store::{
        Db,
        testing::{self, Engine},
    },
    vault::Vault,
};
use tokio_util::sync::CancellationToken;

use super::{endpoints, rss};

const CLUSTERS: usize = 500;
const BLACK_HOLES: usize = 50;
/// Registrations under way at once, while the fleet is made.
const AT_ONCE: usize = 50;
/// Each cluster is looked at so often while it is measured.
const ROUNDS: u32 = 6;

/// Notes when each look began, and how late.
struct Timed {
    inner: Looker,
    db: Db,
    began: Mutex<Vec<(String, i64, i64)>>,
}

#[async_trait]
impl Look for Timed {
    async fn look(&self, target: &Target, within: Duration) -> Option<Seen> {
        let now = self.db.clock().now();
        let began = (target.id.clone(), now.0, now.since(target.due_at));
        self.began.lock().expect("nobody failed").push(began);
        self.inner.look(target, within).await
    }
}

struct Nothing;

#[async_trait]
impl Discover for Nothing {
    async fn discover(&self, _: &Target) -> Result<(), ApiError> {
        Ok(())
    }
}

pub async fn measure() {
    let ends = endpoints::start(CLUSTERS - BLACK_HOLES, BLACK_HOLES);
    println!(
        "endpoints               a TLS server that knows an API server's answers by heart, in a process of its own"
    );
    for engine in testing::engines().await {
        println!("\n{:?}", engine.dialect());
        on(&engine, &ends).await;
    }
}

async fn on(engine: &Engine, ends: &endpoints::Endpoints) {
    let (db, clock) = (engine.db.clone(), Clock::system());
    let egress = Egress::new(EgressConfig::default(), &clock);
    let vault = Vault::for_tests();
    let clients = Clients::new(db.clone(), vault.clone(), egress, testing::admin(), Own::default());
    let service =
        FleetService::new(db.clone(), vault, Rng::system(), clients.clone(), Queue::default());
    let holes = register(&service, ends).await;
    let looker = Looker::new(clients, clock);
    let timed = Arc::new(Timed { inner: looker, db: db.clone(), began: Mutex::default() });
    let probes =
        Probes::new(db, Rng::system(), Arc::clone(&timed) as Arc<dyn Look>, Arc::new(Nothing));
    let stop = CancellationToken::new();
    let running = probes.run(stop.clone());
    let watching = async {
        // All were due at once when they were registered: one round spreads them, and makes the clients.
        tokio::time::sleep(2 * interval(ClusterType::Hub)).await;
        timed.began.lock().expect("nobody failed").clear();
        let (begun, used) = (Instant::now(), processor_time());
        tokio::time::sleep(ROUNDS * interval(ClusterType::Hub)).await;
        let (took, used) = (begun.elapsed(), processor_time().saturating_sub(used));
        stop.cancel();
        (took, used)
    };
    let (ended, (took, used)) = tokio::join!(running, watching);
    ended.expect("the probes run");
    let began = std::mem::take(&mut *timed.began.lock().expect("nobody failed"));
    tell(&began, &holes, took, used);
}

/// Registers all of them as hubs, the ones that are looked at most often; answers with the ids of the black holes.
async fn register(service: &FleetService, ends: &endpoints::Endpoints) -> Vec<String> {
    let one_by_one = &ends.answering[..50];
    let mut took = Vec::new();
    for (at, url) in one_by_one.iter().enumerate() {
        let begun = Instant::now();
        add(service, &format!("one-{at}"), url, &ends.authority).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!(
        "registration            p50 {:.1} ms, p99 {:.1} ms, one after another; the look and the store",
        ms(took[took.len() / 2]),
        ms(took[took.len() * 99 / 100])
    );
    let begun = Instant::now();
    let rest = &ends.answering[50..];
    let all = rest.iter().enumerate().map(|(at, url)| async move {
        add(service, &format!("many-{at}"), url, &ends.authority).await
    });
    stream::iter(all.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    println!(
        "registered together     {} in {:.1} s, {AT_ONCE} at a time",
        rest.len(),
        begun.elapsed().as_secs_f64()
    );
    let begun = Instant::now();
    let all = ends.black_holes.iter().enumerate().map(|(at, url)| async move {
        add(service, &format!("hole-{at}"), url, &ends.authority).await
    });
    let holes = stream::iter(all.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
    println!(
        "black holes registered  {} in {:.1} s, together",
        ends.black_holes.len(),
        begun.elapsed().as_secs_f64()
    );
    holes
}

async fn add(service: &FleetService, name: &str, url: &str, authority: &str) -> String {
    let new = json!({
        "name": name, "api_server_url": url, "cluster_type": "HUB",
        "credentials": { "auth_type": "SERVICE_ACCOUNT", "token": "a-token", "certificate_authority": authority },
    });
    let new: NewCluster = serde_json::from_value(new).expect("a cluster");
    let permit = permit::<Manage>(&testing::admin()).await.expect("a permit");
    service.create(&permit, new).await.expect("a cluster").id
}

fn tell(began: &[(String, i64, i64)], holes: &[String], took: Duration, used: Duration) {
    let is_hole = |id: &String| holes.contains(id);
    for (what, of) in [("answering", false), ("black holes", true)] {
        let chosen = || began.iter().filter(move |(id, ..)| is_hole(id) == of);
        let mut late: Vec<i64> = chosen().map(|(_, _, late)| *late).collect();
        late.sort_unstable();
        let mut last: HashMap<&String, i64> = HashMap::new();
        let mut apart = Vec::new();
        for (id, at, _) in chosen() {
            if let Some(before) = last.insert(id, *at) {
                apart.push(at - before);
            }
        }
        apart.sort_unstable();
        println!(
            "{what:<12} looks {:>5}  late p50 {:.2} s, p99 {:.2} s, max {:.2} s  apart p50 {:.1} s, max {:.1} s of {} s ± 10 %",
            late.len(),
            at(&late, 50),
            at(&late, 99),
            at(&late, 100),
            at(&apart, 50),
            at(&apart, 100),
            interval(ClusterType::Hub).as_secs()
        );
    }
    println!(
        "processor               {:.1} % of one, over {:.0} s; {} MB resident",
        100.0 * used.as_secs_f64() / took.as_secs_f64(),
        took.as_secs_f64(),
        rss() / 1_000_000
    );
}

/// Of a sorted list, in seconds.
fn at(sorted: &[i64], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    let micros = sorted.get(place).copied().unwrap_or(0);
    Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Of this process, in user and system.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    // A hundred to the second, wherever Linux runs.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
