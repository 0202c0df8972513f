//! The client's side of an answer: verify who answered what, then open the licenses.

use super::given::{FIELD, MAX_GIVEN};
use super::{Answer, AnswerError, MAX_LEN, UNLOCK_LABEL, WRAP_LABEL, unlock_aad, wrap_aad};
use crate::aead::{SecretKey, counter_nonce};
use crate::cbor::{Fields, read};
use crate::certificate::{self, Directory, Role, ServiceCertificate};
use crate::cose::{Document, Unverified};
use crate::hpke::Context;
use crate::id::{BackupId, DeviceId, Digest, ServiceId, SignerId, TransactionId};
use crate::kem::{HpkePrivateKey, Suite};
use crate::license::{Binding, InnerKey, License};
use crate::policy::Policy;
use crate::request::MAX_LICENSES;
use crate::status_list;

const MAX_CERTIFICATES: usize = 64;

/// An answer as it came, before anything in it is believed.
pub struct Envelope {
    /// The signed answer.
    pub signed: Vec<u8>,
    enc: Option<Vec<u8>>,
    licenses: Licenses,
    /// Service certificates; each proves itself under the authority.
    pub certificates: Vec<Vec<u8>>,
    /// Certificate for the device.
    pub device_certificate: Option<Vec<u8>>,
    /// Newer status list; proves itself.
    pub status_list: Option<Vec<u8>>,
    /// Answers that nobody asked for; each proves itself.
    pub given: Vec<Vec<u8>>,
}

/// Licenses one behind the other: they are many, and each is looked at once.
struct Licenses {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl Licenses {
    fn copied(licenses: &[&[u8]]) -> Self {
        Self { bytes: licenses.concat(), lengths: licenses.iter().map(|license| license.len()).collect() }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        self.lengths.iter().map_while(move |length| {
            let (license, behind) = rest.split_at_checked(*length)?;
            rest = behind;
            Some(license)
        })
    }
}

/// What the client knows about the answer that it waits for.
pub struct Expected {
    /// Role of the service asked.
    pub role: Role,
    /// Transaction of the request.
    pub transaction: TransactionId,
    /// Page of the request.
    pub page: u32,
    /// SHA-256 of the request's bytes.
    pub request_hash: Digest,
    /// The device's keys.
    pub thumbprint: SignerId,
    /// Newest time that was verified from this service; the signer's certificate must be valid at the later of it and
    /// the answer's own time. Seconds UTC.
    pub floor: i64,
}

/// An answer whose signer, role, request and licenses were verified.
pub struct Verified<'e> {
    /// The signed content.
    pub answer: Answer,
    /// Certificate of the signer.
    pub signer: ServiceCertificate,
    envelope: &'e Envelope,
}

impl Envelope {
    /// Reads the outer form.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnswerError> {
        let certificate = |raw| read::bytes_up_to(certificate::MAX_LEN)(raw).map(<[u8]>::to_vec);
        let mut fields = Fields::parse(bytes, MAX_LEN)?;
        let envelope = Self {
            signed: fields.required(1, read::bytes)?.to_vec(),
            enc: fields.optional(2, read::bytes_up_to(Suite::XWing.enc_len()))?.map(<[u8]>::to_vec),
            licenses: Licenses::copied(&fields.required(
                3,
                read::array(MAX_LICENSES, |raw: &[u8]| (raw.len() <= crate::license::MAX_LEN).then_some(raw)),
            )?),
            certificates: fields.required(4, read::array(MAX_CERTIFICATES, certificate))?,
            device_certificate: fields.optional(5, certificate)?,
            status_list: fields.optional(6, read::bytes_up_to(status_list::MAX_LEN))?.map(<[u8]>::to_vec),
            given: fields.optional(FIELD, read::array(MAX_GIVEN, read_answer))?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(envelope)
    }

    /// Verifies signer, role and request, and that the licenses beside are those of the manifest. Certificates that came
    /// along must be in `directory` already.
    pub fn verify(&self, expected: &Expected, directory: &Directory) -> Result<Verified<'_>, AnswerError> {
        let (answer, signer) = verify_signed(&self.signed, directory, &[expected.role])?;
        // A certificate renewed for the same key may have taken over since the answer was made.
        let signer = directory
            .by_signer_at(signer.signer_id(), expected.role, answer.issued_at.max(expected.floor))
            .ok_or(AnswerError::NotValid)?;
        let matches = answer.transaction == expected.transaction
            && answer.page == expected.page
            && answer.request_hash == expected.request_hash;
        if !matches {
            return Err(AnswerError::Mismatch);
        }
        if answer.thumbprint != expected.thumbprint {
            return Err(AnswerError::OtherDevice);
        }
        self.complete(answer, signer)
    }

    /// Verifies an answer that nobody asked for: an issuer's, for one of the devices' keys, with licenses and nothing else.
    /// `floor` gives the newest time that was verified from a service. How old it may be is up to the caller.
    pub fn verify_given(
        &self,
        thumbprints: &[SignerId],
        floor: impl FnOnce(ServiceId) -> i64,
        directory: &Directory,
    ) -> Result<Verified<'_>, AnswerError> {
        let (answer, signer) = verify_signed(&self.signed, directory, &[Role::Issuer])?;
        let time = answer.issued_at.max(floor(signer.service_id));
        let signer = directory.by_signer_at(signer.signer_id(), Role::Issuer, time).ok_or(AnswerError::NotValid)?;
        if !answer.is_unasked() {
            return Err(AnswerError::Mismatch);
        }
        answer.check_given()?;
        if !thumbprints.contains(&answer.thumbprint) {
            return Err(AnswerError::OtherDevice);
        }
        self.complete(answer, signer)
    }

    /// Checks that what is beside the signed part is what it names.
    fn complete(&self, answer: Answer, signer: &ServiceCertificate) -> Result<Verified<'_>, AnswerError> {
        let hashes = self.licenses.iter().map(Digest::of);
        let complete = answer.device_certificate == self.device_certificate.as_deref().map(Digest::of)
            && answer.enc_hash == self.enc.as_deref().map(Digest::of)
            && hashes.eq(answer.manifest.iter().copied());
        if !complete {
            return Err(AnswerError::Manifest);
        }
        Ok(Verified { answer, signer: signer.clone(), envelope: self })
    }
}

fn read_answer(raw: &[u8]) -> Option<Vec<u8>> {
    read::bytes_up_to(MAX_LEN)(raw).map(<[u8]>::to_vec)
}

/// Reads a signed answer whose signature is vouched for elsewhere: it was verified when it came, and since then a store or
/// the footer of a backup has kept it. Everything else must use [`verify_signed`].
pub fn read_vouched(signed: &[u8]) -> Result<Answer, AnswerError> {
    Ok(Answer::decode(Unverified::parse(Document::Answer, signed, MAX_LEN)?.unverified_payload())?)
}

/// As [`read_vouched`], with the certificate of its signer, which must have been valid when the answer was made.
pub fn read_vouched_of<'d>(
    signed: &[u8],
    directory: &'d Directory,
    roles: &[Role],
) -> Result<(Answer, &'d ServiceCertificate), AnswerError> {
    let document = Unverified::parse(Document::Answer, signed, MAX_LEN)?;
    let answer = Answer::decode(document.unverified_payload())?;
    let by_role = |role: &Role| directory.by_signer_at(document.signer_id(), *role, answer.issued_at);
    let signer = roles.iter().find_map(by_role).ok_or(AnswerError::Signer)?;
    Ok((answer, signer))
}

/// Verifies a signed answer by itself, as it is kept in a store or a backup, against the certificates of `directory`.
/// The signer's certificate must have been valid when the answer was made.
pub fn verify_signed<'d>(
    signed: &[u8],
    directory: &'d Directory,
    roles: &[Role],
) -> Result<(Answer, &'d ServiceCertificate), AnswerError> {
    let document = Unverified::parse(Document::Answer, signed, MAX_LEN)?;
    let signer_id = document.signer_id();
    let signer = roles.iter().find_map(|role| directory.by_signer(signer_id, *role)).ok_or(AnswerError::Signer)?;
    let answer = Answer::decode(document.verify(&signer.key, signer_id)?)?;
    let signer = directory.by_signer_at(signer_id, signer.role, answer.issued_at).ok_or(AnswerError::NotValid)?;
    Ok((answer, signer))
}

/// True if `signer` may sign a license with this policy at `time` (seconds UTC): it is the issuer, or it is the policy's
/// management service and the issuer's certificate of that time appoints it. A later certificate takes an appointment back.
pub fn may_sign(signer: &ServiceCertificate, policy: &Policy, directory: &Directory, time: i64) -> bool {
    match signer.role {
        Role::Issuer => signer.service_id == policy.issuer,
        Role::Management => {
            policy.management == Some(signer.service_id)
                && directory
                    .by_service_at(policy.issuer, Role::Issuer, time)
                    .is_some_and(|issuer| issuer.appoints.contains(&signer.service_id))
        }
        Role::Individualization => false,
    }
}

/// A license of a verified answer, with its key.
pub struct OpenedLicense {
    /// Place in the manifest.
    pub index: u32,
    /// The bytes that were signed.
    pub license: License,
    /// Its policy.
    pub policy: Policy,
    /// Its binding.
    pub binding: Binding,
    /// The key inside.
    pub key: InnerKey,
}

impl Verified<'_> {
    fn context(&self, key: &HpkePrivateKey) -> Result<Context, AnswerError> {
        let enc = self.envelope.enc.as_deref().ok_or(AnswerError::Manifest)?;
        if self.answer.suite != Some(key.public_key().suite()) {
            return Err(AnswerError::Suite);
        }
        let info = self.answer.info(self.signer.signer_id());
        Context::recipient(key, enc, &info).map_err(|_| AnswerError::Manifest)
    }

    /// Opens every license: one decapsulation, then one AES-GCM open each. All are acceptable, or none is returned.
    pub fn open_licenses(
        &self,
        key: &HpkePrivateKey,
        device_id: DeviceId,
        directory: &Directory,
    ) -> Result<Vec<OpenedLicense>, AnswerError> {
        if self.envelope.licenses.lengths.is_empty() {
            return Ok(Vec::new());
        }
        let wrap_key = SecretKey::new(self.context(key)?.export(WRAP_LABEL));
        let open = |(index, bytes): (usize, &[u8])| self.open_license(index, bytes, &wrap_key, device_id, directory);
        self.envelope.licenses.iter().enumerate().map(open).collect()
    }

    fn open_license(
        &self,
        index: usize,
        bytes: &[u8],
        wrap_key: &SecretKey,
        device_id: DeviceId,
        directory: &Directory,
    ) -> Result<OpenedLicense, AnswerError> {
        let damaged = || AnswerError::License { index };
        let license = License::decode(bytes).map_err(|_| damaged())?;
        let policy = Policy::decode(&license.policy).map_err(|_| damaged())?;
        let binding = Binding::decode(&license.binding).map_err(|_| damaged())?;
        if binding.policy_hash != license.policy_hash() {
            return Err(damaged());
        }
        if binding.device_id != device_id || binding.thumbprint != self.answer.thumbprint {
            return Err(AnswerError::OtherDevice);
        }
        if !may_sign(&self.signer, &policy, directory, self.answer.issued_at) {
            return Err(AnswerError::OtherIssuer { index });
        }
        let aad = wrap_aad(binding.policy_hash, device_id, binding.thumbprint);
        let inner = wrap_key.open(&counter_nonce(index as u64), &aad, &binding.wrapped).map_err(|_| damaged())?;
        let key = InnerKey::new(policy.kind, inner).ok_or_else(damaged)?;
        Ok(OpenedLicense { index: index as u32, license, policy, binding, key })
    }

    /// Opens `K_meta` of a section, where the answer carries it.
    pub fn open_unlock(
        &self,
        key: &HpkePrivateKey,
        backup_id: BackupId,
        section: u32,
    ) -> Result<Option<SecretKey>, AnswerError> {
        let Some(unlock) = &self.answer.unlock else { return Ok(None) };
        let unlock_key = SecretKey::new(self.context(key)?.export(UNLOCK_LABEL));
        let meta =
            unlock_key.open(&[0; 12], &unlock_aad(backup_id, section), unlock).map_err(|_| AnswerError::Mismatch)?;
        SecretKey::from_slice(&meta).map(Some).ok_or(AnswerError::Mismatch)
    }
}
