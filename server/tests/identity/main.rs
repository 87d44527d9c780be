//! Who is asking, from the outside: over the whole stack, on both engines where the store decides, with a clock that
//! the test moves.

mod keys;
mod kit;
mod links;
mod local;
mod own;
mod safety;
mod sessions;
mod streams;
mod throttle;
#[path = "../web_kit/mod.rs"]
mod web_kit;
