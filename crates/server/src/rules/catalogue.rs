//! What the owner adds and changes: content, policies, subscriptions, accounts. That keys never change under a key ID is
//! decided here.

use super::rows::ContentRow;
use std::collections::{BTreeMap, HashMap, HashSet};
use wmlicense_wire::id::Kid;

/// Content to be added.
#[derive(Debug, Clone)]
pub(crate) struct NewContent {
    pub(crate) kid: Kid,
    pub(crate) sealed_key: Vec<u8>,
    pub(crate) title: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
}

/// What became of content to be added. Either all of it is added or none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is added, or would be.
    Done(Changes),
    /// It is not: it would move what is there to other terms or other people, which nobody allowed.
    Moves(Changes),
    /// No policy has this name.
    NoPolicy(String),
    /// The key ID is there with a key that has to be compared: add again with it.
    Existing(Vec<(Kid, Vec<u8>)>),
}

/// What adding content changes, in key IDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Were not there before.
    pub(crate) new: u64,
    /// Stay as they are.
    pub(crate) unchanged: u64,
    /// Get another title and nothing else.
    pub(crate) retitled: u64,
    /// Get other terms or are for other people: from which offering to which.
    pub(crate) moved: BTreeMap<(Offering, Offering), u64>,
}

/// On which terms content is offered, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offering {
    pub(crate) policy: Option<String>,
    /// None: to all.
    pub(crate) scope: Option<String>,
}

impl Offering {
    fn of(row: &ContentRow) -> Self {
        Self { policy: row.policy.clone(), scope: row.scope.clone() }
    }

    /// True if somebody who may have it here may not have it there.
    pub(crate) fn loses(&self, to: &Self) -> bool {
        to.scope.is_some() && self.scope != to.scope
    }
}

impl Changes {
    /// Counts one key ID, from what it was to what it is.
    fn count(&mut self, old: Option<&ContentRow>, new: &ContentRow) {
        let Some(old) = old else {
            self.new += 1;
            return;
        };
        match (Offering::of(old), Offering::of(new)) {
            (from, to) if from != to => *self.moved.entry((from, to)).or_default() += 1,
            _ if old.title != new.title => self.retitled += 1,
            _ => self.unchanged += 1,
        }
    }

    /// How many get other terms or are for other people.
    pub(crate) fn moves(&self) -> u64 {
        self.moved.values().sum()
    }
}

/// A subscription to be added or changed.
#[derive(Debug, Clone)]
pub(crate) struct NewSubscription {
    pub(crate) name: String,
    /// Taken only where the subscription is new: the root key of a key ID never changes.
    pub(crate) kid: Kid,
    pub(crate) sealed_key: Vec<u8>,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
}

/// Key IDs that are there, with sealed keys that nobody compared.
type Strange = Vec<(Kid, Vec<u8>)>;

/// The rows to write for content to be added, and what that changes; or those whose keys must be compared first. `known`: content
/// that is there of these key IDs; `same`: key IDs whose keys were compared and are equal. What stays as it is is not written, so
/// that no device gets it again.
pub(crate) fn add(
    contents: &[NewContent],
    known: Vec<ContentRow>,
    same: &[Kid],
) -> Result<(Vec<ContentRow>, Changes), Strange> {
    let same: HashSet<&Kid> = same.iter().collect();
    let known: HashMap<Kid, ContentRow> = known.into_iter().map(|row| (row.kid, row)).collect();
    let strange =
        contents.iter().filter(|content| !same.contains(&content.kid)).filter_map(|content| known.get(&content.kid));
    let strange: Vec<_> = strange.map(|row| (row.kid, row.sealed_key.clone())).collect();
    if !strange.is_empty() {
        return Err(strange);
    }
    let mut rows: BTreeMap<Kid, ContentRow> = BTreeMap::new();
    for NewContent { kid, sealed_key, title, policy, scope } in contents.iter().cloned() {
        // The key stays, and so does a title where none is named.
        let (sealed_key, title) = match rows.get(&kid).or(known.get(&kid)).cloned() {
            Some(old) => (old.sealed_key, title.or(old.title)),
            None => (sealed_key, title),
        };
        rows.insert(kid, ContentRow { kid, sealed_key, title, policy, scope });
    }
    let mut changes = Changes::default();
    rows.values().for_each(|row| changes.count(known.get(&row.kid), row));
    let stays = |row: &ContentRow| {
        let old = known.get(&row.kid);
        old.is_some_and(|old| old.title == row.title && Offering::of(old) == Offering::of(row))
    };
    Ok((rows.into_values().filter(|row| !stays(row)).collect(), changes))
}

/// The row to write of a subscription, which keeps its key ID and root key.
pub(crate) fn subscribe(new: NewSubscription, known: Option<NewSubscription>) -> NewSubscription {
    match known {
        None => new,
        Some(known) => NewSubscription { policy: new.policy, scope: new.scope, ..known },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KID: Kid = Kid::new([1; 16]);

    fn new(title: Option<&str>) -> NewContent {
        let title = title.map(str::to_owned);
        NewContent { kid: KID, sealed_key: vec![2], title, policy: None, scope: Some("gold".to_owned()) }
    }

    fn known() -> ContentRow {
        let title = Some("First".to_owned());
        ContentRow { kid: KID, sealed_key: vec![1], title, policy: Some("rent".to_owned()), scope: None }
    }

    fn open(policy: Option<&str>, scope: Option<&str>) -> Offering {
        Offering { policy: policy.map(str::to_owned), scope: scope.map(str::to_owned) }
    }

    #[test]
    fn a_key_that_is_there_is_compared_first_and_then_stays() {
        assert_eq!(add(&[new(None)], vec![known()], &[]).unwrap_err(), [(KID, vec![1])]);
        let (rows, changes) = add(&[new(None)], vec![known()], &[KID]).unwrap();
        assert_eq!((rows[0].sealed_key.as_slice(), changes.new), (&[1][..], 0));
        assert_eq!((rows[0].title.as_deref(), rows[0].policy.as_deref()), (Some("First"), None));
        assert_eq!(rows[0].scope.as_deref(), Some("gold"));
        let (rows, _) = add(&[new(Some("Second"))], vec![known()], &[KID]).unwrap();
        assert_eq!(rows[0].title.as_deref(), Some("Second"));
    }

    #[test]
    fn what_is_named_twice_is_new_once() {
        let (rows, changes) = add(&[new(Some("First")), new(None)], vec![], &[]).unwrap();
        assert_eq!((rows.len(), changes.new), (1, 1));
        assert_eq!(rows[0].title.as_deref(), Some("First"));
    }

    #[test]
    fn what_a_list_changes_is_told_and_what_it_leaves_is_not_written() {
        let stored = ContentRow { policy: None, scope: Some("gold".to_owned()), ..known() };
        let changed = |content: NewContent, stored: &ContentRow| add(&[content], vec![stored.clone()], &[KID]).unwrap();
        let (rows, changes) = changed(new(Some("First")), &stored);
        assert!(rows.is_empty());
        assert_eq!(changes, Changes { unchanged: 1, ..Changes::default() });
        let (rows, changes) = changed(new(Some("Second")), &stored);
        assert_eq!((rows.len(), changes), (1, Changes { retitled: 1, ..Changes::default() }));
        let (_, changes) = changed(new(Some("Second")), &known());
        assert_eq!(changes.moved, [((open(Some("rent"), None), open(None, Some("gold"))), 1)].into());
        assert_eq!(changes.moves(), 1);
    }

    #[test]
    fn somebody_loses_what_is_for_fewer_or_for_others() {
        let (all, gold, silver) = (open(None, None), open(None, Some("gold")), open(Some("p"), Some("silver")));
        assert!(all.loses(&gold) && gold.loses(&silver) && silver.loses(&gold));
        assert!(!gold.loses(&all) && !all.loses(&all));
        assert!(!gold.loses(&Offering { policy: Some("p".to_owned()), ..gold.clone() }));
    }

    #[test]
    fn a_subscription_keeps_its_root_key() {
        let subscription = |byte, policy: Option<&str>| NewSubscription {
            name: "club".to_owned(),
            kid: Kid::new([byte; 16]),
            sealed_key: vec![byte],
            policy: policy.map(str::to_owned),
            scope: None,
        };
        let changed = subscribe(subscription(9, Some("monthly")), Some(subscription(1, None)));
        assert_eq!((changed.kid, changed.sealed_key, changed.policy.as_deref()), (KID, vec![1], Some("monthly")));
        assert_eq!(subscribe(subscription(9, None), None).kid, Kid::new([9; 16]));
    }
}
