//! Hands out free ports of 127.0.0.1.
//!
//! They lie below the kernel's ephemeral range (32768 and up), where an outgoing connection could take a port between our
//! look and the server's bind. Nothing holds a port until its server binds it, so two fleets start their search apart.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Result, bail};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

const _: () = assert!(FIRST + COUNT <= 32_768, "the ports lie below the ephemeral range");

/// A dispenser that never names a port twice.
pub struct Ports {
    offset: AtomicU16,
}

impl Ports {
    /// Starts the search at a place that depends on the process, so that fleets side by side do not meet.
    pub fn new() -> Self {
        let seed = std::process::id().wrapping_mul(2_654_435_761) >> 8;
        Self { offset: AtomicU16::new(u16::try_from(seed % u32::from(COUNT)).unwrap_or(0)) }
    }

    pub fn take(&self) -> Result<u16> {
        for _ in 0..COUNT {
            let offset = self.offset.fetch_add(1, Ordering::Relaxed) % COUNT;
            let port = FIRST + offset;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        bail!("no free port of 127.0.0.1 between {FIRST} and {}", FIRST + COUNT)
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over_and_none_comes_twice() {
        let ports = Ports::new();
        let first = ports.take().expect("a free port");
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).expect("it was free");
        let again = Ports { offset: AtomicU16::new(first - FIRST) };
        assert_ne!(again.take().expect("another free port"), first);
    }
}
