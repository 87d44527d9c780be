//! A page's main content: fetched once, before the first byte leaves, so that the page is complete without
//! JavaScript and can still choose its status.

use std::{future::Future, ops::Deref, sync::Arc};

use leptos::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What a page fetched. It never leaves the server: pages are no islands, so nothing is serialised for them.
pub struct Loaded<T>(Arc<T>);

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Serialize for Loaded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de, T> Deserialize<'de> for Loaded<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("a page's content stays on the server"))
    }
}

/// Starts fetching. To be called at the top of a page and read once, in its `Suspend`.
pub fn load<T, Fut>(fetch: impl Fn() -> Fut + Send + Sync + 'static) -> Resource<Loaded<T>>
where
    T: Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Resource::new_blocking(
        || (),
        move |()| {
            let content = fetch();
            async move { Loaded(Arc::new(content.await)) }
        },
    )
}
