//! Proves that what later features rely on is really there: one fleet, started once, asked through the `kube` crate.
//!
//! The tests wait for facts with a deadline. Conformance runs on the first cluster, scenes that act on a link on the second.

mod access;
mod api;
mod churn;
mod ending;
mod fronts;
mod gone;
mod life;
mod pods;
mod practice;
mod scenes;
mod silence;
mod troubles;
mod trust;
