//! Making a service's keys and certificates: all of them by `init`, those of the roles anew by `certificate renew`. A key is on
//! the disk before the certificate that speaks of it, and the authority's certificate comes last.

use super::{CLOCK_TOLERANCE, KeyringError, at, authority_key, backup_name, read_directory, role_name};
use crate::clock::DAY;
use crate::folder::{DataFolder, write_private};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::certificate::{
    AuthorityCertificate, BackupKey, Role, ServiceCertificate, ServiceClaims, service_id,
};
use wmlicense_wire::id::Digest;
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, KeyKind, Signer as _, SigningKey};

/// Validity of role certificates.
const ROLE_VALIDITY: i64 = 400 * DAY;
/// For how long a backup key opens backups.
const BACKUP_VALIDITY: i64 = 3653 * DAY;

/// Makes authority, keys and certificates in an empty folder and gives `tell` what clients pin. As long as `tell` did not succeed,
/// the same again takes up what there is, or begins anew where nothing of it was seen by anybody.
pub(crate) fn init<E: From<KeyringError>>(
    folder: &DataFolder,
    name: &str,
    now: i64,
    tell: impl FnOnce(Digest) -> Result<(), E>,
) -> Result<(), E> {
    check_free(folder)?;
    folder.create().map_err(at(folder.path().to_owned()))?;
    let _lock = lock(folder)?;
    // Another process may have ended in between.
    check_free(folder)?;
    let hash = match folder.authority().exists() {
        true => super::authority(folder)?.hash,
        false => make(folder, name, now)?,
    };
    tell(hash)?;
    Ok(folder.finish().map_err(at(folder.path().to_owned()))?)
}

/// Refuses a folder with a service in it, unless one whose making did not come to its end.
fn check_free(folder: &DataFolder) -> Result<(), KeyringError> {
    let (path, is_whole) = (folder.path().to_owned(), folder.authority().exists());
    // A database is made after the authority, so that one without it is of a service that was used.
    match (folder.is_taken(), folder.is_unfinished() && (is_whole || !folder.database().exists())) {
        (false, _) | (true, true) => Ok(()),
        (true, false) if is_whole => {
            Err(KeyringError::Exists { path, authority: super::authority(folder)?.hash.to_base64() })
        }
        (true, false) => Err(KeyringError::Headless(path)),
    }
}

fn lock(folder: &DataFolder) -> Result<File, KeyringError> {
    folder.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => KeyringError::Busy(folder.path().to_owned()),
        _ => at(folder.path().to_owned())(error),
    })
}

fn make(folder: &DataFolder, name: &str, now: i64) -> Result<Digest, KeyringError> {
    folder.begin().map_err(at(folder.path().to_owned()))?;
    let authority = DualSigningKey::generate()?;
    write(folder.authority_key(), &authority.to_bytes()?)?;
    write(folder.master_key(), SecretKey::random()?.as_bytes())?;
    write(folder.revocation_key(), &DualSigningKey::generate()?.to_bytes()?)?;
    let certificate = AuthorityCertificate::issue(name, now, &authority)?;
    let hash = Digest::of(&certificate);
    certify_roles(folder, &authority, hash, now)?;
    write(folder.authority(), &certificate)?;
    Ok(hash)
}

/// Gives every role a new key and certificate, and the management service a new backup key; retired keys stay. The authority's
/// keys are in the file `key`, or where `init` left them. Gives the certificates made.
pub(crate) fn renew(
    folder: &DataFolder,
    key: Option<PathBuf>,
    now: i64,
) -> Result<Vec<ServiceCertificate>, KeyringError> {
    read_directory(folder)?;
    let _lock = lock(folder)?;
    folder.sweep().map_err(at(folder.path().to_owned()))?;
    let directory = read_directory(folder)?;
    let (_, authority) = authority_key(folder, key)?;
    // The newest certificate of a role is the one in use, so its time is later than that of the others.
    let newest = directory.services().iter().map(|service| service.issued_at).max();
    let issued_at = newest.map_or(now, |newest| now.max(newest + 1));
    certify_roles(folder, &authority, directory.authority.hash, issued_at)?;
    let known: Vec<Digest> = directory.services().iter().map(|service| service.hash).collect();
    let all = read_directory(folder)?;
    Ok(all.services().iter().filter(|service| !known.contains(&service.hash)).cloned().collect())
}

fn certify_roles(folder: &DataFolder, authority: &DualSigningKey, hash: Digest, now: i64) -> Result<(), KeyringError> {
    let management = [service_id(hash, Role::Management.name())];
    for role in Role::ALL {
        let key = SigningKey::generate()?;
        let file = role_name(role, key.verifying_key().signer_id(KeyKind::Service));
        write(folder.keys().join(format!("{file}.key")), key.seed())?;
        let backup_key = match role {
            Role::Management => Some(new_backup_key(folder, now + BACKUP_VALIDITY)?),
            Role::Individualization | Role::Issuer => None,
        };
        let claims = ServiceClaims {
            name: role.name(),
            role,
            key: *key.verifying_key(),
            backup_key: backup_key.as_ref(),
            appoints: if role == Role::Issuer { &management } else { &[] },
            not_before: now - CLOCK_TOLERANCE,
            not_after: now + ROLE_VALIDITY,
            issued_at: now,
        };
        let certificate = ServiceCertificate::issue(&claims, hash, authority)?;
        write(folder.certificates().join(format!("{file}.cose")), &certificate)?;
    }
    Ok(())
}

fn new_backup_key(folder: &DataFolder, until: i64) -> Result<BackupKey, KeyringError> {
    let key = HpkePrivateKey::generate(Suite::XWing)?;
    write(folder.keys().join(format!("{}.key", backup_name(key.public_key().key_id()))), &key.to_bytes())?;
    Ok(BackupKey { key: key.public_key().clone(), until })
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), KeyringError> {
    write_private(&path, bytes).map_err(at(path))
}
