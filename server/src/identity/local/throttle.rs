//! What keeps guessers slow: wrong passwords are counted per account and per address, and after some of them the next
//! try must wait, longer each time.
//!
//! A try is counted before the password is looked at, so that many at once are many; a right one takes the account's
//! count away. Whoever is made to wait is not counted again: an owner can get in as soon as the wait is over.

use std::net::{IpAddr, Ipv6Addr};

use app::{error::ApiError, time::Micros};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::store;
use crate::{
    identity::token,
    store::{Db, StoreError, Tx},
};

/// How many wrong tries cost nothing, and how long the wait grows after them.
#[derive(Clone, Copy)]
struct Patience {
    free: i64,
    longest: i64,
}

/// Short, since it is the owner who is kept out by somebody else's guesses.
const ACCOUNT: Patience = Patience { free: 5, longest: 60 };
/// Many people may come from one address.
const ADDRESS: Patience = Patience { free: 20, longest: 900 };
/// Quiet for so long, one begins anew.
pub(super) const FORGOTTEN_AFTER: i64 = 15 * 60 * Micros::SECOND;

/// Counts a try. An error says how long to wait instead; nothing was counted then.
pub async fn admit(db: &Db, login: &str, address: Option<IpAddr>) -> Result<(), ApiError> {
    let mut tx = db.begin().await?;
    let now = tx.now().await?;
    let mut waits = 0;
    for (subject, patience) in subjects(login, address) {
        let (failures, last_at) = store::lock_failures(&mut tx, &subject).await?;
        let quiet = now.since(last_at) >= FORGOTTEN_AFTER;
        let failures = if quiet { 0 } else { failures };
        let until = last_at.plus(wait(failures, patience) * Micros::SECOND);
        waits = waits.max(until.since(now));
        store::set_failures(&mut tx, &subject, failures + 1).await?;
    }
    if waits > 0 {
        // Dropped: who must wait is not counted.
        let seconds = waits.div_euclid(Micros::SECOND) + 1;
        let retry_after_s = u32::try_from(seconds).unwrap_or(u32::MAX);
        return Err(ApiError::RateLimited { retry_after_s });
    }
    Ok(tx.commit(Vec::new()).await?)
}

/// The password was right: nothing is held against the account, and this try not against the address.
pub async fn forgive(tx: &mut Tx, login: &str, address: Option<IpAddr>) -> Result<(), StoreError> {
    store::delete_failures(tx, &account(login)).await?;
    match address {
        Some(address) => store::one_failure_less(tx, &network(address)).await,
        None => Ok(()),
    }
}

fn subjects(login: &str, address: Option<IpAddr>) -> Vec<(String, Patience)> {
    let address = address.map(|address| (network(address), ADDRESS));
    [(account(login), ACCOUNT)].into_iter().chain(address).collect()
}

/// By its hash: people type passwords where the name belongs, and those must stand nowhere.
fn account(login: &str) -> String {
    format!("account:{}", URL_SAFE_NO_PAD.encode(token::hash(login)))
}

/// Of IPv6, the part that a provider gives to one customer.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("address:{address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address:{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Seconds to wait after so many failures.
fn wait(failures: i64, patience: Patience) -> i64 {
    if failures < patience.free {
        return 0;
    }
    let over = u32::try_from(failures - patience.free).unwrap_or(u32::MAX);
    2_i64.checked_pow(over).map_or(patience.longest, |seconds| seconds.min(patience.longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_longest() {
        let waits: Vec<i64> = (0..14).map(|n| wait(n, ACCOUNT)).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait(i64::MAX, ADDRESS), 900);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "address:192.0.2.1");
    }
}
