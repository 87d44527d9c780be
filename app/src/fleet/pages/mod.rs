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

use leptos::prelude::*;

pub use cluster::ClusterPage;
pub use clusters::ClustersPage;
pub use new::NewClusterPage;

use crate::{error::ApiError, paths, ui::failure::Failure};

/// Instead of a cluster's page: the way on is the list of those that are there.
pub fn failure(error: &ApiError) -> AnyView {
    let way_out = ("Show all clusters", paths::clusters());
    view! { <Failure error=error.clone() way_out /> }.into_any()
}
