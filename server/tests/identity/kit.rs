//! A console at a time of the test's choice.

use app::time::Micros;
use server::{
    clock::{Clock, ManualClock},
    config::{Config, PublicUrl},
    store::testing,
};

use crate::web_kit::{Kit, Who};

/// Some day in 2027.
pub const START: Micros = Micros(1_800_000_000_000_000);

/// One console on SQLite.
pub async fn console() -> (Kit, ManualClock) {
    configured(|_| {}).await
}

pub async fn configured(configure: impl FnOnce(&mut Config)) -> (Kit, ManualClock) {
    let (clock, hand) = Clock::manual(START);
    (Kit::with(Who::Real, clock, configure, |routes| routes).await, hand)
}

/// One on each engine.
pub async fn consoles() -> Vec<(Kit, ManualClock)> {
    let mut all = Vec::new();
    for dialect in testing::dialects() {
        let (clock, hand) = Clock::manual(START);
        all.push((Kit::on(dialect, Who::Real, clock, |_| {}, |routes| routes).await, hand));
    }
    all
}

pub fn published(origin: &str) -> PublicUrl {
    let (scheme, host) = origin.split_once("://").expect("an origin");
    PublicUrl {
        origin: origin.to_owned(),
        host: host.to_owned(),
        base: String::new(),
        https: scheme == "https",
    }
}
