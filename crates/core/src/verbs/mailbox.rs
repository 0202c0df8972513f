//! Licenses that nobody asked for, from an application that got them somewhere. How they are judged is `contact/given.rs`.

use crate::client::{Client, Settings};
use crate::contact::Session;
use crate::contact::given::take;
use crate::event::Flow;
use crate::operation::Context;
use crate::verbs::acquire::AcquireError;
use wmlicense_wire::answer::{Envelope, read_vouched};

pub use crate::contact::given::Given;

/// True if these bytes say of themselves that nobody asked for them. Nothing of them is believed by that.
pub fn is_unasked(answer: &[u8]) -> bool {
    let signed = Envelope::parse(answer).map(|envelope| envelope.signed);
    signed.and_then(|signed| read_vouched(&signed)).is_ok_and(|answer| answer.is_unasked())
}

/// Takes an answer that nobody asked for from an application that got it somewhere. No network; the service must be known from
/// an earlier contact.
pub fn take_by_hand(
    client: &Client,
    settings: &Settings,
    url: Option<&str>,
    answer: &[u8],
) -> Result<Given, AcquireError> {
    let context = Context::inline(None, |_| Flow::Continue);
    let mut session = Session::offline(client, settings, url, &context)?;
    let taken = take(&mut session, answer)?;
    if taken.is_over { Err(AcquireError::RemovedForGood) } else { Ok(taken.given) }
}
