//! Sign-in with OpenID Connect against a real provider over real sockets.

#[expect(clippy::disallowed_methods, reason = "the provider is a process beside the test")]
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
