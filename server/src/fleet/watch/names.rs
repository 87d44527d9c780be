//! Texts and descriptions that many objects share, each kept once per cluster.
//!
//! Ten thousand pods have a few hundred namespaces, images, reasons and pod templates between them. What nobody
//! holds any more is let go when the pool has doubled since it was last looked through.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::slim::Template;

/// A text that others may hold too.
pub type Name = Arc<str>;

/// Sorted by key.
pub type Labels = Arc<[(Name, Name)]>;

/// The pools of one cluster; cheap to clone, all clones are one.
#[derive(Clone, Default)]
pub struct Names(Arc<Pools>);

#[derive(Default)]
struct Pools {
    texts: Mutex<Pool<str>>,
    labels: Mutex<Pool<[(Name, Name)]>>,
    templates: Mutex<Pool<Template>>,
}

struct Pool<T: ?Sized> {
    known: HashSet<Arc<T>>,
    /// Looked through at this size.
    sweep_at: usize,
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self { known: HashSet::new(), sweep_at: SMALLEST }
    }
}

/// Below this a sweep frees nothing worth the look.
const SMALLEST: usize = 1_024;

impl<T: ?Sized + Hash + Eq> Pool<T> {
    fn find(&self, value: &T) -> Option<Arc<T>> {
        self.known.get(value).cloned()
    }

    fn keep(&mut self, value: Arc<T>) -> Arc<T> {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|held| Arc::strong_count(held) > 1);
            self.sweep_at = (self.known.len() * 2).max(SMALLEST);
            self.known.shrink_to(self.sweep_at);
        }
        self.known.insert(Arc::clone(&value));
        value
    }
}

impl Names {
    pub fn text(&self, text: &str) -> Name {
        let mut pool = lock(&self.0.texts);
        pool.find(text).unwrap_or_else(|| pool.keep(Arc::from(text)))
    }

    pub fn labels(&self, pairs: impl IntoIterator<Item = (String, String)>) -> Labels {
        let mut pairs: Vec<(Name, Name)> =
            pairs.into_iter().map(|(key, value)| (self.text(&key), self.text(&value))).collect();
        pairs.sort_unstable();
        let mut pool = lock(&self.0.labels);
        pool.find(&pairs).unwrap_or_else(|| pool.keep(pairs.into()))
    }

    pub fn template(&self, template: Template) -> Arc<Template> {
        let mut pool = lock(&self.0.templates);
        pool.find(&template).unwrap_or_else(|| pool.keep(Arc::new(template)))
    }

    #[cfg(test)]
    fn texts(&self) -> usize {
        lock(&self.0.texts).known.len()
    }
}

/// A pool is never half changed.
fn lock<T>(pool: &Mutex<T>) -> MutexGuard<'_, T> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_and_labels_are_one() {
        let names = Names::default();
        assert!(Arc::ptr_eq(&names.text("payments"), &names.text("payments")));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let one = names.labels([pair("b", "2"), pair("a", "1")]);
        let other = names.labels([pair("a", "1"), pair("b", "2")]);
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(&*one[0].0, "a");
    }

    #[test]
    fn what_nobody_holds_is_let_go() {
        let names = Names::default();
        let held = names.text("held");
        for turn in 0..100_000 {
            names.text(&format!("pod-{turn}"));
        }
        assert!(names.texts() <= 2 * SMALLEST, "{} texts are held", names.texts());
        assert!(Arc::ptr_eq(&held, &names.text("held")));
    }
}
