//! What a service says of single licenses: why one is refused, and what a restore of one would give.

use super::Reason;
use crate::cbor::{read, write};
use crate::id::{Kid, Lid};
use std::fmt;

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Key ID or license ID that is refused; none for the whole request.
    pub subject: Option<[u8; 16]>,
    /// Key ID, where the subject is a license.
    pub kid: Option<Kid>,
    /// Why.
    pub reason: Reason,
    /// Page that helps the user.
    pub url: Option<String>,
    /// Seconds UTC from which on the same may be granted, where it is refused for a time only.
    pub again: Option<i64>,
}

/// What a restore of one license would give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The license.
    pub lid: Lid,
    /// Why it would be refused, if it would.
    pub refusal: Option<Reason>,
    /// Devices that hold it, this one included if it does.
    pub devices_used: u32,
    /// Devices in all.
    pub devices_limit: u32,
    /// Seconds UTC from which on it may be granted, where it would be refused for a time only.
    pub again: Option<i64>,
}

pub(super) fn encode_refusal(refusal: &Refusal) -> Vec<u8> {
    let mut said = vec![
        refusal.subject.map_or_else(write::null, write::bytes),
        refusal.kid.map_or_else(write::null, write::bytes),
        write::uint(refusal.reason as u64),
        refusal.url.as_deref().map_or_else(write::null, write::text),
    ];
    said.extend(refusal.again.map(write::int));
    write::array(said)
}

pub(super) fn read_refusal(raw: &[u8]) -> Option<Refusal> {
    let items = read::items(raw, 5)?;
    let (&[subject, kid, reason, url], again) = items.split_first_chunk()?;
    Some(Refusal {
        subject: read::nullable(subject, |raw| read::bytes(raw)?.try_into().ok())?,
        kid: read::nullable(kid, read::id)?,
        reason: Reason::from_number(read::uint(reason)?)?,
        url: read::nullable(url, read::text)?,
        again: read_again(again)?,
    })
}

/// The member that only what is refused for a time has.
fn read_again(rest: &[&[u8]]) -> Option<Option<i64>> {
    rest.first().map_or(Some(None), |again| read::int(again).map(Some))
}

pub(super) fn encode_verdict(verdict: &Verdict) -> Vec<u8> {
    let mut said = vec![
        write::bytes(verdict.lid),
        verdict.refusal.map_or_else(write::null, |reason| write::uint(reason as u64)),
        write::uint(verdict.devices_used.into()),
        write::uint(verdict.devices_limit.into()),
    ];
    said.extend(verdict.again.map(write::int));
    write::array(said)
}

pub(super) fn read_verdict(raw: &[u8]) -> Option<Verdict> {
    let items = read::items(raw, 5)?;
    let (&[lid, refusal, used, limit], again) = items.split_first_chunk()?;
    Some(Verdict {
        lid: read::id(lid)?,
        refusal: read::nullable(refusal, |raw| Reason::from_number(read::uint(raw)?))?,
        devices_used: read::uint32(used)?,
        devices_limit: read::uint32(limit)?,
        again: read_again(again)?,
    })
}

/// A clause for people.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownContent => "it has no such content",
            Self::NotEntitled => "the account may not have it",
            Self::LimitReached => "as many devices as allowed hold it",
            Self::Revoked => "it was revoked",
            Self::Expired => "it has ended",
            Self::OtherAccount => "it belongs to another account",
            Self::NotAllowed => "the terms do not allow it",
            Self::UnknownIssuer => "it does not manage licenses of this issuer",
            Self::AccountRequired => "it needs an account token",
            Self::Damaged => "the record does not open or contradicts itself",
            Self::ConsentMissing => "the user did not agree",
            Self::DeviceRevoked => "this device may not ask any more",
            Self::QuotaUsedUp => "it certifies no more devices today",
            Self::ApplicationRevoked => "this application may not ask any more",
            Self::Declined => "the user declined",
            Self::NotDecided => "the user did not decide in time",
            Self::Returned => "it was given back",
            Self::UserMustAct => "the user must act first",
            Self::DeviceCopied => "copies of this device's store asked too often",
            Self::KeyReplaced => "the device has other keys by now",
            Self::GrantedTooOften => "the device lost it and got it again too often",
            Self::UsedUp => "all its uses are used up",
        })
    }
}
