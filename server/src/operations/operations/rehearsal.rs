//! `system.rehearsal`: behaves as it is told and touches nothing, so that people can practise triage and see whether
//! their alerts arrive before they need them.

use std::time::Duration;

use app::{
    identity::Capability,
    operations::inputs::{FieldKind, InputField},
};
use serde::Deserialize;

use crate::operations::{
    failure::Failure,
    run::{Done, Run},
    spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
};

pub const SPEC: Spec = Spec {
    kind: "system.rehearsal",
    label: "Rehearsal",
    summary: "Takes as long as it is told and ends as it is told; touches nothing. For practising triage and trying alerts.",
    capability: Capability::OperationsManage,
    queue: "system",
    // One at a time, so that a long one shows what waiting looks like.
    limits: Limits { per_type: Some(1), per_target: None },
    budget: Duration::from_mins(1),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Resumable,
    secrets: &[],
    input_version: 1,
    runbook: include_str!("rehearsal.md"),
};

const STEPS_MAX: usize = 20;
const SECONDS_MAX: u64 = 3_600;
const WORDS_MAX: u32 = 300;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[serde(default = "three")]
    steps: usize,
    /// Of each step.
    #[serde(default = "one")]
    seconds: u64,
    /// What its last step says when it fails; it succeeds without.
    fail_with: Option<String>,
}

/// What can be asked of [`Input`].
pub const INPUTS: &[InputField] = &[
    InputField {
        name: "steps",
        label: "Steps",
        help: "3 when empty.",
        required: false,
        kind: FieldKind::Integer { min: 1, max: 20 },
    },
    InputField {
        name: "seconds",
        label: "Seconds of each step",
        help: "1 when empty.",
        required: false,
        kind: FieldKind::Integer { min: 0, max: 3_600 },
    },
    InputField {
        name: "fail_with",
        label: "Fail with",
        help: "What its last step says. It succeeds when empty.",
        required: false,
        kind: FieldKind::Text { max: WORDS_MAX },
    },
];

const fn three() -> usize {
    3
}

const fn one() -> u64 {
    1
}

#[must_use]
pub fn register(catalog: Catalog) -> Catalog {
    catalog.with_inputs(SPEC, INPUTS, rehearse)
}

/// A step is known by its name, which has to live as long as the program.
const STEPS: [(&str, &str); STEPS_MAX] = [
    ("step-1", "Step 1"),
    ("step-2", "Step 2"),
    ("step-3", "Step 3"),
    ("step-4", "Step 4"),
    ("step-5", "Step 5"),
    ("step-6", "Step 6"),
    ("step-7", "Step 7"),
    ("step-8", "Step 8"),
    ("step-9", "Step 9"),
    ("step-10", "Step 10"),
    ("step-11", "Step 11"),
    ("step-12", "Step 12"),
    ("step-13", "Step 13"),
    ("step-14", "Step 14"),
    ("step-15", "Step 15"),
    ("step-16", "Step 16"),
    ("step-17", "Step 17"),
    ("step-18", "Step 18"),
    ("step-19", "Step 19"),
    ("step-20", "Step 20"),
];

async fn rehearse(run: Run, input: Input) -> Result<(), Failure> {
    let words = input.fail_with.as_deref().map(str::trim).filter(|words| !words.is_empty());
    let (all, seconds) = (input.steps.clamp(1, STEPS_MAX), input.seconds.min(SECONDS_MAX));
    for (n, (name, label)) in (1..).zip(STEPS.iter().take(all)) {
        let last = n == all;
        let step = step(&run, n, all, seconds, words.filter(|_| last));
        run.step(name, label, step).await?;
    }
    Ok(())
}

async fn step(
    run: &Run,
    n: usize,
    all: usize,
    seconds: u64,
    words: Option<&str>,
) -> Result<Done<()>, Failure> {
    run.log(format!("Step {n} of {all} takes {seconds} s.")).await?;
    tokio::select! {
        () = run.clock().sleep(Duration::from_secs(seconds)) => {}
        () = run.cancellation().cancelled() => {
            run.log("Asked to end, so it ends.").await?;
            return Err(Failure::new("cancelled", "Ended in its middle, as was asked for."));
        }
    }
    match words {
        Some(words) => Err(Failure::new("rehearsed", words)),
        None => Ok(Done::saying(format!("Took {seconds} s, as told."))),
    }
}
