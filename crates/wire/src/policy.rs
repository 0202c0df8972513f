//! The policy: the signed, device-independent terms of one license. Evaluation over time and state is not here.

mod glance;

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::id::{Digest, Kid, Lid, ServiceId, SignerId, UserId};
pub use glance::Glance;

/// Longest policy accepted, in bytes.
pub const MAX_LEN: usize = 4 * 1024;
/// Most actions in a policy, in the state of a license, and in a request.
pub const MAX_ACTIONS: usize = 32;
const MAX_CONDITIONS: usize = 32;
const MAX_CUSTOM: usize = 32;

/// What kind of key a license carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LicenseKind {
    /// A content key.
    Content = 0,
    /// The root key of a subscription.
    Root = 1,
    /// A content key wrapped under a root key as well.
    Leaf = 2,
}

/// Whether a license may go into a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BackupRight {
    /// Never: reported as restricted.
    No = 0,
    /// Only while the license is stateless; a stateful one is reported as restricted.
    Stateless = 1,
    /// Always; the state travels with it.
    Stateful = 2,
}

impl BackupRight {
    /// True if a license that counts uses, or one that does not, may go into a backup.
    fn covers(self, stateful: bool) -> bool {
        match self {
            Self::No => false,
            Self::Stateless => !stateful,
            Self::Stateful => true,
        }
    }
}

/// What happens to dated rights when the clock is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum OnClockRollback {
    /// Unusable until the clock is right again.
    #[default]
    Disable = 0,
    /// The license is deleted.
    Delete = 1,
}

/// Conditions of one action. Dates are seconds UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// No right before this time.
    pub not_before: Option<i64>,
    /// No right from this time on.
    pub not_after: Option<i64>,
    /// No right this many seconds after the first use.
    pub seconds_after_first_use: Option<u64>,
    /// No right this many seconds after the policy's first issue.
    pub seconds_after_storing: Option<u64>,
    /// Uses.
    pub count: Option<u32>,
    /// Seconds of use that make one count.
    pub seconds_per_count: Option<u64>,
    /// Seconds for which dated rights hold without a trusted clock.
    pub grace_seconds: Option<u64>,
    /// Least security version, four dotted numbers.
    pub minimum_security_version: Option<String>,
    /// Least level of the application.
    pub minimum_application_level: Option<u32>,
    /// Output protection map, opaque to the library and reported to the application.
    pub output_protection: Option<Vec<u8>>,
    /// A renewal is due from this time on, at this URL.
    pub renew_after: Option<(i64, String)>,
    /// What a clock that is behind does.
    pub on_clock_rollback: OnClockRollback,
    /// An open decryptor closes when the right ends.
    pub close_at_expiry: bool,
    /// A critical condition that this version does not know: the action is not granted.
    pub unknown_critical: bool,
}

impl Conditions {
    /// True if using the right changes what is left of it.
    pub fn is_stateful(&self) -> bool {
        self.count.is_some() || self.seconds_after_first_use.is_some()
    }

    /// True if the right depends on the time.
    pub fn is_dated(&self) -> bool {
        self.not_before.is_some()
            || self.not_after.is_some()
            || self.seconds_after_first_use.is_some()
            || self.seconds_after_storing.is_some()
    }

    fn encode(&self) -> Vec<u8> {
        let mut items: Vec<Vec<u8>> = Vec::new();
        let mut put = |number: u64, value: Option<Vec<u8>>| {
            if let Some(value) = value {
                items.push(write::array([write::uint(number), vec![0xf5], value]));
            }
        };
        put(1, self.not_before.map(write::int));
        put(2, self.not_after.map(write::int));
        put(3, self.seconds_after_first_use.map(write::uint));
        put(4, self.seconds_after_storing.map(write::uint));
        put(5, self.count.map(|count| write::uint(count.into())));
        put(6, self.seconds_per_count.map(write::uint));
        put(7, self.grace_seconds.map(write::uint));
        put(8, self.minimum_security_version.as_deref().map(write::text));
        put(9, self.minimum_application_level.map(|level| write::uint(level.into())));
        put(10, self.output_protection.as_ref().map(write::bytes));
        put(11, self.renew_after.as_ref().map(|(time, url)| write::array([write::int(*time), write::text(url)])));
        let delete = self.on_clock_rollback == OnClockRollback::Delete;
        put(12, delete.then(|| write::uint(OnClockRollback::Delete as u64)));
        put(13, self.close_at_expiry.then(|| vec![0xf5]));
        write::array(items)
    }

    fn decode(raw: &[u8]) -> Option<Self> {
        let mut conditions = Self::default();
        let mut last = 0;
        for item in read::items(raw, MAX_CONDITIONS)? {
            let [number, critical, value] = read::tuple(item)?;
            let (number, critical) = (read::uint(number)?, read::bool(critical)?);
            if number <= last {
                return None;
            }
            last = number;
            if conditions.set(number, value).is_none() {
                conditions.unknown_critical |= critical;
            }
        }
        Some(conditions)
    }

    /// Sets a known condition; a number or value that this version cannot read gives `None`.
    fn set(&mut self, number: u64, value: &[u8]) -> Option<()> {
        match number {
            1 => self.not_before = Some(read::int(value)?),
            2 => self.not_after = Some(read::int(value)?),
            3 => self.seconds_after_first_use = Some(read::uint(value)?),
            4 => self.seconds_after_storing = Some(read::uint(value)?),
            5 => self.count = Some(read::uint32(value)?),
            6 => self.seconds_per_count = Some(read::uint(value)?),
            7 => self.grace_seconds = Some(read::uint(value)?),
            8 => self.minimum_security_version = Some(read::text(value)?),
            9 => self.minimum_application_level = Some(read::uint32(value)?),
            10 => self.output_protection = Some(read::bytes(value)?.to_vec()),
            11 => {
                let [time, url] = read::tuple(value)?;
                self.renew_after = Some((read::int(time)?, read::text(url)?));
            }
            12 => {
                self.on_clock_rollback = match read::uint(value)? {
                    0 => OnClockRollback::Disable,
                    1 => OnClockRollback::Delete,
                    _ => return None,
                }
            }
            13 => self.close_at_expiry = read::bool(value)?,
            _ => return None,
        }
        Some(())
    }
}

/// The terms of one license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// License ID: names exactly one policy.
    pub lid: Lid,
    /// Key that the license is for.
    pub kid: Kid,
    /// Service that issued it.
    pub issuer: ServiceId,
    /// What it carries.
    pub kind: LicenseKind,
    /// Actions and their conditions, sorted by action.
    pub actions: Vec<(String, Conditions)>,
    /// May it go into a backup.
    pub backup: BackupRight,
    /// Devices in all, as a hint; the management service's setting decides.
    pub restore_limit: Option<u32>,
    /// Management service that may re-bind it.
    pub management: Option<ServiceId>,
    /// Key ID of the root license, for leaves.
    pub root_kid: Option<Kid>,
    /// Higher is used first.
    pub priority: i64,
    /// Title for people.
    pub title: Option<String>,
    /// Key whose license revocation blobs may remove it.
    pub revocation_key: Option<SignerId>,
    /// Account that it was issued to.
    pub user: Option<UserId>,
    /// When the policy was first issued, seconds UTC: the same on every device.
    pub first_issued: i64,
    /// Older license that this one removes.
    pub replaces: Option<Lid>,
    /// Least number of the status list that the client must have.
    pub minimum_status: Option<u64>,
    /// The owner's own name of the content.
    pub content_id: Option<String>,
    /// The owner's own names and values.
    pub custom: Vec<(String, String)>,
}

impl Policy {
    /// The bytes that travel and are hashed.
    pub fn encode(&self) -> Vec<u8> {
        let actions = self.actions.iter().map(|(name, conditions)| (name.as_str(), conditions.encode()));
        MapWriter::new()
            .bytes(1, self.issuer)
            .int(6, self.first_issued)
            .bytes(7, self.lid)
            .bytes(10, self.kid)
            .uint(11, self.kind as u8)
            .raw(12, &write::text_map(actions))
            .uint(13, self.backup as u8)
            .optional(14, self.restore_limit, MapWriter::uint)
            .optional(15, self.management, MapWriter::bytes)
            .optional(16, self.root_kid, MapWriter::bytes)
            .int(17, self.priority)
            .optional(18, self.title.as_deref(), MapWriter::text)
            .optional(19, self.revocation_key, MapWriter::bytes)
            .optional(20, self.user, MapWriter::bytes)
            .optional(21, self.replaces, MapWriter::bytes)
            .optional(22, self.minimum_status, MapWriter::uint)
            .optional(23, self.content_id.as_deref(), MapWriter::text)
            .optional(64, (!self.custom.is_empty()).then_some(&self.custom), |map, field, custom| {
                let entries = custom.iter().map(|(name, value)| (name.as_str(), write::text(value)));
                map.raw(field, &write::text_map(entries))
            })
            .finish()
    }

    /// Reads a policy.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut fields = Fields::parse(bytes, MAX_LEN)?;
        let policy = Self {
            issuer: fields.required(1, read::id)?,
            first_issued: fields.required(6, read::int)?,
            lid: fields.required(7, read::id)?,
            kid: fields.required(10, read::id)?,
            kind: fields.required(11, |raw| read_kind(read::uint(raw)?))?,
            actions: fields.required(12, read::text_map(MAX_ACTIONS, Conditions::decode))?,
            backup: fields.required(13, |raw| read_backup(read::uint(raw)?))?,
            restore_limit: fields.optional(14, read::uint32)?,
            management: fields.optional(15, read::id)?,
            root_kid: fields.optional(16, read::id)?,
            priority: fields.required(17, read::int)?,
            title: fields.optional(18, read::text)?,
            revocation_key: fields.optional(19, read::id)?,
            user: fields.optional(20, read::id)?,
            replaces: fields.optional(21, read::id)?,
            minimum_status: fields.optional(22, read::uint)?,
            content_id: fields.optional(23, read::text)?,
            custom: fields.optional(64, read::text_map(MAX_CUSTOM, read::text))?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(policy)
    }

    /// Conditions of an action, if the policy grants it at all.
    pub fn action(&self, action: &str) -> Option<&Conditions> {
        self.actions.iter().find(|(name, _)| name == action).map(|(_, conditions)| conditions)
    }

    /// True if any action counts uses or runs from the first use.
    pub fn is_stateful(&self) -> bool {
        self.actions.iter().any(|(_, conditions)| conditions.is_stateful())
    }

    /// True if the license may go into a backup.
    pub fn may_back_up(&self) -> bool {
        self.backup.covers(self.is_stateful())
    }
}

fn read_kind(number: u64) -> Option<LicenseKind> {
    match number {
        0 => Some(LicenseKind::Content),
        1 => Some(LicenseKind::Root),
        2 => Some(LicenseKind::Leaf),
        _ => None,
    }
}

fn read_backup(number: u64) -> Option<BackupRight> {
    match number {
        0 => Some(BackupRight::No),
        1 => Some(BackupRight::Stateless),
        2 => Some(BackupRight::Stateful),
        _ => None,
    }
}

/// Hash of a policy's bytes: what bindings and wrapped keys name it by.
pub fn policy_hash(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}

#[cfg(test)]
mod tests;
