//! `/clusters/{id}/{nodes|pods|workloads|events}`: lists out of what is watched, their state in the address, never a
//! whole type in one page. And the parts of the cluster's own page that are made of the same.

mod events;
mod frame;
mod nodes;
pub mod overview;
mod pods;
mod tell;
mod workloads;

pub use self::{
    events::ClusterEventsPage, frame::Tab, nodes::ClusterNodesPage, pods::ClusterPodsPage,
    workloads::ClusterWorkloadsPage,
};
