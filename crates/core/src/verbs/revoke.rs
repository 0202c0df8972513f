//! Revocation: asking what was taken back, taking it, and saying so. What the store does with it is the store's.

mod error;
mod refresh;

pub use error::RevokeError;
pub use refresh::{Refreshed, refresh};

use crate::client::{Client, Settings};
use crate::contact::status_list::is_ahead;
use crate::contact::{Credentials, SessionError, known_authority, offline};
use crate::device::DeviceIdentity;
use crate::store::StoreError;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::cose::CoseError;
use wmlicense_wire::id::{Digest, SignerId};
use wmlicense_wire::request::{Body, MAX_MACHINE_ID};
use wmlicense_wire::revocation::{Acknowledgement, MAX_LIDS, Revocation, RevocationError, VerifiedRevocation};
use wmlicense_wire::service_document::ServiceDocument;

/// What became of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// The device's signed acknowledgement, to be sent back.
    pub acknowledgement: Vec<u8>,
    /// Licenses that this call removed.
    pub removed: u64,
    /// Number of the blob.
    pub number: u64,
}

/// A signed request for what was taken back from this device, to be carried to its issuer by hand. Makes no network call.
/// `machine_id` is what names the device to the issuer; empty for its device ID.
pub fn challenge(client: &Client, settings: &Settings, machine_id: &[u8]) -> Result<Vec<u8>, RevokeError> {
    if machine_id.len() > MAX_MACHINE_ID {
        return Err(RevokeError::TooLong);
    }
    let unknown =
        || if settings.service_url.is_some() { SessionError::UnknownService } else { SessionError::NoService };
    let authority = known_authority(client, settings, None)?.ok_or_else(unknown)?;
    let credentials = Credentials::load(client, authority)?.ok_or(SessionError::NeedsIndividualization)?;
    let directory = client.store.directory(authority)?.ok_or_else(unknown)?;
    let issuers = directory.services().iter().filter(|service| service.role == Role::Issuer);
    let issuer = issuers.max_by_key(|service| service.issued_at).ok_or_else(unknown)?;
    let body = Body::Revocations { machine_id: machine_id.to_vec() };
    Ok(offline(client, settings, issuer.service_id, body, &credentials)?.bytes)
}

/// Takes a license revocation blob: removes what it matches, keeps it, and gives the acknowledgement. The same blob again
/// changes nothing and gives the same bytes.
pub fn process(client: &Client, blob: &[u8]) -> Result<Processed, RevokeError> {
    // Costly verification comes after the key is known to be one of ours.
    let key = Revocation::unverified_key(blob).map_err(unreadable)?;
    let authority = authority_of(client, key)?.ok_or(RevokeError::UnknownKey)?;
    let verified = Revocation::verify(blob).map_err(unreadable)?;
    let credentials = Credentials::load(client, authority)?.ok_or(SessionError::NeedsIndividualization)?;
    take(client, &credentials, &verified, blob)
}

fn take(
    client: &Client,
    credentials: &Credentials,
    verified: &VerifiedRevocation,
    blob: &[u8],
) -> Result<Processed, RevokeError> {
    let device_id = credentials.certificate.device_id;
    if verified.content.target.is_some_and(|target| target != device_id) {
        return Err(RevokeError::OtherDevice);
    }
    if is_ahead(client, verified.content.number)? {
        return Err(RevokeError::Ahead);
    }
    let removed = client.store.take_revocation(verified, blob)?;
    let (taken_at, count, lids) = client.store.taken_back_by(verified.key, MAX_LIDS)?.ok_or(StoreError::Tampered)?;
    let acknowledgement = Acknowledgement {
        taken_at,
        blob: Digest::of(blob),
        number: verified.content.number,
        device_id,
        removed: count,
        lids,
    };
    let DeviceIdentity { signing, keys, .. } = &*credentials.identity;
    let acknowledgement = acknowledgement.sign(signing, keys.thumbprint()).map_err(|_| SessionError::Keys)?;
    Ok(Processed { acknowledgement, removed, number: verified.content.number })
}

/// The authority whose issuer a revocation key belongs to: a license names the key, or a verified service document does.
fn authority_of(client: &Client, key: SignerId) -> Result<Option<Digest>, RevokeError> {
    let named = client.store.revocation_key_of(key)?;
    if let Some(Some(authority)) = named {
        return Ok(Some(authority));
    }
    for bytes in client.store.service_documents()? {
        if let Ok((document, directory)) = ServiceDocument::parse(&bytes, &client.authorities)
            && document.revocation_keys.contains(&key)
        {
            return Ok(Some(directory.authority.hash));
        }
    }
    // A blob of the key is kept, so it was known once; with one authority there is no question whose it was.
    Ok(match (named, client.authorities.as_slice()) {
        (Some(None), [only]) => Some(*only),
        _ => None,
    })
}

fn unreadable(error: RevocationError) -> RevokeError {
    match error {
        RevocationError::Signature(CoseError::TooLong(_)) => RevokeError::TooLong,
        RevocationError::Signature(CoseError::BadSignature | CoseError::WrongSigner) => RevokeError::NotSigned,
        RevocationError::Signature(CoseError::Malformed | CoseError::WrongType)
        | RevocationError::Content(_)
        | RevocationError::Key(_) => RevokeError::Malformed(error.to_string()),
    }
}
