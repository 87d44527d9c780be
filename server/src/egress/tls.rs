//! Whom outgoing https trusts: the system's authorities and those that the configuration adds.
//!
//! ring is the one crypto provider, named here, so that nothing depends on a process-wide default. There is no
//! way to switch verification off.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// The certificates of a PEM text, each of which can be an authority; or why it is none.
pub fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| format!("its PEM is damaged: {error}"))?;
    if read.is_empty() {
        return Err("it holds no PEM certificate".to_owned());
    }
    let mut store = RootCertStore::empty();
    for certificate in &read {
        store
            .add(certificate.clone())
            .map_err(|error| format!("a certificate cannot be read: {error}"))?;
    }
    Ok(read)
}

/// The system's, looked up once per process: it reads some hundred files.
pub fn native() -> &'static RootCertStore {
    static NATIVE: OnceLock<RootCertStore> = OnceLock::new();
    NATIVE.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the system's certificate authorities cannot be read");
        }
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(found.certs);
        if added == 0 {
            tracing::warn!("this system has no certificate authorities; see `egress_ca_files`");
        }
        store
    })
}

pub(super) fn client_config(extra: Vec<CertificateDer<'static>>) -> Arc<ClientConfig> {
    let mut roots = native().clone();
    roots.add_parsable_certificates(extra);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
