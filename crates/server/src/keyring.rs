//! The service's keys and certificates, as commands and `serve` read them; they are made in `keyring/make.rs`.
//! Everything is a file of its own; a key without certificate is ignored, so a crash while renewing changes nothing.

mod make;

pub(crate) use make::{init, renew};

use crate::folder::{DataFolder, files_with_ending, read_private};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::certificate::{AuthorityCertificate, CertificateError, Directory, Role, ServiceCertificate};
use wmlicense_wire::id::{Kid, SignerId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, KeyError, KeyKind, Signer as _, SigningKey};
use zeroize::Zeroizing;

/// A new certificate counts from a little before its making, for machines whose clocks differ.
pub(crate) const CLOCK_TOLERANCE: i64 = 300;
const CONTENT_LABEL: &str = "wmlicense/1 service content";
const CURSOR_LABEL: &str = "wmlicensed cursor";
const PAGE_LABEL: &str = "wmlicense/1 service page";

/// Keys or certificates could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringError {
    /// The folder holds a service already; nothing in it was changed.
    #[error("{} holds a service already, authority: {authority}", .path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
        /// What clients pin.
        authority: String,
    },
    /// The folder holds none.
    #[error("{} holds no service; make one with `wmlicensed init`", .0.display())]
    Missing(PathBuf),
    /// The process that made the service there did not come to its end.
    #[error("the service in {} was not made to its end; run `wmlicensed init` again", .0.display())]
    Unfinished(PathBuf),
    /// The folder has what belongs to a service, but not its authority.
    #[error(
        "{} has keys, certificates or a database but no authority.cose; put that file back from a copy, or name another folder",
        .0.display()
    )]
    Headless(PathBuf),
    /// The database is lost.
    #[error(
        "{} is missing; put it back from a copy of the data folder, or begin anew with an empty file of that name",
        .0.display()
    )]
    NoDatabase(PathBuf),
    /// The authority's keys are kept elsewhere, or lost.
    #[error("{} is missing; name the file with the authority's keys with --authority-key", .0.display())]
    NoAuthorityKey(PathBuf),
    /// Another process makes or renews keys.
    #[error("another command makes keys in {}; try again when it ended", .0.display())]
    Busy(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is damaged; put it back from a copy of the data folder", .0.display())]
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
    #[error("no key and certificate for the role {}; `wmlicensed certificate renew` makes new ones", .0.name())]
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

/// Why a folder is not served that has no certificate of an authority.
fn without_authority(folder: &DataFolder) -> KeyringError {
    let path = folder.path().to_owned();
    match (folder.is_taken(), folder.is_unfinished()) {
        (_, true) => KeyringError::Unfinished(path),
        (true, false) => KeyringError::Headless(path),
        (false, false) => KeyringError::Missing(path),
    }
}

/// Fails where the database is not there that `init` made: what it held is not begun anew without a word.
pub(crate) fn check_database(folder: &DataFolder, path: &Path) -> Result<(), KeyringError> {
    match (path.try_exists().map_err(at(path.to_owned()))?, folder.is_unfinished()) {
        (true, _) => Ok(()),
        (false, true) => Err(KeyringError::Unfinished(folder.path().to_owned())),
        (false, false) => Err(KeyringError::NoDatabase(path.to_owned())),
    }
}

/// Key under which content keys are sealed in the database.
pub(crate) struct MasterKey(SecretKey);

#[cfg(test)]
impl MasterKey {
    pub(crate) fn new(key: SecretKey) -> Self {
        Self(key)
    }
}

impl MasterKey {
    pub(crate) fn read(folder: &DataFolder) -> Result<Self, KeyringError> {
        let path = folder.master_key();
        if !folder.authority().exists() {
            return Err(without_authority(folder));
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
        let (keys, certified) = (folder.keys(), certified(&ring.directory));
        for path in files_with_ending(&keys, "key").map_err(at(keys))? {
            let read = match KeyFile::of(&path) {
                Some(KeyFile::Role(role)) if roles.contains(&role) => {
                    let bytes = read_private(&path).map_err(at(path.clone()))?;
                    let key = SigningKey::from_seed(&bytes).ok();
                    key.map(|key| signing.insert(key.verifying_key().signer_id(KeyKind::Service), key)).is_some()
                }
                Some(KeyFile::Backup) if roles.contains(&Role::Management) => {
                    let bytes = read_private(&path).map_err(at(path.clone()))?;
                    let key = HpkePrivateKey::from_bytes(Suite::XWing, &bytes).ok();
                    key.map(|key| ring.backup_keys.insert(key.public_key().key_id(), key)).is_some()
                }
                Some(KeyFile::Role(_) | KeyFile::Backup) | None => true,
            };
            if !read && path.file_stem().is_some_and(|stem| certified.contains(stem)) {
                return Err(KeyringError::Damaged(path));
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

/// A certificate of a role, and whether its keys lie beside it.
pub(crate) struct Certified {
    pub(crate) certificate: ServiceCertificate,
    /// The key file of the role is there.
    pub(crate) has_key: bool,
    /// The key file of the backup key is there, where the certificate names one.
    pub(crate) has_backup_key: bool,
}

impl Certified {
    /// True for the one that a service with all keys of this folder works with, among all of the folder.
    pub(crate) fn is_in_use(&self, all: &[Self]) -> bool {
        let of_role = |other: &&Self| other.certificate.role == self.certificate.role && other.has_key;
        let newest = all.iter().filter(of_role).max_by_key(|other| other.certificate.issued_at);
        newest.is_some_and(|newest| newest.certificate.hash == self.certificate.hash)
    }
}

/// All certificates of a data folder, the authority's beside them.
pub(crate) fn certificates(folder: &DataFolder) -> Result<(AuthorityCertificate, Vec<Certified>), KeyringError> {
    let directory = read_directory(folder)?;
    let there = |name: String| folder.keys().join(format!("{name}.key")).exists();
    let certified = |certificate: &ServiceCertificate| {
        let backup = certificate.backup_key.as_ref().map(|backup| backup_name(backup.key.key_id()));
        Certified {
            certificate: certificate.clone(),
            has_key: there(role_name(certificate.role, certificate.signer_id())),
            has_backup_key: backup.is_none_or(there),
        }
    };
    let all = directory.services().iter().map(certified).collect();
    Ok((directory.authority, all))
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
        return Err(without_authority(folder));
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
    let usual = folder.authority_key();
    if path.is_none() && !usual.exists() {
        return Err(KeyringError::NoAuthorityKey(usual));
    }
    let path = path.unwrap_or(usual);
    let bytes = read_private(&path).map_err(at(path.clone()))?;
    let key = DualSigningKey::from_bytes(&bytes).map_err(|_| KeyringError::Damaged(path.clone()))?;
    if key.verifying_key() == &authority.key { Ok((authority, key)) } else { Err(KeyringError::Damaged(path)) }
}

/// Names, without ending, of the files of keys that certificates speak of.
fn certified(directory: &Directory) -> HashSet<OsString> {
    let of = |service: &ServiceCertificate| {
        let backup = service.backup_key.as_ref().map(|backup| backup_name(backup.key.key_id()));
        [Some(role_name(service.role, service.signer_id())), backup]
    };
    directory.services().iter().flat_map(of).flatten().map(OsString::from).collect()
}

/// Name of the files of a role's key and certificate, without ending.
fn role_name(role: Role, id: SignerId) -> String {
    format!("{}-{}", role.name(), short(id))
}

/// Name of the file of a backup key, without ending.
fn backup_name(id: SignerId) -> String {
    format!("backup-{}", short(id))
}

fn short(id: SignerId) -> String {
    id.to_hex().chars().take(16).collect()
}
