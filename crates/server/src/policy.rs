//! Terms that an owner writes as JSON and that become the policy of a license. Reading the JSON is in `policy/json.rs`.

mod json;
mod pages;
mod renewal;
mod time;

pub(crate) use json::{Fault, is_version, parse};
pub(crate) use pages::PLAY;
pub(crate) use renewal::{Renewal, carried, known_state, until_now};
pub(crate) use time::{parse_rfc3339, to_rfc3339};

pub(crate) use wmlicense_wire::over::over;

use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId, SignerId, UserId};
use wmlicense_wire::policy::{BackupRight, Conditions, LicenseKind, Policy};

/// Devices in all that may hold a license where nothing else is said.
pub(crate) const DEFAULT_RESTORE_DEVICES: u32 = 4;

/// What an owner grants, independent of content, account and device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) actions: Vec<(String, Conditions)>,
    pub(crate) backup: BackupRight,
    pub(crate) restore_devices: u32,
    pub(crate) priority: i64,
    /// Licenses name the service's revocation key.
    pub(crate) revocable: bool,
    /// Licenses are leaves of this subscription.
    pub(crate) subscription: Option<String>,
    /// What a renewal gives.
    pub(crate) renewal: Renewal,
    /// Least number of the status list that a device must have.
    pub(crate) minimum_status: Option<u64>,
    /// The user accepts on the page before a device gets a license.
    pub(crate) asks_user: bool,
    /// Most uses that a device gets at once of those that are an account's; none: all that are left.
    pub(crate) allotment: Option<u32>,
    /// Pages in browsers may have the key itself.
    pub(crate) clear_key: bool,
}

impl Terms {
    /// Terms of content that was added without a policy.
    pub(crate) fn of_no_policy() -> Self {
        Self { backup: BackupRight::Stateless, ..Self::default() }
    }

    /// True if licenses count uses or run from the first one.
    pub(crate) fn is_stateful(&self) -> bool {
        self.actions.iter().any(|(_, conditions)| conditions.is_stateful())
    }

    /// When the last of the rights ends of a license that is issued at `now`; none where one of them has no end. What begins with
    /// the first use is not known before.
    pub(crate) fn end(&self, now: i64) -> Option<i64> {
        let end = |conditions: &Conditions| {
            let stored = conditions.seconds_after_storing.map(|seconds| now.saturating_add_unsigned(seconds));
            conditions.not_after.into_iter().chain(stored).min()
        };
        self.actions.iter().map(|(_, conditions)| end(conditions)).max_by_key(|end| end.unwrap_or(i64::MAX)).flatten()
    }

    /// The same, with no right that ends later.
    pub(crate) fn until(mut self, end: Option<i64>) -> Self {
        if let Some(end) = end {
            for (_, conditions) in &mut self.actions {
                conditions.not_after = Some(conditions.not_after.map_or(end, |own| own.min(end)));
            }
        }
        self
    }

    /// The same where uses are an account's: as many in all as its grant says where it does. No backup takes them along, because
    /// another device asks for what is left.
    pub(crate) fn of_account(mut self, uses: Option<u32>) -> Self {
        let counts = self.actions.iter().any(|(_, conditions)| conditions.count.is_some());
        for (action, conditions) in &mut self.actions {
            if conditions.count.is_some() || (!counts && action == PLAY) {
                conditions.count = uses.or(conditions.count);
            }
        }
        if self.backup == BackupRight::Stateful {
            self.backup = BackupRight::Stateless;
        }
        self
    }

    /// The policy of one license.
    pub(crate) fn policy(&self, facts: Facts) -> Policy {
        Policy {
            lid: facts.lid,
            kid: facts.kid,
            issuer: facts.issuer,
            kind: facts.kind,
            actions: self.actions.clone(),
            backup: self.backup,
            restore_limit: Some(self.restore_devices),
            management: facts.management,
            root_kid: facts.root_kid,
            priority: self.priority,
            title: facts.title,
            revocation_key: if self.revocable { facts.revocation } else { None },
            user: facts.user,
            first_issued: facts.first_issued,
            replaces: facts.replaces,
            minimum_status: self.minimum_status,
            content_id: None,
            custom: Vec::new(),
        }
    }

    /// Equal for equal terms under the same services: as long as it stays, a device that asks again gets the same license.
    pub(crate) fn hash(&self, facts: &Facts) -> Digest {
        let neutral = Facts {
            lid: Lid::new([0; 16]),
            kid: Kid::new([0; 16]),
            title: None,
            user: None,
            first_issued: 0,
            replaces: None,
            ..*facts
        };
        Digest::of(&self.policy(neutral).encode())
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            actions: vec![(PLAY.to_owned(), Conditions::default())],
            backup: BackupRight::No,
            restore_devices: DEFAULT_RESTORE_DEVICES,
            priority: 0,
            revocable: false,
            subscription: None,
            renewal: Renewal::default(),
            minimum_status: None,
            asks_user: false,
            allotment: None,
            clear_key: false,
        }
    }
}

/// What a policy says beyond the terms.
pub(crate) struct Facts {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    pub(crate) kind: LicenseKind,
    /// Of a leaf.
    pub(crate) root_kid: Option<Kid>,
    pub(crate) issuer: ServiceId,
    pub(crate) management: Option<ServiceId>,
    pub(crate) revocation: Option<SignerId>,
    pub(crate) title: Option<String>,
    pub(crate) user: Option<UserId>,
    pub(crate) first_issued: i64,
    pub(crate) replaces: Option<Lid>,
}
