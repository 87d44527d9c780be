//! What a value of a setting may look like. Each parser says what it wanted, never what it got: the
//! reader repeats the value where that is safe.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;
use url::Url;

use crate::{egress, vault::KeyRing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

/// Where people find the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// `https://console.example`
    pub origin: String,
    /// As it stands in the `Host` header.
    pub host: String,
    /// Empty, or `/console`.
    pub base: String,
    pub https: bool,
}

impl PublicUrl {
    /// Whether it names this very machine.
    pub fn is_loopback(&self) -> bool {
        let name = self.origin.split("://").nth(1).unwrap_or_default();
        ["localhost", "127.", "[::1]"].iter().any(|start| name.starts_with(start))
    }
}

/// A service that the self-check must reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub name: String,
    pub url: String,
}

/// What a file of authorities held when it was read, at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(pub Vec<CertificateDer<'static>>);

type Read<T> = Result<T, String>;

fn want<T>(what: &str) -> Read<T> {
    Err(format!("is not {what}"))
}

pub fn address(text: &str) -> Read<SocketAddr> {
    text.parse().or_else(|_| want("an address with a port, such as 127.0.0.1:7080 or [::1]:7080"))
}

pub fn address_or_off(text: &str) -> Read<Option<SocketAddr>> {
    if text == "off" { Ok(None) } else { address(text).map(Some) }
}

pub fn yes_or_no(text: &str) -> Read<bool> {
    match text {
        "yes" | "true" | "1" | "on" => Ok(true),
        "no" | "false" | "0" | "off" => Ok(false),
        _ => want("`yes` or `no`"),
    }
}

pub fn number<const MIN: u32, const MAX: u32>(text: &str) -> Read<u32> {
    let read = text.parse().ok().filter(|n| (MIN..=MAX).contains(n));
    read.map_or_else(|| want(&format!("a whole number from {MIN} to {MAX}")), Ok)
}

pub fn count<const MIN: usize, const MAX: usize>(text: &str) -> Read<usize> {
    let read = text.parse().ok().filter(|n| (MIN..=MAX).contains(n));
    read.map_or_else(|| want(&format!("a whole number from {MIN} to {MAX}")), Ok)
}

pub fn seconds<const MIN: u32, const MAX: u32>(text: &str) -> Read<Duration> {
    let seconds = text.strip_suffix('s').unwrap_or(text);
    match number::<MIN, MAX>(seconds) {
        Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
        Err(_) => want(&format!("a number of seconds from {MIN} to {MAX}")),
    }
}

/// 1 KiB, so that a sign-in still fits, to 64 MiB.
pub fn bytes(text: &str) -> Read<usize> {
    let read = text.parse().ok().filter(|n| (1024..=64 * 1024 * 1024).contains(n));
    read.map_or_else(|| want("a number of bytes from 1024 to 67108864"), Ok)
}

pub fn short_line(text: &str) -> Read<String> {
    let fits = (1..=40).contains(&text.chars().count());
    if fits && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        want("one line of at most 40 characters")
    }
}

/// The message must not hold the value: it may hold a password.
pub fn database_url(text: &str) -> Read<String> {
    let sqlite = text.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty());
    let postgres = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
        && Url::parse(text).is_ok();
    if sqlite || postgres {
        Ok(text.to_owned())
    } else {
        Err("must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME".to_owned())
    }
}

pub fn file(text: &str) -> Read<PathBuf> {
    if text.ends_with('/') { want("the path of a file") } else { Ok(PathBuf::from(text)) }
}

/// Silent about the value: it is nothing but secret.
pub fn key_ring(text: &str) -> Read<KeyRing> {
    KeyRing::parse(text).map_err(|error| error.to_string())
}

pub fn public_url(text: &str) -> Read<PublicUrl> {
    const WANTED: &str =
        "a URL of scheme, host and perhaps a sub-path, such as https://ops.example/console";
    let Ok(url) = Url::parse(text) else { return want(WANTED) };
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let web = matches!(url.scheme(), "http" | "https");
    let (true, true, Some(host)) = (plain, web, url.host_str()) else { return want(WANTED) };
    let base = url.path().trim_end_matches('/');
    if !base.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b))
        || base.contains("//")
    {
        return want("a URL whose sub-path has only letters, digits and - _ . ~");
    }
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok(PublicUrl {
        origin: url.origin().ascii_serialization(),
        host,
        base: base.to_owned(),
        https: url.scheme() == "https",
    })
}

pub fn network(text: &str) -> Read<IpNet> {
    let one = text.parse::<IpAddr>().map(IpNet::from);
    text.parse().ok().or(one.ok()).map_or_else(|| want("a network such as 10.0.0.0/8"), Ok)
}

pub fn authorities(path: &str) -> Read<Authorities> {
    let pem = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    egress::authorities(&pem).map(Authorities).map_err(|why| format!("is of no use: {why}"))
}

/// Like [`database_url`], silent about the value.
pub fn upstream(text: &str) -> Read<Upstream> {
    let named = text.split_once('=').filter(|(name, _)| is_name(name));
    let Some((name, url)) = named else {
        return Err("must be NAME=URL with a name of at most 40 letters, digits and dashes".into());
    };
    let read = Url::parse(url).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    });
    match read {
        Some(url) => Ok(Upstream { name: name.to_owned(), url: url.into() }),
        None => Err(format!("{name} must have an http or https URL that holds no password")),
    }
}

fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

pub fn queue(text: &str) -> Read<String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    if (1..=40).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        want("the name of a queue, such as system")
    }
}

pub fn time_zone(text: &str) -> Read<TimeZone> {
    // Only a zone with a name can be shown to people.
    let zone = TimeZone::get(text).ok().filter(|zone| zone.iana_name().is_some());
    zone.map_or_else(|| want("a time zone such as Europe/Berlin, or UTC"), Ok)
}

pub fn log_format(text: &str) -> Read<LogFormat> {
    match text {
        "json" => Ok(LogFormat::Json),
        "pretty" => Ok(LogFormat::Pretty),
        _ => want("`json` or `pretty`"),
    }
}

pub fn log_level(text: &str) -> Read<String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => want("a filter such as `info` or `info,server::web=debug`"),
    }
}
