//! Who acts for the owner from elsewhere, and which role may what. Tokens, and what is asked with them, are not here.

use std::fmt::{self, Display};
use wmlicense_wire::id::Digest;

/// What somebody does for the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminRole {
    /// Everything.
    Owner,
    /// Sells: accounts, and what they may have.
    Shop,
    /// Packages: content and its keys.
    Packager,
    /// Helps users.
    Support,
    /// Looks.
    Reader,
}

/// What is asked of the service for the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// See content, without its keys, policies and subscriptions.
    SeeCatalogue,
    /// See accounts, devices, licenses, restores, what was taken back, counts.
    SeeAccounts,
    /// See who did what, certificates, and who has tokens.
    SeeService,
    /// Add, change and remove content, and have its keys.
    ChangeContent,
    /// Change accounts and what they have.
    ChangeAccounts,
    /// Give back to accounts what lost devices hold.
    FreeDevices,
    /// Change terms, take licenses back, revoke devices, and let others in.
    ChangeEverything,
}

/// Which role may what, in one place.
const TABLE: [(AdminRole, &[Right]); 5] = [
    (AdminRole::Owner, &Right::ALL),
    (AdminRole::Shop, &[Right::SeeCatalogue, Right::SeeAccounts, Right::ChangeAccounts, Right::FreeDevices]),
    (AdminRole::Packager, &[Right::SeeCatalogue, Right::ChangeContent]),
    (AdminRole::Support, &[Right::SeeCatalogue, Right::SeeAccounts, Right::FreeDevices]),
    (AdminRole::Reader, &[Right::SeeCatalogue, Right::SeeAccounts, Right::SeeService]),
];

impl Right {
    pub(crate) const ALL: [Self; 7] = [
        Self::SeeCatalogue,
        Self::SeeAccounts,
        Self::SeeService,
        Self::ChangeContent,
        Self::ChangeAccounts,
        Self::FreeDevices,
        Self::ChangeEverything,
    ];

    /// How it is called where it is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SeeCatalogue => "see-catalogue",
            Self::SeeAccounts => "see-accounts",
            Self::SeeService => "see-service",
            Self::ChangeContent => "change-content",
            Self::ChangeAccounts => "change-accounts",
            Self::FreeDevices => "free-devices",
            Self::ChangeEverything => "change-everything",
        }
    }
}

impl AdminRole {
    pub(crate) const ALL: [Self; 5] = [Self::Owner, Self::Shop, Self::Packager, Self::Support, Self::Reader];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Shop => "shop",
            Self::Packager => "packager",
            Self::Support => "support",
            Self::Reader => "reader",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What it may.
    pub(crate) fn rights(self) -> &'static [Right] {
        TABLE.iter().find(|(role, _)| *role == self).map_or(&[], |(_, rights)| rights)
    }

    pub(crate) fn may(self, right: Right) -> bool {
        self.rights().contains(&right)
    }
}

/// The roles that have a right, in words.
pub(crate) fn who_may(right: Right) -> String {
    let roles: Vec<&str> = AdminRole::ALL.into_iter().filter(|role| role.may(right)).map(AdminRole::name).collect();
    roles.join(" or ")
}

impl Display for AdminRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How long a request that names a key is known. Seconds.
pub(crate) const REPEAT_LIFETIME: i64 = 24 * 60 * 60;

/// A request of an admin that names a key, so that it is done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// Name of the admin.
    pub(crate) admin: String,
    pub(crate) key: String,
    /// Of all that it asks.
    pub(crate) request: Digest,
    /// Random: a run that comes after one of which nobody was told finds its own.
    pub(crate) claim: [u8; 16],
}

/// What is known of such a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepeatRow {
    pub(crate) repeat: Repeat,
    pub(crate) done_at: i64,
    /// Status and sealed body of the answer, once it was given.
    pub(crate) answer: Option<(u16, Vec<u8>)>,
}

/// Somebody who acts for the owner, known by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admin {
    pub(crate) name: String,
    pub(crate) role: AdminRole,
}

/// A token of an admin. One name has one that was not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminRow {
    pub(crate) hash: Digest,
    pub(crate) name: String,
    pub(crate) role: AdminRole,
    pub(crate) created_at: i64,
    /// From when on it counts for nothing; none: until it is ended.
    pub(crate) ends_at: Option<i64>,
    /// When it was ended, or another one took its place.
    pub(crate) ended_at: Option<i64>,
}

impl AdminRow {
    /// True if the token is good at `now`.
    pub(crate) fn counts(&self, now: i64) -> bool {
        self.ended_at.is_none() && self.ends_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_found_by_its_name_and_may_what_the_table_says() {
        for role in AdminRole::ALL {
            assert_eq!(AdminRole::of_name(role.name()), Some(role));
            assert_eq!(role.may(Right::ChangeEverything), role == AdminRole::Owner);
        }
        assert_eq!(AdminRole::of_name("Owner"), None);
        assert_eq!(who_may(Right::ChangeContent), "owner or packager");
        assert_eq!(who_may(Right::ChangeAccounts), "owner or shop");
        assert_eq!(who_may(Right::SeeService), "owner or reader");
        assert_eq!(who_may(Right::FreeDevices), "owner or shop or support");
        assert!(!AdminRole::Packager.may(Right::SeeAccounts));
        assert!(Right::ALL.iter().all(|right| AdminRole::Owner.may(*right)));
    }

    #[test]
    fn a_token_of_an_admin_counts_until_the_second_of_its_end() {
        let row = |ends_at, ended_at| AdminRow {
            hash: Digest::new([1; 32]),
            name: "ada".to_owned(),
            role: AdminRole::Shop,
            created_at: 1,
            ends_at,
            ended_at,
        };
        assert!(row(None, None).counts(i64::MAX) && row(Some(9), None).counts(8));
        assert!(!row(Some(9), None).counts(9) && !row(None, Some(3)).counts(1));
    }
}
