//! Licenses as they were found last, held in memory as long as nobody commits anything: who asks for one of them again asks no
//! database. How a commit is noticed is given from outside, because it takes a look at memory that processes share.

use super::{Inner, Store, StoreError, connection};
use crate::clock::Moment;
use crate::license::{HeldKey, StoredLicense};
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes256Dec, Aes256Enc};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use wmlicense_wire::id::Kid;
use wmlicense_wire::policy::Conditions;
use zeroize::Zeroizing;

/// Bytes that are held at most, about; then everything is looked up anew.
pub(super) const MOST_BYTES: usize = 32 << 20;
/// Who asks less often needs no connection that watches.
const UNWATCHED: u32 = 16;
/// A watch that cannot be had is tried so often.
const TRIES: u32 = 3;
/// What the heap adds to a piece of memory, about.
const PIECE: usize = 16;
/// What a key ID takes beside its licenses, with the room that a map keeps free.
const ENTRY: usize = 160;

/// What the log of a database says of the last commit, whoever made it: it stays the same until somebody makes another one.
pub type LastCommit = [u32; 12];

/// A connection beside which commits are noticed.
pub trait Watched: Send {
    /// The last commit. `None` where that cannot be told at the moment.
    fn last_commit(&self) -> Option<LastCommit>;
}

/// Begins to watch the database of a connection, which it keeps. `None` where that has no log that processes share.
pub type Watch = fn(Connection) -> Option<Box<dyn Watched>>;

/// What a store holds of its licenses.
pub(super) struct Held {
    watch: OnceLock<Watch>,
    keys: Keys,
    found: Mutex<Found>,
}

#[derive(Default)]
pub(super) struct Found {
    watched: Option<Box<dyn Watched>>,
    /// How often something was looked up that nobody watched.
    unwatched: u32,
    tries: u32,
    /// How often all of this ended.
    ends: u64,
    /// The commit that everything here was found after.
    pub(super) after: Option<LastCommit>,
    pub(super) licenses: HashMap<Kid, Arc<[StoredLicense]>>,
    pub(super) bytes: usize,
}

/// What is held of a key ID.
pub(super) enum Answer {
    Held(Arc<[StoredLicense]>),
    /// Nothing; what is found now may be held if nobody commits meanwhile.
    Missing(LastCommit),
    /// Nothing, and nothing can be.
    Unwatched,
}

impl Found {
    pub(super) fn last_commit(&self) -> Option<LastCommit> {
        self.watched.as_ref()?.last_commit()
    }

    pub(super) fn answer(&mut self, kid: Kid) -> Answer {
        let Some(last) = self.last_commit() else {
            self.unwatched = self.unwatched.saturating_add(1);
            return Answer::Unwatched;
        };
        if self.after != Some(last) {
            self.forget();
            self.after = Some(last);
        }
        self.licenses.get(&kid).map_or(Answer::Missing(last), |licenses| Answer::Held(Arc::clone(licenses)))
    }

    pub(super) fn hold(&mut self, kid: Kid, licenses: &Arc<[StoredLicense]>, after: LastCommit) {
        // Of a state that is past, or was while they were read.
        if self.after != Some(after) || self.last_commit() != Some(after) {
            return;
        }
        let bytes = licenses.iter().map(StoredLicense::footprint).sum::<usize>() + ENTRY;
        if self.bytes + bytes > MOST_BYTES {
            self.forget();
            self.after = Some(after);
        }
        if self.licenses.insert(kid, Arc::clone(licenses)).is_none() {
            self.bytes += bytes;
        }
    }

    fn forget(&mut self) {
        // A map that was cleared keeps its room.
        (self.after, self.bytes, self.licenses) = (None, 0, HashMap::new());
    }
}

impl Held {
    pub(super) fn new() -> Result<Self, StoreError> {
        Ok(Self { watch: OnceLock::new(), keys: Keys::random()?, found: Mutex::default() })
    }

    pub(super) fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything and closes the connection that watches.
    pub(super) fn end(&self) {
        let mut found = self.found();
        *found = Found { ends: found.ends + 1, ..Found::default() };
    }

    /// How to watch, where it is worth it by now, and as of which end.
    fn due(&self) -> Option<(Watch, u64)> {
        let watch = *self.watch.get()?;
        let mut found = self.found();
        let is_due = found.watched.is_none() && found.unwatched >= UNWATCHED && found.tries < TRIES;
        if !is_due {
            return None;
        }
        (found.unwatched, found.tries) = (0, found.tries + 1);
        Some((watch, found.ends))
    }

    /// Takes what watches, unless all of it ended while that was made.
    pub(super) fn begin(&self, watched: Box<dyn Watched>, ends: u64) {
        let mut found = self.found();
        if found.ends == ends {
            found.watched = Some(watched);
        }
    }
}

impl Store {
    /// Says how commits to the database are noticed. Without this nothing is held.
    pub fn watch_with(&self, watch: Watch) {
        let _ = self.inner.held.watch.set(watch);
    }

    /// As [`Self::licenses`], from memory where that is still what the database says.
    pub(crate) fn found(&self, kid: Kid) -> Result<Arc<[StoredLicense]>, StoreError> {
        let inner = &*self.inner;
        let answer = inner.held.found().answer(kid);
        match answer {
            Answer::Held(licenses) if licenses.iter().all(|license| !license.asks_clock()) => Ok(licenses),
            Answer::Held(licenses) => {
                let at = inner.clock.moment();
                Ok(licenses.iter().map(|license| license.read_at(at)).collect())
            }
            Answer::Missing(after) => {
                let licenses = self.licenses(kid)?.into();
                inner.held.found().hold(kid, &licenses, after);
                Ok(licenses)
            }
            Answer::Unwatched => {
                inner.begin_to_watch();
                Ok(self.licenses(kid)?.into())
            }
        }
    }

    /// The content key of a stored license that carries one itself.
    pub(crate) fn content_key(&self, license: &StoredLicense) -> Result<Option<Zeroizing<[u8; 16]>>, StoreError> {
        let keys = &self.inner.held.keys;
        if let Some(sealed) = license.held_key.get() {
            return Ok(Some(keys.open(sealed)));
        }
        let key = self.unwrap_key(license)?;
        let Ok(key) = <&[u8; 16]>::try_from(key.as_bytes()) else { return Ok(None) };
        license.held_key.get_or_init(|| keys.seal(key));
        Ok(Some(Zeroizing::new(*key)))
    }
}

impl Inner {
    /// Opens the connection that watches, where it is worth it by now. Without it everything is read from the database.
    fn begin_to_watch(&self) {
        let Some((watch, ends)) = self.held.due() else { return };
        if let Some(watched) = connection::open(&self.path).ok().and_then(watch) {
            self.held.begin(watched, ends);
        }
    }
}

/// Under which content keys are held that were opened once: keys of this process alone, so that opening one again takes a block of
/// the cipher and no content key stays in memory.
struct Keys {
    enc: Aes256Enc,
    dec: Aes256Dec,
}

impl Keys {
    fn random() -> Result<Self, StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| StoreError::Random)?;
        Ok(Self { enc: Aes256Enc::new((&*key).into()), dec: Aes256Dec::new((&*key).into()) })
    }

    fn seal(&self, key: &[u8; 16]) -> [u8; 16] {
        let mut block = (*key).into();
        self.enc.encrypt_block(&mut block);
        block.0
    }

    fn open(&self, sealed: &[u8; 16]) -> Zeroizing<[u8; 16]> {
        let mut key = Zeroizing::new(*sealed);
        self.dec.decrypt_block((&mut *key).into());
        key
    }
}

impl StoredLicense {
    /// True if its time is another one at each look.
    fn asks_clock(&self) -> bool {
        self.timed_by.is_some() || self.roots.iter().any(|root| root.timed_by.is_some())
    }

    /// The same license at another moment.
    fn read_at(&self, at: Moment) -> Self {
        let services = || [self.policy.issuer].into_iter().chain(self.policy.management);
        Self {
            reading: self.timed_by.as_ref().map(|record| record.read(at, services())),
            roots: self.roots.iter().map(|root| root.read_at(at)).collect(),
            ..self.clone()
        }
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn footprint(&self) -> usize {
        let policy = &self.policy;
        let texts = [&policy.title, &policy.content_id].into_iter().flatten().map(|text| text.len() + PIECE);
        let actions = policy.actions.iter().map(|action| {
            let Conditions { output_protection, minimum_security_version, renew_after, .. } = &action.1;
            let texts = [minimum_security_version.as_ref(), renew_after.as_ref().map(|(_, url)| url)];
            let texts = texts.into_iter().flatten().map(|text| text.len() + PIECE).sum::<usize>();
            let protection = output_protection.as_ref().map_or(0, |bytes| bytes.len() + PIECE);
            action.0.len() + PIECE + size_of_val(action) + texts + protection
        });
        let custom = policy.custom.iter().map(|entry| entry.0.len() + entry.1.len() + 2 * PIECE + size_of_val(entry));
        let pieces = [&self.binding, &self.wrapped, &self.page_key].map(|bytes| bytes.len() + PIECE);
        let own = size_of::<Self>() + size_of::<HeldKey>() + 2 * PIECE;
        own + texts.chain(actions).chain(custom).chain(pieces).sum::<usize>()
            + self.roots.iter().map(Self::footprint).sum::<usize>()
    }
}
