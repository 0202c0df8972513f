//! Giving licenses back: the device that holds them says that it deleted them. From a device whose keys are a file that is a
//! claim, not a proof, so the store limits how many seats it frees.

use super::desk::{Brought, Desk, Door, Looked, Matter, Step, serve};
use super::mailbox::with_mail;
use super::{Caller, OTHER};
use crate::metrics::count;
use crate::problem::Fault;
use crate::quota::Payer;
use crate::service::Service;
use crate::source::Source;
use crate::store::{Exchange, Held};
use std::sync::Arc;
use wmlicense_wire::answer::{Reason, Refusal};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::State;
use wmlicense_wire::request::Body;

/// Answers `POST /v1/returns`. No account is asked for: whose device it is may give back what is on it.
pub(crate) async fn give_back(service: Arc<Service>, bytes: Vec<u8>, source: Source) -> Result<Vec<u8>, Fault> {
    let door = Door::new(service, None, source);
    let (desk, licenses) = door.open(Endpoint::Returns, bytes, read).await?;
    let answer = serve(GiveBack { desk: desk.clone(), licenses }).await?;
    Ok(with_mail(&desk, answer).await)
}

fn read(_: &Door, caller: &mut Caller) -> Result<Vec<(Lid, State)>, Fault> {
    let Body::Returns { licenses } = &caller.request.body else { return Err(OTHER) };
    Ok(licenses.clone())
}

struct GiveBack {
    desk: Desk,
    licenses: Vec<(Lid, State)>,
}

impl GiveBack {
    fn lids(&self) -> Vec<Lid> {
        self.licenses.iter().map(|(lid, _)| *lid).collect()
    }
}

impl Matter for GiveBack {
    /// Which licenses the device held.
    type Found = Vec<bool>;
    type Write = Vec<u8>;

    fn service(&self) -> &Service {
        &self.desk.service
    }

    fn payer(&self) -> Option<Payer> {
        Some(self.desk.payer())
    }

    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        self.desk.enter(self.desk.service.clock.now()).await
    }

    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        self.desk.refuse(reason).await
    }

    async fn look(&mut self, exchange: &Exchange) -> Result<Looked<Self::Found>, Fault> {
        let device = self.desk.caller.device.device_id;
        let Held { prior, revoked, known } =
            self.desk.service.store.held(exchange.clone(), device, self.lids()).await?;
        Ok(Looked { revoked, prior, found: known })
    }

    async fn decide(&mut self, exchange: &Exchange, known: Self::Found) -> Result<Step<Self::Write>, Fault> {
        let mut answer = self.desk.caller.answer(exchange.now, &exchange.standing);
        let unknown = self.licenses.iter().zip(known).filter(|(_, known)| !known);
        answer.refusals = unknown.map(|((lid, _), _)| never_held(*lid)).collect();
        self.desk.compute(move |desk| desk.seal(answer)).await.map(Step::Commit)
    }

    async fn commit(&mut self, exchange: Exchange, answer: Self::Write) -> Result<Brought, Fault> {
        let (device, standing) = (self.desk.caller.device.device_id, exchange.standing.clone());
        let written = self.desk.service.store.give_back(exchange, device, self.licenses.clone(), answer.clone());
        Ok((written.await?, standing, answer))
    }

    fn written(&self) {
        count(&self.desk.service.metrics.returns, self.licenses.len());
        tracing::info!(licenses = self.licenses.len(), "given back");
    }
}

fn never_held(lid: Lid) -> Refusal {
    Refusal { subject: Some(*lid.as_bytes()), kid: None, reason: Reason::UnknownContent, url: None, again: None }
}
