//! What a type of operation asks for before it starts: one description, from which the form is drawn, the
//! JSON Schema is made and a value is refused. Knows no type, and not how a run reads its input.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::{Expected, Rule, Violation};

/// One field of a type's input. Beside the input's own struct, which must agree with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InputField {
    /// As the input spells it.
    pub name: &'static str,
    pub label: &'static str,
    /// One sentence below the field.
    pub help: &'static str,
    pub required: bool,
    #[serde(flatten)]
    #[schema(inline)]
    pub kind: FieldKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum FieldKind {
    Text {
        max: u32,
    },
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Choice {
        #[schema(value_type = Vec<FieldChoice>)]
        choices: &'static [FieldChoice],
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldChoice {
    pub value: &'static str,
    pub label: &'static str,
}

impl InputField {
    /// The field's name in forms and in violations.
    pub fn key(&self) -> String {
        format!("input.{}", self.name)
    }

    /// From what a form sent: nothing for an empty field, a word of ours for what cannot be read.
    pub fn read(&self, sent: Option<&str>) -> Result<Option<Value>, Violation> {
        let text = sent.map(str::trim).filter(|text| !text.is_empty());
        match (self.kind, text) {
            // A box that was not ticked is not sent.
            (FieldKind::Bool, ticked) => Ok(Some(Value::from(ticked.is_some()))),
            (_, None) if self.required => Err(Violation::new(self.key(), Rule::Required)),
            (_, None) => Ok(None),
            (FieldKind::Integer { .. }, Some(text)) => {
                let wrong = Rule::Malformed { expected: Expected::Integer };
                let number = text.parse::<i64>();
                number.map(|n| Some(n.into())).map_err(|_| Violation::new(self.key(), wrong))
            }
            (FieldKind::Text { .. } | FieldKind::Choice { .. }, Some(text)) => {
                Ok(Some(Value::from(text)))
            }
        }
    }

    /// The rule that a value breaks. What has the wrong type altogether is left to the input itself.
    fn refuse(&self, value: &Value) -> Option<Rule> {
        match self.kind {
            FieldKind::Text { max } => {
                let text = value.as_str()?;
                (text.chars().count() > max as usize).then_some(Rule::Length { min: 0, max })
            }
            FieldKind::Bool => None,
            FieldKind::Integer { min, max } => {
                let number = value.as_i64()?;
                (!(min..=max).contains(&number)).then_some(Rule::Range { min, max })
            }
            FieldKind::Choice { choices } => {
                let word = value.as_str()?;
                let known = choices.iter().any(|choice| choice.value == word);
                let allowed = || choices.iter().map(|choice| choice.value.to_owned()).collect();
                (!known).then(|| Rule::OneOf { allowed: allowed() })
            }
        }
    }

    /// As JSON Schema.
    pub fn schema(&self) -> Value {
        let mut schema = match self.kind {
            FieldKind::Text { max } => serde_json::json!({"type": "string", "maxLength": max}),
            FieldKind::Bool => serde_json::json!({"type": "boolean"}),
            FieldKind::Integer { min, max } => {
                serde_json::json!({"type": "integer", "format": "int64", "minimum": min, "maximum": max})
            }
            FieldKind::Choice { choices } => {
                let words: Vec<&str> = choices.iter().map(|choice| choice.value).collect();
                serde_json::json!({"type": "string", "enum": words})
            }
        };
        if let Some(fields) = schema.as_object_mut() {
            fields.insert("title".to_owned(), self.label.into());
            fields.insert("description".to_owned(), self.help.into());
        }
        schema
    }
}

/// The first field whose value breaks its description.
pub fn check(fields: &[InputField], input: &Value) -> Result<(), Violation> {
    for field in fields {
        match input.get(field.name) {
            None | Some(Value::Null) if field.required => {
                return Err(Violation::new(field.key(), Rule::Required));
            }
            None | Some(Value::Null) => {}
            Some(value) => {
                if let Some(rule) = field.refuse(value) {
                    return Err(Violation::new(field.key(), rule));
                }
            }
        }
    }
    Ok(())
}

/// The whole input, as JSON Schema.
pub fn schema(fields: &[InputField]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = serde_json::json!({
        "type": "object", "properties": properties, "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MODES: &[FieldChoice] = &[FieldChoice { value: "fast", label: "Fast" }];
    const FIELDS: &[InputField] = &[
        InputField {
            name: "name",
            label: "Name",
            help: "Of the thing.",
            required: true,
            kind: FieldKind::Text { max: 5 },
        },
        InputField {
            name: "count",
            label: "Count",
            help: "How many.",
            required: false,
            kind: FieldKind::Integer { min: 1, max: 9 },
        },
        InputField {
            name: "mode",
            label: "Mode",
            help: "How.",
            required: false,
            kind: FieldKind::Choice { choices: MODES },
        },
        InputField {
            name: "dry",
            label: "Only look",
            help: "Changes nothing.",
            required: false,
            kind: FieldKind::Bool,
        },
    ];

    #[test]
    fn a_form_says_what_json_says() {
        let read = |n: usize, sent| FIELDS[n].read(sent);
        assert_eq!(read(0, Some(" a ")), Ok(Some(json!("a"))));
        assert_eq!(read(0, Some(" ")), Err(Violation::new("input.name", Rule::Required)));
        assert_eq!(read(1, Some("7")), Ok(Some(json!(7))));
        assert_eq!(read(1, None), Ok(None));
        assert!(read(1, Some("seven")).is_err());
        assert_eq!(read(3, Some("on")), Ok(Some(json!(true))));
        assert_eq!(read(3, None), Ok(Some(json!(false))));
    }

    #[test]
    fn a_value_is_refused_by_the_rule_that_it_breaks() {
        let refused = |input: Value| check(FIELDS, &input).map_err(|v| (v.field, v.rule));
        assert_eq!(refused(json!({"name": "a", "count": 9, "mode": "fast"})), Ok(()));
        let length = Rule::Length { min: 0, max: 5 };
        for (input, field, rule) in [
            (json!({}), "input.name", Rule::Required),
            (json!({"name": "abcdef"}), "input.name", length),
            (json!({"name": "a", "count": 10}), "input.count", Rule::Range { min: 1, max: 9 }),
            (
                json!({"name": "a", "mode": "slow"}),
                "input.mode",
                Rule::OneOf { allowed: vec!["fast".to_owned()] },
            ),
        ] {
            assert_eq!(refused(input), Err((field.to_owned(), rule)));
        }
    }

    #[test]
    fn the_schema_names_what_is_required_and_takes_nothing_else() {
        let schema = schema(FIELDS);
        assert_eq!(schema["required"], json!(["name"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["mode"]["enum"], json!(["fast"]));
        assert_eq!(super::schema(&[]).get("required"), None);
    }
}
