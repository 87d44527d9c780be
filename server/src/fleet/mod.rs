//! The fleet: the only domain that knows Kubernetes' types.

pub mod checks;
pub mod watch;
