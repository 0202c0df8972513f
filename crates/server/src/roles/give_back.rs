//! Giving licenses back: the device that holds them says that it deleted them. From a device whose keys are a file that is a
//! claim, not a proof, so the store limits how many seats it frees.

use super::{Caller, MAX_ATTEMPTS, known_answer, role_key, whole, written};
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::problem::Fault;
use crate::service::Service;
use crate::store::Held;
use std::sync::Arc;
use wmlicense_wire::answer::{Beside, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::State;
use wmlicense_wire::request::Body;

/// Answers `POST /v1/returns`. No account is asked for: whose device it is may give back what is on it.
pub(crate) async fn give_back(service: Arc<Service>, bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let (caller, licenses) = {
        let (service_, keyring) = (Arc::clone(&service), Arc::clone(&keyring));
        let checked = service.compute(move || check(&service_, &keyring, &bytes)).await??;
        (Arc::new(checked.0), checked.1)
    };
    let device = caller.device.device_id;
    let lids: Vec<Lid> = licenses.iter().map(|(lid, _)| *lid).collect();
    for _ in 0..MAX_ATTEMPTS {
        let now = service.clock.now();
        let exchange = match caller.enter(&service, None, now).await? {
            Ok(exchange) => exchange,
            Err(reason) => return caller.turn_away(&service, &keyring, reason).await,
        };
        let standing = exchange.standing.clone();
        let Held { prior, revoked, known } = service.store.held(exchange.clone(), device, lids.clone()).await?;
        if let Some(bytes) = known_answer(prior)? {
            return Ok(bytes);
        }
        let sealed = {
            let (service_, keyring, caller, lids) =
                (Arc::clone(&service), Arc::clone(&keyring), Arc::clone(&caller), lids.clone());
            let standing = standing.clone();
            let seal = move || {
                let url = &service_.presence.support_url;
                let own = role_key(&keyring, Role::Issuer)?;
                if revoked {
                    return caller.refuse(whole(Reason::DeviceRevoked, Some(url)), now, own);
                }
                let unknown = lids.iter().zip(known).filter(|(_, known)| !known);
                let mut answer = caller.answer(now, &standing);
                answer.refusals = unknown.map(|(lid, _)| never_held(*lid)).collect();
                let certificates = caller.not_held([(own.certificate.hash, own.certificate.bytes.as_slice())]);
                caller.seal(answer, &[], None, &Beside { certificates, ..Beside::default() }, own)
            };
            service.compute(seal).await??
        };
        if revoked {
            return Ok(sealed);
        }
        let committed = service.store.give_back(exchange, device, licenses.clone(), sealed.clone()).await?;
        if let Some(bytes) = written(&service, &standing, committed, sealed)? {
            count(&service.metrics.returns, licenses.len());
            tracing::info!(licenses = licenses.len(), "given back");
            return Ok(bytes);
        }
    }
    Err(Fault::Unavailable)
}

fn never_held(lid: Lid) -> Refusal {
    Refusal { subject: Some(*lid.as_bytes()), kid: None, reason: Reason::UnknownContent, url: None, again: None }
}

fn check(service: &Service, keyring: &Keyring, bytes: &[u8]) -> Result<(Caller, Vec<(Lid, State)>), Fault> {
    let caller = Caller::check(service, keyring, Endpoint::Returns, bytes)?;
    let Body::Returns { licenses } = &caller.request.body else {
        return Err(Fault::BadRequest("The request asks for something else."));
    };
    let licenses = licenses.clone();
    Ok((caller, licenses))
}
