//! Devices and their keys: which keys are a device's, and what is written when it gets a certificate or is revoked.

use super::epochs::EpochRow;
use super::rows::KeysRow;
use wmlicense_wire::certificate::DeviceCertificate;
use wmlicense_wire::id::{DeviceId, SignerId};

/// A device as the service knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownDevice {
    pub(crate) device_id: DeviceId,
    pub(crate) revoked: bool,
    /// When these keys were certified last, seconds UTC.
    pub(crate) certified_at: i64,
    /// Keys that took the place of these.
    pub(crate) successor: Option<SignerId>,
}

impl From<KeysRow> for KnownDevice {
    fn from(row: KeysRow) -> Self {
        let KeysRow { device, revoked_at, certified_at, successor, .. } = row;
        Self { device_id: device, revoked: revoked_at.is_some(), certified_at, successor }
    }
}

/// A device that gets a certificate.
#[derive(Debug, Clone)]
pub(crate) struct CertifiedDevice {
    pub(crate) device_id: DeviceId,
    pub(crate) security_version: String,
    pub(crate) assurance: u8,
    /// When the certificate was issued, seconds UTC.
    pub(crate) certified_at: i64,
    /// Keys that were the device's before.
    pub(crate) replaces: Option<SignerId>,
    /// What the request calls the device; empty for no name.
    pub(crate) name: Option<String>,
}

impl CertifiedDevice {
    /// The device of a certificate.
    pub(crate) fn of(certificate: &DeviceCertificate) -> Self {
        Self {
            device_id: certificate.device_id,
            security_version: certificate.security_version.clone(),
            assurance: certificate.assurance as u8,
            certified_at: certificate.issued_at,
            replaces: None,
            name: None,
        }
    }
}

/// The row of the keys that a device gets a certificate for; none if they belong to another device ID, to a revoked device, or
/// were replaced by now.
pub(crate) fn certified(
    device: &CertifiedDevice,
    thumbprint: SignerId,
    known: Option<KeysRow>,
    now: i64,
) -> Option<KeysRow> {
    let row = match known {
        None => new(device, thumbprint, now),
        Some(known) if is_of(&known, device) && known.successor.is_none() => known,
        Some(_) => return None,
    };
    let CertifiedDevice { security_version, assurance, certified_at, .. } = device;
    Some(KeysRow {
        security_version: security_version.clone(),
        assurance: *assurance,
        certified_at: *certified_at,
        ..row
    })
}

/// The row of the keys that were the device's before; none if they belong to another device ID, to a revoked device, or have
/// another successor. A service that lost its rows writes down that they were replaced as well.
pub(crate) fn replaced(
    device: &CertifiedDevice,
    old: SignerId,
    successor: SignerId,
    known: Option<KeysRow>,
    now: i64,
) -> Option<KeysRow> {
    let row = match known {
        None => new(device, old, now),
        Some(known) if is_of(&known, device) && known.successor.is_none_or(|other| other == successor) => known,
        Some(_) => return None,
    };
    Some(KeysRow { successor: Some(successor), ..row })
}

fn is_of(known: &KeysRow, device: &CertifiedDevice) -> bool {
    known.device == device.device_id && known.revoked_at.is_none()
}

fn new(device: &CertifiedDevice, thumbprint: SignerId, now: i64) -> KeysRow {
    KeysRow {
        thumbprint,
        device: device.device_id,
        security_version: device.security_version.clone(),
        assurance: device.assurance,
        created_at: now,
        certified_at: now,
        revoked_at: None,
        successor: None,
        counts_from: 0,
        reason: None,
    }
}

/// True if a device was not heard of since `before`, seconds UTC, and nothing of its keys has to be remembered: it was not
/// revoked, and no keys took the place of others.
pub(crate) fn is_unheard(keys: &[KeysRow], epochs: &[EpochRow], before: i64) -> bool {
    let [KeysRow { certified_at, revoked_at: None, successor: None, .. }] = keys else { return false };
    let asked = epochs.iter().map(|row| row.epochs.replaced_at.max(row.epochs.presented_at.unwrap_or(i64::MIN)));
    asked.chain([*certified_at]).all(|at| at < before)
}

/// What a device is called by what a request tells: without a word it stays (none), and an empty name takes it away.
pub(crate) fn name(told: Option<&str>) -> Option<Option<&str>> {
    told.map(|name| (!name.is_empty()).then_some(name))
}

/// The row of keys of a device that is revoked, or revoked once more: the first time and the last reason stay.
pub(crate) fn revoked(row: KeysRow, counts_from: i64, reason: Option<&str>, now: i64) -> KeysRow {
    let revoked_at = row.revoked_at.or(Some(now));
    let reason = reason.map(str::to_owned).or_else(|| row.reason.clone());
    KeysRow { revoked_at, counts_from, reason, ..row }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: SignerId = SignerId::new([1; 32]);
    const OLD: SignerId = SignerId::new([2; 32]);

    fn device() -> CertifiedDevice {
        CertifiedDevice {
            device_id: DeviceId::new([3; 16]),
            security_version: "1.0.0.0".to_owned(),
            assurance: 1,
            certified_at: 1005,
            replaces: None,
            name: None,
        }
    }

    #[test]
    fn keys_stay_the_devices_and_their_row_its_first_time() {
        let first = certified(&device(), OWN, None, 1000).unwrap();
        assert_eq!((first.created_at, first.certified_at), (1000, 1005));
        let later = CertifiedDevice { certified_at: 2000, security_version: "2.0.0.0".to_owned(), ..device() };
        let again = certified(&later, OWN, Some(first), 2000).unwrap();
        assert_eq!((again.created_at, again.certified_at, again.security_version.as_str()), (1000, 2000, "2.0.0.0"));
    }

    #[test]
    fn keys_of_another_device_of_a_revoked_one_and_replaced_ones_are_not_certified() {
        let known = certified(&device(), OWN, None, 1000).unwrap();
        let other = KeysRow { device: DeviceId::new([9; 16]), ..known.clone() };
        let gone = revoked(known.clone(), 0, Some("lost"), 1500);
        let rekeyed = KeysRow { successor: Some(OLD), ..known };
        for row in [other, gone, rekeyed] {
            assert!(certified(&device(), OWN, Some(row), 2000).is_none());
        }
    }

    #[test]
    fn keys_are_replaced_once_and_by_the_same_ones_again() {
        let old = certified(&device(), OLD, None, 1000).unwrap();
        let once = replaced(&device(), OLD, OWN, Some(old), 2000).unwrap();
        assert_eq!((once.successor, once.certified_at), (Some(OWN), 1005));
        let again = replaced(&device(), OLD, OWN, Some(once.clone()), 3000).unwrap();
        assert_eq!(again.successor, Some(OWN));
        assert!(replaced(&device(), OLD, SignerId::new([9; 32]), Some(once), 3000).is_none());
        assert_eq!(replaced(&device(), OLD, OWN, None, 3000).unwrap().successor, Some(OWN), "its rows were lost");
    }

    #[test]
    fn who_is_revoked_again_was_revoked_when_it_was_first_and_for_the_last_reason() {
        let row = certified(&device(), OWN, None, 1000).unwrap();
        let first = revoked(row, 1500, Some("lost"), 1500);
        let again = revoked(first, 0, None, 2000);
        assert_eq!((again.revoked_at, again.counts_from, again.reason.as_deref()), (Some(1500), 0, Some("lost")));
        assert_eq!(revoked(again, 0, Some("stolen"), 3000).reason.as_deref(), Some("stolen"));
    }

    #[test]
    fn a_name_stays_until_another_is_told_or_it_is_taken_away() {
        assert_eq!((name(None), name(Some("")), name(Some("Tom's"))), (None, Some(None), Some(Some("Tom's"))));
    }

    #[test]
    fn a_new_device_is_not_revoked_and_a_revoked_one_is_known_as_that() {
        let row = certified(&device(), OWN, None, 1000).unwrap();
        assert_eq!((row.revoked_at, row.counts_from, row.reason.as_deref(), row.successor), (None, 0, None, None));
        let known = KnownDevice { device_id: device().device_id, revoked: false, certified_at: 1005, successor: None };
        assert_eq!(KnownDevice::from(row.clone()), known);
        assert_eq!(KnownDevice::from(revoked(row, 0, None, 1500)), KnownDevice { revoked: true, ..known });
    }

    #[test]
    fn a_device_is_unheard_of_when_neither_a_certificate_nor_an_epoch_is_later() {
        use super::super::epochs::Epochs;
        use wmlicense_wire::id::Epoch;
        let row = certified(&device(), OWN, None, 1000).unwrap();
        let epoch = |replaced_at, presented_at| EpochRow {
            role: 2,
            epochs: Epochs {
                thumbprint: OWN,
                certified_at: 1000,
                current: Epoch::new([1; 16]),
                predecessor: None,
                replaced_at,
                older: None,
                older_until: 0,
                presented_at,
            },
        };
        assert!(is_unheard(std::slice::from_ref(&row), &[], 1006));
        assert!(!is_unheard(std::slice::from_ref(&row), &[], 1005), "it was certified then");
        assert!(is_unheard(std::slice::from_ref(&row), &[epoch(1500, None)], 1501));
        assert!(!is_unheard(std::slice::from_ref(&row), &[epoch(1500, None)], 1500));
        assert!(!is_unheard(std::slice::from_ref(&row), &[epoch(1500, Some(1700))], 1700));
        let rekeyed = KeysRow { successor: Some(OLD), ..row.clone() };
        let gone = revoked(row.clone(), 0, None, 1005);
        assert!(!is_unheard(&[rekeyed], &[], 9000) && !is_unheard(&[gone], &[], 9000));
        assert!(!is_unheard(&[row.clone(), row], &[], 9000), "one of them took the place of the other");
    }

    #[test]
    fn keys_of_another_device_or_of_a_revoked_one_are_not_replaced() {
        let old = certified(&device(), OLD, None, 1000).unwrap();
        let other = KeysRow { device: DeviceId::new([9; 16]), ..old.clone() };
        for row in [other, revoked(old, 0, None, 1500)] {
            assert!(replaced(&device(), OLD, OWN, Some(row), 2000).is_none());
        }
    }
}
