//! Which terms an account has for what it asks: read here, in the transaction that asks, and decided by `rules/offers.rs`.

use super::StoreError;
use super::rows::{For, Rows};
use crate::accounts::Account;
use crate::rules::delivery::{self, DeliveryQuery, EVER, NAMED, Position};
use crate::rules::granted::OFFERS_ONLY;
use crate::rules::licenses::Content;
use crate::rules::offers::{Rights, is_news};
use std::collections::BTreeSet;
use std::sync::Arc;
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
    let found = kids.iter().copied().zip(contents);
    Ok(settled(rows, (device, user), found.collect(), now).await?.into_iter().map(|(_, content)| content).collect())
}

/// Content as an account, or who names none, may have it.
pub(super) async fn settled(
    rows: &mut dyn Rows,
    (device, user): (Option<DeviceId>, Option<UserId>),
    contents: Vec<(Kid, Option<Content>)>,
    now: i64,
) -> Result<Vec<(Kid, Option<Content>)>, StoreError> {
    let kids: Vec<Kid> = contents.iter().map(|(kid, _)| *kid).collect();
    let is_closed = |content: &Content| content.scope.as_deref() == Some(OFFERS_ONLY);
    // Who names no account is told the terms on which some account could have it.
    let all = user.is_none() && contents.iter().filter_map(|(_, content)| content.as_ref()).any(is_closed);
    let mut rights = if all {
        let rights = Rights::of(Vec::new(), Vec::new(), rows.offers(None).await?, now);
        named(rows, rights, &kids).await?
    } else {
        rights(rows, user.as_slice(), &kids, now).await?
    };
    let granted = rights.granted();
    if let (Some(device), false) = (device, granted.is_empty()) {
        let ledger = rows.ledger(&granted, &kids, For::Reading).await?;
        rights = rights.with_ledger(ledger, device);
    }
    let settled =
        contents.into_iter().map(|(kid, content)| (kid, content.map(|content| rights.settle(kid, content, user))));
    Ok(settled.collect())
}

/// What an account, or everybody, may have had since a mark, as much as an answer takes, with the places in which it was found.
pub(super) async fn changed_behind(
    rows: &mut dyn Rows,
    query: &DeliveryQuery,
    (user, since, now): (Option<UserId>, i64, i64),
) -> Result<(Vec<(Arc<str>, Kid, Content)>, Option<Position>), StoreError> {
    let granted = rows.scopes(user.as_slice()).await?;
    // Those that ended since then, too: what they were better than is had from now on.
    let grants = rows.grants_of(user.as_slice(), if since == EVER { now } else { since.min(now) }).await?;
    let names: BTreeSet<&String> = grants.iter().map(|grant| &grant.offer).collect();
    let offers = rows.offers(Some(&names.into_iter().cloned().collect::<Vec<_>>())).await?;
    let counting = grants.iter().filter(|grant| grant.counts(now)).cloned().collect();
    let rights = Rights::of(Vec::new(), counting, offers.clone(), now);
    let beyond = rights.beyond_scopes(user);
    let scopes = places(query, &rights, user, !beyond.is_empty());
    let mut found = Vec::new();
    for (scope, after) in query.from.scopes(&scopes) {
        let room = MAX_LICENSES - found.len();
        let of = (scope != NAMED).then_some(scope.as_str());
        let since = if is_news(of, &grants, &offers, since, now) { EVER } else { since };
        let place: Arc<str> = scope.as_str().into();
        let more = match of {
            Some(scope) => {
                let since = delivery::since_of(scope, user, &granted, since);
                rows.offered_behind(scope, after, since, room).await?
            }
            None => rows.named_behind(&beyond, after, since, room).await?,
        };
        let is_last = more.len() < room;
        let last = more.last().map(|(kid, _)| Position::Scope(scope.clone(), kid.as_bytes().to_vec()));
        // What is in a scope as well came with that.
        let in_scope =
            |content: &Content| scopes.contains(content.scope.as_ref().map_or(&String::new(), |scope| scope));
        let more = more.into_iter().filter(|(_, content)| of.is_some() || !in_scope(content));
        found.extend(more.map(|(kid, content)| (Arc::clone(&place), kid, content)));
        if !is_last {
            return Ok((found, last));
        }
    }
    Ok((found, None))
}

/// Where what is asked for is found: scopes in their order, and behind them what offers name. Who asks for one scope gets that.
fn places(query: &DeliveryQuery, rights: &Rights, user: Option<UserId>, named: bool) -> Vec<String> {
    let mut places = query.scopes.clone();
    // Open content is part of everything, and of no scope.
    if places.iter().any(String::is_empty) {
        places.extend(rights.all_scopes(user));
        places.extend(named.then(|| NAMED.to_owned()));
        places.sort_unstable();
        places.dedup();
    }
    places
}

/// An account with all scopes that it has at `now`, of its own or by grants.
pub(super) async fn account_at(rows: &mut dyn Rows, user: UserId, now: i64) -> Result<Account, StoreError> {
    let mut scopes: Vec<String> = rights(rows, &[user], &[], now).await?.all_scopes(Some(user)).into_iter().collect();
    scopes.sort_unstable();
    Ok(Account { user, scopes })
}
