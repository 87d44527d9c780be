//! Where values come from, and which one wins: flag, environment, file, default.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, error::ErrorKind};

use super::{
    AuditAsk, BackupAsk, Command, Config, RestoreAsk,
    command::command,
    setting::{Kind, PREFIX, Setting},
    settings::SETTINGS,
};

/// One setting that cannot be used, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The setting, or the name of what was not understood.
    pub setting: String,
    /// Where its value came from; empty when no single place is at fault.
    pub place: String,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Fault {
    pub fn of(setting: impl Into<String>, why: impl Into<String>) -> Self {
        Self { setting: setting.into(), place: String::new(), why: why.into() }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Fault { setting, place, why }) in self.0.iter().enumerate() {
            let between = if n == 0 { "" } else { "\n" };
            let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
            write!(out, "{between}{setting}{place}: {why}")?;
        }
        Ok(())
    }
}

/// The variables that concern us.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    pub fn of_process() -> Self {
        // What is not Unicode cannot be one of ours.
        let all = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self::from_pairs(all)
    }

    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let ours = |key: &str| key.starts_with(PREFIX) || key == "DATABASE_URL";
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        // An empty variable is how a unit file or a manifest says "not set".
        Self(
            pairs
                .filter(|(key, value): &(String, String)| ours(key) && !value.is_empty())
                .collect(),
        )
    }

    fn get(&self, setting: &Setting) -> Option<(String, &str)> {
        let name = setting.variable();
        if let Some(value) = self.0.get(&name) {
            return Some((name, value));
        }
        let value = self.0.get("DATABASE_URL").filter(|_| setting.key == "database_url")?;
        Some(("DATABASE_URL".to_owned(), value))
    }

    /// Variables that look like ours and mean nothing: most likely a slip.
    fn unknown(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, value) in &self.0 {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = rest.to_ascii_lowercase();
            if key == "config" || Setting::find(&key).is_some() || is_foreign(rest, value) {
                continue;
            }
            let variable = |key: &str| format!("{PREFIX}{}", key.to_ascii_uppercase());
            faults.push(Fault::of(name, not_a_setting(&key, variable)));
        }
        faults
    }
}

/// Kubernetes sets variables for each Service of the namespace, and ours are likely named after the product, as
/// `quarterdeck` and `quarterdeck-metrics`; the build and the tests have variables of their own.
fn is_foreign(rest: &str, value: &str) -> bool {
    let of_port = |(_, port): (&str, &str)| port.starts_with(|c: char| c.is_ascii_digit());
    let of_service = ["SERVICE_HOST", "SERVICE_PORT"].iter().any(|end| rest.contains(end));
    of_service
        || rest.ends_with("PORT") && value.contains("://")
        || rest.split_once("PORT_").is_some_and(of_port)
        || rest.starts_with("TEST_")
        || matches!(rest, "ASSETS_DIR" | "BIN" | "CACHE" | "WASM")
}

fn not_a_setting(key: &str, spelled: impl Fn(&str) -> String) -> String {
    let nearest = SETTINGS
        .iter()
        .map(|s| (strsim::damerau_levenshtein(key, s.key), s.key))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 3.max(key.len() / 3));
    match nearest {
        Some((_, near)) => format!("no such setting; did you mean `{}`?", spelled(near)),
        None => "no such setting; `quarterdeck --help` lists them all".to_owned(),
    }
}

/// The values that were given, before they are read.
#[derive(Clone, Debug, Default)]
pub struct Given(BTreeMap<&'static str, Values>);

#[derive(Clone, Debug)]
struct Values {
    place: String,
    values: Vec<String>,
}

impl Given {
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn put(&mut self, setting: &Setting, place: impl Into<String>, values: Vec<String>) {
        let key = setting.key;
        self.0.insert(key, Values { place: place.into(), values });
    }

    fn add_file(&mut self, name: &str, text: &str) -> Result<(), Faults> {
        let table: toml::Table = text.parse().map_err(|err: toml::de::Error| {
            // The message shows the line, and the line may hold a password.
            let line = err.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            Faults(vec![Fault::of(name, format!("line {line}: {}", err.message()))])
        })?;
        let mut faults = Vec::new();
        for (key, value) in table {
            let Some(setting) = Setting::find(&key) else {
                let why = not_a_setting(&key, str::to_owned);
                faults.push(Fault { setting: key, place: name.to_owned(), why });
                continue;
            };
            match written(setting, value) {
                Ok(values) => self.put(setting, format!("in {name}"), values),
                Err(why) => faults.push(Fault { setting: key, place: name.to_owned(), why }),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }

    fn add_environment(&mut self, environment: &Environment) {
        for setting in SETTINGS {
            let Some((name, value)) = environment.get(setting) else { continue };
            let values = match setting.kind {
                Kind::Many | Kind::Words => value
                    .split(',')
                    .map(|v| v.trim().to_owned())
                    .filter(|v| !v.is_empty())
                    .collect(),
                Kind::Single | Kind::Switch => vec![value.to_owned()],
            };
            self.put(setting, format!("from {name}"), values);
        }
    }

    fn add_flags(&mut self, matches: &ArgMatches) {
        for setting in SETTINGS {
            if let Some(values) = matches.get_many::<String>(setting.key) {
                let values = values.cloned().collect();
                self.put(setting, format!("from --{}", setting.flag()), values);
            }
        }
    }
}

/// A value of the file, as it would be typed elsewhere.
fn written(setting: &Setting, value: toml::Value) -> Result<Vec<String>, String> {
    use toml::Value;
    match (setting.kind, value) {
        (Kind::Many | Kind::Words, Value::Array(items)) => {
            items.into_iter().map(|item| scalar(item).ok_or_else(|| wrong(setting))).collect()
        }
        (_, value) => Ok(vec![scalar(value).ok_or_else(|| wrong(setting))?]),
    }
}

fn wrong(setting: &Setting) -> String {
    let many = matches!(setting.kind, Kind::Many | Kind::Words);
    let what = if many { "an array of texts" } else { "one value" };
    format!("must be {what} ({})", setting.value)
}

fn scalar(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// Reads settings one by one and remembers what was wrong with them.
pub struct Reader<'a> {
    given: &'a Given,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub fn new(given: &'a Given) -> Self {
        Self { given, faults: Vec::new() }
    }

    pub fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// The value, or after a fault the default, so that the other settings are looked at too.
    pub fn value<T>(&mut self, key: &'static str, parse: fn(&str) -> Result<T, String>) -> T {
        if let Some(value) = self.optional(key, parse) {
            return value;
        }
        let default = Setting::find(key).map_or("", |s| s.default);
        parse(default).unwrap_or_else(|why| unreachable!("the default of {key} is valid: {why}"))
    }

    pub fn optional<T>(
        &mut self,
        key: &'static str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.list(key, parse).pop()
    }

    pub fn list<T>(&mut self, key: &'static str, parse: fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(Values { place, values }) = self.given.0.get(key) else { return Vec::new() };
        let secret = Setting::find(key).is_some_and(|s| s.secret);
        let mut read = Vec::new();
        for value in values {
            match parse(value) {
                Ok(value) => read.push(value),
                Err(why) => {
                    let why = if secret { why } else { format!("`{value}` {why}") };
                    self.faults.push(Fault { setting: key.to_owned(), place: place.clone(), why });
                }
            }
        }
        read
    }
}

/// Reads a command line with its environment and its file.
pub fn read(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    environment: &Environment,
) -> Result<Command, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    // A global argument is known to the innermost subcommand, wherever it was written.
    let (name, inner) = matches.subcommand().unwrap_or(("serve", &matches));
    if name == "rbac" {
        return Ok(Command::Rbac(rbac_ask(inner)));
    }
    let (name, inner) = match (name, inner.subcommand()) {
        // Needs no configuration, and makes what a configuration may lack.
        ("keys", Some(("new", _))) => return Ok(Command::NewKey),
        ("keys", Some(("rotate", innermost))) => ("rotate", innermost),
        ("keys", Some(("retire", innermost))) => ("retire", innermost),
        (_, Some((_, innermost))) => (name, innermost),
        (_, None) => (name, inner),
    };
    let config = config(inner, environment)
        .map_err(|faults| command().error(ErrorKind::ValueValidation, faults))?;
    let config = Box::new(config);
    Ok(match name {
        "work" => Command::Work(config),
        "audit" => Command::AuditVerify { config, ask: audit_ask(inner) },
        "migrate" => Command::Migrate { config, check: inner.get_flag("check") },
        "backup" => Command::Backup {
            config,
            ask: BackupAsk { file: named(inner), include_key: inner.get_flag("include-key") },
        },
        "restore" => Command::Restore {
            config,
            ask: RestoreAsk { file: named(inner), check: inner.get_flag("check") },
        },
        "keys" => Command::ListKeys(config),
        "rotate" => Command::RotateKey(config),
        "retire" => Command::RetireKey {
            config,
            id: inner.get_one::<String>("id").cloned().unwrap_or_default(),
        },
        _ => Command::Serve(config),
    })
}

fn named(matches: &ArgMatches) -> PathBuf {
    matches.get_one::<String>("file").map(PathBuf::from).unwrap_or_default()
}

fn rbac_ask(matches: &ArgMatches) -> crate::fleet::rbac::Ask {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let usual = crate::fleet::rbac::Ask::default();
    crate::fleet::rbac::Ask {
        namespace: text("namespace").unwrap_or(usual.namespace),
        name: text("name").unwrap_or(usual.name),
        observe: matches.get_many::<String>("observe").into_iter().flatten().cloned().collect(),
    }
}

fn audit_ask(matches: &ArgMatches) -> AuditAsk {
    AuditAsk {
        from: matches.get_one("from").copied(),
        to: matches.get_one("to").copied(),
        head: matches.get_one::<String>("head").cloned(),
        bundle: matches.get_one::<String>("bundle").map(PathBuf::from),
    }
}

fn config(matches: &ArgMatches, environment: &Environment) -> Result<Config, Faults> {
    let unknown = environment.unknown();
    if !unknown.is_empty() {
        return Err(Faults(unknown));
    }
    let mut given = Given::default();
    let file =
        matches.get_one::<String>("config").or_else(|| environment.0.get("QUARTERDECK_CONFIG"));
    if let Some(name) = file {
        let text = std::fs::read_to_string(Path::new(name))
            .map_err(|err| Faults(vec![Fault::of("config", format!("{name}: {err}"))]))?;
        given.add_file(name, &text)?;
    }
    given.add_environment(environment);
    given.add_flags(matches);
    Config::from_given(&given)
}
