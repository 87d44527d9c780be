//! The certificates of one cluster: its authority, its server, its clients, and the key that signs service account tokens.
//!
//! Everything is made anew for each fleet and verifies for 127.0.0.1; nothing here ever leaves the state folder.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// A certificate with its private key, both PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

const LEAF_YEARS: i16 = 1;
const AUTHORITY_YEARS: i16 = 10;

/// The certificate authority of a cluster.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: String,
}

/// The name of an authority whose key was given: who trusts it knows it by name and key.
pub const SHARED: &str = "practice-ca";

impl Authority {
    pub fn new(name: &str) -> Result<Self> {
        Self::with(name, KeyPair::generate()?)
    }

    /// With a key of somebody else's choice (PEM), who can trust it before it is there.
    pub fn from_key(name: &str, key: &str) -> Result<Self> {
        Self::with(name, KeyPair::from_pem(key)?)
    }

    fn with(name: &str, key: KeyPair) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        live_for(&mut params, AUTHORITY_YEARS);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// For a server that clients reach at `hosts`.
    pub fn server(&self, name: &str, hosts: &[&str]) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = hosts
            .iter()
            .map(|host| match host.parse() {
                Ok(address) => Ok(SanType::IpAddress(address)),
                Err(_) => Ok(SanType::DnsName((*host).try_into()?)),
            })
            .collect::<Result<_>>()?;
        self.sign(params, name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For a client whom the API server knows as `user` of `group`.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Pair> {
        let mut params = CertificateParams::default();
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(params, user, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        name: &str,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Pair> {
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        live_for(&mut params, LEAF_YEARS);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair { certificate, key: key.serialize_pem() })
    }
}

/// From yesterday, since clocks differ, to the same day so many years on: as long as such certificates live.
fn live_for(params: &mut CertificateParams, years: i16) {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let midnight = |date: jiff::civil::Date| {
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = midnight(today.saturating_sub(jiff::Span::new().days(1)));
    params.not_after = midnight(today.saturating_add(jiff::Span::new().years(years)));
}

/// The key that signs service account tokens, and the public half that checks them.
pub fn token_keys() -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_known_by_address_and_by_name() {
        let authority = Authority::new("test").expect("an authority");
        let pair =
            authority.server("kube-apiserver", &["127.0.0.1", "localhost"]).expect("a certificate");
        assert!(pair.certificate.contains("BEGIN CERTIFICATE"));
        assert!(pair.key.contains("BEGIN PRIVATE KEY"));
    }

    #[test]
    fn a_host_that_no_certificate_can_name_is_refused() {
        let authority = Authority::new("test").expect("an authority");
        assert!(authority.server("x", &["snowman ☃"]).is_err());
    }
}
