//! What a setting is, and how it becomes a flag, a variable and a line of the file.

use clap::{Arg, ArgAction, builder::NonEmptyStringValueParser};

use super::settings::SETTINGS;

/// The prefix of our variables: `QUARTERDECK_LISTEN`.
pub const PREFIX: &str = "QUARTERDECK_";

#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// In the file; the flag has dashes for underscores, the variable is in capitals.
    pub key: &'static str,
    /// What the value is, in `--help`.
    pub value: &'static str,
    pub group: &'static str,
    pub help: &'static str,
    /// As it would be typed; empty when unset means "none".
    pub default: &'static str,
    pub kind: Kind,
    /// Whether the value may hold a password and is therefore never repeated.
    pub secret: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Single,
    /// The bare flag means yes.
    Switch,
    /// The flag may be repeated; the variable separates by commas; the file has an array.
    Many,
    /// Like `Many`, of words that hold no comma: the flag separates by commas too.
    Words,
}

impl Setting {
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase())
    }

    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|s| s.key == key)
    }

    pub fn arg(&self) -> Arg {
        let mut notes = vec![format!("[env: {}]", self.variable())];
        if !self.default.is_empty() {
            notes.push(format!("[default: {}]", self.default));
        }
        let arg = Arg::new(self.key)
            .long(self.flag())
            .value_name(self.value)
            .help_heading(self.group)
            .global(true)
            .help(format!("{} {}", self.help, notes.join(" ")));
        match self.kind {
            Kind::Single => arg.value_parser(NonEmptyStringValueParser::new()),
            Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            Kind::Many => {
                arg.action(ArgAction::Append).value_parser(NonEmptyStringValueParser::new())
            }
            Kind::Words => arg
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(NonEmptyStringValueParser::new()),
        }
    }
}
