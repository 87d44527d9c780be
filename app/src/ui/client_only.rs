//! Things that only the browser has: handles of its own objects, which belong to one thread. The server draws islands
//! too, on whichever thread goes on, so there it holds none.

use leptos::prelude::*;

/// A value of an island that its event handlers share. Never made on the server.
pub struct ClientOnly<T: 'static>(Option<StoredValue<T, LocalStorage>>);

impl<T: 'static> Clone for ClientOnly<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: 'static> Copy for ClientOnly<T> {}

impl<T: 'static> ClientOnly<T> {
    pub fn new(make: impl FnOnce() -> T) -> Self {
        Self((!cfg!(feature = "ssr")).then(|| StoredValue::new_local(make())))
    }

    /// None on the server, where no event ever asks.
    pub fn with<R>(self, use_it: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.map(|stored| stored.with_value(use_it))
    }

    pub fn set(self, value: T) {
        if let Some(stored) = self.0 {
            stored.set_value(value);
        }
    }
}
