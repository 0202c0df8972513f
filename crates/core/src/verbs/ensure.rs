//! One step to a license for who plays content: look what is stored, individualize where the user agreed, acquire silently, and
//! look again. Nothing is decided here that those steps do not decide.

use crate::client::{Client, Settings};
use crate::contact::SessionError;
use crate::event::wait;
use crate::operation::Context;
use crate::rights;
use crate::store::StoreError;
use crate::verbs::acquire::{AcquireError, Acquired, LicenseWish, acquire};
use crate::verbs::individualize::{IndividualizeError, individualize};
use std::time::Duration;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::Kid;

/// What is to be permitted.
#[derive(Debug, Clone)]
pub struct EnsureWish {
    /// Key IDs of the content: all of them are needed.
    pub kids: Vec<Kid>,
    /// What is to be done with it.
    pub action: String,
    /// The user agreed to individualization.
    pub may_individualize: bool,
}

/// How it came to be permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// By licenses that were stored; no network was used and nothing written.
    Permitted,
    /// By licenses that were acquired.
    Acquired,
}

/// The action is not permitted: what the step said that failed. What came before stays.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// The device could not be individualized.
    #[error(transparent)]
    Individualize(IndividualizeError),
    /// Nothing could be acquired, or looked up.
    #[error(transparent)]
    Acquire(AcquireError),
    /// The user must act on a page first, for the license of this key ID or of several.
    #[error("the user must act first on the page {url} to get the license")]
    UserMustAct {
        /// The first key ID without a license.
        kid: Kid,
        /// The page.
        url: String,
    },
    /// The service refused the license for this key ID; others may have come.
    #[error("the service refuses the license")]
    Withheld {
        /// Key ID.
        kid: Kid,
        /// Why.
        reason: Reason,
        /// How long it will be so at least, where it is refused for a time only.
        wait: Option<Duration>,
    },
    /// The licenses for this key ID, the acquired ones included, do not permit the action.
    #[error("no license permits the action")]
    Refused(Kid, rights::Refusal),
}

impl<E: Into<AcquireError>> From<E> for EnsureError {
    fn from(error: E) -> Self {
        Self::Acquire(error.into())
    }
}

/// Sees to it that stored licenses permit an action for all key IDs of content. A request that waits for the user, or that a crash
/// left open, is taken up again.
pub fn ensure(
    client: &Client,
    settings: &Settings,
    wish: &EnsureWish,
    context: &Context,
) -> Result<Ensured, EnsureError> {
    if wish.kids.is_empty() {
        return Err(AcquireError::NoKeyId.into());
    }
    let missing = missing(client, settings, wish, &wish.kids)?;
    if missing.is_empty() {
        return Ok(Ensured::Permitted);
    }
    let kids: Vec<Kid> = missing.iter().map(|(kid, _)| *kid).collect();
    let acquired = obtain(client, settings, wish, &kids, context).map_err(|error| match (error, kids.first()) {
        (EnsureError::Acquire(AcquireError::InteractionRequired { url, .. }), Some(kid)) => {
            EnsureError::UserMustAct { kid: *kid, url }
        }
        (error, _) => error,
    })?;
    match self::missing(client, settings, wish, &kids)?.first() {
        None => Ok(Ensured::Acquired),
        Some((kid, refusal)) => {
            let withheld = acquired.refusals.into_iter().find(|refusal| refusal.kid == Some(*kid));
            Err(withheld.map_or(EnsureError::Refused(*kid, *refusal), |why| {
                let wait = wait(why.again, client.clock.now());
                EnsureError::Withheld { kid: *kid, reason: why.reason, wait }
            }))
        }
    }
}

/// The key IDs for which no stored license permits the action, each with the reason that is told.
fn missing(
    client: &Client,
    settings: &Settings,
    wish: &EnsureWish,
    kids: &[Kid],
) -> Result<Vec<(Kid, rights::Refusal)>, StoreError> {
    let mut missing = Vec::new();
    for kid in kids {
        let refusals = client.query_allowed(*kid, &wish.action, &settings.application)?;
        missing.extend(refusals.first().map(|refusal| (*kid, *refusal)));
    }
    Ok(missing)
}

fn obtain(
    client: &Client,
    settings: &Settings,
    wish: &EnsureWish,
    kids: &[Kid],
    context: &Context,
) -> Result<Acquired, EnsureError> {
    let asked = LicenseWish { kids: kids.to_vec(), actions: vec![wish.action.clone()], ..LicenseWish::default() };
    match acquire(client, settings, &asked, context) {
        Err(AcquireError::Service(SessionError::NeedsIndividualization)) if wish.may_individualize => {
            individualize(client, settings, false, context).map_err(EnsureError::Individualize)?;
            Ok(acquire(client, settings, &asked, context)?)
        }
        result => Ok(result?),
    }
}
