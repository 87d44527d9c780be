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
mod account;
mod sign_in;
mod welcome;

pub use account::{AccountPage, END_FORM, PASSWORD_FORM};
pub use sign_in::{SIGN_IN_FORM, SignInPage};
pub use welcome::{WELCOME_FORM, WelcomePage};
