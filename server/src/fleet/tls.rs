//! TLS to an API server: whom it trusts, with which client certificate, and what the server showed.
//!
//! Verification is rustls's own and cannot be switched off; the verifier here only looks over its shoulder, so that
//! it can be told what was wrong and when the server's certificate ends.

use std::sync::{Arc, Mutex, PoisonError};

use app::{fleet::trouble::Trouble, time::Micros};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject as _},
    },
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use crate::egress;

/// What the last handshake showed.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub expires_at: Option<Micros>,
    pub issuer: Option<String>,
    /// How many certificates the server sent.
    pub chain: usize,
    pub refused: Option<Trouble>,
}

/// Shared by a client and those who ask what it saw.
#[derive(Clone, Debug, Default)]
pub struct Handshakes(Arc<Mutex<Shown>>);

impl Handshakes {
    pub fn last(&self) -> Shown {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn saw(&self, shown: Shown) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

/// How to talk TLS to one API server.
#[derive(Default)]
pub struct Trust<'a> {
    /// PEM; the system's authorities when absent.
    pub authority: Option<&'a str>,
    /// PEM of certificate chain and key.
    pub client: Option<(&'a str, &'a str)>,
}

pub fn config(trust: &Trust<'_>, handshakes: &Handshakes) -> Result<Arc<ClientConfig>, Trouble> {
    let roots = match trust.authority {
        None => egress::native().clone(),
        Some(pem) => {
            let mut store = RootCertStore::empty();
            for certificate in
                egress::authorities(pem.as_bytes()).map_err(|_| Trouble::Credential)?
            {
                store.add(certificate).map_err(|_| Trouble::Credential)?;
            }
            store
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3");
    if roots.is_empty() {
        // A machine without authorities, and none given: nothing could be verified.
        return Err(Trouble::TlsAuthority);
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| Trouble::Credential)?;
    let watching = Watching { verifier, handshakes: handshakes.clone() };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(watching));
    let config = match trust.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = chain(certificate)?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                .map_err(|_: pem::Error| Trouble::Credential)?;
            builder.with_client_auth_cert(chain, key).map_err(|_| Trouble::Credential)?
        }
    };
    Ok(Arc::new(config))
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok().filter(|chain| !chain.is_empty()).ok_or(Trouble::Credential)
}

/// Whose a PEM certificate is and when it ends; none when it is no certificate.
pub fn read_certificate(pem: &str) -> Option<(String, Micros)> {
    let chain = chain(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    Some((name, end_of(&certificate)))
}

fn end_of(certificate: &X509Certificate<'_>) -> Micros {
    Micros(certificate.validity().not_after.timestamp().saturating_mul(Micros::SECOND))
}

#[derive(Debug)]
struct Watching {
    verifier: Arc<WebPkiServerVerifier>,
    handshakes: Handshakes,
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let read = X509Certificate::from_der(end_entity).ok().map(|(_, certificate)| certificate);
        let issuer = read.as_ref().and_then(|certificate| {
            let name = certificate.issuer().iter_common_name().next()?;
            name.as_str().ok().map(|name| name.chars().take(128).collect::<String>())
        });
        self.handshakes.saw(Shown {
            expires_at: read.as_ref().map(end_of),
            issuer,
            chain: 1 + intermediates.len(),
            refused: verified.as_ref().err().map(trouble_of),
        });
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

pub fn trouble_of(error: &rustls::Error) -> Trouble {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer | Bad::BadSignature => Trouble::TlsAuthority,
            Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. } => Trouble::TlsExpired,
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Trouble::TlsName,
            _ => Trouble::Tls,
        },
        // The server did not like the certificate that we showed.
        rustls::Error::AlertReceived(_) => Trouble::Unauthorized,
        _ => Trouble::Tls,
    }
}

/// The name that a certificate is to carry, when somebody gave one.
pub fn server_name(name: Option<&str>) -> Result<Option<ServerName<'static>>, Trouble> {
    let Some(name) = name else { return Ok(None) };
    ServerName::try_from(name.to_owned()).map(Some).map_err(|_| Trouble::Credential)
}
