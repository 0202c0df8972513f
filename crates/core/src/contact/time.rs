//! What a contact tells about the time: every verified answer to a question of this contact, and the signed time that is asked
//! for where the wall clock cannot be right. What the store makes of it is `crate::clock`'s.

use super::{AnswerFault, Question, Session, SessionError};
use crate::client::{Client, Settings};
use crate::clock::{ClockVerdict, SinceBoot};
use crate::logging::{Level, target};
use crate::operation::Context;
use crate::transport::HttpRequest;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint;
use wmlicense_wire::id::ServiceId;
use wmlicense_wire::service_document::{MAX_TIME_LEN, verify_time};

/// Asks the client's service for the time where the wall clock is known to be wrong: for an operation that found nothing else
/// to ask. A service that does not answer leaves the clock as it is.
pub(crate) fn mend_clock(client: &Client, settings: &Settings, context: &Context) -> Result<(), SessionError> {
    if settings.service_url.is_none() || !is_wrong(client)? {
        return Ok(());
    }
    match Session::connect(client, settings, None, context) {
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => {
            tell_not_asked(client, &error);
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

fn tell_not_asked(client: &Client, error: &SessionError) {
    let text = format_args!("the time could not be asked for: {error}");
    client.log.record(Level::Warn, target::SERVICE, text);
}

/// True if the wall clock is known to be wrong, and an answer would become an anchor.
fn is_wrong(client: &Client) -> Result<bool, SessionError> {
    let wrong = match client.store.clock_verdict()? {
        ClockVerdict::Good | ClockVerdict::Unknown => false,
        ClockVerdict::Behind | ClockVerdict::Ahead => true,
    };
    Ok(wrong && client.clock.since_boot().is_some())
}

impl Session<'_> {
    /// The newest time known from the service that a question is for; without what only one visit told, where the answer sets
    /// that right.
    pub(super) fn floor(&self, question: &Question) -> Result<i64, SessionError> {
        let record = self.client.store.clock_record()?;
        Ok(record.floor_for(question.content.audience, question.made_at, self.client.clock.moment()))
    }

    /// Takes the time of a verified document of `service`, which answers what was asked at `asked`; one that is too far ahead
    /// is refused.
    pub(crate) fn note_time(
        &self,
        service: ServiceId,
        issued_at: i64,
        asked: Option<SinceBoot>,
    ) -> Result<(), SessionError> {
        let store = &self.client.store;
        if store.clock_record()?.is_too_far_ahead(issued_at, self.client.clock.moment()) {
            return Err(SessionError::BadAnswer(AnswerFault::ServiceClock));
        }
        if let Err(error) = store.note_anchor(service, issued_at, asked) {
            let text = format_args!("the time of a service could not be recorded: {error}");
            self.client.log.record(Level::Warn, target::STORE, text);
        }
        Ok(())
    }

    /// Asks for the time where the wall clock is known to be wrong. A service that does not tell leaves it as it is.
    pub(super) fn mend_clock(&self) -> Result<(), SessionError> {
        if !is_wrong(self.client)? {
            return Ok(());
        }
        match self.ask_time() {
            Err(error) if error.is_cancelled() => Err(error),
            Err(error) => {
                tell_not_asked(self.client, &error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn ask_time(&self) -> Result<(), SessionError> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|_| SessionError::Keys)?;
        let place = self.place(endpoint::TIME);
        let digits: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let place = format!("{place}?nonce={digits}");
        let asked = self.client.clock.since_boot();
        let request = HttpRequest { url: &place, body: None, token: None, cap: MAX_TIME_LEN, progress: None };
        let bytes = self.transport.send(&request, self.context)?;
        let (time, signer) = verify_time(&bytes, &nonce, &self.directory)?;
        let (record, at) = (self.client.store.clock_record()?, self.client.clock.moment());
        let valid = |role: &Role| {
            let service = self.directory.by_signer_at(signer, *role, time)?;
            // A certificate that ended before what is known of its service does not come back with an earlier date.
            let floor = record.floor_for(service.service_id, asked, at);
            self.directory.by_signer_at(signer, *role, time.max(floor))
        };
        let service = Role::ALL.iter().find_map(valid).ok_or(SessionError::BadAnswer(AnswerFault::SignerDates))?;
        self.note_time(service.service_id, time, asked)
    }
}
