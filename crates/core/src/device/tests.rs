//! The key file is made once, survives damage by being refused, and is shared by all who open it.

use super::*;
use std::os::unix::fs::PermissionsExt as _;
use zeroize::Zeroizing;

fn authority(number: u8) -> Digest {
    Digest::new([number; 32])
}

#[test]
fn keys_survive_closing_and_are_readable_by_the_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::open(folder.path(), true).unwrap();
    let made = device.create_identity(authority(1)).unwrap();
    let again = Device::open(folder.path(), false).unwrap();
    assert_eq!(again.store_key().as_bytes(), device.store_key().as_bytes());
    assert_eq!(again.identity(authority(1)).unwrap().keys.thumbprint(), made.keys.thumbprint());
    assert!(again.identity(authority(2)).is_none());
    let mode = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(again.assurance(), Assurance::File);
}

#[test]
fn a_missing_file_is_not_recreated_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Device::open(folder.path(), false), Err(DeviceError::Missing)));
    assert!(!folder.path().join(FILE_NAME).exists());
}

#[test]
fn every_changed_byte_and_every_shorter_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    Device::open(folder.path(), true).unwrap().create_identity(authority(1)).unwrap();
    let path = folder.path().join(FILE_NAME);
    let whole = std::fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(matches!(Device::open(folder.path(), true), Err(DeviceError::Damaged)), "byte {place}");
    }
    for length in [0, 1, 8, 13, 45, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(Device::open(folder.path(), true), Err(DeviceError::Damaged)), "length {length}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    std::fs::write(&path, &longer).unwrap();
    assert!(matches!(Device::open(folder.path(), true), Err(DeviceError::Damaged)));
}

#[test]
fn a_later_version_is_refused_as_such() {
    let folder = tempfile::tempdir().unwrap();
    Device::open(folder.path(), true).unwrap();
    let path = folder.path().join(FILE_NAME);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len() - 32;
    bytes[8] = 3;
    let sum = Digest::of(&bytes[..end]);
    bytes[end..].copy_from_slice(sum.as_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(Device::open(folder.path(), true), Err(DeviceError::TooNew)));
}

#[test]
fn all_who_make_keys_at_once_get_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let thumbprints: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let device = Device::open(folder.path(), true).unwrap();
                    let identity = device.create_identity(authority(1)).unwrap();
                    (*device.store_key().as_bytes(), identity.keys.thumbprint())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(thumbprints.iter().all(|made| *made == thumbprints[0]));
    assert_eq!(Device::open(folder.path(), false).unwrap().all_identities().len(), 1);
}

#[test]
fn keys_made_by_another_process_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Device::open(folder.path(), true).unwrap(), Device::open(folder.path(), true).unwrap());
    let made = one.create_identity(authority(1)).unwrap();
    assert_eq!(other.identity(authority(1)).unwrap().keys.thumbprint(), made.keys.thumbprint());
    other.create_identity(authority(2)).unwrap();
    let newest: Vec<_> = Device::open(folder.path(), false).unwrap().all_identities();
    assert_eq!(newest.iter().map(|(authority, _)| *authority).collect::<Vec<_>>(), [authority(2), authority(1)]);
}

/// Keys as another protector would keep them.
struct Flipped;

impl KeyProtector for Flipped {
    fn assurance(&self) -> Assurance {
        Assurance::Tpm2
    }

    fn seal(&self, keys: &[u8]) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        Ok(Zeroizing::new(keys.iter().map(|byte| !byte).collect()))
    }

    fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.seal(sealed)
    }
}

#[test]
fn keys_are_opened_by_the_protector_that_keeps_them_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let made = Device::open_with(folder.path(), Arc::new(Flipped), true).unwrap();
    made.create_identity(authority(1)).unwrap();
    let again = Device::open_with(folder.path(), Arc::new(Flipped), false).unwrap();
    assert_eq!(again.all_identities().len(), 1);
    assert_eq!(again.assurance(), Assurance::Tpm2);
    assert!(matches!(Device::open(folder.path(), true), Err(DeviceError::Damaged)));
}
