//! What a look has found, in sentences: one check for each thing that was looked at.

use app::{
    fleet::{
        preflight::{Check, Preflight, Verdict},
        trouble::Trouble,
    },
    time::Micros,
};

use crate::fleet::tls::Shown;

pub(super) fn checks(found: &Preflight, shown: &Shown, now: Micros) -> Vec<Check> {
    vec![
        reached(found),
        certificate(found, shown, now),
        known_as(found),
        expiry(found, now),
        excess(found),
        missing(found),
    ]
}

fn check(key: &str, label: &str, verdict: Verdict, says: String, way_out: Option<&str>) -> Check {
    let (key, label) = (key.to_owned(), label.to_owned());
    Check { key, label, verdict, says, way_out: way_out.map(str::to_owned) }
}

fn unknown(key: &str, label: &str) -> Check {
    let says = "Not looked at, since something before it failed.".to_owned();
    check(key, label, Verdict::Unknown, says, None)
}

fn is_tls(trouble: Trouble) -> bool {
    use Trouble::{Tls, TlsAuthority, TlsExpired, TlsName};
    matches!(trouble, Tls | TlsAuthority | TlsExpired | TlsName)
}

fn reached(found: &Preflight) -> Check {
    const LABEL: &str = "API server";
    let good = |says: String| check("reached", LABEL, Verdict::Good, says, None);
    match (&found.kubernetes_version, found.trouble) {
        (Some(version), _) => good(format!("Answers as Kubernetes {version}.")),
        (None, Some(trouble)) if is_tls(trouble) => {
            good("Something answers at this address.".to_owned())
        }
        (None, Some(trouble)) if trouble.is_unasked() => {
            let says = "Not asked, since there was nothing to show to it.".to_owned();
            check("reached", LABEL, Verdict::Unknown, says, None)
        }
        (None, Some(Trouble::Unauthorized | Trouble::Expired | Trouble::Forbidden)) => {
            good("Answers, and asks who we are.".to_owned())
        }
        (None, Some(trouble)) => {
            let says = trouble.says().to_owned();
            check("reached", LABEL, Verdict::Bad, says, Some(trouble.way_out()))
        }
        (None, None) => unknown("reached", LABEL),
    }
}

fn certificate(found: &Preflight, shown: &Shown, now: Micros) -> Check {
    const LABEL: &str = "Its certificate";
    const SOON: i64 = 30 * 24 * 3_600 * Micros::SECOND;
    if let Some(trouble) = found.trouble.filter(|trouble| is_tls(*trouble)) {
        let says = trouble.says().to_owned();
        return check("certificate", LABEL, Verdict::Bad, says, Some(trouble.way_out()));
    }
    let Some(end) = shown.expires_at else { return unknown("certificate", LABEL) };
    let issuer = shown.issuer.as_deref().unwrap_or("an authority without a name");
    let days = end.since(now) / (24 * 3_600 * Micros::SECOND);
    let says = format!("Trusted; issued by {issuer}, ends in {days} days.");
    if end.since(now) < SOON {
        let way_out = "Renew the API server's certificate before it ends.";
        return check("certificate", LABEL, Verdict::Warn, says, Some(way_out));
    }
    check("certificate", LABEL, Verdict::Good, says, None)
}

fn known_as(found: &Preflight) -> Check {
    const LABEL: &str = "Identity";
    let of_us = |trouble: &Trouble| {
        trouble.is_refusal() || trouble.is_unasked() || *trouble == Trouble::Forbidden
    };
    if let Some(trouble) = found.trouble.filter(of_us) {
        let says = trouble.says().to_owned();
        return check("identity", LABEL, Verdict::Bad, says, Some(trouble.way_out()));
    }
    match &found.identity {
        Some(identity) if found.kubernetes_version.is_some() => {
            check("identity", LABEL, Verdict::Good, format!("Known there as {identity}."), None)
        }
        _ => unknown("identity", LABEL),
    }
}

fn expiry(found: &Preflight, now: Micros) -> Check {
    const LABEL: &str = "Its end";
    const DAY: i64 = 24 * 3_600 * Micros::SECOND;
    let rotate = "Make a new one and store it here; requests under way are not broken.";
    match found.expires_at.map(|at| at.since(now)) {
        None => {
            let says = "The credential names no end.".to_owned();
            check("expiry", LABEL, Verdict::Good, says, None)
        }
        Some(left) if left <= 0 => {
            let says = "The credential has expired.".to_owned();
            check("expiry", LABEL, Verdict::Bad, says, Some(rotate))
        }
        Some(left) if left <= app::fleet::credentials::WARN_BEFORE => {
            let says = format!("It ends in {} hours.", left / (DAY / 24));
            check("expiry", LABEL, Verdict::Warn, says, Some(rotate))
        }
        Some(left) => {
            check("expiry", LABEL, Verdict::Good, format!("It ends in {} days.", left / DAY), None)
        }
    }
}

fn excess(found: &Preflight) -> Check {
    const LABEL: &str = "May do too much";
    if found.trouble.is_some() {
        return unknown("excess", LABEL);
    }
    if found.excess.is_empty() {
        let says = "Nothing that it should not.".to_owned();
        return check("excess", LABEL, Verdict::Good, says, None);
    }
    let what: Vec<&str> = found.excess.iter().map(|excess| excess.what.as_str()).collect();
    let way_out = "Use one that `quarterdeck rbac` grants its rights, and no more.";
    check("excess", LABEL, Verdict::Warn, what.join(", "), Some(way_out))
}

fn missing(found: &Preflight) -> Check {
    const LABEL: &str = "Lacks";
    if found.trouble.is_some() {
        return unknown("missing", LABEL);
    }
    if found.missing.is_empty() {
        let says = "Everything that the console reads may be read.".to_owned();
        return check("missing", LABEL, Verdict::Good, says, None);
    }
    let what: Vec<String> = found
        .missing
        .iter()
        .map(|missing| format!("{}: {}", missing.feature, missing.what.join(", ")))
        .collect();
    let way_out = "Apply what `quarterdeck rbac` prints; what is not granted is not shown.";
    check("missing", LABEL, Verdict::Warn, what.join("; "), Some(way_out))
}
