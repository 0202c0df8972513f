//! A transaction page by page: what an answer brings is stored before the next page is asked for.

use super::answer::take;
use super::{AcquireError, Acquired};
use crate::operation::Context;
use crate::session::{Credentials, Question, Session, transaction};
use wmlicense_wire::answer::Envelope;

/// Sends a stored request, the first time or again, and takes all that the service answers.
pub(crate) fn run(
    session: &mut Session<'_>,
    question: Question,
    credentials: &Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let envelope = transaction::exchange(session, &question, None)?;
    take_all(session, question, envelope, credentials, context)
}

/// Takes the answer to `question`.
pub(crate) fn take_all(
    session: &mut Session<'_>,
    question: Question,
    envelope: Envelope,
    credentials: &Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    context.check()?;
    take(session, &question, &envelope, credentials)
}
