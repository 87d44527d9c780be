//! The administration of identity, on both engines: what it does, what it refuses, and that no path hands on a right that
//! its caller does not hold.

mod grants;
mod keys;
mod kit;
mod people;
mod web;
#[path = "../web_kit/mod.rs"]
mod web_kit;
mod workspaces;
