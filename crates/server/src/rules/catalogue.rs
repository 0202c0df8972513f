//! What the owner adds and changes: content, policies, subscriptions, accounts. That keys never change under a key ID is
//! decided here.

use super::rows::ContentRow;
use std::collections::{HashMap, HashSet};
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
    /// So many are new; the others have new title, policy and scope.
    Done {
        /// Key IDs that were not there before.
        new: u64,
    },
    /// No policy has this name.
    NoPolicy(String),
    /// The key ID is there with a key that has to be compared: add again with it.
    Existing(Vec<(Kid, Vec<u8>)>),
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

/// The rows to write for content to be added, and how many key IDs are new; or those whose keys must be compared first. `known`:
/// content that is there of these key IDs; `same`: key IDs whose keys were compared and are equal.
pub(crate) fn add(
    contents: &[NewContent],
    known: Vec<ContentRow>,
    same: &[Kid],
) -> Result<(Vec<ContentRow>, u64), Strange> {
    let same: HashSet<&Kid> = same.iter().collect();
    let mut known: HashMap<Kid, ContentRow> = known.into_iter().map(|row| (row.kid, row)).collect();
    let strange =
        contents.iter().filter(|content| !same.contains(&content.kid)).filter_map(|content| known.get(&content.kid));
    let strange: Vec<_> = strange.map(|row| (row.kid, row.sealed_key.clone())).collect();
    if !strange.is_empty() {
        return Err(strange);
    }
    let (mut rows, mut new) = (Vec::with_capacity(contents.len()), 0);
    for NewContent { kid, sealed_key, title, policy, scope } in contents.iter().cloned() {
        let old = known.remove(&kid);
        new += u64::from(old.is_none());
        // The key stays, and so does a title where none is named.
        let (sealed_key, title) = match old {
            Some(old) => (old.sealed_key, title.or(old.title)),
            None => (sealed_key, title),
        };
        let row = ContentRow { kid, sealed_key, title, policy, scope };
        known.insert(kid, row.clone());
        rows.push(row);
    }
    Ok((rows, new))
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

    #[test]
    fn a_key_that_is_there_is_compared_first_and_then_stays() {
        assert_eq!(add(&[new(None)], vec![known()], &[]).unwrap_err(), [(KID, vec![1])]);
        let (rows, count) = add(&[new(None)], vec![known()], &[KID]).unwrap();
        assert_eq!((rows[0].sealed_key.as_slice(), count), (&[1][..], 0));
        assert_eq!((rows[0].title.as_deref(), rows[0].policy.as_deref()), (Some("First"), None));
        assert_eq!(rows[0].scope.as_deref(), Some("gold"));
        let (rows, _) = add(&[new(Some("Second"))], vec![known()], &[KID]).unwrap();
        assert_eq!(rows[0].title.as_deref(), Some("Second"));
    }

    #[test]
    fn what_is_named_twice_is_new_once() {
        let (rows, count) = add(&[new(Some("First")), new(None)], vec![], &[]).unwrap();
        assert_eq!((rows.len(), count), (2, 1));
        assert_eq!(rows[1].title.as_deref(), Some("First"));
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
