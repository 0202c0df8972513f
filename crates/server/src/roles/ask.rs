//! Asking the user: a request for content whose policy wants a person's word waits for it on the page.

use super::desk::Desk;
use crate::accounts::Account;
use crate::problem::Fault;
use crate::store::{Decision, Exchange, NewInteraction};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::Kid;

/// For how long a page is open, in seconds.
const LIFETIME: i64 = 30 * 60;

/// The user's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Accepted.
    Given,
    /// Declined, or too late.
    Withheld(Reason),
}

/// What became of asking.
pub(super) enum Asked {
    /// The user has this page to act on.
    Waiting(String),
    /// The user decided, for this account where the page asked for one.
    Decided(Consent, Option<Account>),
}

/// Asks the user about `kids`, or says how the user decided.
pub(super) async fn ask_user(desk: &Desk, exchange: &Exchange, kids: Vec<Kid>) -> Result<Asked, Fault> {
    let Desk { service, caller, .. } = desk;
    let new = NewInteraction {
        id: random_id()?,
        exchange: exchange.clone(),
        device: caller.device.device_id,
        application: caller.request.client.application.clone(),
        kids,
        expires_at: exchange.now.saturating_add(LIFETIME),
    };
    let interaction = service.store.open_interaction(new).await?.ok_or(Fault::Conflict)?;
    Ok(match interaction.decision {
        Some(Decision::Accepted(None)) => Asked::Decided(Consent::Given, None),
        Some(Decision::Accepted(Some(user))) => {
            let name = service.store.account_name(user).await?;
            Asked::Decided(Consent::Given, name.map(|_| Account { user }))
        }
        Some(Decision::Declined) => Asked::Decided(Consent::Withheld(Reason::Declined), None),
        None if interaction.expires_at <= exchange.now => Asked::Decided(Consent::Withheld(Reason::NotDecided), None),
        None => Asked::Waiting(format!("{}/interaction/{}", service.presence.public_url, interaction.id)),
    })
}

fn random_id() -> Result<String, Fault> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
