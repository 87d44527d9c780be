//! The practice fleet: real Kubernetes API servers, controllers and schedulers on loopback, whose nodes and pods KWOK keeps.
//!
//! ```text
//!   kube clients ──► toxiproxy ──► kube-apiserver ◄── controller manager, scheduler, KWOK
//!   (kubeconfigs)    (scenes)        │      │
//!                                 etcd    egress ──► KWOK's node port (logs, exec, port-forward)
//!                                (shared)  (CONNECT)└► local programs that stand behind pods
//! ```
//!
//! It knows nothing of any product: whoever tests against it reads `fleet.json` and the kubeconfigs named there.
//! It must not re-implement the Kubernetes API, and must not listen beyond 127.0.0.1.

pub mod cluster;
pub mod egress;
pub mod etcd;
pub mod fleet;
pub mod fronts;
pub mod guard;
pub mod kubeconfig;
pub mod life;
pub mod link;
pub mod nursery;
pub mod pki;
pub mod ports;
pub mod programs;
pub mod scenes;
pub mod state;
pub mod tools;
pub mod troubles;
pub mod wait;

/// Prefix of every label and annotation by which the fleet marks its own objects.
pub const MARK: &str = "practice-fleet.dev";

/// Makes ring the crypto provider of this process; the first thing that a `main` or a test does.
///
/// Calling it again changes nothing, so that each test may call it.
pub fn use_ring() {
    drop(rustls::crypto::ring::default_provider().install_default());
}
