//! What an operation type declares, and the catalog of every type that this console knows.
//!
//! Owns the contract between a type and the engine: a [`Spec`], a typed input, and an async function over
//! both. Must not know any particular type: domains bring theirs, `console` registers them.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use app::{
    error::{Expected, Rule, Violation},
    identity::Capability,
    operations::{
        inputs::{self, InputField},
        triage::Safety,
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{failure::Failure, run::Run};

/// Everything that the engine, the pages and the people need to know about a type before it runs.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// `system.self_check`: the domain, then the verb.
    pub kind: &'static str,
    pub label: &'static str,
    /// One sentence: what it does and what it touches.
    pub summary: &'static str,
    /// What a caller needs to start or retry it.
    pub capability: Capability,
    /// Workers choose what they take by queue.
    pub queue: &'static str,
    pub limits: Limits,
    /// How long it may take until the page says that it takes long; replaced by what its successes took.
    pub budget: Duration,
    pub cancelable: bool,
    pub retryable: Retryable,
    pub retry_safety: RetrySafety,
    /// Fields of the input whose values must stand in no log line, no step and no error.
    pub secrets: &'static [&'static str],
    /// Raised when the input changes its shape; a queued run of another version is failed, never guessed at.
    pub input_version: i64,
    /// Markdown, from the file beside the type.
    pub runbook: &'static str,
}

/// How many runs may be active at once. Taken through `operation_slots`, never counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub per_type: Option<u32>,
    pub per_target: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryable {
    Yes,
    /// What the page says instead of offering it.
    No(&'static str),
}

/// What may happen to a run whose worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetrySafety {
    /// May be done again; what it did before does no harm.
    Safe,
    /// Goes on after its last finished step.
    Resumable,
    /// Never runs again by itself; says why.
    Unsafe(&'static str),
}

impl RetrySafety {
    pub const fn releases_itself(self) -> bool {
        matches!(self, Self::Safe | Self::Resumable)
    }

    /// For people.
    pub fn spoken(self) -> Safety {
        match self {
            Self::Safe => Safety::Safe,
            Self::Resumable => Safety::Resumable,
            Self::Unsafe(why) => Safety::Unsafe { why: why.to_owned() },
        }
    }
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
type Check = dyn Fn(&Value) -> Result<(), Violation> + Send + Sync;
type Work = dyn Fn(Run, Value) -> Outcome + Send + Sync;

/// A type, ready to be started.
#[derive(Clone)]
pub struct Entry {
    pub spec: Spec,
    /// What it asks for, for forms and for the API's description.
    pub inputs: &'static [InputField],
    check: Arc<Check>,
    work: Arc<Work>,
}

impl Entry {
    /// Whether `input` is an input of this type; the violation names the field.
    pub fn check(&self, input: &Value) -> Result<(), Violation> {
        (self.check)(input)?;
        inputs::check(self.inputs, input)
    }

    /// The names that the input takes and that no field describes, and the other way round: empty when the
    /// two agree. For a test over a console's own catalog.
    pub fn disagreements(&self) -> Vec<String> {
        let described: Vec<&str> = self.inputs.iter().map(|field| field.name).collect();
        let unknown = serde_json::json!({ "\u{1}": 1 });
        let Err(Violation { rule: Rule::UnknownField, .. }) = (self.check)(&unknown) else {
            return vec!["it takes fields that nobody knows".to_owned()];
        };
        let taken = |field: &&str| {
            let alone = serde_json::json!({ *field: null });
            let refused = (self.check)(&alone).err();
            !refused.is_some_and(|v| v.rule == Rule::UnknownField)
        };
        let strange = described.iter().filter(|field| !taken(field));
        let strange = strange.map(|field| format!("{field} is described and not taken"));
        let missing = match (self.check)(&Value::Null) {
            Err(Violation { field, rule: Rule::Required }) => {
                let name = field.trim_start_matches("input.").to_owned();
                let named = |field: &InputField| field.name == name && field.required;
                (!self.inputs.iter().any(named)).then(|| format!("{name} is required"))
            }
            _ => None,
        };
        strange.chain(missing).collect()
    }

    pub(super) fn work(&self, run: Run, input: Value) -> Outcome {
        (self.work)(run, input)
    }
}

/// Every type by its name. Filled once, in `console`.
#[derive(Clone, Default)]
pub struct Catalog {
    entries: BTreeMap<&'static str, Entry>,
}

impl Catalog {
    /// Registers a type that asks for nothing: its spec and an async function.
    ///
    /// # Panics
    /// When two types bear one name: that is a mistake in the code, found at the first start.
    #[must_use]
    pub fn with<I, F, Fut>(self, spec: Spec, work: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        F: Fn(Run, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.with_inputs(spec, &[], work)
    }

    /// Registers a type whose input has fields. From their description the start form is drawn, the API is
    /// described and a value is refused; it stands beside the input's own struct, in the type's file.
    ///
    /// # Panics
    /// When two types bear one name: that is a mistake in the code, found at the first start.
    #[must_use]
    pub fn with_inputs<I, F, Fut>(
        mut self,
        spec: Spec,
        inputs: &'static [InputField],
        work: F,
    ) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        F: Fn(Run, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let entry = Entry {
            spec,
            inputs,
            check: Arc::new(|value| read_input::<I>(value).map(drop)),
            work: Arc::new(move |run, value| match read_input::<I>(&value) {
                Ok(input) => Box::pin(work(run, input)),
                Err(violation) => Box::pin(std::future::ready(Err(Failure::new(
                    "input_unreadable",
                    violation.sentence(),
                )))),
            }),
        };
        assert!(
            self.entries.insert(spec.kind, entry).is_none(),
            "operation type {} is registered twice",
            spec.kind
        );
        self
    }

    pub fn find(&self, kind: &str) -> Option<&Entry> {
        self.entries.get(kind)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.entries.keys().copied()
    }

    /// From the catalog; the type itself when the catalog no longer has it.
    pub fn label<'a>(&self, kind: &'a str) -> &'a str {
        self.find(kind).map_or(kind, |entry| entry.spec.label)
    }
}

/// Reads a typed input. An absent one is an empty object, so that a type without input needs none.
fn read_input<I: DeserializeOwned>(value: &Value) -> Result<I, Violation> {
    let fields = match value {
        Value::Null => Map::new(),
        Value::Object(fields) => fields.clone(),
        _ => return Err(Violation::new("input", Rule::Malformed { expected: Expected::Object })),
    };
    serde_json::from_value(Value::Object(fields.clone()))
        .map_err(|error| violation::<I>(&fields, &error.to_string()))
}

/// Turns serde's sentence into a field and a rule. serde names the field only when it is unknown or missing;
/// for a wrong value the field is the one without which the complaint changes.
fn violation<I: DeserializeOwned>(fields: &Map<String, Value>, said: &str) -> Violation {
    let quoted = said.split('`').nth(1).unwrap_or_default();
    if said.starts_with("unknown field") {
        return Violation::new(format!("input.{quoted}"), Rule::UnknownField);
    }
    if said.starts_with("missing field") {
        return Violation::new(format!("input.{quoted}"), Rule::Required);
    }
    let culprit = fields.keys().find(|key| {
        let mut others = fields.clone();
        others.remove(key.as_str());
        match serde_json::from_value::<I>(Value::Object(others)) {
            Ok(_) => true,
            Err(error) => error.to_string().starts_with(&format!("missing field `{key}`")),
        }
    });
    let field = culprit.map_or_else(|| "input".to_owned(), |key| format!("input.{key}"));
    Violation::new(field, rule(said))
}

fn rule(said: &str) -> Rule {
    let Some((_, expected)) = said.split_once("expected ") else {
        return Rule::Malformed { expected: Expected::Object };
    };
    if said.starts_with("unknown variant") {
        let allowed = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        return Rule::OneOf { allowed };
    }
    let expected = match expected {
        word if word.starts_with("a string") => Expected::Text,
        word if word.starts_with(['i', 'u']) => Expected::Integer,
        _ => Expected::Object,
    };
    Rule::Malformed { expected }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only their shapes are read")]
    struct Restart {
        deployment: String,
        replicas: Option<i64>,
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Rolling,
        Recreate,
    }

    fn refused(input: &Value) -> Violation {
        read_input::<Restart>(input).expect_err("not an input of this type")
    }

    #[test]
    fn a_wrong_input_names_its_field_and_its_rule() {
        let integer = Rule::Malformed { expected: Expected::Integer };
        let text = Rule::Malformed { expected: Expected::Text };
        let object = Rule::Malformed { expected: Expected::Object };
        let modes = Rule::OneOf { allowed: vec!["rolling".to_owned(), "recreate".to_owned()] };
        for (input, field, rule) in [
            (json!(null), "input.deployment", Rule::Required),
            (json!({}), "input.deployment", Rule::Required),
            (json!([]), "input", object),
            (json!({"deployment": "a", "colour": 1}), "input.colour", Rule::UnknownField),
            (json!({"deployment": 5}), "input.deployment", text),
            (json!({"deployment": "a", "replicas": "x"}), "input.replicas", integer),
            (json!({"deployment": "a", "mode": "fast"}), "input.mode", modes),
        ] {
            assert_eq!(refused(&input), Violation::new(field, rule), "{input}");
        }
    }

    #[test]
    fn an_absent_input_is_an_empty_one() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        assert!(read_input::<Nothing>(&Value::Null).is_ok());
        assert!(read_input::<Nothing>(&json!({"a": 1})).is_err());
    }
}
