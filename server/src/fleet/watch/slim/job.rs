//! Jobs and cron jobs.

use app::time::Micros;
use serde::Deserialize;

use super::{Condition, ConditionWire, Meta, MetaWire, Slim};
use crate::fleet::watch::{
    kind::Kind,
    names::{Name, Names},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub meta: Meta,
    pub completions: i32,
    pub active: i32,
    pub succeeded: i32,
    pub failed: i32,
    pub suspended: bool,
    pub started: Option<Micros>,
    pub finished: Option<Micros>,
    pub conditions: Box<[Condition]>,
}

impl Job {
    /// The condition that says that it failed for good.
    pub fn failure(&self) -> Option<&Condition> {
        self.conditions.iter().find(|c| &*c.kind == "Failed" && &*c.status == "True")
    }

    pub fn is_complete(&self) -> bool {
        self.conditions.iter().any(|c| &*c.kind == "Complete" && &*c.status == "True")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct CronJob {
    pub meta: Meta,
    pub schedule: Name,
    pub time_zone: Option<Name>,
    pub suspended: bool,
    pub active: u32,
    pub last_scheduled: Option<Micros>,
    pub last_succeeded: Option<Micros>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobWire {
    metadata: MetaWire,
    spec: JobSpecWire,
    status: JobStatusWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobSpecWire {
    completions: Option<i32>,
    parallelism: Option<i32>,
    suspend: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JobStatusWire {
    active: i32,
    succeeded: i32,
    failed: i32,
    start_time: Option<Micros>,
    completion_time: Option<Micros>,
    conditions: Vec<ConditionWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CronJobWire {
    metadata: MetaWire,
    spec: CronSpecWire,
    status: CronStatusWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CronSpecWire {
    schedule: String,
    time_zone: Option<String>,
    suspend: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CronStatusWire {
    active: Vec<serde::de::IgnoredAny>,
    last_schedule_time: Option<Micros>,
    last_successful_time: Option<Micros>,
}

impl Slim for Job {
    type Wire = JobWire;

    fn version(wire: &JobWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: JobWire, names: &Names) -> Self {
        let JobWire { metadata, spec, status } = wire;
        Self {
            meta: metadata.slim(names),
            completions: spec.completions.or(spec.parallelism).unwrap_or(1),
            active: status.active,
            succeeded: status.succeeded,
            failed: status.failed,
            suspended: spec.suspend,
            started: status.start_time,
            finished: status.completion_time,
            conditions: ConditionWire::all(status.conditions, names),
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl Slim for CronJob {
    type Wire = CronJobWire;

    fn version(wire: &CronJobWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: CronJobWire, names: &Names) -> Self {
        let CronJobWire { metadata, spec, status } = wire;
        Self {
            meta: metadata.slim(names),
            schedule: names.text(&spec.schedule),
            time_zone: spec.time_zone.map(|zone| names.text(&zone)),
            suspended: spec.suspend,
            active: u32::try_from(status.active.len()).unwrap_or(u32::MAX),
            last_scheduled: status.last_schedule_time,
            last_succeeded: status.last_successful_time,
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}
