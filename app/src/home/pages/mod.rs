//! The page of this domain.

mod home;
mod welcome;

pub use home::HomePage;
