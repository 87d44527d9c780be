//! Kill -9 of a worker whose steps act on a real cluster. What it did is counted by the API server, which tells
//! every object that was made and every change of one: each step's effect stands once, and is never written again.
#![expect(clippy::disallowed_methods, reason = "processes are started and waited for")]

#[path = "../../../../server/tests/doomed/mod.rs"]
mod doomed;
#[path = "../../../../server/tests/operations/invariants.rs"]
mod invariants;
#[expect(dead_code, reason = "the engine's own tests need more of it")]
#[path = "../../../../server/tests/operations/kit.rs"]
mod kit;
mod practice;

use std::{collections::BTreeMap, path::Path, time::Duration};

use app::{
    operations::model::{Outcome, Status},
    time::Micros,
};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;
use server::{
    operations::{
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Spec},
    },
    store::testing,
};

use self::{
    doomed::{Doom, Stand, Victim, mark},
    kit::{Effects, Kit, SPEC},
};

const START: Micros = Micros(1_790_000_000_000_000);
const KIND: &str = "cluster.act";
/// The fleet's own place for whoever tries something.
const NAMESPACE: &str = "sandbox";
const LABEL: &str = "engine-proof/run";

#[derive(Debug, serde::Deserialize)]
struct Nothing {}

/// Two steps that act on the cluster, each in a way that may be asked for again: one by a name that can exist
/// once, one by server-side apply.
fn catalog(client: &Client) -> Catalog {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    Catalog::default().with(Spec { kind: KIND, ..SPEC }, move |run: Run, _: Nothing| {
        let maps = maps.clone();
        async move {
            run.step("create", "Create", acts("create", create(&run, &maps))).await?;
            run.step("apply", "Apply", acts("apply", apply(&run, &maps))).await
        }
    })
}

async fn acts(
    step: &str,
    act: impl Future<Output = kube::Result<()>>,
) -> Result<Done<()>, Failure> {
    mark(&format!("{step}: before")).await;
    act.await.map_err(|error| Failure::new("cluster_refused", error.to_string()))?;
    mark(&format!("{step}: after")).await;
    Ok(Done::saying("done"))
}

/// The run is its name: whoever asks again finds it there.
fn map(run: &Run, step: &str) -> ConfigMap {
    let id = run.facts().id;
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": format!("run-{id}-{step}"), "labels": { LABEL: id.to_string() } },
        "data": { "step": step },
    });
    serde_json::from_value(map).expect("a config map")
}

async fn create(run: &Run, maps: &Api<ConfigMap>) -> kube::Result<()> {
    match maps.create(&PostParams::default(), &map(run, "create")).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(()),
        answer => answer.map(drop),
    }
}

async fn apply(run: &Run, maps: &Api<ConfigMap>) -> kube::Result<()> {
    let map = map(run, "apply");
    let how = PatchParams::apply("engine-proof");
    maps.patch(&map.name_any(), &how, &Patch::Apply(&map)).await.map(drop)
}

/// Not a test: the process that the other kills.
#[tokio::test]
#[ignore = "started by the test of this file, to be killed"]
async fn a_worker_that_will_be_killed() {
    let Some(doom) = Doom::read() else { return };
    let client = practice::client(Path::new(&doom.world)).await;
    let live = doom.live(async |db| {
        let kit = Kit::knowing(&db, catalog(&client), Effects::default(), Vec::new());
        kit.work_all("doomed").await.expect("the store answers");
    });
    live.await;
}

/// What the API server made and changed for each run since `from`.
async fn told(client: &Client, from: &str) -> BTreeMap<String, Vec<&'static str>> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    // The server ends the watch by itself; until then it tells all that was since.
    let params = WatchParams::default().labels(LABEL).timeout(1);
    let mut events = maps.watch(&params, from).await.expect("a watch").boxed();
    let mut told = BTreeMap::<String, Vec<&'static str>>::new();
    while let Some(event) = events.next().await {
        let (map, what) = match event.expect("an event") {
            WatchEvent::Added(map) => (map, "made"),
            WatchEvent::Modified(map) => (map, "changed"),
            WatchEvent::Deleted(map) => (map, "removed"),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(error) => panic!("{error:?}"),
        };
        told.entry(map.name_any()).or_default().push(what);
    }
    told
}

#[tokio::test]
async fn effects_at_a_cluster_stand_once_wherever_the_worker_is_killed() {
    let (_fleet, kubeconfig) = practice::cluster();
    let client = practice::client(&kubeconfig).await;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    for (engine, hand) in testing::engines_at(START).await {
        let dialect = engine.dialect().as_str();
        // Ids begin anew in each database.
        for map in maps.list(&ListParams::default().labels(LABEL)).await.expect("a list") {
            maps.delete(&map.name_any(), &kube::api::DeleteParams::default()).await.expect("gone");
        }
        let from = maps.list(&ListParams::default()).await.expect("a list").metadata;
        let from = from.resource_version.expect("a version");
        let kit = || Kit::knowing(&engine.db, catalog(&client), Effects::default(), Vec::new());
        let kill = async |stand: Stand| {
            let id = kit().start(KIND).await.id;
            let doom = Doom {
                url: engine.config.url.clone(),
                now: engine.db.now().await.expect("a time"),
                stand,
                world: kubeconfig.display().to_string(),
            };
            let mut victim = Victim::start("a_worker_that_will_be_killed", &doom);
            let statements = victim.wait();
            victim.kill();
            (id, statements)
        };
        let (whole, statements) = kill(Stand::Nowhere).await;
        let statements = statements.expect("it ended");
        let marks = ["create: before", "create: after", "apply: before", "apply: after"];
        let mut stands: Vec<_> = marks.map(|mark| Stand::At(mark.to_owned())).into();
        stands.extend((1..=statements).map(Stand::Before));
        stands.push(Stand::After(statements - 1));
        let mut ids = vec![whole];
        for stand in stands {
            let what = format!("{stand} on {dialect}");
            let (id, _) = kill(stand).await;
            ids.push(id);
            hand.advance(Duration::from_secs(31));
            testing::eventually("the run ends", || async {
                let kit = kit();
                kit.service.timer().tick().await?;
                kit.work_all("next").await?;
                Ok((kit.get(id).await.run.status == Status::Completed).then_some(()))
            })
            .await;
            let run = kit().get(id).await.run;
            assert_eq!(run.outcome, Outcome::Succeeded, "{what}: {:?}", run.error_summary);
            invariants::hold(&engine.db, &what).await;
        }
        let told = told(&client, &from).await;
        for id in &ids {
            for step in ["create", "apply"] {
                let name = format!("run-{id}-{step}");
                assert_eq!(
                    told.get(&name).map(Vec::as_slice),
                    Some(&["made"][..]),
                    "{name} on {dialect}"
                );
            }
        }
        assert_eq!(told.len(), 2 * ids.len(), "nothing else was made: {told:?}");
        invariants::hold_to_the_end(&engine.db, dialect).await;
    }
}
