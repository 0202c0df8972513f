//! The C face of `core::rights`: what stored licenses permit. No network, no side effect.

use crate::client::{ClientObject, wm_client};
use crate::detail::Failure;
use crate::flags::WM_LICENSE_STATE_VAGUE;
use crate::gate;
use crate::input::{self, Out, SizedOut};
use crate::lists::{named, numbers};
use crate::object::resolve;
use crate::result::wm_result;
use std::ffi::c_char;
use wmlicense_core::rights::{Category, Refusal, action};
use wmlicense_wire::id::Kid;

numbers! {
    /// Bits of wm_query_action_allowed.
    REASONS = "WM_REASON_": u32;
    NOT_ENABLED = 0x1, "the action is not permitted; set with every other bit";
    NO_LICENSE = 0x2, "there is no license for the key ID";
    NO_RIGHT = 0x4, "no license grants the action";
    EXHAUSTED = 0x8, "all uses are used up";
    EXPIRED = 0x10, "the right has ended";
    NOT_STARTED = 0x20, "the right has not begun";
    APPSEC_TOO_LOW = 0x40, "the application's security level is too low";
    REQ_INDIV = 0x80, "the device must be individualized again";
    NO_CLOCK_SUPPORT = 0x400, "the clock cannot be trusted, and the right has dates";
    ROOT_MISSING = 0x2000, "the root license of the subscription is missing, or has ended where WM_REASON_EXPIRED is set too";
    STATE_LOST = 0x4000, "the license lost its state";
    REVOKED = 0x8000, "the key that signed the license, the device, or the application was revoked";
    STATUS_LIST = 0x1_0000, "the license demands a newer status list; see wm_refresh_revocations";
    UNKNOWN_CONDITION = 0x2_0000, "the right has a condition that this version does not know";
}

/// Names of actions: macro, name, meaning.
pub(crate) const ACTIONS: &[(&str, &str, &str)] = &[
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

named! {
    /// Categories of wm_license_state.
    STATE_CATEGORIES = "WM_LICENSE_STATE_" of Category;
    NORIGHT = NoRight, "not permitted, now or later; wm_query_action_allowed tells why";
    UNLIM = Unlimited, "permitted without limit";
    COUNT = Count, "counts[0] uses left";
    FROM = From, "from dates[0] on";
    UNTIL = Until, "until dates[0]";
    FROM_UNTIL = FromUntil, "from dates[0] until dates[1]";
    COUNT_FROM = CountFrom, "counts[0] uses from dates[0] on";
    COUNT_UNTIL = CountUntil, "counts[0] uses until dates[0]";
    COUNT_FROM_UNTIL = CountFromUntil, "counts[0] uses from dates[0] until dates[1]";
    EXPIRATION_AFTER_FIRSTUSE = AfterFirstUse, "seconds_after_first_use from the first use on, which did not happen yet; counts and dates apply as well";
}

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
        Refusal::NoLicense => NO_LICENSE,
        Refusal::NoRight => NO_RIGHT,
        Refusal::Exhausted => EXHAUSTED,
        Refusal::Expired => EXPIRED,
        Refusal::NotStarted => NOT_STARTED,
        Refusal::ApplicationLevelTooLow => APPSEC_TOO_LOW,
        Refusal::NeedsIndividualization => REQ_INDIV,
        Refusal::Clock => NO_CLOCK_SUPPORT,
        Refusal::RootMissing | Refusal::SubscriptionEnded => ROOT_MISSING,
        Refusal::StateLost => STATE_LOST,
        Refusal::IssuerRevoked | Refusal::DeviceRevoked | Refusal::ApplicationRevoked => REVOKED,
        Refusal::StatusListTooOld => STATUS_LIST,
        Refusal::UnknownCondition => UNKNOWN_CONDITION,
    }
}

fn refusals(client: &ClientObject, kid: Kid, action: &str) -> Result<u32, Failure> {
    let found = client.opened()?.query_allowed(kid, action, &client.application());
    let refusals = found?;
    let refused = if refusals.is_empty() { 0 } else { NOT_ENABLED };
    Ok(refusals.into_iter().map(bit).fold(refused, |bits, bit| bits | bit))
}

fn state(client: &ClientObject, kid: Kid, action: &str, struct_size: usize) -> Result<wm_license_state, Failure> {
    let found = client.opened()?.query_state(kid, action, &client.application());
    let found = found?;
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

/// Tells whether a stored license permits an action. No network call, and no license changes; the time of a refusal for
/// its dates is remembered, at most once a minute. kid: 16 bytes. action: UTF-8, WM_ACTION_* or another name that a
/// policy has. *reasons_out: 0 if it is permitted, else WM_REASON_NOT_ENABLED with the reasons of all licenses.
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
