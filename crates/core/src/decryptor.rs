//! Using a license: the choice, the one count, and then samples without a lock. The cipher itself is in the media crate.

use crate::client::Client;
use crate::clock::Reading;
use crate::license::StoredLicense;
use crate::logging::{Level, target};
use crate::operation::patience::OneBound;
use crate::rights::{self, Application, Environment, Refusal};
use crate::store::StoreError;
use crate::turn::Turn;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use wmlicense_media::cenc::{SampleCipher, SampleError, SampleInfo};
use wmlicense_wire::id::Kid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::stack;

/// Licenses tried at the first sample before giving up: each that fails was used up by somebody else in between.
const TRIES: usize = 16;
/// How deep the stack is below the opening of a content key, in bytes.
const FRAMES: usize = 32 << 10;
/// The same of a key that was opened before.
const HELD_FRAMES: usize = if cfg!(debug_assertions) { 16 << 10 } else { 4 << 10 };

/// A sample could not be decrypted, or nothing could be opened for it.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// No license permits the action; this is the refusal that the user can do most about.
    #[error("the action is not permitted: {0:?}")]
    Refused(Refusal),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sample's description does not fit; no data was touched.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

/// One use of one key ID for one action. Shared by any number of threads.
pub struct Decryptor {
    client: Arc<Client>,
    kid: Kid,
    action: String,
    application: Application,
    /// What creation chose; the first sample may choose again.
    chosen: Opened,
    /// Held while the first use is committed, so that it counts once.
    starting: Turn<()>,
    started: OnceLock<Started>,
}

struct Opened {
    /// The licenses of the key ID, and which of them it is.
    licenses: Arc<[StoredLicense]>,
    place: usize,
    cipher: Arc<SampleCipher>,
}

struct Started {
    cipher: Arc<SampleCipher>,
    /// End of the right, where the policy closes an open decryptor with it; [`NEVER`] if it does not. Seconds UTC.
    ends: i64,
    /// The same by [`Decryptor::lasted`].
    closes_at: i64,
    /// When the next count is due, where seconds of use make one; else [`NEVER`]. By [`Decryptor::lasted`].
    counts_at: AtomicI64,
}

impl Started {
    fn goes_on_for_ever(&self) -> bool {
        self.closes_at == NEVER && self.counts_at.load(Ordering::Acquire) == NEVER
    }
}

/// A time that does not come.
const NEVER: i64 = i64::MAX;

impl Decryptor {
    /// Chooses a license and opens its key. Reserves nothing, makes no network call, and writes nothing, unless a policy wants its
    /// license deleted because the clock was set back, or the right is refused for the time, which is recorded then.
    pub fn create(client: &Arc<Client>, kid: Kid, action: &str, application: &Application) -> Result<Self, UseError> {
        let (licenses, environment) = look(client, kid, action, application)?;
        let license = choose(client, &licenses, action, &environment)?;
        let place = licenses.iter().position(|other| std::ptr::eq(other, license)).unwrap_or_default();
        let cipher = open(client, license, action, &environment)?;
        Ok(Self {
            chosen: Opened { licenses, place, cipher },
            client: Arc::clone(client),
            kid,
            action: action.to_owned(),
            application: application.clone(),
            starting: Turn::new(()),
            started: OnceLock::new(),
        })
    }

    /// Decrypts a sample in place. The first one evaluates again and commits the use durably; it alone may be refused, unless
    /// the policy closes an open decryptor when the right ends, or makes each so many seconds of use a count of their own: then
    /// the first sample after them commits another. On an error `data` is untouched.
    pub fn decrypt(&self, info: &SampleInfo<'_>, data: &mut [u8]) -> Result<(), UseError> {
        let started = match self.started.get() {
            Some(started) => started,
            None => self.start()?,
        };
        self.go_on(started)?;
        Ok(started.cipher.decrypt_in_place(info, data)?)
    }

    /// As [`Self::decrypt`], of a use that was counted and goes on for ever: waits for nothing and tells nobody anything. `None` of any
    /// other, whose sample is as it was.
    pub fn decrypt_running(&self, info: &SampleInfo<'_>, data: &mut [u8]) -> Option<Result<(), UseError>> {
        let started = self.started.get().filter(|started| started.goes_on_for_ever())?;
        Some(started.cipher.decrypt_in_place(info, data).map_err(UseError::Sample))
    }

    /// Whether the use goes on: it did not begin, or the policy does not close it, or its right has not ended. Counts nothing.
    pub fn goes_on(&self) -> Result<(), UseError> {
        self.started.get().map_or(Ok(()), |started| self.check_end(started, self.lasted()))
    }

    fn check_end(&self, started: &Started, lasted: i64) -> Result<(), UseError> {
        if started.closes_at > lasted {
            return Ok(());
        }
        self.client.store.note_end(started.ends);
        Err(UseError::Refused(Refusal::Expired))
    }

    /// Closes with the right and counts on, where the policy says so; else costs two comparisons.
    fn go_on(&self, started: &Started) -> Result<(), UseError> {
        if started.goes_on_for_ever() {
            return Ok(());
        }
        let counts_at = started.counts_at.load(Ordering::Acquire);
        let lasted = self.lasted();
        self.check_end(started, lasted)?;
        if counts_at <= lasted {
            let _bound = OneBound::begin();
            let _counting = self.starting.take().map_err(StoreError::from)?;
            // Another thread may have counted meanwhile.
            if started.counts_at.load(Ordering::Acquire) <= lasted {
                let next = self.commit()?.counts_at.into_inner();
                started.counts_at.store(next, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Seconds by the clock that nobody sets; by the wall clock where there is none.
    fn lasted(&self) -> i64 {
        self.client.clock.steady()
    }

    /// Output protection that the license demands, as the owner wrote it.
    pub fn output_protection(&self) -> Option<&[u8]> {
        self.chosen()?.policy.action(&self.action)?.output_protection.as_deref()
    }

    /// The license that creation chose.
    fn chosen(&self) -> Option<&StoredLicense> {
        self.chosen.licenses.get(self.chosen.place)
    }

    fn start(&self) -> Result<&Started, UseError> {
        let _bound = OneBound::begin();
        let _starting = self.starting.take().map_err(StoreError::from)?;
        if let Some(started) = self.started.get() {
            return Ok(started);
        }
        let started = self.commit()?;
        Ok(self.started.get_or_init(|| started))
    }

    /// Evaluates again and makes the use count.
    fn commit(&self) -> Result<Started, UseError> {
        if let Some(chosen) = self.chosen().filter(|chosen| !self.is_counted(chosen)) {
            return self.commit_stateless(chosen);
        }
        for _ in 0..TRIES {
            let (licenses, environment) = look(&self.client, self.kid, &self.action, &self.application)?;
            let license = choose(&self.client, &licenses, &self.action, &environment)?;
            if !self.is_counted(license) {
                let cipher = open(&self.client, license, &self.action, &environment)?;
                return Ok(self.started(cipher, license, ActionState::default()));
            }
            let cipher = self.cipher_of(license, &environment)?;
            let mut change = |policy: &Policy, state: &State| {
                spend(policy, state, license.reading, &self.action, &environment).map_err(UseError::Refused)
            };
            match self.client.store.change_state(license.policy.lid, &mut change) {
                Ok(state) => {
                    let left = state.actions.get(&self.action).copied().unwrap_or_default();
                    return Ok(self.started(cipher, license, left));
                }
                // Used up or removed since it was read: another license may do.
                Err(UseError::Refused(_) | UseError::Store(StoreError::NoSuchLicense(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Err(UseError::Store(StoreError::Busy))
    }

    fn commit_stateless(&self, chosen: &StoredLicense) -> Result<Started, UseError> {
        let mut license = chosen;
        let licenses;
        let is_leaf = license.policy.kind == LicenseKind::Leaf;
        if is_leaf || license.policy.action(&self.action).is_some_and(|conditions| conditions.is_dated()) {
            // The time of the evaluation at creation is over; the license is read again with the clock's record.
            let environment;
            (licenses, environment) = look(&self.client, self.kid, &self.action, &self.application)?;
            let found = licenses.iter().find(|found| found.policy.lid == license.policy.lid);
            license = choose(&self.client, found.map_or(&[], std::slice::from_ref), &self.action, &environment)?;
            if let Err(error) = self.client.store.note_use() {
                let text = format_args!("the time of a use could not be recorded: {error}");
                self.client.log.record(Level::Warn, target::STORE, text);
            }
        }
        Ok(self.started(Arc::clone(&self.chosen.cipher), license, ActionState::default()))
    }

    /// True if a use changes what is left of the action.
    fn is_counted(&self, license: &StoredLicense) -> bool {
        license.policy.action(&self.action).is_some_and(|conditions| conditions.is_stateful())
    }

    fn cipher_of(&self, license: &StoredLicense, environment: &Environment) -> Result<Arc<SampleCipher>, UseError> {
        if self.chosen().is_some_and(|chosen| chosen.policy.lid == license.policy.lid) {
            return Ok(Arc::clone(&self.chosen.cipher));
        }
        open(&self.client, license, &self.action, environment)
    }

    fn started(&self, cipher: Arc<SampleCipher>, license: &StoredLicense, left: ActionState) -> Started {
        let closing = |policy: &Policy| policy.action(&self.action).is_some_and(|of| of.close_at_expiry);
        let own = license.policy.action(&self.action).filter(|conditions| conditions.close_at_expiry);
        let own = own.and_then(|conditions| rights::end_of(&license.policy, conditions, left));
        let closes = closing(&license.policy) || license.roots.iter().any(|root| closing(&root.policy));
        let root = if closes { rights::root_end(license, &self.action) } else { None };
        let readings = license.reading.into_iter().chain(license.roots.iter().filter_map(|root| root.reading));
        // Within its grace a clock that is behind is taken for what is known.
        let known = readings.map(|reading| reading.behind.unwrap_or(reading.now)).next();
        let now = || known.unwrap_or_else(|| self.client.clock.now());
        let end = own.into_iter().chain(root).min();
        let counted = license.policy.action(&self.action).filter(|conditions| conditions.count.is_some());
        let period = counted.and_then(|conditions| conditions.seconds_per_count).filter(|seconds| *seconds > 0);
        // Most licenses neither close nor count on, and ask no clock.
        let after = |seconds: i64| self.lasted().saturating_add(seconds);
        Started {
            cipher,
            ends: end.unwrap_or(NEVER),
            closes_at: end.map_or(NEVER, |end| after(end.saturating_sub(now()))),
            counts_at: AtomicI64::new(period.map_or(NEVER, |period| after(i64::try_from(period).unwrap_or(NEVER)))),
        }
    }
}

/// The state after one more use, or why there is none.
fn spend(
    policy: &Policy,
    state: &State,
    reading: Option<Reading>,
    action: &str,
    environment: &Environment,
) -> Result<State, Refusal> {
    if let Some(refusal) = foremost(&rights::refusals(policy, state, reading, action, environment)) {
        return Err(refusal);
    }
    let mut next = state.clone();
    if let Some(left) = next.actions.get_mut(action) {
        left.counts_left = left.counts_left.map(|counts| counts.saturating_sub(1));
        // A first use in the future was made by a clock that was ahead: the time begins with this one.
        let now = environment.reading(reading).now;
        left.first_use = Some(left.first_use.map_or(now, |first| first.min(now)));
    }
    Ok(next)
}

/// The license to use. A refusal for the time is a time that was seen.
fn choose<'l>(
    client: &Client,
    licenses: &'l [StoredLicense],
    action: &str,
    environment: &Environment,
) -> Result<&'l StoredLicense, UseError> {
    rights::choose(licenses, action, environment).map_err(|refusals| {
        if refusals.iter().any(|refusal| refusal.tells_time()) {
            client.store.note_refusal();
        }
        UseError::Refused(foremost(&refusals).unwrap_or(Refusal::NoLicense))
    })
}

/// Of several refusals the one that the user can do most about.
fn foremost(refusals: &[Refusal]) -> Option<Refusal> {
    const ORDER: [Refusal; 16] = [
        Refusal::ApplicationRevoked,
        Refusal::Clock,
        Refusal::NeedsIndividualization,
        Refusal::StatusListTooOld,
        Refusal::ApplicationLevelTooLow,
        Refusal::UnknownCondition,
        Refusal::RootMissing,
        Refusal::SubscriptionEnded,
        Refusal::NotStarted,
        Refusal::Expired,
        Refusal::Exhausted,
        Refusal::DeviceRevoked,
        Refusal::IssuerRevoked,
        Refusal::StateLost,
        Refusal::NoRight,
        Refusal::NoLicense,
    ];
    ORDER.into_iter().find(|refusal| refusals.contains(refusal))
}

/// Opens the content key; that of a leaf with the key of its root.
fn open(
    client: &Client,
    license: &StoredLicense,
    action: &str,
    environment: &Environment,
) -> Result<Arc<SampleCipher>, UseError> {
    if license.held_key.get().is_some() {
        return stack::wiped::<HELD_FRAMES, _>(|| held_key(client, license));
    }
    stack::wiped::<FRAMES, _>(|| expanded_key(client, license, action, environment))
}

/// The key of a license whose key was opened before.
fn held_key(client: &Client, license: &StoredLicense) -> Result<Arc<SampleCipher>, UseError> {
    let key = client.store.content_key(license)?.ok_or_else(no_content_key)?;
    Ok(Arc::new(SampleCipher::new(&key)))
}

fn no_content_key() -> StoreError {
    StoreError::Damaged("a license has no content key".into())
}

fn expanded_key(
    client: &Client,
    license: &StoredLicense,
    action: &str,
    environment: &Environment,
) -> Result<Arc<SampleCipher>, UseError> {
    if license.policy.kind == LicenseKind::Content {
        return held_key(client, license);
    }
    let mut key = client.store.unwrap_key(license)?;
    if license.policy.kind == LicenseKind::Leaf {
        let root = rights::root_of(license, action, environment)
            .map_err(|found| UseError::Refused(foremost(&found).unwrap_or(Refusal::RootMissing)))?;
        let opened = key.open_leaf(&client.store.unwrap_key(root)?, license.policy_hash);
        key = opened.ok_or_else(|| StoreError::Damaged("a license does not open under its subscription".into()))?;
    }
    let key: &[u8; 16] = key.as_bytes().try_into().map_err(|_| no_content_key())?;
    Ok(Arc::new(SampleCipher::new(key)))
}

/// The licenses for a key ID and what they are judged by, for a use. One that its policy wants deleted because the clock was set
/// back is deleted for good; this use is refused for the clock.
fn look(
    client: &Client,
    kid: Kid,
    action: &str,
    application: &Application,
) -> Result<(Arc<[StoredLicense]>, Environment), StoreError> {
    let (licenses, environment) = client.look(kid, action, application)?;
    if licenses.iter().any(|license| rights::is_forfeited(&license.policy, license.reading, action)) {
        let deleted = client.store.forfeit(kid, action)?;
        let text = format_args!("{deleted} licenses were deleted because the clock was set back, as their policy says");
        client.log.record(Level::Warn, target::USE, text);
    }
    Ok((licenses, environment))
}
