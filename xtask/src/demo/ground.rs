//! Owns what console and fleet agree on before either runs: where the clusters will answer, and whom to trust there.
//! The console is up first and knows its upstreams from its first moment; until the fleet is there, nobody answers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::registry::TOKEN_HOURS;
use crate::http;

/// As the fleet calls an authority whose key it was given.
const AUTHORITY: &str = "practice-ca";

/// Where the search for the clusters' ports begins.
const LINKS: u16 = 7181;

/// What the first clusters of the fleet are called.
const NAMES: [&str; 3] = ["harbour", "lagoon", "lighthouse"];

pub struct Ground {
    /// One port per cluster.
    pub links: Vec<u16>,
    pub authority_key: PathBuf,
    pub authority: PathBuf,
}

impl Ground {
    pub fn lay(folder: &Path) -> Result<Self> {
        let mut links: Vec<u16> = Vec::new();
        for _ in NAMES {
            let from = links.last().map_or(LINKS, |last| last + 1);
            links.push(http::free_port(from)?);
        }
        let (authority, authority_key) = (folder.join("fleet-ca.pem"), folder.join("fleet-ca.key"));
        let (certificate, key) = make_authority().context("cannot make an authority")?;
        fs::write(&authority, certificate).with_context(|| authority.display().to_string())?;
        write_private(&authority_key, &key)?;
        Ok(Self { links, authority_key, authority })
    }

    /// The console's flags.
    pub fn flags(&self) -> Vec<String> {
        let upstreams = NAMES
            .iter()
            .zip(&self.links)
            .map(|(name, port)| format!("--upstreams={name}=https://127.0.0.1:{port}/readyz"));
        let trusted = format!("--egress-ca-files={}", self.authority.display());
        upstreams.chain([trusted]).collect()
    }

    /// The fleet's.
    pub fn fleet_flags(&self) -> Vec<String> {
        let links: Vec<_> = self.links.iter().map(u16::to_string).collect();
        vec![
            format!("--clusters={}", self.links.len()),
            format!("--links={}", links.join(",")),
            format!("--authority-key={}", self.authority_key.display()),
            format!("--token-hours={TOKEN_HOURS}"),
        ]
    }
}

/// A certificate and its key, PEM. Made anew for each demo; it is good for 127.0.0.1 and for nobody else.
fn make_authority() -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn write_private(file: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    drop(fs::remove_file(file));
    let mut options = fs::OpenOptions::new();
    let mut out = options.write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes()).with_context(|| file.display().to_string())
}
