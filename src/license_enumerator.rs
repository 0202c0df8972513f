//! The C face of walking through the stored licenses.

use crate::client::{ClientObject, wm_client};
use crate::detail::Failure;
use crate::gate;
use crate::object::{self, Base, Object, handle, resolve};
use crate::prop::names::*;
use crate::prop::{Access, Key, Specs, Value};
use crate::result::{WM_E_ALREADY_OPEN, WM_E_NO_MORE_ITEMS, wm_result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wmlicense_core::license::StoredLicense;
use wmlicense_core::logging::Keep;
use wmlicense_core::rights::{action, renew_after};
use wmlicense_core::store::Filter;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::policy::{Conditions, Policy};

/// Walks through the stored licenses in the order of their key IDs. Create it, set filters, and call wm_next_license until
/// it answers WM_E_NO_MORE_ITEMS; after each 0, properties show the license. Licenses that come and go meanwhile may or
/// may not be seen; nothing of the store is locked between calls.
pub struct wm_license_enumerator {
    _opaque: [u8; 0],
}

handle!(wm_license_enumerator: LicenseEnumeratorObject, LicenseEnumerator);

/// Here it is what the license grants, which can only be read.
const GRANTED_ACTIONS: Key = ACTIONS.key();

pub(crate) const PROPERTIES: Specs = &[
    &FILTER_KID,
    &FILTER_ACTION,
    &FILTER_ISSUER,
    &FILTER_EXPIRING_BEFORE,
    &LID,
    &KID,
    &GRANTED_ACTIONS,
    &ISSUER,
    &ISSUE_DATE,
    &NOT_BEFORE,
    &NOT_AFTER,
    &RENEW_AFTER,
    &RENEW_URL,
    &COUNTS_LEFT,
    &BACKUP_ALLOWED,
    &TITLE,
    &ROOT_KID,
    &CONTENT_ID,
    &OUTPUT_PROTECTION,
];

/// Where an enumeration is.
#[derive(Default)]
struct Position {
    begun: bool,
    after: Option<(Kid, Lid)>,
    current: Option<Arc<StoredLicense>>,
}

/// The object behind a `wm_license_enumerator`.
pub(crate) struct LicenseEnumeratorObject {
    base: Base,
    client: Arc<ClientObject>,
    position: Mutex<Position>,
}

impl Object for LicenseEnumeratorObject {
    fn base(&self) -> &Base {
        &self.base
    }

    fn computed(&self, key: Key) -> Result<Option<Value>, Failure> {
        let Some(license) = self.position().current.clone() else {
            return Ok(None);
        };
        let policy = &license.policy;
        Ok(match key {
            LID => Some(Value::from(policy.lid.to_base64())),
            KID => Some(Value::from(policy.kid.to_base64())),
            GRANTED_ACTIONS => {
                Some(Value::from(policy.actions.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")))
            }
            ISSUER => Some(Value::from(policy.issuer.to_base64())),
            ISSUE_DATE => Some(date(policy.first_issued)),
            NOT_BEFORE => bound(policy, begin).and_then(|dates| dates.into_iter().min()).map(date),
            NOT_AFTER => bound(policy, end_of).and_then(|dates| dates.into_iter().max()).map(date),
            RENEW_AFTER => renew_after(policy).map(|(time, _)| date(time)),
            RENEW_URL => renew_after(policy).map(|(_, url)| Value::from(url.to_owned())),
            COUNTS_LEFT => counts_left(&license).map(Value::Dword),
            BACKUP_ALLOWED => Some(Value::Bool(policy.may_back_up())),
            TITLE => {
                let title = self.client.opened()?.store.title(policy.kid);
                title?.map(Value::from)
            }
            ROOT_KID => policy.root_kid.map(|kid| Value::from(kid.to_base64())),
            CONTENT_ID => policy.content_id.clone().map(Value::from),
            OUTPUT_PROTECTION => {
                policy.action(action::PLAY).and_then(|play| play.output_protection.clone()).map(Value::Binary)
            }
            _ => None,
        })
    }

    fn may_change(&self, _access: Access) -> Result<(), Failure> {
        if self.position().begun { Err(Failure::new(WM_E_ALREADY_OPEN)) } else { Ok(()) }
    }
}

/// Seconds UTC; times before 1970 keep their two's complement.
fn date(seconds: i64) -> Value {
    Value::Qword(seconds as u64)
}

fn begin(_: &Policy, conditions: &Conditions) -> Option<i64> {
    conditions.not_before
}

/// When a right ends, as far as the policy alone tells.
pub(crate) fn end_of(policy: &Policy, conditions: &Conditions) -> Option<i64> {
    let after_storing = conditions
        .seconds_after_storing
        .map(|seconds| policy.first_issued.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX)));
    conditions.not_after.into_iter().chain(after_storing).min()
}

/// A bound of every action; none if one action has no such bound.
fn bound(policy: &Policy, of: fn(&Policy, &Conditions) -> Option<i64>) -> Option<Vec<i64>> {
    policy.actions.iter().map(|(_, conditions)| of(policy, conditions)).collect()
}

fn counts_left(license: &StoredLicense) -> Option<u32> {
    license.state.as_ref()?.actions.values().filter_map(|action| action.counts_left).min()
}

impl LicenseEnumeratorObject {
    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn filter(&self) -> Filter {
        let own = &self.base.properties;
        Filter {
            kid: own.get(&FILTER_KID),
            action: own.get(&FILTER_ACTION),
            issuer: own.get(&FILTER_ISSUER),
            expiring_before: own.get(&FILTER_EXPIRING_BEFORE).map(|seconds| seconds as i64),
        }
    }

    fn advance(&self) -> Result<(), Failure> {
        let store = &self.client.opened()?.store;
        let _records = Keep::begin();
        let mut position = self.position();
        position.begun = true;
        position.current = None;
        let found = store.next_license(&self.filter(), position.after)?;
        let found = found.ok_or_else(|| Failure::new(WM_E_NO_MORE_ITEMS))?;
        position.after = Some((found.policy.kid, found.policy.lid));
        position.current = Some(Arc::new(found));
        Ok(())
    }
}

/// Creates a license enumerator, before the first license. *out: receives a handle to release.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_license_enumerator(
    client: *mut wm_client,
    out: *mut *mut wm_license_enumerator,
) -> wm_result {
    // SAFETY: the header makes the caller answer for the place.
    unsafe {
        object::create(out, || {
            let (client, base) = (resolve(client)?, Base::new(PROPERTIES));
            Ok(LicenseEnumeratorObject { base, client, position: Mutex::default() })
        })
    }
}

/// Goes to the next license; wm_get_prop then shows it. From the first call on, filters are fixed.
/// Fails with WM_E_NO_MORE_ITEMS after the last license, with WM_E_NOT_OPEN, or with a store error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_next_license(enumerator: *mut wm_license_enumerator) -> wm_result {
    gate::enter(|| resolve(enumerator)?.advance())
}
