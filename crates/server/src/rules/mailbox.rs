//! Mailboxes: to which keys of a device licenses that nobody asked for are sealed, and for whom they wait.

use super::epochs::{self, YEAR};
use wmlicense_wire::id::{DeviceId, SignerId, UserId};

/// To whom licenses are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// One device.
    Device(DeviceId),
    /// Every device that has or asked for licenses of an account.
    Account(UserId),
}

/// Keys of a device that the service heard of, with their certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecipientRow {
    pub(crate) thumbprint: SignerId,
    pub(crate) device: DeviceId,
    pub(crate) certified_at: i64,
    pub(crate) certificate: Vec<u8>,
}

/// A device that can be given something.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    /// Its newest keys.
    pub(crate) thumbprint: SignerId,
    pub(crate) device: DeviceId,
    /// Their certificate.
    pub(crate) certificate: Vec<u8>,
    pub(crate) revoked: bool,
    /// It was copied too often to be given what counts.
    pub(crate) copied: bool,
}

/// What waits for a device.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Answers that nobody asked for, the oldest first.
    pub(crate) letters: Vec<Vec<u8>>,
    /// The device is known with this certificate.
    pub(crate) known: bool,
}

/// Of the keys that a device had, those that were certified last.
pub(crate) fn newest(keys: Vec<RecipientRow>) -> Option<RecipientRow> {
    keys.into_iter().min_by_key(|row| (std::cmp::Reverse(row.certified_at), row.thumbprint))
}

/// From when on forks count of a device whose last one was noticed at `last`: a year before that, so that a device that asks
/// nobody any more is given nothing more for it.
pub(crate) fn forks_count_after(last: i64) -> i64 {
    last.saturating_sub(YEAR)
}

/// The device of its newest keys. `forks`: of these keys after [`forks_count_after`], by role.
pub(crate) fn recipient(newest: RecipientRow, revoked: bool, forks: &[(i64, u64)]) -> Recipient {
    let RecipientRow { thumbprint, device, certified_at: _, certificate } = newest;
    Recipient { thumbprint, device, certificate, revoked, copied: epochs::is_copied(forks) }
}

/// The row to write of keys that were heard of; none where a newer certificate of theirs is known.
pub(crate) fn known(heard: RecipientRow, known: Option<&RecipientRow>) -> Option<RecipientRow> {
    known.is_none_or(|known| known.certified_at <= heard.certified_at).then_some(heard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(thumbprint: u8, certified_at: i64) -> RecipientRow {
        let device = DeviceId::new([1; 16]);
        RecipientRow {
            thumbprint: SignerId::new([thumbprint; 32]),
            device,
            certified_at,
            certificate: vec![thumbprint],
        }
    }

    #[test]
    fn the_later_certified_keys_are_the_devices() {
        assert_eq!(newest(vec![row(1, 10), row(2, 20), row(3, 5)]), Some(row(2, 20)));
        assert_eq!(newest(vec![row(9, 20), row(2, 20)]), Some(row(2, 20)), "always the same ones");
        assert_eq!(newest(vec![]), None);
    }

    #[test]
    fn an_older_certificate_does_not_come_back() {
        assert_eq!(known(row(1, 10), None), Some(row(1, 10)));
        assert_eq!(known(row(1, 10), Some(&row(1, 10))), Some(row(1, 10)));
        assert_eq!(known(row(1, 9), Some(&row(1, 10))), None);
    }

    #[test]
    fn more_copies_than_are_forgiven_at_one_role_are_too_many() {
        assert!(!recipient(row(1, 10), false, &[(1, 4), (2, 4)]).copied);
        assert!(recipient(row(1, 10), false, &[(1, 0), (2, 5)]).copied);
    }

    #[test]
    fn forks_count_from_a_year_before_the_last_one() {
        assert_eq!(forks_count_after(YEAR + 77), 77);
    }

    #[test]
    fn a_device_is_given_to_by_its_newest_keys_and_says_whether_it_was_revoked() {
        for revoked in [false, true] {
            let given = recipient(row(3, 10), revoked, &[]);
            assert_eq!((given.thumbprint, given.device), (SignerId::new([3; 32]), DeviceId::new([1; 16])));
            assert_eq!((given.certificate, given.revoked, given.copied), (vec![3], revoked, false));
        }
    }
}
