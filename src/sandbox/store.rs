//! What exists on the vendors' side: objects, their parents, their history, and who may see them yet.
//!
//! One arena for all vendors, with indexes for the look-ups that adapters make (by address, by name, by parent). A vendor's
//! mutation is a transaction: begin, write, then commit or roll back to a mark, so "all or nothing" needs no second copy.
//! Must not know any vendor's rules.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// An object's place in the store; never reused within a run.
pub(super) type Handle = usize;

/// A line of an object's history.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) at: DateTime<Utc>,
    /// By hand, in the vendor's own screens, or else through its API.
    pub(super) by_hand: bool,
    /// For people.
    pub(super) what: String,
    /// What was changed, one level deep: `name`, `ad.finalUrls`.
    pub(super) fields: Vec<String>,
}

/// One thing that a vendor keeps for an account.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) vendor: &'static str,
    pub(super) account: String,
    /// The vendor's word for it: `campaign`, `adsets` …
    pub(super) kind: &'static str,
    /// The vendor's id, as people see it.
    pub(super) id: String,
    /// The vendor's address of it: a resource name, or the id again.
    pub(super) key: String,
    pub(super) parent: Option<Handle>,
    pub(super) children: Vec<Handle>,
    /// The vendor's fields, spelled its way. A key that begins with `_` is the sandbox's own and never shown to clients.
    pub(super) fields: Map<String, Value>,
    /// What it has spent, in millionths of the account's currency.
    pub(super) spend_micros: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    /// Lists, searches and look-ups do not show it before this.
    pub(super) visible_at: DateTime<Utc>,
    pub(super) history: Vec<Line>,
}

impl Object {
    /// A text field, or nothing.
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or("")
    }

    /// What it is found by: its name, or what its vendor says (`_index`) where it has none.
    fn index(&self) -> &str {
        let name = self.text("name");
        if name.is_empty() {
            self.text("_index")
        } else {
            name
        }
    }
}

/// What is needed to make an object.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) vendor: &'static str,
    pub(super) account: String,
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) key: String,
    pub(super) parent: Option<Handle>,
    pub(super) fields: Map<String, Value>,
    /// The first line of its history.
    pub(super) what: String,
}

#[derive(Debug, Default)]
struct Group {
    all: Vec<Handle>,
    by_name: HashMap<String, Vec<Handle>>,
}

/// Which fields differ, one level deep.
fn changed(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut fields = Vec::new();
    for key in keys.into_iter().filter(|key| !key.starts_with('_')) {
        match (before.get(key), after.get(key)) {
            (old, new) if old == new => {}
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let inner: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                let differs = inner.into_iter().filter(|name| old.get(*name) != new.get(*name));
                fields.extend(differs.map(|name| format!("{key}.{name}")));
            }
            (_, _) => fields.push(key.clone()),
        }
    }
    fields
}

enum Undo {
    Created,
    Changed(Handle, Box<Object>),
}

/// All objects of all vendors.
#[derive(Default)]
pub(super) struct Store {
    objects: Vec<Object>,
    by_key: HashMap<&'static str, HashMap<String, Handle>>,
    groups: HashMap<(&'static str, &'static str), HashMap<String, Group>>,
    undo: Vec<Undo>,
    /// The instant that new and changed objects are stamped with; set at the start of each request.
    pub(super) now: DateTime<Utc>,
    /// How long what is created now stays hidden from look-ups.
    pub(super) hidden_for: TimeDelta,
    /// Whether what is done now is done by hand.
    pub(super) by_hand: bool,
}

impl Store {
    /// An empty store at an instant.
    pub(super) fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// Makes an object and indexes it.
    pub(super) fn create(&mut self, draft: Draft) -> Handle {
        let handle = self.objects.len();
        let object = Object {
            vendor: draft.vendor,
            account: draft.account,
            kind: draft.kind,
            id: draft.id,
            key: draft.key,
            parent: draft.parent,
            children: Vec::new(),
            fields: draft.fields,
            spend_micros: 0,
            created_at: self.now,
            updated_at: self.now,
            visible_at: self.now + self.hidden_for,
            history: vec![Line {
                at: self.now,
                by_hand: self.by_hand,
                what: draft.what,
                fields: Vec::new(),
            }],
        };
        self.by_key
            .entry(object.vendor)
            .or_default()
            .insert(object.key.clone(), handle);
        let group = self
            .groups
            .entry((object.vendor, object.kind))
            .or_default()
            .entry(object.account.clone())
            .or_default();
        group.all.push(handle);
        let name = object.index();
        if !name.is_empty() {
            group.by_name.entry(name.to_owned()).or_default().push(handle);
        }
        if let Some(parent) = object.parent {
            self.objects[parent].children.push(handle);
        }
        self.objects.push(object);
        self.undo.push(Undo::Created);
        handle
    }

    /// Changes an object, keeps its name findable, and writes a line of history unless `what` is empty.
    pub(super) fn change(&mut self, handle: Handle, what: &str, f: impl FnOnce(&mut Object)) {
        let before = Box::new(self.objects[handle].clone());
        let (now, by_hand) = (self.now, self.by_hand);
        let object = &mut self.objects[handle];
        f(object);
        if !what.is_empty() {
            object.updated_at = now;
            object.history.push(Line {
                at: now,
                by_hand,
                what: what.to_owned(),
                fields: changed(&before.fields, &object.fields),
            });
        }
        let (old, new) = (before.index().to_owned(), object.index().to_owned());
        self.rename(handle, &old, &new);
        self.undo.push(Undo::Changed(handle, before));
    }

    fn rename(&mut self, handle: Handle, old: &str, new: &str) {
        if old == new {
            return;
        }
        let object = &self.objects[handle];
        let Some(group) = self
            .groups
            .get_mut(&(object.vendor, object.kind))
            .and_then(|g| g.get_mut(&object.account))
        else {
            return;
        };
        if let Some(handles) = group.by_name.get_mut(old) {
            handles.retain(|h| *h != handle);
        }
        if !new.is_empty() {
            group.by_name.entry(new.to_owned()).or_default().push(handle);
        }
    }

    /// Where the transaction stands; [`Store::roll_back`] returns to it.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Forgets how to undo: what has been done stays.
    pub(super) fn commit(&mut self) {
        self.undo.clear();
    }

    /// Takes back everything since the mark, newest first.
    pub(super) fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Created) => self.uncreate(),
                Some(Undo::Changed(handle, before)) => {
                    let old = self.objects[handle].index().to_owned();
                    let new = before.index().to_owned();
                    // Children that were added since are undone by their own entries.
                    let children = std::mem::take(&mut self.objects[handle].children);
                    self.objects[handle] = *before;
                    self.objects[handle].children = children;
                    self.rename(handle, &old, &new);
                }
                None => return,
            }
        }
    }

    fn uncreate(&mut self) {
        let Some(object) = self.objects.pop() else { return };
        let handle = self.objects.len();
        if let Some(keys) = self.by_key.get_mut(object.vendor) {
            keys.remove(&object.key);
        }
        if let Some(group) = self
            .groups
            .get_mut(&(object.vendor, object.kind))
            .and_then(|g| g.get_mut(&object.account))
        {
            group.all.retain(|h| *h != handle);
            if let Some(named) = group.by_name.get_mut(object.index()) {
                named.retain(|h| *h != handle);
            }
        }
        if let Some(parent) = object.parent {
            self.objects[parent].children.retain(|h| *h != handle);
        }
    }

    /// The object at a handle.
    pub(super) fn get(&self, handle: Handle) -> &Object {
        &self.objects[handle]
    }

    /// The object at a vendor's own address.
    pub(super) fn find(&self, vendor: &str, key: &str) -> Option<Handle> {
        self.by_key.get(vendor)?.get(key).copied()
    }

    /// All objects of a kind in an account, oldest first.
    pub(super) fn all(&self, vendor: &'static str, account: &str, kind: &'static str) -> &[Handle] {
        self.groups
            .get(&(vendor, kind))
            .and_then(|g| g.get(account))
            .map_or(&[], |group| group.all.as_slice())
    }

    /// All objects of a kind in an account with exactly this name.
    pub(super) fn named(
        &self,
        vendor: &'static str,
        account: &str,
        kind: &'static str,
        name: &str,
    ) -> &[Handle] {
        self.groups
            .get(&(vendor, kind))
            .and_then(|g| g.get(account))
            .and_then(|group| group.by_name.get(name))
            .map_or(&[], Vec::as_slice)
    }

    /// The accounts that have objects of this kind, sorted.
    pub(super) fn accounts(&self, vendor: &'static str, kind: &'static str) -> Vec<String> {
        let mut accounts: Vec<String> = self
            .groups
            .get(&(vendor, kind))
            .map(|g| g.keys().cloned().collect())
            .unwrap_or_default();
        accounts.sort();
        accounts
    }

    /// Whether look-ups show the object yet.
    pub(super) fn visible(&self, handle: Handle) -> bool {
        self.objects[handle].visible_at <= self.now
    }

    /// Everything, oldest first.
    pub(super) fn every(&self) -> &[Object] {
        &self.objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(id: &str, name: &str, parent: Option<Handle>) -> Draft {
        let mut fields = Map::new();
        fields.insert("name".into(), name.into());
        Draft {
            vendor: "v",
            account: "1".into(),
            kind: "campaign",
            id: id.into(),
            key: id.into(),
            parent,
            fields,
            what: "created".into(),
        }
    }

    #[test]
    fn a_rolled_back_transaction_leaves_no_trace_in_any_index() {
        let mut store = Store::default();
        let kept = store.create(draft("1", "kept", None));
        store.commit();
        let mark = store.mark();
        store.create(draft("2", "child", Some(kept)));
        store.change(kept, "renamed", |o| {
            o.fields.insert("name".into(), "other".into());
        });
        assert_eq!(store.named("v", "1", "campaign", "other").len(), 1);
        store.roll_back(mark);
        assert_eq!(store.every().len(), 1);
        assert!(store.find("v", "2").is_none());
        assert!(store.get(kept).children.is_empty());
        assert_eq!(store.get(kept).history.len(), 1);
        assert!(store.named("v", "1", "campaign", "other").is_empty());
        assert_eq!(store.named("v", "1", "campaign", "kept"), [kept]);
    }
}
