//! Passwords: argon2id, its parameters written into each hash so that they can be raised later.
//!
//! Hashing is meant to be slow and to need memory, so it runs beside the async threads and few at a time: a flood of
//! sign-ins must not take the console's memory.

use std::sync::Arc;

use app::error::{ApiError, Rule};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::clock::Rng;

const MIN: u32 = 12;
const MAX: u32 = 200;
const AT_ONCE: usize = 2;
/// The first of OWASP's settings of equal strength: 46 MiB and one pass. Memory of over 32 MiB goes back to the system
/// when it is freed; of 19 MiB and two passes, the allocator would keep some for every thread that ever hashed.
const MEMORY_KIB: u32 = 47_104;
const PASSES: u32 = 1;
const LANES: u32 = 1;
const SALT: usize = 16;

#[derive(Clone)]
pub struct Passwords {
    rng: Rng,
    places: Arc<Semaphore>,
    /// Of nobody's password: who does not exist takes as long to refuse as who does.
    nobody: Arc<str>,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("a password could not be hashed: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("hashing was given up: {0}")]
    Lost(String),
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        tracing::error!(%error, "a password could not be judged");
        Self::Internal(String::new())
    }
}

impl Passwords {
    pub fn new(rng: Rng) -> Result<Self, PasswordError> {
        let mut nobody = [0; 32];
        rng.fill(&mut nobody);
        let nobody = hash(&nobody, &salt(&rng))?.into();
        Ok(Self { rng, places: Arc::new(Semaphore::new(AT_ONCE)), nobody })
    }

    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = Zeroizing::new(password.to_owned());
        let salt = salt(&self.rng);
        self.beside(move || hash(password.as_bytes(), &salt)).await?
    }

    /// Whether the password made this hash. Takes its time without a hash, too.
    pub async fn matches(&self, password: &str, hash: Option<&str>) -> Result<bool, PasswordError> {
        let exists = hash.is_some();
        let hash = hash.map_or_else(|| self.nobody.to_string(), str::to_owned);
        let password = Zeroizing::new(password.to_owned());
        let matches = self.beside(move || matches(password.as_bytes(), &hash)).await?;
        Ok(exists && matches)
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let lost = |error: &dyn std::fmt::Display| PasswordError::Lost(error.to_string());
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|e| lost(&e))?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|e| lost(&e))
    }
}

/// Length is what makes a password good; which letters it has is the person's own affair.
pub fn check(field: &str, password: &str) -> Result<(), ApiError> {
    let length = password.chars().count();
    if (MIN as usize..=MAX as usize).contains(&length) {
        return Ok(());
    }
    Err(ApiError::invalid(field, Rule::Length { min: MIN, max: MAX }))
}

fn salt(rng: &Rng) -> [u8; SALT] {
    let mut salt = [0; SALT];
    rng.fill(&mut salt);
    salt
}

fn hash(password: &[u8], salt: &[u8]) -> Result<String, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| PasswordError::Hash(error.into()))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash =
        argon.hash_password_with_salt(password, salt).map_err(PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// A hash that cannot be read matches nothing.
fn matches(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(Rng::seeded(3)).expect("passwords");
        let hash = passwords.hash("correct horse battery").await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{hash}");
        assert!(passwords.matches("correct horse battery", Some(&hash)).await.expect("judged"));
        assert!(!passwords.matches("correct horse batterz", Some(&hash)).await.expect("judged"));
        assert!(!passwords.matches("", Some("$argon2id$broken")).await.expect("judged"));
        assert!(!passwords.matches("correct horse battery", None).await.expect("judged"));
        // As it was made before the parameters were others.
        let earlier = hash_with(19_456, 2);
        assert!(passwords.matches("correct horse battery", Some(&earlier)).await.expect("judged"));
        let again = passwords.hash("correct horse battery").await.expect("a hash");
        assert_ne!(hash, again, "each has its own salt");
    }

    fn hash_with(memory: u32, passes: u32) -> String {
        let params = Params::new(memory, passes, LANES, None).expect("parameters");
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: PasswordHash =
            argon.hash_password_with_salt(b"correct horse battery", &[7; SALT]).expect("a hash");
        hash.to_string()
    }

    #[test]
    fn length_is_counted_in_letters() {
        assert!(check("password", "äöüäöüäöüäöü").is_ok());
        assert!(check("password", "äöüäöüäöüäö").is_err());
        assert!(check("password", &"x".repeat(201)).is_err());
    }
}
