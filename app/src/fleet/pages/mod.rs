//! The pages of the fleet. Drawn on the server alone.

mod cluster;
mod cluster_forms;
mod clusters;
mod grid;
mod health;
mod new;
mod new_draft;
mod upstreams;
mod words;

pub use cluster::ClusterPage;
pub use clusters::ClustersPage;
pub use new::NewClusterPage;
