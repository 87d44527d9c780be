//! What is different about a run since the last time that its type succeeded on the same target. A rule from
//! values alone; the server finds the two runs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::model::{OperationRun, Step, StepStatus};
use crate::time::Micros;

/// How many of the type's newest runs before this one are looked through.
pub const LOOKED_THROUGH_MAX: i64 = 1_000;
/// Changed fields of an input that are told.
const FIELDS_MAX: usize = 50;
/// Deeper values are compared as one.
const DEPTH_MAX: usize = 12;
/// Longer by this factor, or shorter, is worth a word.
const FACTOR: i64 = 2;
/// Steps that differ by less are alike: that is what a disk or a scheduler makes of them.
const NOISE: i64 = Micros::SECOND / 10;

/// What was found to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    Success,
    /// All runs of this type before this one were looked at: there was never a success, or it was pruned.
    NoneKept,
    /// None among the newest 1 000 runs of this type; older ones were not looked at.
    NoneNear,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SinceLastSuccess {
    pub found: Found,
    /// The success; null when none was found.
    pub run: Option<ComparedRun>,
    /// Fields of the input that are not the same, 50 at most.
    pub input: Vec<FieldChange>,
    /// Changed fields beyond those.
    pub input_omitted: i64,
    /// Steps that went another way, or took more than twice as long or less than half.
    pub steps: Vec<StepChange>,
    /// Times and counts of the whole run that differ in that way.
    pub pace: Vec<PaceChange>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ComparedRun {
    pub id: i64,
    pub completed_at: Option<Micros>,
}

/// A field that is there on one side only has `null` on the other.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FieldChange {
    /// `clusters[0].name`.
    pub path: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StepChange {
    pub name: String,
    pub label: String,
    /// Null when the success did not have this step.
    pub before: Option<StepSeen>,
    /// Null when this run did not come to this step.
    pub after: Option<StepSeen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StepSeen {
    pub status: StepStatus,
    /// Null while it runs.
    pub took_micros: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PaceChange {
    pub what: Pace,
    pub before: i64,
    pub after: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Workers that took it.
    Attempts,
    /// Microseconds from when it was due to when a worker took it.
    WaitMicros,
    /// Microseconds from when a worker took it to its end.
    WorkMicros,
}

/// One side of the comparison.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    pub id: i64,
    pub input: &'a Value,
    pub steps: &'a [Step],
    pub attempt: i64,
    /// When it was due.
    pub due_at: Micros,
    pub started_at: Option<Micros>,
    pub completed_at: Option<Micros>,
}

impl<'a> Side<'a> {
    pub fn of(run: &'a OperationRun, steps: &'a [Step]) -> Self {
        Self {
            id: run.id,
            input: &run.input,
            steps,
            attempt: run.attempt,
            due_at: run.scheduled_at.max(run.created_at),
            started_at: run.started_at,
            completed_at: run.completed_at,
        }
    }
}

impl SinceLastSuccess {
    /// There is nothing to compare with.
    pub const fn nothing(found: Found) -> Self {
        Self {
            found,
            run: None,
            input: Vec::new(),
            input_omitted: 0,
            steps: Vec::new(),
            pace: Vec::new(),
        }
    }

    pub fn between(success: &Side<'_>, run: &Side<'_>) -> Self {
        let mut input = inputs(success.input, run.input);
        let input_omitted = input.len().saturating_sub(FIELDS_MAX);
        input.truncate(FIELDS_MAX);
        Self {
            found: Found::Success,
            run: Some(ComparedRun { id: success.id, completed_at: success.completed_at }),
            input,
            input_omitted: i64::try_from(input_omitted).unwrap_or(i64::MAX),
            steps: steps(success.steps, run.steps, run.completed_at.is_some()),
            pace: pace(success, run),
        }
    }

    pub fn is_same(&self) -> bool {
        self.input.is_empty() && self.steps.is_empty() && self.pace.is_empty()
    }
}

fn inputs(before: &Value, after: &Value) -> Vec<FieldChange> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    leaves(before, String::new(), DEPTH_MAX, &mut old);
    leaves(after, String::new(), DEPTH_MAX, &mut new);
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |path: &String| {
        let (before, after) = (old.get(path).copied(), new.get(path).copied());
        (before != after).then(|| FieldChange {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
        })
    };
    paths.into_iter().filter_map(change).collect()
}

/// Each value that holds no others, by its path.
fn leaves<'a>(value: &'a Value, path: String, depth: usize, out: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(fields) if depth > 0 && !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, path, depth - 1, out);
            }
        }
        Value::Array(items) if depth > 0 && !items.is_empty() => {
            for (n, item) in items.iter().enumerate() {
                leaves(item, format!("{path}[{n}]"), depth - 1, out);
            }
        }
        // No input at all is the same as an empty one.
        Value::Null | Value::Object(_) if path.is_empty() => {}
        leaf => {
            let path = if path.is_empty() { "input".to_owned() } else { path };
            out.insert(path, leaf);
        }
    }
}

fn seen(step: &Step) -> StepSeen {
    let took = step.started_at.zip(step.completed_at).map(|(from, to)| to.since(from).max(0));
    StepSeen { status: step.status, took_micros: took }
}

/// In the order of this run; then what only the success did, once this run has ended.
fn steps(before: &[Step], after: &[Step], has_ended: bool) -> Vec<StepChange> {
    let mut changes = Vec::new();
    for step in after {
        let then = before.iter().find(|old| old.name == step.name).map(seen);
        let now = seen(step);
        let moves = matches!(now.status, StepStatus::Pending | StepStatus::Running);
        let is_alike = match then {
            None => false,
            Some(_) if moves && !has_ended => true,
            Some(then) if then.status != now.status => false,
            Some(then) => !then
                .took_micros
                .zip(now.took_micros)
                .is_some_and(|(then, now)| differs(then, now, NOISE)),
        };
        if !is_alike {
            changes.push(change(step, then, Some(now)));
        }
    }
    let missing = before.iter().filter(|old| after.iter().all(|new| new.name != old.name));
    changes.extend(missing.filter(|_| has_ended).map(|old| change(old, Some(seen(old)), None)));
    changes
}

fn change(step: &Step, before: Option<StepSeen>, after: Option<StepSeen>) -> StepChange {
    StepChange { name: step.name.clone(), label: step.label.clone(), before, after }
}

fn pace(before: &Side<'_>, after: &Side<'_>) -> Vec<PaceChange> {
    let mut changes = Vec::new();
    if before.attempt != after.attempt && after.attempt > 0 {
        let (before, after) = (before.attempt, after.attempt);
        changes.push(PaceChange { what: Pace::Attempts, before, after });
    }
    let wait = |side: &Side<'_>| side.started_at.map(|at| at.since(side.due_at).max(0));
    let work = |side: &Side<'_>| {
        side.started_at.zip(side.completed_at).map(|(from, to)| to.since(from).max(0))
    };
    let sides = [
        (Pace::WaitMicros, wait(before), wait(after)),
        (Pace::WorkMicros, work(before), work(after)),
    ];
    for (what, before, after) in sides {
        if let (Some(before), Some(after)) = (before, after)
            && differs(before, after, Micros::SECOND)
        {
            changes.push(PaceChange { what, before, after });
        }
    }
    changes
}

/// More than twice as long, or less than half; and not by a hair.
fn differs(before: i64, after: i64, noise: i64) -> bool {
    let (short, long) = (before.min(after), before.max(after));
    long > short.saturating_mul(FACTOR) && long - short >= noise
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(name: &str, status: StepStatus, took_ms: Option<i64>) -> Step {
        Step {
            position: 1,
            name: name.to_owned(),
            label: name.to_uppercase(),
            status,
            detail: None,
            started_at: Some(Micros(1_000)),
            completed_at: took_ms.map(|took| Micros(1_000 + took * 1_000)),
        }
    }

    fn changed(before: &Value, after: &Value) -> Vec<(String, Value, Value)> {
        let told = |value: Option<Value>| value.unwrap_or_else(|| json!("absent"));
        let changes = inputs(before, after).into_iter();
        changes.map(|c| (c.path, told(c.before), told(c.after))).collect()
    }

    #[test]
    fn inputs_differ_by_path() {
        let before = json!({"a": {"image": "2.4.0", "gone": 1}, "list": [1, 2], "same": null});
        let after = json!({"a": {"image": "2.4.1"}, "list": [1, 3, {"x": true}], "same": null});
        assert_eq!(
            changed(&before, &after),
            [
                ("a.gone".to_owned(), json!(1), json!("absent")),
                ("a.image".to_owned(), json!("2.4.0"), json!("2.4.1")),
                ("list[1]".to_owned(), json!(2), json!(3)),
                ("list[2].x".to_owned(), json!("absent"), json!(true)),
            ]
        );
        assert_eq!(changed(&json!(null), &json!({})), []);
        assert_eq!(changed(&json!({}), &json!({"a": {}})).len(), 1);
        assert_eq!(changed(&json!("x"), &json!({"a": 1})).len(), 2);
    }

    #[test]
    fn a_long_list_of_changes_is_cut_and_says_so() {
        let wide: serde_json::Map<_, _> = (0..80).map(|n| (format!("f{n:02}"), json!(n))).collect();
        let (before, after) = (json!({}), Value::Object(wide));
        let side = |id, input| Side {
            id,
            input,
            steps: &[],
            attempt: 1,
            due_at: Micros(0),
            started_at: None,
            completed_at: None,
        };
        let since = SinceLastSuccess::between(&side(1, &before), &side(2, &after));
        assert_eq!((since.input.len(), since.input_omitted), (50, 30));
    }

    #[test]
    fn steps_are_told_when_they_went_another_way_or_took_another_time() {
        use StepStatus::{Failed, Running, Succeeded};
        let before = [
            step("same", Succeeded, Some(100)),
            step("noise", Succeeded, Some(1)),
            step("slow", Succeeded, Some(200)),
            step("failed", Succeeded, Some(100)),
            step("missing", Succeeded, Some(100)),
        ];
        let after = [
            step("same", Succeeded, Some(180)),
            step("noise", Succeeded, Some(40)),
            step("slow", Succeeded, Some(900)),
            step("failed", Failed, Some(100)),
            step("new", Succeeded, Some(5)),
        ];
        let names = |after: &[Step], ended| -> Vec<String> {
            steps(&before, after, ended).into_iter().map(|change| change.name).collect()
        };
        assert_eq!(names(&after, true), ["slow", "failed", "new", "missing"]);
        let running = [step("same", Succeeded, Some(100)), step("slow", Running, None)];
        assert_eq!(names(&running, false), Vec::<String>::new(), "it has not ended yet");
    }

    #[test]
    fn waits_are_told_when_they_are_of_another_size() {
        let input = json!({});
        let side = |attempt, wait, work| Side {
            id: 1,
            input: &input,
            steps: &[],
            attempt,
            due_at: Micros(0),
            started_at: Some(Micros(wait)),
            completed_at: Some(Micros(wait + work)),
        };
        let told = pace(&side(1, 40_000, 2_000_000), &side(2, 90_000_000, 3_900_000));
        assert_eq!(
            told,
            [
                PaceChange { what: Pace::Attempts, before: 1, after: 2 },
                PaceChange { what: Pace::WaitMicros, before: 40_000, after: 90_000_000 },
            ]
        );
        assert_eq!(pace(&side(1, 5, 10), &side(1, 900_000, 10)), [], "under a second is no wait");
    }
}
