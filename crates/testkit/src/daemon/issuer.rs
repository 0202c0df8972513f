//! Another issuer under the authority of a data folder, which signs licenses of its own.

use super::Data;
use super::device::{Device, Held, Known, now};
use crate::policy::policy;
use wmlicense_wire::answer::{Answer, Beside, Envelope, Grant, seal};
use wmlicense_wire::cbor::{Fields, read};
use wmlicense_wire::certificate::{Role, ServiceCertificate, ServiceClaims, service_id};
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId, TransactionId};
use wmlicense_wire::key::{DualSigningKey, Signer as _, SigningKey};
use wmlicense_wire::license::{InnerKey, License};
use wmlicense_wire::policy::{BackupRight, Conditions, LicenseKind, Policy};
use zeroize::Zeroizing;

pub struct OtherIssuer {
    pub id: ServiceId,
    pub certificate: Vec<u8>,
    signing: SigningKey,
}

impl OtherIssuer {
    pub fn certified(data: &Data, appoints: &[ServiceId]) -> Self {
        Self::certified_at(data, appoints, now())
    }

    /// As [`Self::certified`], at another time.
    pub fn certified_at(data: &Data, appoints: &[ServiceId], issued_at: i64) -> Self {
        let bytes = std::fs::read(data.path().join("keys/authority.key")).unwrap();
        let (authority, signing) = (DualSigningKey::from_bytes(&bytes).unwrap(), SigningKey::generate().unwrap());
        let claims = ServiceClaims {
            name: "another issuer",
            role: Role::Issuer,
            key: *signing.verifying_key(),
            backup_key: None,
            appoints,
            not_before: issued_at - 10,
            not_after: issued_at + 3600,
            issued_at,
        };
        let certificate = ServiceCertificate::issue(&claims, data.authority, &authority).unwrap();
        Self { id: service_id(data.authority, "another issuer"), certificate, signing }
    }

    /// Terms that may be backed up, managed by `management`.
    pub fn policy(&self, kid: Kid, management: ServiceId) -> Policy {
        Policy {
            lid: Lid::random().unwrap(),
            kid,
            issuer: self.id,
            backup: BackupRight::Stateless,
            management: Some(management),
            first_issued: now(),
            ..policy(&[("Play", Conditions::default())])
        }
    }

    /// A license signed for a device without asking whether this issuer may, with its signed answer.
    pub fn sign(&self, device: &Device, policy: &Policy, key: &[u8]) -> (Vec<u8>, License, InnerKey) {
        let transaction = TransactionId::random().unwrap();
        let answer = Answer::to(transaction, 0, Digest::of(&[]), device.thumbprint(), now());
        let inner = || InnerKey::new(LicenseKind::Content, Zeroizing::new(key.to_vec())).unwrap();
        let grant = Grant { policy: policy.encode(), key: inner(), state: None };
        let bytes =
            seal(answer, device.id(), &device.keys(), &[grant], None, &Beside::default(), &self.signing).unwrap();
        let mut fields = Fields::parse(&bytes, bytes.len()).unwrap();
        let licenses = fields.required(3, read::array(1, |raw| License::decode(raw).ok())).unwrap();
        (Envelope::parse(&bytes).unwrap().signed, licenses.into_iter().next().unwrap(), inner())
    }

    /// Issues a license to a device that knows this issuer.
    pub fn issue(&self, known: &Known, device: &Device, policy: &Policy) -> Held {
        let mut known = known.clone();
        known.directory.add(&self.certificate).unwrap();
        let (transaction, request) = (TransactionId::random().unwrap(), [0; 3]);
        let answer = Answer::to(transaction, 0, Digest::of(&request), device.thumbprint(), now());
        let key = InnerKey::new(LicenseKind::Content, Zeroizing::new(vec![7; 16])).unwrap();
        let grant = Grant { policy: policy.encode(), key, state: None };
        let bytes =
            seal(answer, device.id(), &device.keys(), &[grant], None, &Beside::default(), &self.signing).unwrap();
        let (_, mut licenses, envelope) = device.verify(&known, Role::Issuer, &request, transaction, &bytes);
        Held { signed: envelope.signed, license: licenses.remove(0) }
    }
}
