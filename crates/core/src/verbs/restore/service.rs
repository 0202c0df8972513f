//! The way to the license management service: a session of the device's authority, with one transaction for the restore.

use super::RestoreError;
use super::contact::{Management, NotConnected, Reply};
use crate::client::{Client, Settings};
use crate::contact::{Credentials, Session, SessionError, given, is_named, known_authority};
use crate::event::Event;
use crate::failure::Explain;
use crate::operation::Context;
use crate::verbs::individualize::{self, IndividualizeError, valid_credentials};
use wmlicense_wire::certificate::Directory;
use wmlicense_wire::id::TransactionId;
use wmlicense_wire::request::Body;

/// Finds the service and makes sure that this device may ask it. With `individualize`, a device without a certificate gets
/// one before the service is connected to.
pub(super) fn connect<'c>(
    client: &'c Client,
    settings: &'c Settings,
    individualize: bool,
    context: &'c Context,
) -> Result<Box<dyn Management + 'c>, NotConnected> {
    if individualize {
        let certified = individualize::individualize(client, settings, false, context);
        if let Err(error) = certified.map_err(not_individualized) {
            if let RestoreError::Individualize(why) = &error {
                context.emit(Event::IndividualizeFailed(why.explain()))?;
            }
            return Err(error.into());
        }
    } else if let Some(authority) = known_authority(client, settings, None)?
        && Credentials::load(client, authority)?.is_none()
    {
        return Err(SessionError::NeedsIndividualization.into());
    }
    if !is_named(settings) {
        return Err(SessionError::NoService.into());
    }
    context.emit(Event::Connecting)?;
    open(client, settings, context).map_err(|error| NotConnected { error, told: true })
}

fn open<'c>(
    client: &'c Client,
    settings: &'c Settings,
    context: &'c Context,
) -> Result<Box<dyn Management + 'c>, RestoreError> {
    let mut session = Session::connect(client, settings, None, context)?;
    let credentials = valid_credentials(&mut session, context)
        .map_err(not_individualized)?
        .ok_or(SessionError::NeedsIndividualization)?;
    let transaction = TransactionId::random().map_err(|_| SessionError::Keys)?;
    Ok(Box::new(ManagementService { session, credentials, transaction }))
}

fn not_individualized(error: IndividualizeError) -> RestoreError {
    match error {
        IndividualizeError::Service(error) if error.is_cancelled() => error.into(),
        other => RestoreError::Individualize(other),
    }
}

struct ManagementService<'c> {
    session: Session<'c>,
    credentials: Credentials,
    transaction: TransactionId,
}

impl Management for ManagementService<'_> {
    fn directory(&self) -> Directory {
        self.session.directory().clone()
    }

    fn ask(&mut self, body: Body, page: u32) -> Result<Reply, RestoreError> {
        let Credentials { identity, certificate } = &self.credentials;
        let question = self.session.sign(self.transaction, page, body, identity, Some(certificate))?;
        let envelope = self.session.exchange(&question, None)?;
        let verified = self.session.verify(&envelope, &question)?;
        self.session.note_epoch(&verified)?;
        let licenses = verified.open_licenses(&identity.hpke, certificate.device_id, self.session.directory())?;
        let unlock = match &question.content.body {
            Body::RestorePreview { source, .. } => {
                verified.open_unlock(&identity.hpke, source.backup_id, source.section)?
            }
            Body::Individualize { .. }
            | Body::Licenses { .. }
            | Body::Renewals { .. }
            | Body::Returns { .. }
            | Body::Revocations { .. }
            | Body::Mailbox { .. }
            | Body::Restore { .. } => None,
        };
        let answer = verified.answer;
        given::settle(&mut self.session);
        Ok(Reply { answer, signed: envelope.signed, licenses, unlock })
    }
}
