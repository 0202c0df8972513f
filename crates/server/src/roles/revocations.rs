//! Revocation: what was taken back from a device, its acknowledgement of that, and the newest status list.

use super::desk::{Desk, Door};
use super::{Caller, OTHER};
use crate::metrics::count;
use crate::problem::Fault;
use crate::rules::revocation::Due;
use crate::service::Service;
use crate::source::Source;
use std::sync::Arc;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::SignerId;
use wmlicense_wire::request::Body;
use wmlicense_wire::revocation::{Acknowledgement, Revocation};

/// Answers `POST /v1/revocations`: a request with the blob, an acknowledgement with nothing. `None` is an empty answer.
pub(crate) async fn revocations(
    service: Arc<Service>,
    bytes: Vec<u8>,
    source: Source,
) -> Result<Option<Vec<u8>>, Fault> {
    match Acknowledgement::parse(&bytes).map(|document| document.signer_id()) {
        Ok(thumbprint) => take_word(service, bytes, thumbprint, source).await.map(|()| None),
        Err(_) => tell(service, bytes, source).await,
    }
}

async fn tell(service: Arc<Service>, bytes: Vec<u8>, source: Source) -> Result<Option<Vec<u8>>, Fault> {
    let door = Door::new(service, None, source);
    let (desk, ()) = door.open(Endpoint::Revocations, bytes, read).await?;
    let (service, caller) = (&desk.service, &desk.caller);
    let (device, now) = (caller.device.device_id, service.clock.now());
    // What was taken back is told to a copy as well.
    if let Err(reason) = desk.enter(now).await? {
        return desk.refuse(reason).await.map(Some);
    }
    service.store.note_asker(device, caller.thumbprint, caller.device.keys.signing, now).await?;
    let Some(due) = service.store.due(device).await? else { return Ok(None) };
    count(&service.metrics.revocations, 1);
    let Due { number, target, entries, signed } = due;
    if let Some(blob) = signed {
        return Ok(Some(blob));
    }
    let sign = move |desk: &Desk| -> Result<Vec<u8>, Fault> {
        let key = desk.keyring.revocation_signing.as_ref().ok_or_else(|| {
            tracing::error!("licenses were taken back, and the revocation key is not in the data folder");
            Fault::Internal
        })?;
        Ok(Revocation { number, target, entries }.sign(key)?)
    };
    let blob = desk.compute(sign).await?;
    Ok(Some(service.store.keep_blob(target, number, blob).await?))
}

fn read(_: &Door, caller: &mut Caller) -> Result<(), Fault> {
    let Body::Revocations { machine_id } = &caller.request.body else { return Err(OTHER) };
    // A device is told what is its own; machines of other issuers are not known here.
    if !machine_id.is_empty() && machine_id != caller.device.device_id.as_bytes() {
        return Err(Fault::BadRequest("The machine ID is not the device ID of who asks."));
    }
    Ok(())
}

/// Writes an acknowledgement down. It is taken from a revoked device as well.
async fn take_word(service: Arc<Service>, bytes: Vec<u8>, thumbprint: SignerId, source: Source) -> Result<(), Fault> {
    let asker = service.store.asker(thumbprint).await?;
    let unknown = Fault::UnknownDevice("No device with these keys asked what was taken back.");
    let (device, key) = asker.ok_or(unknown)?;
    let verify = move || {
        let document = Acknowledgement::parse(&bytes).map_err(|_| Fault::BadRequest("The document is malformed."))?;
        let word = Acknowledgement::verify(document, &key, thumbprint);
        let word = word.map_err(|_| Fault::BadRequest("The acknowledgement is not by the device's key."))?;
        Ok::<_, Fault>((word, bytes))
    };
    let (word, bytes) = service.compute(source, verify).await??;
    let now = service.clock.now();
    if word.device_id != device || !service.store.acknowledge(word, bytes, now).await? {
        return Err(Fault::BadRequest("The acknowledgement is for a blob that this device was not given."));
    }
    count(&service.metrics.acknowledgements, 1);
    tracing::info!("revocation acknowledged");
    Ok(())
}
