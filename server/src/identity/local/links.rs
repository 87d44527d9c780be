//! Links that work once: the first admin of a fresh console, and the first or a new password of somebody else.

use std::time::Duration;

use app::time::Micros;

use super::store;
use crate::{
    clock::Rng,
    identity::token::{self, Token},
    store::{StoreError, Tx},
};

/// How long a link may wait to be used.
pub const LASTS: Duration = Duration::from_hours(24);

/// Whom a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// Whoever holds it becomes the first admin, as long as there is nobody.
    FirstAdmin,
    /// The account that chooses its password with it.
    Person(String),
}

/// A new link; those made for the same person before are worth nothing any more. The token is known now and never again.
pub async fn issue(tx: &mut Tx, rng: &Rng, whom: &For) -> Result<(Token, Micros), StoreError> {
    let token = Token::new("", rng);
    let until = tx.now().await?.plus(i64::try_from(LASTS.as_micros()).unwrap_or(i64::MAX));
    if let For::Person(id) = whom {
        store::delete_links_of(tx, id).await?;
    }
    let person = match whom {
        For::FirstAdmin => None,
        For::Person(id) => Some(id.as_str()),
    };
    store::insert_link(tx, token.hash(), person, until).await?;
    Ok((token, until))
}

/// Takes a link, which nobody can do a second time. None when it was used before, or is too old, or never was.
pub async fn spend(tx: &mut Tx, link: &str) -> Result<Option<For>, StoreError> {
    let person = store::spend_link(tx, token::hash(link)).await?;
    Ok(person.map(|person| person.map_or(For::FirstAdmin, For::Person)))
}
