//! A secret that is replaced when it is used: a refresh token, of which each exchange may leave another.
//!
//! All copies are one, so that what a look at a cluster leaves is what is stored afterwards.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Cheap to clone; all clones are one. Wiped when the last of them is let go.
#[derive(Clone)]
pub struct Renewable(Arc<Mutex<Zeroizing<String>>>);

impl Renewable {
    pub fn new(text: String) -> Self {
        Self(Arc::new(Mutex::new(Zeroizing::new(text))))
    }

    pub fn get(&self) -> Zeroizing<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next one, in place of the one that was spent.
    pub fn renew(&self, next: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Zeroizing::new(next);
    }
}

impl Serialize for Renewable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.get())
    }
}

impl<'de> Deserialize<'de> for Renewable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_copy_renews_the_others_have() {
        let one = Renewable::new("first".to_owned());
        let other = one.clone();
        one.renew("second".to_owned());
        drop(one);
        assert_eq!(&**other.get(), "second");
        let written = serde_json::to_string(&other).expect("a string");
        let read: Renewable = serde_json::from_str(&written).expect("what was written");
        assert_eq!(&**read.get(), "second");
    }
}
