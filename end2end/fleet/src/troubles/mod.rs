//! Workloads that are wrong in one way each: what a team gets wrong, as real objects, and what its kubelet says about it.
//!
//! Schedulers, controllers and admission are real and judge for themselves; only what a kubelet would find out comes from
//! [`kubelet`]. Each row belongs to a scene; `troubles` plays them all. To add one: a row in the file of its family.

mod configuration;
mod crashes;
mod images;
pub mod kubelet;
mod network;
mod objects;
mod placement;
mod probes;
mod rights;
mod services;
mod statuses;

use serde_json::Value;

use self::kubelet::Conduct;
pub use self::placement::{SCENE as PLACEMENT, TAINT};

/// One thing that is wrong.
pub struct Trouble {
    /// The scene that plays it.
    pub scene: &'static str,
    pub namespace: &'static str,
    /// The name of its workload, of that one's container, and of most of its objects.
    pub name: &'static str,
    /// The value of the pods' label and what becomes of such pods, where a kubelet has something to say.
    pub conduct: Option<(&'static str, Conduct)>,
    /// In an order in which they can exist.
    pub objects: Vec<Value>,
    /// The lines of the container's log, for those that come to write one.
    pub log: &'static [&'static str],
}

/// The conducts that other workloads than these have: a bad release, an image that never was.
pub const ELSEWHERE: [(&str, Conduct); 2] = [crashes::BAD_RELEASE, images::NEVER_BUILT];

pub fn all() -> Vec<Trouble> {
    [
        images::all(),
        configuration::all(),
        crashes::all(),
        probes::all(),
        placement::all(),
        services::all(),
        network::all(),
        rights::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Those of one scene, or all.
pub fn of(scene: Option<&str>) -> impl Iterator<Item = Trouble> {
    all().into_iter().filter(move |trouble| scene.is_none_or(|scene| trouble.scene == scene))
}

/// Every stage that the rows and [`ELSEWHERE`] need, each once.
pub fn stages() -> Vec<Value> {
    let mut conducts: Vec<_> =
        all().iter().filter_map(|trouble| trouble.conduct).chain(ELSEWHERE).collect();
    conducts.sort_by_key(|(label, _)| *label);
    conducts.dedup_by_key(|(label, _)| *label);
    conducts.into_iter().map(|(label, conduct)| conduct.stage(label)).collect()
}

/// The containers in a namespace that have a log, with its lines.
pub fn logs(namespace: &str) -> Vec<(&'static str, &'static [&'static str])> {
    all()
        .into_iter()
        .filter(|trouble| trouble.namespace == namespace && !trouble.log.is_empty())
        .map(|trouble| (trouble.name, trouble.log))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{MARK, life::teams};

    #[test]
    fn troubles_come_to_teams_that_exist_and_stay_out_of_their_way() {
        let mut taken: BTreeSet<_> = teams::namespaces()
            .flat_map(|namespace| teams::containers(namespace).map(move |name| (namespace, name)))
            .collect();
        for trouble in all() {
            assert!(teams::namespaces().any(|team| team == trouble.namespace), "{}", trouble.name);
            assert!(taken.insert((trouble.namespace, trouble.name)), "{} is taken", trouble.name);
        }
    }

    #[test]
    fn pods_bear_the_label_of_their_conduct() {
        for trouble in all() {
            let deployment = trouble.objects.iter().find(|object| object["kind"] == "Deployment");
            let deployment = deployment.expect("every trouble has a workload");
            let label =
                &deployment["spec"]["template"]["metadata"]["labels"][format!("{MARK}/trouble")];
            assert_eq!(label.as_str(), trouble.conduct.map(|(label, _)| label), "{}", trouble.name);
        }
    }

    #[test]
    fn a_label_means_one_conduct() {
        let stages = stages();
        let names: BTreeSet<_> =
            stages.iter().map(|stage| stage["metadata"]["name"].to_string()).collect();
        assert_eq!(names.len(), stages.len());
        let described: BTreeSet<_> = all()
            .iter()
            .filter_map(|trouble| trouble.conduct)
            .chain(ELSEWHERE)
            .map(|(label, conduct)| (label, format!("{conduct:?}")))
            .collect();
        assert_eq!(described.len(), stages.len());
    }

    #[test]
    fn templates_open_and_close() {
        for stage in stages() {
            for step in stage["spec"]["steps"].as_array().expect("steps") {
                let template = step["apply"]["template"].as_str();
                let template = template.or(step["patch"]["template"].as_str()).expect("a template");
                assert_eq!(template.matches("{{").count(), template.matches("}}").count());
                let opens = ["{{ if ", "{{ range ", "{{ with ", "{{if", "{{range"]
                    .iter()
                    .map(|word| template.matches(word).count())
                    .sum::<usize>();
                assert_eq!(opens, template.matches("{{ end }}").count(), "{template}");
            }
        }
    }
}
