//! What is known of one kind of object, in the API's own order: by namespace, then by name.

use std::{collections::BTreeMap, sync::Arc};

use super::{names::Name, slim::Slim};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub namespace: Name,
    pub name: Name,
}

struct Row<T> {
    /// The list in which it was last seen.
    list: u32,
    object: Arc<T>,
}

pub struct Table<T> {
    rows: BTreeMap<Key, Row<T>>,
    /// Counts lists: what the newest one does not have is gone.
    list: u32,
    /// Counts changes of what is shown.
    changes: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), list: 0, changes: 0 }
    }
}

impl<T: Slim> Table<T> {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Differs when anything that is shown has changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.rows.values().map(|row| &row.object)
    }

    /// Of one namespace.
    pub fn of(&self, namespace: &str) -> impl Iterator<Item = &Arc<T>> {
        let from = Key { namespace: namespace.into(), name: "".into() };
        let rows = self.rows.range(from.clone()..);
        rows.take_while(move |(key, _)| key.namespace == from.namespace).map(|(_, row)| &row.object)
    }

    pub fn find(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        let key = Key { namespace: namespace.into(), name: name.into() };
        self.rows.get(&key).map(|row| &row.object)
    }

    /// A list begins: what it does not have will be gone at its end.
    pub(super) fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// Says whether anything was gone.
    pub(super) fn end_list(&mut self) -> bool {
        let (list, before) = (self.list, self.rows.len());
        self.rows.retain(|_, row| row.list == list);
        self.changed(self.rows.len() != before)
    }

    /// Says whether anything that is shown differs from before.
    pub fn put(&mut self, object: T) -> bool {
        let meta = object.meta();
        let key = Key { namespace: Arc::clone(&meta.namespace), name: Arc::clone(&meta.name) };
        let list = self.list;
        let Some(row) = self.rows.get_mut(&key) else {
            self.rows.insert(key, Row { list, object: Arc::new(object) });
            return self.changed(true);
        };
        row.list = list;
        let same = *row.object == object;
        if !same {
            row.object = Arc::new(object);
        }
        self.changed(!same)
    }

    pub(super) fn remove(&mut self, object: &T) -> bool {
        let meta = object.meta();
        let key = Key { namespace: Arc::clone(&meta.namespace), name: Arc::clone(&meta.name) };
        let gone = self.rows.remove(&key).is_some();
        self.changed(gone)
    }

    pub(super) fn clear(&mut self) -> bool {
        let had = !self.rows.is_empty();
        self.rows = BTreeMap::new();
        self.changed(had)
    }

    fn changed(&mut self, is: bool) -> bool {
        self.changes += u64::from(is);
        is
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::watch::{kind::Kind, names::Names, slim::Namespace};

    fn namespace(name: &str, team: &str) -> Namespace {
        let wire = json!({ "metadata": { "name": name, "labels": { "team": team } } });
        let wire = serde_json::from_value(wire).expect("a namespace");
        Namespace::slim(Kind::Namespaces, wire, &Names::default())
    }

    #[test]
    fn only_what_is_shown_counts_as_a_change() {
        let mut table = Table::default();
        assert!(table.put(namespace("a", "1")));
        assert!(!table.put(namespace("a", "1")));
        assert!(table.put(namespace("a", "2")));
        assert_eq!(table.changes(), 2);
    }

    #[test]
    fn a_list_ends_what_it_does_not_have() {
        let mut table = Table::default();
        table.begin_list();
        table.put(namespace("a", "1"));
        table.put(namespace("b", "1"));
        table.end_list();
        table.begin_list();
        table.put(namespace("b", "1"));
        assert_eq!(table.len(), 2, "what was known stays until the list is whole");
        assert!(table.end_list());
        assert!(table.find("", "a").is_none() && table.find("", "b").is_some());
    }
}
