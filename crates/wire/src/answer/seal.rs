//! The service's side of an answer: wrap the grants for a device and sign once.

use super::{Answer, UNLOCK_LABEL, WRAP_LABEL, unlock_aad, wrap_aad};
use crate::aead::{SecretKey, counter_nonce};
use crate::cbor::{MapWriter, write};
use crate::certificate::DeviceKeys;
use crate::cose::{self, Document};
use crate::hpke::Context;
use crate::id::{BackupId, DeviceId, Digest, SignerId};
use crate::key::{KeyError, KeyKind, Signer};
use crate::license::{self, BINDING_LEN, Binding, ENCODED_HEADS, InnerKey, State};

/// A license that a service grants to a device.
pub struct Grant {
    /// Policy bytes.
    pub policy: Vec<u8>,
    /// The key inside.
    pub key: InnerKey,
    /// State to start from; only at a restore.
    pub state: Option<State>,
}

/// What goes out beside the signed part.
#[derive(Default, Clone)]
pub struct Beside {
    /// Certificates that the request did not list as held.
    pub certificates: Vec<Vec<u8>>,
    /// Certificate of the device.
    pub device_certificate: Option<Vec<u8>>,
    /// Newer status list.
    pub status_list: Option<Vec<u8>>,
}

/// `K_meta` of one section, to be given to the device that asks.
pub struct Unlock<'a> {
    /// The backup.
    pub backup_id: BackupId,
    /// Index of the section.
    pub section: u32,
    /// The key.
    pub key: &'a SecretKey,
}

/// Room for what goes out beside certificates, in bytes.
const RESERVE: usize = 4096;

/// Wraps the grants for a device, signs the answer and gives the bytes to send.
/// `answer.suite`, `enc_hash`, `manifest`, `unlock` and `device_certificate` are filled in here.
pub fn seal(
    mut answer: Answer,
    device_id: DeviceId,
    device: &DeviceKeys,
    grants: &[Grant],
    unlock: Option<&Unlock<'_>>,
    beside: &Beside,
    signer: &dyn Signer,
) -> Result<Vec<u8>, KeyError> {
    let signer_id = signer.verifying_key().signer_id(KeyKind::Service);
    answer.device_certificate = beside.device_certificate.as_deref().map(Digest::of);
    let mut enc = None;
    // An answer of thousands is built in one piece: each byte that is copied once more costs more than its hash.
    let room = grants.iter().map(|grant| grant.policy.len() + BINDING_LEN + ENCODED_HEADS).sum::<usize>();
    let mut licenses = Vec::with_capacity(room + 9);
    write::head_to(&mut licenses, 4, grants.len() as u64);
    answer.manifest = Vec::with_capacity(grants.len());
    if !grants.is_empty() || unlock.is_some() {
        let (encapsulated, context) = Context::sender(&device.hpke, &answer.info(signer_id))?;
        let wrap_key = SecretKey::new(context.export(WRAP_LABEL));
        for (index, grant) in grants.iter().enumerate() {
            let begin = licenses.len();
            let binding = bind(grant, index as u64, &wrap_key, device_id, answer.thumbprint, answer.issued_at);
            license::encode_to(&mut licenses, &grant.policy, &binding);
            answer.manifest.push(Digest::of(licenses.get(begin..).unwrap_or_default()));
        }
        if let Some(unlock) = unlock {
            let key = SecretKey::new(context.export(UNLOCK_LABEL));
            answer.unlock =
                Some(key.seal(&[0; 12], &unlock_aad(unlock.backup_id, unlock.section), unlock.key.as_bytes()));
        }
        answer.suite = Some(device.hpke.suite());
        answer.enc_hash = Some(Digest::of(&encapsulated));
        enc = Some(encapsulated);
    }
    let signed = cose::sign(Document::Answer, &answer.encode(), signer, signer_id)?;
    Ok(MapWriter::with_capacity(signed.len() + licenses.len() + RESERVE)
        .bytes(1, signed)
        .optional(2, enc, MapWriter::bytes)
        .raw(3, &licenses)
        .raw(4, &write::array(beside.certificates.iter().map(write::bytes)))
        .optional(5, beside.device_certificate.as_ref(), MapWriter::bytes)
        .optional(6, beside.status_list.as_ref(), MapWriter::bytes)
        .finish())
}

fn bind(
    grant: &Grant,
    index: u64,
    wrap_key: &SecretKey,
    device_id: DeviceId,
    thumbprint: SignerId,
    issued_at: i64,
) -> Vec<u8> {
    let policy_hash = Digest::of(&grant.policy);
    let aad = wrap_aad(policy_hash, device_id, thumbprint);
    let wrapped = wrap_key.seal(&counter_nonce(index), &aad, grant.key.as_bytes());
    Binding { policy_hash, device_id, thumbprint, wrapped, issued_at, state: grant.state.clone() }.encode()
}
