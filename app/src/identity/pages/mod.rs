//! The pages of this domain, one file per route.

mod account;
mod sign_in;
mod welcome;

pub use account::{AccountPage, END_FORM, PASSWORD_FORM};
pub use sign_in::{SIGN_IN_FORM, SignInPage};
pub use welcome::{WELCOME_FORM, WelcomePage};
