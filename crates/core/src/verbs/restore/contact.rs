//! The way to the license management service while a restore or a preview goes on: made, lost, or not to be had. What needs no
//! service does not wait for one.

use super::RestoreError;
use super::open::Opened;
use crate::contact::{AnswerFault, SessionError};
use crate::event::{Event, Why};
use crate::failure::{Explain, Failure};
use crate::operation::{Cancelled, Context};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{Answer, OpenedLicense, Outcome};
use wmlicense_wire::certificate::Directory;
use wmlicense_wire::request::Body;

/// A verified answer of the service.
pub struct Reply {
    /// What it says.
    pub answer: Answer,
    /// The signed part.
    pub signed: Vec<u8>,
    /// Its licenses, bound to this device.
    pub licenses: Vec<OpenedLicense>,
    /// The key of the section that was asked for.
    pub unlock: Option<SecretKey>,
}

/// The license management service.
pub trait Management {
    /// Its authority and the certificates known under it.
    fn directory(&self) -> Directory;
    /// Sends a request, a page of the restore's transaction, and verifies the answer.
    fn ask(&mut self, body: Body, page: u32) -> Result<Reply, RestoreError>;
}

/// Makes the connection to the management service and tells so, when a section needs it.
pub type Connect<'c> = dyn Fn() -> Result<Box<dyn Management + 'c>, NotConnected> + 'c;

/// There is no connection.
pub struct NotConnected {
    /// Why not.
    pub error: RestoreError,
    /// The application was told that the service is being asked.
    pub told: bool,
}

impl<E: Into<RestoreError>> From<E> for NotConnected {
    fn from(error: E) -> Self {
        Self { error: error.into(), told: false }
    }
}

/// What came of a question.
pub(super) enum Told {
    Answered(Box<Reply>),
    /// The service cannot be asked any more.
    Lost,
    /// The question is longer than the service, or what is on the way there, takes.
    TooLong,
}

enum State<'c> {
    Made(Box<dyn Management + 'c>),
    Lost(Failure),
}

/// How the service stands that some sections need.
pub(super) struct Contact<'c> {
    state: State<'c>,
    /// Something goes in without the service, so that not all is lost where it cannot be asked.
    spares: bool,
    told: bool,
    next_page: u32,
}

impl<'c> Contact<'c> {
    /// Connects where a section needs it; none where none does. A contact that fails is an error where nothing can be given
    /// without it.
    pub(super) fn make(opened: &[Opened], connect: &Connect<'c>) -> Result<Option<Self>, RestoreError> {
        if !opened.iter().any(Opened::needs_service) {
            return Ok(None);
        }
        let spares = opened.iter().any(Opened::offers_offline);
        let (state, told) = match connect() {
            Ok(management) => (State::Made(management), true),
            Err(NotConnected { error, told }) if spares && error.is_of_contact() => {
                (State::Lost(error.explain()), told)
            }
            Err(NotConnected { error, .. }) => return Err(error),
        };
        Ok(Some(Self { state, spares, told, next_page: 0 }))
    }

    /// Tells that the service is not asked any more, where it was told that it is.
    pub(super) fn end(&self, context: &Context) -> Result<(), Cancelled> {
        if self.told { context.emit(Event::Disconnecting) } else { Ok(()) }
    }

    /// Why the service cannot be asked; none while it can.
    pub(super) fn lost(&self) -> Option<Why> {
        match &self.state {
            State::Made(_) => None,
            State::Lost(why) => Some(Why::Unasked(why.clone())),
        }
    }

    /// The service's authority and the certificates known under it, while it can be asked.
    pub(super) fn directory(&self) -> Option<Directory> {
        match &self.state {
            State::Made(management) => Some(management.directory()),
            State::Lost(_) => None,
        }
    }

    /// Asks and looks whether the answer is one to what was asked. `None` where the contact is lost, or gets lost by this.
    pub(super) fn ask(
        &mut self,
        body: Body,
        check: impl FnOnce(&Reply) -> Result<(), AnswerFault>,
    ) -> Result<Option<Reply>, RestoreError> {
        match self.ask_if_short(body, false, check)? {
            Told::Answered(reply) => Ok(Some(*reply)),
            Told::Lost | Told::TooLong => Ok(None),
        }
    }

    /// As [`Self::ask`]; where the question may be `divided`, one that is too long for the service, or for what is on the way
    /// there, loses nothing.
    pub(super) fn ask_if_short(
        &mut self,
        body: Body,
        divided: bool,
        check: impl FnOnce(&Reply) -> Result<(), AnswerFault>,
    ) -> Result<Told, RestoreError> {
        let State::Made(management) = &mut self.state else { return Ok(Told::Lost) };
        let page = self.next_page;
        self.next_page += 1;
        let answered = management.ask(body, page).and_then(|reply| {
            match reply.answer.outcome {
                Outcome::Done | Outcome::Refused => check(&reply),
                Outcome::Interaction { .. } | Outcome::Later { .. } | Outcome::Given => Err(AnswerFault::Undecided),
            }
            .map_err(SessionError::from)?;
            Ok(reply)
        });
        match answered {
            Ok(reply) => Ok(Told::Answered(Box::new(reply))),
            Err(RestoreError::Service(error)) if divided && error.is_request_too_long() => Ok(Told::TooLong),
            Err(error) if self.spares && error.is_of_contact() => {
                self.state = State::Lost(error.explain());
                Ok(Told::Lost)
            }
            Err(error) => Err(error),
        }
    }
}
