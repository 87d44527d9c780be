//! Sign-in with OpenID Connect against a real provider over real sockets.

#[path = "../idp_kit/mod.rs"]
mod idp_kit;

mod fuzz;
mod groups;
mod kit;
mod provider;
mod refresh;
mod sessions;
mod start;
mod tokens;
mod web;
