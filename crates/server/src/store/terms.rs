//! Which terms an account has for what it asks: read here, in the transaction that asks, and decided by `rules/offers.rs`.

use super::StoreError;
use super::catalogue::Catalogue;
use super::rows::{For, Rows};
use crate::rules::content::Content;
use crate::rules::delivery::{self, DeliveryQuery, EVER, NAMED, Position};
use crate::rules::granted::OFFERS_ONLY;
use crate::rules::offers::{Rights, is_news};
use std::collections::BTreeSet;
use std::sync::Arc;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{DeviceId, Kid, UserId};
use wmlicense_wire::request::MAX_LICENSES;

/// What accounts have at `now`, as far as it is about key IDs.
pub(super) async fn rights(
    rows: &mut dyn Rows,
    users: &[UserId],
    kids: &[Kid],
    now: i64,
) -> Result<Rights, StoreError> {
    let grants = rows.grants_of(users, now).await?;
    let names: BTreeSet<&String> = grants.iter().map(|grant| &grant.offer).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let offers = rows.offers(Some(&names)).await?;
    let rights = Rights::of(rows.scopes(users).await?, grants, offers, now);
    named(rows, rights, kids).await
}

/// Adds which of these key IDs offers name.
pub(super) async fn named(rows: &mut dyn Rows, rights: Rights, kids: &[Kid]) -> Result<Rights, StoreError> {
    let naming = rights.naming();
    if naming.is_empty() || kids.is_empty() {
        return Ok(rights);
    }
    let named = rows.offers_naming(&naming, kids).await?;
    Ok(rights.with_named(named))
}

/// What is offered under key IDs to an account, or to who names none, in order. With the device that asks, where one does.
pub(super) async fn offered(
    rows: &mut dyn Rows,
    (device, user): (Option<DeviceId>, Option<UserId>),
    kids: &[Kid],
    now: i64,
) -> Result<Vec<Option<Content>>, StoreError> {
    let contents = rows.offered(kids).await?;
    let is_closed = |content: &Content| content.scope.as_deref() == Some(OFFERS_ONLY);
    // Who names no account is told the terms on which some account could have it.
    let rights = if user.is_none() && contents.iter().flatten().any(is_closed) {
        let rights = Rights::of(Vec::new(), Vec::new(), rows.offers(None).await?, now);
        named(rows, rights, kids).await?
    } else {
        rights(rows, user.as_slice(), kids, now).await?
    };
    let contents = kids.iter().copied().zip(contents).collect();
    let settled = settled(rows, rights, (device, user), contents).await?;
    Ok(settled.into_iter().map(|(_, content)| content).collect())
}

/// Content as an account, or who names none, may have it.
pub(super) async fn settled(
    rows: &mut dyn Rows,
    mut rights: Rights,
    (device, user): (Option<DeviceId>, Option<UserId>),
    contents: Vec<(Kid, Option<Content>)>,
) -> Result<Vec<(Kid, Option<Content>)>, StoreError> {
    let granted = rights.granted();
    if let Some(device) = device {
        let (mut ledger, mut devices) = (Vec::new(), Vec::new());
        if !granted.is_empty() {
            let kids: Vec<Kid> = contents.iter().map(|(kid, _)| *kid).collect();
            ledger = rows.ledger(&granted, &kids, For::Reading).await?;
            devices = rows.grant_devices(&granted).await?;
        }
        rights = rights.on_device(device, ledger, devices);
    }
    let settled =
        contents.into_iter().map(|(kid, content)| (kid, content.map(|content| rights.settle(kid, content, user))));
    Ok(settled.collect())
}

/// What changed for who asks, as much as an answer takes.
pub(super) struct Changed {
    /// With the places in which it was found.
    pub(super) found: Vec<(Arc<str>, Kid, Content)>,
    /// Where more may be.
    pub(super) next: Option<Position>,
    /// By which what was found is settled.
    pub(super) rights: Rights,
    /// Why there is nothing.
    pub(super) refusal: Option<Reason>,
}

/// What an account, or everybody, may have had since a mark.
pub(super) async fn changed_behind(
    rows: &mut dyn Rows,
    catalogue: &Catalogue,
    query: &DeliveryQuery,
    (user, since, now): (Option<UserId>, i64, i64),
) -> Result<Changed, StoreError> {
    let mark = rows.catalogue_mark().await?;
    let own = rows.scopes(user.as_slice()).await?;
    // Those that ended since then, too: what they were better than is had from now on.
    let grants = rows.grants_of(user.as_slice(), if since == EVER { now } else { since.min(now) }).await?;
    let names: BTreeSet<&String> = grants.iter().map(|grant| &grant.offer).collect();
    let offers = rows.offers(Some(&names.into_iter().cloned().collect::<Vec<_>>())).await?;
    let rights = Rights::of(own.clone(), grants.clone(), offers.clone(), now);
    let places = match places(query, &rights, user) {
        Ok(places) => places,
        Err(reason) => return Ok(Changed { found: Vec::new(), next: None, rights, refusal: Some(reason) }),
    };
    let beyond = rights.beyond_scopes(user);
    let (mut found, mut next) = (Vec::new(), None);
    for (scope, after) in query.from.scopes(&places) {
        let room = MAX_LICENSES - found.len();
        let of = (scope != NAMED).then_some(scope.as_str());
        let since = if is_news(of, &grants, &offers, since, now) { EVER } else { since };
        let place: Arc<str> = scope.as_str().into();
        let more = match of {
            Some(scope) => {
                let since = delivery::since_of(scope, user, &own, since);
                catalogue.offered_behind(rows, (scope, mark), (after, since), room).await?
            }
            None => rows.named_behind(&beyond, after, since, room).await?,
        };
        let is_last = more.len() < room;
        let last = more.last().map(|(kid, _)| Position::Scope(scope.clone(), kid.as_bytes().to_vec()));
        // What is in a scope as well came with that.
        let in_scope =
            |content: &Content| places.iter().any(|place| *place == content.scope.as_deref().unwrap_or_default());
        let more = more.into_iter().filter(|(_, content)| of.is_some() || !in_scope(content));
        found.extend(more.map(|(kid, content)| (Arc::clone(&place), kid, content)));
        if !is_last {
            next = last;
            break;
        }
    }
    let kids: Vec<Kid> = found.iter().map(|(_, kid, _)| *kid).collect();
    let rights = named(rows, rights, &kids).await?;
    Ok(Changed { found, next, rights, refusal: None })
}

/// Where what is asked for is found, in order: open content as the scope without a name, scopes, and behind them what offers name.
/// Who asks for one scope gets that, or is told why not.
fn places(query: &DeliveryQuery, rights: &Rights, user: Option<UserId>) -> Result<Vec<String>, Reason> {
    let mut scopes = rights.all_scopes(user);
    if let Some(scope) = &query.scope {
        let reason = if user.is_some() { Reason::NotEntitled } else { Reason::AccountRequired };
        return if user.is_some() && scopes.contains(scope) { Ok(vec![scope.clone()]) } else { Err(reason) };
    }
    scopes.insert(String::new());
    if !rights.beyond_scopes(user).is_empty() {
        scopes.insert(NAMED.to_owned());
    }
    let mut places: Vec<String> = scopes.into_iter().collect();
    places.sort_unstable();
    Ok(places)
}
