//! Content, policies and subscriptions as the owner sets them: keys are sealed and compared, terms are read before they count.

use super::Wrong;
use crate::catalogue::{ContentKey, Named};
use crate::keyring::MasterKey;
use crate::policy::{Terms, parse};
use crate::rules::granted::audience;
use crate::store::{Acting, Added, Adding, Changes, NewContent, NewSubscription, Offering, Store, SubscriptionEntry};
use std::collections::HashMap;
use wmlicense_wire::aead::{SecretKey, constant_time_eq};
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

/// How content is added.
pub(crate) struct How {
    /// The command, by its words.
    pub(crate) act: &'static str,
    /// What is there may get other terms, or be for others.
    pub(crate) replace: bool,
    /// Only to tell what would change.
    pub(crate) dry: bool,
    /// On these terms, for these.
    pub(crate) offering: Offering,
}

/// Adds content, all or none, and gives what that changes.
pub(crate) async fn add(
    store: &Store,
    master: &MasterKey,
    list: &[ContentKey],
    how: &How,
    by: Acting,
) -> Result<Changes, Wrong> {
    let keys: HashMap<Kid, &ContentKey> = list.iter().map(|content| (content.kid, content)).collect();
    let mut same: Vec<Kid> = Vec::new();
    loop {
        let sealed = |content: &ContentKey| -> Result<NewContent, Wrong> {
            Ok(NewContent {
                kid: content.kid,
                sealed_key: master.seal(content.kid, &*content.key)?,
                title: content.title.clone(),
                policy: how.offering.policy.clone(),
                scope: how.offering.scope.clone(),
            })
        };
        let contents = list.iter().map(sealed).collect::<Result<_, _>>()?;
        let adding = Adding { act: how.act, contents, same: same.clone(), replace: how.replace, dry: how.dry };
        match store.add(adding, by.clone()).await? {
            Added::Done(changes) => return Ok(changes),
            Added::Moves(changes) => return Err(Wrong::Moves(told(&changes).join("\n"))),
            Added::NoPolicy(name) => return Err(Wrong::NoPolicy(name)),
            Added::Existing(known) => {
                for (kid, sealed) in known {
                    let stored = master.open(kid, &sealed).ok_or(Wrong::MasterKey(kid))?;
                    let equal = keys.get(&kid).is_some_and(|content| constant_time_eq(&stored, &*content.key));
                    if !equal {
                        return Err(Wrong::OtherKey(kid));
                    }
                    same.push(kid);
                }
            }
        }
    }
}

/// What changes beside what is new, a line each.
pub(crate) fn told(changes: &Changes) -> Vec<String> {
    let mut lines = Vec::new();
    let counts =
        [("unchanged", changes.unchanged), ("another title", changes.retitled), ("other terms", changes.moves())];
    lines.extend(counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")));
    for ((from, to), count) in &changes.moved {
        lines.push(format!("  from {} to {}: {count}", offered(from), offered(to)));
    }
    let lost: u64 = changes.moved.iter().filter(|((from, to), _)| from.loses(to)).map(|(_, count)| count).sum();
    if lost > 0 {
        lines.push(format!("lost by those who have not the scope named now: {lost}"));
    }
    lines
}

fn offered(Offering { policy, scope }: &Offering) -> String {
    let policy = policy.as_ref().map_or_else(|| "no policy".to_owned(), |name| format!("policy {name}"));
    format!("{policy}, {}", audience(scope.as_deref()))
}

/// What became of what was added alone.
pub(crate) fn became(changes: &Changes) -> &'static str {
    match changes {
        Changes { new: 1, .. } => "added",
        Changes { unchanged: 1, .. } => "unchanged",
        _ => "changed",
    }
}

/// The keys of content under labels of a packager. The audit tells who has them.
pub(crate) async fn hand_out(
    store: &Store,
    master: &MasterKey,
    labelled: Vec<(String, Kid)>,
    by: Acting,
) -> Result<Vec<Named>, Wrong> {
    let kids = labelled.iter().map(|(_, kid)| *kid).collect();
    let sealed = store.hand_out(kids, by).await?.map_err(Wrong::NoContent)?;
    let open = |((label, kid), sealed): ((String, Kid), Vec<u8>)| {
        let key = master.open(kid, &sealed).ok_or(Wrong::MasterKey(kid))?;
        let key = key.as_slice().try_into().map(Zeroizing::new).map_err(|_| Wrong::MasterKey(kid))?;
        Ok(Named { label, kid, key })
    };
    labelled.into_iter().zip(sealed).map(open).collect()
}

/// Sets a policy; true if it is new.
pub(crate) async fn set_policy(store: &Store, name: String, definition: String, by: Acting) -> Result<bool, Wrong> {
    let terms = parse(&definition).map_err(Wrong::Policy)?;
    check_subscription(store, &name, &terms).await?;
    Ok(store.set_policy(name, definition, terms.subscription, by).await?)
}

/// Adds a subscription, or changes the terms of the one of this name. Gives its key ID and whether it is new.
pub(crate) async fn set_subscription(
    store: &Store,
    master: &MasterKey,
    name: String,
    Offering { policy, scope }: Offering,
    by: Acting,
) -> Result<(Kid, bool), Wrong> {
    if let Some(policy) = &policy {
        let definition = store.policy(policy.clone()).await?.ok_or_else(|| Wrong::NoPolicy(policy.clone()))?;
        check_root_terms(policy, &parse(&definition).map_err(Wrong::Policy)?)?;
    }
    let (kid, key) = (Kid::random()?, SecretKey::random()?);
    let sealed_key = master.seal(kid, key.as_bytes())?;
    Ok(store.set_subscription(NewSubscription { name, kid, sealed_key, policy, scope }, by).await?)
}

/// A root is not counted, and is no leaf itself.
fn check_root_terms(policy: &str, terms: &Terms) -> Result<(), Wrong> {
    let stateful = terms.actions.iter().any(|(_, conditions)| conditions.is_stateful());
    if stateful || terms.subscription.is_some() {
        return Err(Wrong::NotForRoots(policy.to_owned()));
    }
    Ok(())
}

/// The subscription that a policy names must be there, and a policy of a subscription stays fit for it.
async fn check_subscription(store: &Store, name: &str, terms: &Terms) -> Result<(), Wrong> {
    let known = store.all::<SubscriptionEntry>().await?;
    if let Some(wanted) = &terms.subscription
        && !known.iter().any(|row| row.name == *wanted)
    {
        return Err(Wrong::NoSubscription(wanted.clone()));
    }
    match known.iter().any(|row| row.policy.as_deref() == Some(name)) {
        true => check_root_terms(name, terms),
        false => Ok(()),
    }
}
