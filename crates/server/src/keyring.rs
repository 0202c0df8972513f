//! The service's keys and certificates: made by `init`, renewed by `certificate renew`, read by `serve`.
//! Everything is a file of its own; a key without certificate is ignored, so a crash while renewing changes nothing.

use crate::folder::{DataFolder, files_with_ending, read_private, write_private};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::certificate::{
    AuthorityCertificate, BackupKey, CertificateError, Directory, Role, ServiceCertificate, ServiceClaims, service_id,
};
use wmlicense_wire::id::{Digest, Kid, SignerId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, KeyError, KeyKind, Signer as _, SigningKey};
use zeroize::Zeroizing;

const DAY: i64 = 24 * 60 * 60;
/// Validity of role certificates.
const ROLE_VALIDITY: i64 = 400 * DAY;
/// For how long a backup key opens backups.
const BACKUP_VALIDITY: i64 = 3653 * DAY;
/// A new certificate counts from a little before its making, for machines whose clocks differ.
pub(crate) const CLOCK_TOLERANCE: i64 = 300;
const CONTENT_LABEL: &str = "wmlicense/1 service content";
const CURSOR_LABEL: &str = "wmlicensed cursor";
const PAGE_LABEL: &str = "wmlicense/1 service page";

/// Keys or certificates could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The folder holds a service already; nothing in it was changed.
    #[error("{} holds a service already", .0.display())]
    Exists(PathBuf),
    /// The folder holds none.
    #[error("{} holds no service; make one with `wmlicensed init`", .0.display())]
    Missing(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
    /// A certificate does not verify under the authority.
    #[error("{}: {source}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// There is no certificate with a key for a role.
    #[error("no key and certificate for the role {}", .0.name())]
    NoRole(Role),
    /// The cryptographic library or the system's random generator failed.
    #[error("keys could not be made: {0}")]
    Key(#[from] KeyError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

impl From<getrandom::Error> for KeyringError {
    fn from(_: getrandom::Error) -> Self {
        Self::Random
    }
}

fn at(path: PathBuf) -> impl FnOnce(io::Error) -> KeyringError {
    move |source| KeyringError::File { path, source }
}

/// Key under which content keys are sealed in the database.
pub(crate) struct MasterKey(SecretKey);

impl MasterKey {
    pub(crate) fn read(folder: &DataFolder) -> Result<Self, KeyringError> {
        let path = folder.master_key();
        if !folder.authority().exists() {
            return Err(KeyringError::Missing(folder.path().to_owned()));
        }
        let bytes = read_private(&path).map_err(at(path.clone()))?;
        SecretKey::from_slice(&bytes).map(Self).ok_or(KeyringError::Damaged(path))
    }

    /// Nonce ‖ AES-256-GCM under a key of this key ID alone.
    pub(crate) fn seal(&self, kid: Kid, key: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce)?;
        let sealed = self.0.expand(CONTENT_LABEL, kid.as_bytes()).seal(&nonce, kid.as_bytes(), key);
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// MAC of a cursor that a client brings back.
    pub(crate) fn cursor_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.0.expand(CURSOR_LABEL, &[]).hmac(parts)
    }

    pub(crate) fn open(&self, kid: Kid, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
        self.0.expand(CONTENT_LABEL, kid.as_bytes()).open(nonce, kid.as_bytes(), sealed).ok()
    }
}

impl MasterKey {
    /// Seals what the page of an interaction hands back to the service in its forms.
    pub(crate) fn seal_page(&self, interaction: &str, content: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce)?;
        let key = self.0.expand(PAGE_LABEL, interaction.as_bytes());
        Ok([nonce.as_slice(), &key.seal(&nonce, interaction.as_bytes(), content)].concat())
    }

    /// Opens what [`Self::seal_page`] sealed for the same interaction.
    pub(crate) fn open_page(&self, interaction: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
        self.0.expand(PAGE_LABEL, interaction.as_bytes()).open(nonce, interaction.as_bytes(), sealed).ok()
    }
}

/// Signing key of a role with the newest certificate for it.
pub(crate) struct RoleKey {
    pub(crate) certificate: ServiceCertificate,
    pub(crate) signing: SigningKey,
}

/// What a running service signs and opens with.
pub(crate) struct Keyring {
    pub(crate) directory: Directory,
    roles: Vec<RoleKey>,
    backup_keys: HashMap<SignerId, HpkePrivateKey>,
    /// Key that revokes licenses of this issuer, where a policy asks for it.
    pub(crate) revocation: Option<SignerId>,
    /// The same key, to sign what it takes back.
    pub(crate) revocation_signing: Option<DualSigningKey>,
}

impl Keyring {
    /// Reads the keys of `roles` and every certificate; a role without both is an error.
    pub(crate) fn read(folder: &DataFolder, roles: &[Role]) -> Result<Self, KeyringError> {
        let directory = read_directory(folder)?;
        let revocation_signing = read_revocation(folder)?;
        let revocation = revocation_signing.as_ref().map(|key| key.verifying_key().signer_id(KeyKind::Revocation));
        let mut ring =
            Self { roles: Vec::new(), backup_keys: HashMap::new(), revocation, revocation_signing, directory };
        let mut signing = HashMap::new();
        let keys = folder.keys();
        for path in files_with_ending(&keys, "key").map_err(at(keys))? {
            match KeyFile::of(&path) {
                Some(KeyFile::Role(role)) if roles.contains(&role) => {
                    let bytes = read_private(&path).map_err(at(path.clone()))?;
                    let key = SigningKey::from_seed(&bytes).map_err(|_| KeyringError::Damaged(path))?;
                    signing.insert(key.verifying_key().signer_id(KeyKind::Service), key);
                }
                Some(KeyFile::Backup) if roles.contains(&Role::Management) => {
                    let bytes = read_private(&path).map_err(at(path.clone()))?;
                    let key = HpkePrivateKey::from_bytes(Suite::XWing, &bytes);
                    let key = key.map_err(|_| KeyringError::Damaged(path))?;
                    ring.backup_keys.insert(key.public_key().key_id(), key);
                }
                Some(KeyFile::Role(_) | KeyFile::Backup) | None => {}
            }
        }
        for role in roles {
            let usable =
                |service: &&ServiceCertificate| service.role == *role && signing.contains_key(&service.signer_id());
            let newest = ring.directory.services().iter().filter(usable).max_by_key(|service| service.issued_at);
            let certificate = newest.ok_or(KeyringError::NoRole(*role))?.clone();
            let key = signing.remove(&certificate.signer_id()).ok_or(KeyringError::NoRole(*role))?;
            ring.roles.push(RoleKey { certificate, signing: key });
        }
        Ok(ring)
    }

    /// Key and certificate of a role, if this service has it.
    pub(crate) fn role(&self, role: Role) -> Option<&RoleKey> {
        self.roles.iter().find(|key| key.certificate.role == role)
    }

    /// The roles of this service.
    pub(crate) fn roles(&self) -> &[RoleKey] {
        &self.roles
    }

    /// The newest certificate of a role, whoever has its key.
    pub(crate) fn newest(&self, role: Role) -> Option<&ServiceCertificate> {
        let of_role = self.directory.services().iter().filter(|service| service.role == role);
        of_role.max_by_key(|service| service.issued_at)
    }

    /// The private key that a backup was sealed to, current or retired.
    pub(crate) fn backup_key(&self, id: SignerId) -> Option<&HpkePrivateKey> {
        self.backup_keys.get(&id)
    }
}

/// What a key file holds, by its name.
enum KeyFile {
    Role(Role),
    Backup,
}

impl KeyFile {
    fn of(path: &std::path::Path) -> Option<Self> {
        let stem = path.file_stem()?.to_str()?;
        if stem.starts_with("backup-") {
            return Some(Self::Backup);
        }
        let role =
            Role::ALL.into_iter().find(|role| stem.strip_prefix(role.name()).is_some_and(|r| r.starts_with('-')));
        role.map(Self::Role)
    }
}

fn read_directory(folder: &DataFolder) -> Result<Directory, KeyringError> {
    let path = folder.authority();
    if !path.exists() {
        return Err(KeyringError::Missing(folder.path().to_owned()));
    }
    let bytes = read_private(&path).map_err(at(path.clone()))?;
    let authority = AuthorityCertificate::parse(&bytes).map_err(|source| KeyringError::Certificate { path, source })?;
    let mut directory = Directory::new(authority);
    let certificates = folder.certificates();
    for path in files_with_ending(&certificates, "cose").map_err(at(certificates))? {
        let bytes = read_private(&path).map_err(at(path.clone()))?;
        directory.add(&bytes).map_err(|source| KeyringError::Certificate { path, source })?;
    }
    Ok(directory)
}

fn read_revocation(folder: &DataFolder) -> Result<Option<DualSigningKey>, KeyringError> {
    let path = folder.revocation_key();
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read_private(&path).map_err(at(path.clone()))?;
    DualSigningKey::from_bytes(&bytes).map(Some).map_err(|_| KeyringError::Damaged(path))
}

/// The authority's certificate.
pub(crate) fn authority(folder: &DataFolder) -> Result<AuthorityCertificate, KeyringError> {
    Ok(read_directory(folder)?.authority)
}

/// The authority's certificate, and its keys from `path` or from where `init` left them. Only publishing and renewing need
/// them, so they may be kept offline in between.
pub(crate) fn authority_key(
    folder: &DataFolder,
    path: Option<PathBuf>,
) -> Result<(AuthorityCertificate, DualSigningKey), KeyringError> {
    let authority = read_directory(folder)?.authority;
    let path = path.unwrap_or_else(|| folder.authority_key());
    let bytes = read_private(&path).map_err(at(path.clone()))?;
    let key = DualSigningKey::from_bytes(&bytes).map_err(|_| KeyringError::Damaged(path.clone()))?;
    if key.verifying_key() == &authority.key { Ok((authority, key)) } else { Err(KeyringError::Damaged(path)) }
}

/// Makes authority, keys and certificates in an empty folder. Gives what clients pin.
pub fn init(folder: &DataFolder, name: &str, now: i64) -> Result<Digest, KeyringError> {
    if folder.is_taken() {
        return Err(KeyringError::Exists(folder.path().to_owned()));
    }
    folder.create().map_err(at(folder.path().to_owned()))?;
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

/// Gives every role a new key and certificate, and the management service a new backup key; retired keys stay.
/// Gives the certificates made.
pub(crate) fn renew(folder: &DataFolder, now: i64) -> Result<Vec<ServiceCertificate>, KeyringError> {
    let directory = read_directory(folder)?;
    let path = folder.authority_key();
    let bytes = read_private(&path).map_err(at(path.clone()))?;
    let authority = DualSigningKey::from_bytes(&bytes).map_err(|_| KeyringError::Damaged(path))?;
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
        let id = short(key.verifying_key().signer_id(KeyKind::Service));
        write(folder.keys().join(format!("{}-{id}.key", role.name())), key.seed())?;
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
        write(folder.certificates().join(format!("{}-{id}.cose", role.name())), &certificate)?;
    }
    Ok(())
}

fn new_backup_key(folder: &DataFolder, until: i64) -> Result<BackupKey, KeyringError> {
    let key = HpkePrivateKey::generate(Suite::XWing)?;
    let id = short(key.public_key().key_id());
    write(folder.keys().join(format!("backup-{id}.key")), &key.to_bytes())?;
    Ok(BackupKey { key: key.public_key().clone(), until })
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), KeyringError> {
    write_private(&path, bytes).map_err(at(path))
}

fn short(id: SignerId) -> String {
    id.to_hex().chars().take(16).collect()
}
