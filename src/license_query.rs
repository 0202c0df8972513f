//! The C face of `core::rights`: what stored licenses permit. No network, no side effect.

use crate::client::{ClientObject, wm_client};
use crate::detail::Failure;
use crate::failure;
use crate::gate;
use crate::input::{self, Out, SizedOut};
use crate::object::resolve;
use crate::result::wm_result;
use std::ffi::c_char;
use wmlicense_core::rights::{Category, Refusal, action};
use wmlicense_wire::id::Kid;

const NOT_ENABLED: u32 = 0x1;
const REASON_NO_LICENSE: u32 = 0x2;
const REASON_NO_RIGHT: u32 = 0x4;
const REASON_EXHAUSTED: u32 = 0x8;
const REASON_EXPIRED: u32 = 0x10;
const REASON_NOT_STARTED: u32 = 0x20;
const REASON_APPSEC_TOO_LOW: u32 = 0x40;
const REASON_REQ_INDIV: u32 = 0x80;
const REASON_CLOCK: u32 = 0x400;
const REASON_ROOT_MISSING: u32 = 0x2000;
const REASON_STATE_LOST: u32 = 0x4000;
const REASON_REVOKED: u32 = 0x8000;
const REASON_STATUS_LIST: u32 = 0x1_0000;
const REASON_UNKNOWN_CONDITION: u32 = 0x2_0000;

/// Bits of wm_query_action_allowed: name, bit, meaning.
pub const REASONS: &[(&str, u32, &str)] = &[
    ("WM_REASON_NOT_ENABLED", NOT_ENABLED, "the action is not permitted; set with every other bit"),
    ("WM_REASON_NO_LICENSE", REASON_NO_LICENSE, "there is no license for the key ID"),
    ("WM_REASON_NO_RIGHT", REASON_NO_RIGHT, "no license grants the action"),
    ("WM_REASON_EXHAUSTED", REASON_EXHAUSTED, "all uses are used up"),
    ("WM_REASON_EXPIRED", REASON_EXPIRED, "the right has ended"),
    ("WM_REASON_NOT_STARTED", REASON_NOT_STARTED, "the right has not begun"),
    ("WM_REASON_APPSEC_TOO_LOW", REASON_APPSEC_TOO_LOW, "the application's security level is too low"),
    ("WM_REASON_REQ_INDIV", REASON_REQ_INDIV, "the device must be individualized again"),
    ("WM_REASON_NO_CLOCK_SUPPORT", REASON_CLOCK, "the clock cannot be trusted, and the right has dates"),
    (
        "WM_REASON_ROOT_MISSING",
        REASON_ROOT_MISSING,
        "the root license of the subscription is missing, or has ended where WM_REASON_EXPIRED is set too",
    ),
    ("WM_REASON_STATE_LOST", REASON_STATE_LOST, "the license lost its state"),
    (
        "WM_REASON_REVOKED",
        REASON_REVOKED,
        "the key that signed the license, the device, or the application was revoked",
    ),
    (
        "WM_REASON_STATUS_LIST",
        REASON_STATUS_LIST,
        "the license demands a newer status list; see wm_refresh_revocations",
    ),
    (
        "WM_REASON_UNKNOWN_CONDITION",
        REASON_UNKNOWN_CONDITION,
        "the right has a condition that this version does not know",
    ),
];

/// Names of actions: macro, name, meaning.
pub const ACTIONS: &[(&str, &str, &str)] = &[
    ("WM_ACTION_PLAY", action::PLAY, "play"),
    ("WM_ACTION_COPY", action::COPY, "copy to a device"),
    ("WM_ACTION_PLAYLIST_BURN", action::PLAYLIST_BURN, "burn to a CD as part of a playlist"),
    ("WM_ACTION_PRINT_REDBOOK", action::PRINT_REDBOOK, "burn to an audio CD"),
    ("WM_ACTION_TRANSFER_SDMI", action::TRANSFER_SDMI, "copy to a device that obeys SDMI"),
    ("WM_ACTION_TRANSFER_NONSDMI", action::TRANSFER_NONSDMI, "copy to a device that does not obey SDMI"),
    ("WM_ACTION_CREATE_THUMBNAIL_IMAGE", action::CREATE_THUMBNAIL_IMAGE, "make a thumbnail of a picture"),
    ("WM_ACTION_COLLABORATIVE_PLAY", action::COLLABORATIVE_PLAY, "play together with others over a network"),
    ("WM_ACTION_BACKUP", action::BACKUP, "go into a backup: a question to wm_query_*, which the policy itself answers"),
];

/// Categories of wm_license_state.
pub const STATE_CATEGORIES: &[(&str, Category, &str)] = &[
    ("WM_LICENSE_STATE_NORIGHT", Category::NoRight, "not permitted, now or later; wm_query_action_allowed tells why"),
    ("WM_LICENSE_STATE_UNLIM", Category::Unlimited, "permitted without limit"),
    ("WM_LICENSE_STATE_COUNT", Category::Count, "counts[0] uses left"),
    ("WM_LICENSE_STATE_FROM", Category::From, "from dates[0] on"),
    ("WM_LICENSE_STATE_UNTIL", Category::Until, "until dates[0]"),
    ("WM_LICENSE_STATE_FROM_UNTIL", Category::FromUntil, "from dates[0] until dates[1]"),
    ("WM_LICENSE_STATE_COUNT_FROM", Category::CountFrom, "counts[0] uses from dates[0] on"),
    ("WM_LICENSE_STATE_COUNT_UNTIL", Category::CountUntil, "counts[0] uses until dates[0]"),
    ("WM_LICENSE_STATE_COUNT_FROM_UNTIL", Category::CountFromUntil, "counts[0] uses from dates[0] until dates[1]"),
    (
        "WM_LICENSE_STATE_EXPIRATION_AFTER_FIRSTUSE",
        Category::AfterFirstUse,
        "seconds_after_first_use from the first use on, which did not happen yet; counts and dates apply as well",
    ),
];

/// Set in wm_license_state::vague when further licenses apply that do not add up with this: enumerate them to be sure.
pub const WM_LICENSE_STATE_VAGUE: u32 = 1;

/// What is left of an action by all licenses together. Set struct_size to sizeof(wm_license_state) before the call.
#[repr(C)]
pub struct wm_license_state {
    /// Size of the struct that the caller knows, in bytes.
    pub struct_size: usize,
    /// WM_LICENSE_STATE_*.
    pub category: u32,
    /// Numbers in counts.
    pub count_count: u32,
    /// Uses left.
    pub counts: [u32; 4],
    /// Dates in dates.
    pub date_count: u32,
    /// Seconds UTC: begin, end, or both.
    pub dates: [i64; 4],
    /// Seconds of use from the first use on, where it did not happen yet; else 0.
    pub seconds_after_first_use: u64,
    /// 0 or WM_LICENSE_STATE_VAGUE.
    pub vague: u32,
}

fn bit(refusal: Refusal) -> u32 {
    match refusal {
        Refusal::NoLicense => REASON_NO_LICENSE,
        Refusal::NoRight => REASON_NO_RIGHT,
        Refusal::Exhausted => REASON_EXHAUSTED,
        Refusal::Expired => REASON_EXPIRED,
        Refusal::NotStarted => REASON_NOT_STARTED,
        Refusal::ApplicationLevelTooLow => REASON_APPSEC_TOO_LOW,
        Refusal::NeedsIndividualization => REASON_REQ_INDIV,
        Refusal::Clock => REASON_CLOCK,
        Refusal::RootMissing | Refusal::SubscriptionEnded => REASON_ROOT_MISSING,
        Refusal::StateLost => REASON_STATE_LOST,
        Refusal::IssuerRevoked | Refusal::DeviceRevoked | Refusal::ApplicationRevoked => REASON_REVOKED,
        Refusal::StatusListTooOld => REASON_STATUS_LIST,
        Refusal::UnknownCondition => REASON_UNKNOWN_CONDITION,
    }
}

fn refusals(client: &ClientObject, kid: Kid, action: &str) -> Result<u32, Failure> {
    let found = client.opened()?.query_allowed(kid, action, &client.application());
    let refusals = found.map_err(|error| failure::store(&error))?;
    let refused = if refusals.is_empty() { 0 } else { NOT_ENABLED };
    Ok(refusals.into_iter().map(bit).fold(refused, |bits, bit| bits | bit))
}

fn state(client: &ClientObject, kid: Kid, action: &str, struct_size: usize) -> Result<wm_license_state, Failure> {
    let found = client.opened()?.query_state(kid, action, &client.application());
    let found = found.map_err(|error| failure::store(&error))?;
    let ((counts, count_count), (dates, date_count)) = (first_four(&found.counts), first_four(&found.dates));
    Ok(wm_license_state {
        struct_size,
        category: found.category as u32,
        count_count,
        counts,
        date_count,
        dates,
        seconds_after_first_use: found.seconds_after_first_use,
        vague: if found.vague { WM_LICENSE_STATE_VAGUE } else { 0 },
    })
}

/// The values in the fixed places of the struct, and how many there are.
fn first_four<T: Copy + Default>(values: &[T]) -> ([T; 4], u32) {
    let mut places = [T::default(); 4];
    let mut count = 0;
    for (place, value) in places.iter_mut().zip(values) {
        *place = *value;
        count += 1;
    }
    (places, count)
}

/// Tells whether a stored license permits an action. No network call, and no license changes; the time of a refusal for its dates is
/// remembered, at most once a minute. kid: 16 bytes. action: UTF-8, WM_ACTION_* or another name that a policy has. *reasons_out: 0
/// if it is permitted, else WM_REASON_NOT_ENABLED with the reasons of all licenses.
/// Answers 0 whenever the question could be answered. Fails with WM_E_INVALIDARG, WM_E_BAD_VALUE, WM_E_NOT_OPEN, or a store
/// error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_query_action_allowed(
    client: *mut wm_client,
    kid: *const u8,
    action: *const c_char,
    reasons_out: *mut u32,
) -> wm_result {
    gate::enter(|| {
        let client = resolve(client)?;
        // SAFETY: the header makes the caller answer for 16 bytes, a NUL-terminated text and the place.
        let (kid, action, out) =
            unsafe { (input::kid(kid)?, input::action(action)?, Out::new(reasons_out, "reasons_out")?) };
        out.write(refusals(&client, kid, action)?);
        Ok(())
    })
}

/// Tells what is left of an action by all licenses for the key ID together: of those that permit it now, else of those that will
/// later. What adds up is added up; where it does not, *state is what the license that is used first permits, with
/// WM_LICENSE_STATE_VAGUE. No network call, and no license changes; the time is remembered as by wm_query_action_allowed.
/// Fails as wm_query_action_allowed, and with WM_E_INVALIDARG if struct_size is not set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_query_license_state(
    client: *mut wm_client,
    kid: *const u8,
    action: *const c_char,
    state: *mut wm_license_state,
) -> wm_result {
    gate::enter(|| {
        let client = resolve(client)?;
        // SAFETY: the header makes the caller answer for 16 bytes, a NUL-terminated text and the struct.
        let (kid, action, out) = unsafe { (input::kid(kid)?, input::action(action)?, SizedOut::new(state)?) };
        let found = self::state(&client, kid, action, out.struct_size())?;
        out.write(found);
        Ok(())
    })
}
