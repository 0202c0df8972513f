//! Content as it is licensed, and how what is the same for whoever asks is held in memory between requests, in few bytes a title.
//! Which content is held, and until when, is decided in `store/catalogue.rs`.

use super::granted::{GrantId, Right};
use super::ledger::LedgerRow;
use crate::policy::Terms;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use wmlicense_wire::id::Kid;
use wmlicense_wire::license::InnerKey;
use wmlicense_wire::policy::LicenseKind;
use zeroize::{Zeroize as _, Zeroizing};

/// Name and JSON of a policy.
pub(crate) type NamedPolicy = Arc<(String, String)>;

/// The key of content or of a subscription, sealed under the master key.
#[derive(Clone)]
pub(crate) enum SealedKey {
    Own(Vec<u8>),
    /// That at a place of what is held in memory.
    Held(Arc<Held>, usize),
}

impl SealedKey {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Held(held, at) => held.sealed(*at),
        }
    }

    /// The key, which is not opened again where it is held.
    pub(crate) fn opened(&self, open: impl FnOnce(&[u8]) -> Option<Zeroizing<Vec<u8>>>) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Own(bytes) => open(bytes),
            Self::Held(held, at) => held.opened(*at, open),
        }
    }
}

impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedKey")
    }
}

/// Content as it is licensed.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) sealed_key: SealedKey,
    pub(crate) title: Option<String>,
    pub(crate) policy: Option<NamedPolicy>,
    /// `None`: open to all.
    pub(crate) scope: Option<Arc<str>>,
    pub(crate) part: Part,
    /// Who may have it, where it was settled for who asks.
    pub(crate) right: Right,
    /// Uses of it that are the account's, by the device that has them, where it is had by a grant.
    pub(crate) ledger: Vec<LedgerRow>,
    /// When the last of all grants ends by which who asks may have it; none: never.
    pub(crate) latest: Option<i64>,
    /// The grant of which the device that asks has nothing yet.
    pub(crate) joins: Option<GrantId>,
}

impl Content {
    /// As it is in the catalogue, before anybody asks.
    pub(crate) fn catalogued(
        sealed_key: Vec<u8>,
        title: Option<String>,
        policy: Option<(String, String)>,
        scope: Option<String>,
        part: Part,
    ) -> Self {
        Self::of(SealedKey::Own(sealed_key), title, policy.map(Arc::new), scope.map(Into::into), part)
    }

    /// The same of parts that others have as well.
    fn of(
        sealed_key: SealedKey,
        title: Option<String>,
        policy: Option<NamedPolicy>,
        scope: Option<Arc<str>>,
        part: Part,
    ) -> Self {
        Self {
            sealed_key,
            title,
            policy,
            scope,
            part,
            right: Right::unsettled(),
            ledger: Vec::new(),
            latest: None,
            joins: None,
        }
    }

    /// Terms that a policy says as they are for who asks.
    pub(crate) fn bound(&self, terms: Terms) -> Terms {
        match (&self.right, &self.part) {
            (Right::Granted(grant), Part::Content | Part::Leaf(_)) => terms.until(self.until()).of_account(grant.uses),
            (Right::Granted(_), Part::Root) | (Right::Anybody | Right::Account | Right::Refused(..), _) => {
                terms.until(self.until())
            }
        }
    }

    /// What makes terms of one policy others: when a grant ends them, and how many uses it gives, where there is one.
    pub(crate) fn bounds(&self) -> (Option<i64>, Option<Option<u32>>) {
        match &self.right {
            Right::Granted(grant) => (self.until(), Some(grant.uses)),
            Right::Anybody | Right::Account | Right::Refused(..) => (None, None),
        }
    }

    /// By which grant's terms it is had, where it is by one. A leaf ends with its root, so that one root renews all leaves.
    pub(crate) fn until(&self) -> Option<i64> {
        match (&self.right, &self.part) {
            (Right::Granted(grant), Part::Content | Part::Root) => grant.until,
            (Right::Granted(_), Part::Leaf(_)) | (Right::Anybody | Right::Account | Right::Refused(..), _) => None,
        }
    }
}

/// What a license for a key ID carries, and what it needs beside.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// A content key.
    Content,
    /// The root key of a subscription.
    Root,
    /// A content key under a root key.
    Leaf(RootKey),
}

/// Root key of a subscription.
#[derive(Debug, Clone)]
pub(crate) struct RootKey {
    pub(crate) kid: Kid,
    pub(crate) sealed_key: Arc<[u8]>,
    /// `None`: open to all.
    pub(crate) scope: Option<Arc<str>>,
}

/// Bytes of a content key.
const KEY_LEN: usize = InnerKey::len_of(LicenseKind::Content);

/// A content key in clear.
struct Opened([u8; KEY_LEN]);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Pieces of bytes behind each other.
#[derive(Default)]
struct Pieces {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Pieces {
    fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        self.ends.push(self.bytes.len() as u32);
    }

    fn get(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.bytes[begin..self.ends[at] as usize]
    }

    fn size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Policy and part of content; many titles have the same.
struct Kind {
    policy: Option<NamedPolicy>,
    part: Part,
}

/// Titles of one scope that follow each other in the order of their key IDs.
pub(crate) struct Held {
    scope: Option<Arc<str>>,
    kids: Vec<Kid>,
    sealed: Pieces,
    titles: Pieces,
    kinds: Vec<Kind>,
    /// By place: the kind, and that there is a title.
    of: Vec<(u32, bool)>,
    /// By place: the key, from the first time on that a license needed it.
    opened: Box<[OnceLock<Opened>]>,
}

impl Held {
    pub(crate) fn of(contents: &[(Kid, Content)]) -> Arc<Self> {
        let (mut sealed, mut titles, mut kinds) = (Pieces::default(), Pieces::default(), Vec::new());
        let mut known: HashMap<(Option<&str>, Option<Kid>, bool), u32> = HashMap::new();
        let mut of = Vec::with_capacity(contents.len());
        for (_, content) in contents {
            sealed.push(content.sealed_key.bytes());
            titles.push(content.title.as_deref().unwrap_or_default().as_bytes());
            let name = content.policy.as_ref().map(|policy| policy.0.as_str());
            let (root, is_root) = match &content.part {
                Part::Content => (None, false),
                Part::Root => (None, true),
                Part::Leaf(root) => (Some(root.kid), false),
            };
            let kind = *known.entry((name, root, is_root)).or_insert_with(|| {
                kinds.push(Kind { policy: content.policy.clone(), part: content.part.clone() });
                kinds.len() as u32 - 1
            });
            of.push((kind, content.title.is_some()));
        }
        Arc::new(Self {
            scope: contents.first().and_then(|(_, content)| content.scope.clone()),
            kids: contents.iter().map(|(kid, _)| *kid).collect(),
            sealed,
            titles,
            kinds,
            of,
            opened: contents.iter().map(|_| OnceLock::new()).collect(),
        })
    }

    /// Bytes in memory, about.
    pub(crate) fn size(&self) -> usize {
        let each = size_of::<Kid>() + size_of::<(u32, bool)>() + size_of::<OnceLock<Opened>>();
        let kind =
            |kind: &Kind| size_of::<Kind>() + kind.policy.as_ref().map_or(0, |policy| policy.0.len() + policy.1.len());
        let kinds: usize = self.kinds.iter().map(kind).sum();
        self.kids.len() * each + self.sealed.size() + self.titles.size() + kinds
    }

    pub(crate) fn last(&self) -> Option<Kid> {
        self.kids.last().copied()
    }

    /// What follows a key ID (empty: from the first one on), at most so much.
    pub(crate) fn behind(self: &Arc<Self>, kid: &[u8], limit: usize) -> impl Iterator<Item = (Kid, Content)> {
        let first = self.kids.partition_point(|held| held.as_bytes().as_slice() <= kid);
        (first..self.kids.len()).take(limit).map(|at| (self.kids[at], self.content(at)))
    }

    fn content(self: &Arc<Self>, at: usize) -> Content {
        let (kind, has_title) = self.of[at];
        let Kind { policy, part } = &self.kinds[kind as usize];
        let title = has_title.then(|| String::from_utf8_lossy(self.titles.get(at)).into_owned());
        let key = SealedKey::Held(Arc::clone(self), at);
        Content::of(key, title, policy.clone(), self.scope.clone(), part.clone())
    }

    pub(crate) fn sealed(&self, at: usize) -> &[u8] {
        self.sealed.get(at)
    }

    /// The key at a place, opened by this where it was not opened yet. None if it does not open, or is no content key.
    pub(crate) fn opened(
        &self,
        at: usize,
        open: impl FnOnce(&[u8]) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let place = &self.opened[at];
        if let Some(known) = place.get() {
            return Some(Zeroizing::new(known.0.to_vec()));
        }
        let key = open(self.sealed.get(at))?;
        if let Ok(bytes) = <[u8; KEY_LEN]>::try_from(key.as_slice()) {
            // Another request may have been first.
            let _ = place.set(Opened(bytes));
        }
        Some(key)
    }
}
