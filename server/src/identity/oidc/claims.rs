//! From claims to a person: by configured paths, from values alone. Must not ask anybody anything.

use serde_json::{Map, Value};

use crate::config::oidc::ClaimPaths;

pub type Claims = Map<String, Value>;

/// Longer names come from no directory, and they go into a column that is shown.
const LONGEST: usize = 200;
/// Entra ID tells 200 in a token; whoever is in more than this has groups that say nothing.
const MOST_GROUPS: usize = 5_000;

/// Who somebody is, as the provider tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The same for as long as the person is known to the provider, whatever is renamed.
    pub key: String,
    pub subject: String,
    pub name: String,
    /// Only what the provider did not call unverified. Never the basis of a right.
    pub email: Option<String>,
}

/// What a set of claims says about groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    Told(Vec<String>),
    /// There are more than fit: they must be asked for elsewhere.
    Elsewhere,
    Absent,
}

/// `realm_access.roles`, or a whole name with dots in it such as `https://example.org/groups`.
pub fn find<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let cuts = path.rmatch_indices('.').map(|(at, _)| (&path[..at], &path[at + 1..]));
    cuts.filter(|(_, rest)| !rest.is_empty())
        .find_map(|(head, rest)| find(claims.get(head)?.as_object()?, rest))
}

/// The first of the paths that leads to a text.
fn text(claims: &Claims, paths: &[String]) -> Option<String> {
    paths.iter().filter_map(|path| find(claims, path)?.as_str()).find_map(one_line)
}

/// Nothing that breaks a line, a log or a column.
fn one_line(text: &str) -> Option<String> {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// None when there is no subject: a claim that tells people apart is configured and absent, or `sub` is.
pub fn person(
    claims: &Claims,
    issuer: &str,
    paths: &ClaimPaths,
    only_verified: bool,
) -> Option<Person> {
    let subject = claims.get("sub")?.as_str().filter(|sub| !sub.is_empty())?.to_owned();
    let key = key(claims, issuer, &subject, &paths.id)?;
    let name = text(claims, &paths.name);
    let email = text(claims, &paths.email).filter(|_| email_counts(claims, only_verified));
    let name = name.or_else(|| email.clone()).or_else(|| one_line(&subject))?;
    Some(Person { key, subject, name, email })
}

/// The issuer stands in it: another provider, configured later, must not bring forth the same people.
fn key(claims: &Claims, issuer: &str, subject: &str, paths: &[String]) -> Option<String> {
    let plain = |value: &str| {
        let fits = !value.is_empty() && value.len() <= 400 && !value.chars().any(char::is_control);
        fits.then(|| value.to_owned())
    };
    let told = |name: &str| claims.get(name)?.as_str().and_then(plain);
    let own = if !paths.is_empty() {
        let found = paths.iter().find_map(|path| match find(claims, path)? {
            Value::String(text) => plain(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        format!("id:{}", found?)
    } else if let (Some(oid), Some(tid)) = (told("oid"), told("tid")) {
        format!("oid:{oid}@{tid}")
    } else {
        format!("sub:{}", plain(subject)?)
    };
    Some(format!("{issuer} {own}"))
}

/// Some providers write the word as a text.
fn email_counts(claims: &Claims, only_verified: bool) -> bool {
    match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(word)) => word == "true",
        Some(_) => false,
        None => !only_verified,
    }
}

pub fn groups(claims: &Claims, paths: &[String]) -> Groups {
    for path in paths {
        match find(claims, path) {
            Some(Value::Array(values)) => return Groups::Told(names(values.iter())),
            // One group is not always a list of one.
            Some(value @ Value::String(_)) => return Groups::Told(names(std::iter::once(value))),
            _ => {}
        }
    }
    let elsewhere = |path: &String| {
        let names = claims.get("_claim_names").and_then(Value::as_object);
        names.is_some_and(|names| names.contains_key(path))
    };
    let has = |value: &Value| value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"));
    if paths.iter().any(elsewhere) || claims.get("hasgroups").is_some_and(has) {
        return Groups::Elsewhere;
    }
    Groups::Absent
}

fn names<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<String> {
    tidy(values.filter_map(Value::as_str).map(str::to_owned))
}

/// Each once, in a fixed order, none that a column could not hold.
pub fn tidy(names: impl Iterator<Item = String>) -> Vec<String> {
    let fits = |name: &String| {
        !name.is_empty() && name.len() <= 512 && !name.chars().any(char::is_control)
    };
    let mut names: Vec<String> = names.filter(fits).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(MOST_GROUPS);
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        match value {
            Value::Object(claims) => claims,
            other => panic!("{other} is no object"),
        }
    }

    fn paths() -> ClaimPaths {
        let list = |text: &str| text.split(',').map(str::to_owned).collect();
        ClaimPaths {
            id: Vec::new(),
            name: list("name,preferred_username,upn"),
            email: list("email"),
            groups: list("groups"),
        }
    }

    #[test]
    fn a_path_goes_through_objects_and_through_names_with_dots() {
        let claims = claims(json!({
            "realm_access": { "roles": ["a"] },
            "https://example.org/groups": ["b"],
            "resource": { "my.client": { "roles": ["c"] } },
        }));
        assert_eq!(find(&claims, "realm_access.roles"), Some(&json!(["a"])));
        assert_eq!(find(&claims, "https://example.org/groups"), Some(&json!(["b"])));
        assert_eq!(find(&claims, "resource.my.client.roles"), Some(&json!(["c"])));
        for nowhere in ["realm_access.", ".roles", "realm_access.roles.x", "nothing", "", "."] {
            assert_eq!(find(&claims, nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn oid_and_tid_go_before_the_subject_and_a_configured_claim_before_both() {
        let entra = claims(json!({"sub": "s", "oid": "o", "tid": "t", "employee": 7}));
        let of = |claims: &Claims, paths: &ClaimPaths| person(claims, "https://i", paths, false);
        assert_eq!(of(&entra, &paths()).expect("a person").key, "https://i oid:o@t");
        let half = claims(json!({"sub": "s", "oid": "o"}));
        assert_eq!(of(&half, &paths()).expect("a person").key, "https://i sub:s");
        let chosen = ClaimPaths { id: vec!["employee".to_owned()], ..paths() };
        assert_eq!(of(&entra, &chosen).expect("a person").key, "https://i id:7");
        assert_eq!(of(&half, &chosen), None, "nobody is told apart by a claim that is not there");
        assert_eq!(of(&claims(json!({"name": "x"})), &paths()), None);
    }

    #[test]
    fn an_email_that_nobody_verified_is_nobodys() {
        let email = |value: Value, only_verified| {
            let mut all = claims(json!({"sub": "s", "email": "a@b"}));
            if !value.is_null() {
                all.insert("email_verified".to_owned(), value);
            }
            person(&all, "i", &paths(), only_verified).expect("a person").email.is_some()
        };
        assert!(email(json!(true), true) && email(json!("true"), true));
        assert!(!email(json!(false), false) && !email(json!("false"), false));
        assert!(!email(json!(1), false), "what is no word of yes or no is no");
        assert!(email(Value::Null, false) && !email(Value::Null, true));
    }

    #[test]
    fn a_name_is_one_line_and_there_is_always_one() {
        let name = |value: Value| person(&claims(value), "i", &paths(), false).expect("one").name;
        assert_eq!(name(json!({"sub": "s", "name": " A\n\u{1b}[31mB "})), "A[31mB");
        assert_eq!(name(json!({"sub": "s", "name": "", "upn": "u@x"})), "u@x");
        assert_eq!(name(json!({"sub": "s"})), "s");
        assert_eq!(name(json!({"sub": "s", "name": "x".repeat(999)})).len(), LONGEST);
    }

    #[test]
    fn groups_are_told_elsewhere_or_absent() {
        let of = |value: Value| groups(&claims(value), &paths().groups);
        let told = |names: &[&str]| Groups::Told(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(of(json!({"groups": ["b", "a", "b", "", 4]})), told(&["a", "b"]));
        assert_eq!(of(json!({"groups": "one"})), told(&["one"]));
        assert_eq!(of(json!({"groups": []})), told(&[]));
        assert_eq!(of(json!({"_claim_names": {"groups": "src1"}})), Groups::Elsewhere);
        assert_eq!(of(json!({"hasgroups": true})), Groups::Elsewhere);
        assert_eq!(of(json!({"hasgroups": "true"})), Groups::Elsewhere);
        assert_eq!(of(json!({"hasgroups": false, "_claim_names": {"x": "y"}})), Groups::Absent);
        assert_eq!(of(json!({"groups": {"a": 1}})), Groups::Absent);
    }
}
