//! The pages of this domain, one file per route.

mod grants;
mod keys;
mod own_keys;
mod people;
mod person;

pub use grants::GrantsPage;
pub use keys::KeysPage;
pub use own_keys::OwnKeysPage;
pub use people::PeoplePage;
pub use person::PersonPage;
