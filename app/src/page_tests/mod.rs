//! Whole pages, drawn as the server draws them, over a service that answers what a test tells it to.

mod audit;
mod clusters;
mod detail;
mod home;
mod identity;
mod kit;
mod lists;
mod pages;
mod runbooks;
