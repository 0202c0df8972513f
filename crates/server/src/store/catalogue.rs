//! What scopes offer, held in memory from request to request and thrown away when the owner changes it. The database says with each
//! request whether that is so, whoever changed it.

use super::StoreError;
use super::rows::Rows;
use crate::rules::content::{Content, Held};
use crate::rules::delivery::EVER;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wmlicense_wire::id::Kid;
use wmlicense_wire::request::MAX_LICENSES;

/// Bytes that are held at most. What goes beyond is read with each request.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The scopes of one state of the catalogue.
#[derive(Default)]
struct State {
    /// Number of the last change to content, policies and subscriptions that these rest on.
    mark: i64,
    scopes: HashMap<String, Scope>,
    bytes: usize,
}

/// Content of a scope from its beginning on.
#[derive(Clone, Default)]
struct Scope {
    parts: Vec<Arc<Held>>,
    /// There is no more.
    whole: bool,
}

impl Scope {
    fn last(&self) -> Option<Kid> {
        self.parts.last().and_then(|part| part.last())
    }

    /// What follows a key ID, at most so much; and whether more follows that is not held.
    fn behind(&self, kid: &[u8], limit: usize) -> (Vec<(Kid, Content)>, bool) {
        let is_before = |part: &Arc<Held>| part.last().is_some_and(|last| last.as_bytes().as_slice() <= kid);
        let first = self.parts.partition_point(is_before);
        let mut found = Vec::new();
        for part in &self.parts[first..] {
            found.extend(part.behind(kid, limit - found.len()));
        }
        let is_short = found.len() < limit && !self.whole;
        (found, is_short)
    }
}

/// The catalogue of a process.
#[derive(Default)]
pub(super) struct Catalogue(Mutex<State>);

impl Catalogue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`super::rows::CatalogueRows::offered_behind`], from memory where it is there. `mark`: number of the last change to what is
    /// held here, read in the same transaction.
    pub(super) async fn offered_behind(
        &self,
        rows: &mut dyn Rows,
        (scope, mark): (&str, i64),
        (after, since): (&[u8], i64),
        limit: usize,
    ) -> Result<Vec<(Kid, Content)>, StoreError> {
        if since != EVER {
            return rows.offered_behind(scope, after, since, limit).await;
        }
        let Some(mut held) = self.held(scope, mark) else {
            return rows.offered_behind(scope, after, since, limit).await;
        };
        loop {
            let (found, is_short) = held.behind(after, limit);
            if !is_short {
                return Ok(found);
            }
            let end = held.last();
            // Who goes on far behind what is held began at another replica, or at another state of the catalogue.
            let is_far = end.map_or(!after.is_empty(), |end| after > end.as_bytes().as_slice());
            if is_far {
                return rows.offered_behind(scope, after, since, limit).await;
            }
            let from = end.as_ref().map_or(&[][..], |end| end.as_bytes().as_slice());
            let more = rows.offered_behind(scope, from, EVER, MAX_LICENSES).await?;
            let whole = more.len() < MAX_LICENSES;
            held.parts.extend((!more.is_empty()).then(|| Held::of(&more)));
            held.whole = whole;
            self.keep(scope, mark, &held);
        }
    }

    /// What is held of a scope at a state; none where a later one is held.
    fn held(&self, scope: &str, mark: i64) -> Option<Scope> {
        let mut state = self.state();
        if mark < state.mark {
            return None;
        }
        if mark > state.mark {
            *state = State { mark, ..State::default() };
        }
        Some(state.scopes.get(scope).cloned().unwrap_or_default())
    }

    /// Keeps what was read of a scope, where nobody kept as much meanwhile and there is room.
    fn keep(&self, scope: &str, mark: i64, read: &Scope) {
        let mut state = self.state();
        let size = |scope: &Scope| scope.parts.iter().map(|part| part.size()).sum::<usize>();
        let known = state.scopes.get(scope);
        let (parts, before) = known.map_or((0, 0), |known| (known.parts.len(), size(known)));
        let is_more = parts < read.parts.len() || (read.whole && known.is_none_or(|known| !known.whole));
        let bytes = state.bytes - before + size(read);
        if state.mark == mark && is_more && bytes <= MAX_BYTES {
            state.bytes = bytes;
            state.scopes.insert(scope.to_owned(), read.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn content(number: u32, title: Option<&str>, policy: Option<&str>) -> (Kid, Content) {
        let mut kid = [0; 16];
        kid[..4].copy_from_slice(&number.to_be_bytes());
        let policy = policy.map(|name| (name.to_owned(), format!("of {name}")));
        let (title, scope) = (title.map(str::to_owned), Some("gold".to_owned()));
        let part = crate::rules::content::Part::Content;
        (Kid::new(kid), Content::catalogued(vec![number as u8; 44], title, policy, scope, part))
    }

    fn told(found: &[(Kid, Content)]) -> Vec<String> {
        let told = |(kid, content): &(Kid, Content)| {
            let Content { title, policy, scope, .. } = content;
            format!("{kid:?} {title:?} {policy:?} {scope:?} {:?}", content.sealed_key.bytes())
        };
        found.iter().map(told).collect()
    }

    #[test]
    fn what_is_held_is_what_was_read_from_any_place_on() {
        let all: Vec<_> = (0..9u32)
            .map(|number| content(number, (number % 3 > 0).then_some("A title"), (number % 2 > 0).then_some("rent")))
            .collect();
        let parts = vec![Held::of(&all[..4]), Held::of(&all[4..])];
        let scope = Scope { parts, whole: true };
        for from in 0..=all.len() {
            let after = from.checked_sub(1).map_or(&[][..], |at| all[at].0.as_bytes().as_slice());
            for limit in [1, 3, 9] {
                let (found, is_short) = scope.behind(after, limit);
                assert_eq!(told(&found), told(&all[from..all.len().min(from + limit)]));
                assert!(!is_short);
            }
        }
        assert!(Scope { whole: false, ..scope }.behind(&[], 10).1);
    }

    #[test]
    fn a_key_is_opened_once_and_what_is_no_content_key_each_time() {
        let held = Held::of(&[content(1, None, None)]);
        let (_, content) = held.behind(&[], 1).next().unwrap();
        let opened = content.sealed_key.opened(|sealed| Some(Zeroizing::new(sealed[..16].to_vec())));
        assert_eq!(*opened.unwrap(), [1; 16]);
        assert_eq!(*content.sealed_key.opened(|_| None).unwrap(), [1; 16]);
        let other = Held::of(&[self::content(1, None, None)]);
        let (_, content) = other.behind(&[], 1).next().unwrap();
        assert!(content.sealed_key.opened(|_| None).is_none());
        assert_eq!(content.sealed_key.opened(|sealed| Some(Zeroizing::new(sealed.to_vec()))).unwrap().len(), 44);
        assert!(content.sealed_key.opened(|_| None).is_none(), "a root key is kept nowhere");
    }

    #[test]
    fn an_older_state_is_neither_given_nor_kept_and_a_later_one_throws_all_away() {
        let catalogue = Catalogue::default();
        let read = Scope { parts: vec![Held::of(&[content(1, None, None)])], whole: true };
        assert!(!catalogue.held("gold", 5).unwrap().whole);
        catalogue.keep("gold", 5, &read);
        assert!(catalogue.held("gold", 5).unwrap().whole);
        assert!(catalogue.held("gold", 4).is_none());
        assert!(!catalogue.held("gold", 6).unwrap().whole);
        catalogue.keep("gold", 5, &read);
        assert!(!catalogue.held("gold", 6).unwrap().whole, "it was read before the change");
        assert_eq!(catalogue.state().bytes, 0);
    }
}
