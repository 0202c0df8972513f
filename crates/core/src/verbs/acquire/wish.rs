//! What an application asks for, as key IDs, as a request's body, and as a name under which equal wishes are found again.

use super::AcquireError;
use crate::contact::{Credentials, Session};
use crate::rights::action::PLAY;
use crate::store::StoreError;
use crate::transport::AccountToken;
use wmlicense_media::ContentHeader;
use wmlicense_wire::cbor::write;
use wmlicense_wire::id::{Digest, Kid, Lid, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::request::Body;

/// What an application asks for.
#[derive(Clone, Default)]
pub struct LicenseWish {
    /// Key IDs; those of the header where empty.
    pub kids: Vec<Kid>,
    /// Content header as the file has it.
    pub header: Option<Vec<u8>>,
    /// Actions wanted.
    pub actions: Vec<String>,
    /// URL of the service instead of the client's.
    pub url: Option<String>,
    /// Scope, for a pre-delivery, which names neither key IDs nor a header; without it, all that the account may have.
    pub scope: Option<String>,
    /// The application's bytes for the service.
    pub custom_data: Option<Vec<u8>>,
    /// Transaction to resume after a restart. One that is over is no hindrance to what else is asked for.
    pub resume: Option<TransactionId>,
}

/// The key IDs asked for, sorted and without repetition.
pub(super) fn wished_kids(wish: &LicenseWish, account: &AccountToken) -> Result<Vec<Kid>, AcquireError> {
    let mut kids = match &wish.header {
        Some(header) if wish.kids.is_empty() => {
            ContentHeader::parse(header).map_err(AcquireError::Header)?.kids().to_vec()
        }
        Some(_) | None => wish.kids.clone(),
    };
    kids.sort_unstable();
    kids.dedup();
    match (kids.is_empty(), wish.header.is_some(), may_deliver(wish, account) || wish.resume.is_some()) {
        (false, _, _) | (true, false, true) => Ok(kids),
        (true, true, _) => Err(AcquireError::NoKeyId),
        (true, false, false) => Err(AcquireError::NothingAsked),
    }
}

/// Names what is wanted, so that equal wishes find the same pending transaction.
pub(super) fn name_of(session: &Session<'_>, wish: &LicenseWish, kids: &[Kid], credentials: &Credentials) -> Digest {
    let thumbprint = credentials.identity.keys.thumbprint();
    let delivery = kids.is_empty().then(|| delivery_name(session, wish.scope.as_deref(), true));
    let said = write::array([
        write::array(kids.iter().map(write::bytes)),
        write::array(actions_of(wish).iter().map(|action| write::text(action))),
        wish.scope.as_deref().map_or_else(write::null, write::text),
        wish.custom_data.as_ref().map_or_else(write::null, write::bytes),
        delivery.map_or_else(write::null, write::bytes),
    ]);
    Digest::of_parts(&[b"licenses\0", session.authority().as_bytes(), thumbprint.as_bytes(), &said])
}

fn actions_of(wish: &LicenseWish) -> Vec<String> {
    if wish.actions.is_empty() { vec![PLAY.to_owned()] } else { wish.actions.clone() }
}

/// The body of a request for these key IDs; without key IDs, of a pre-delivery of what changed since the last one.
pub(super) fn body_of(
    session: &Session<'_>,
    wish: &LicenseWish,
    kids: &[Kid],
    usage: Vec<(Lid, State)>,
) -> Result<Body, StoreError> {
    let since = match kids {
        [] => session.client().store.delivered_since(delivery_name(session, wish.scope.as_deref(), true))?,
        _ => None,
    };
    Ok(Body::Licenses {
        kids: kids.to_vec(),
        header: None,
        scope: wish.scope.clone(),
        since,
        actions: actions_of(wish),
        custom: wish.custom_data.clone(),
        usage,
    })
}

/// True if a request without content makes sense: the service must know whose licenses are meant.
fn may_deliver(wish: &LicenseWish, account: &AccountToken) -> bool {
    wish.scope.is_some() || account.is_set()
}

/// Scope of a request.
pub(super) fn scope_of(body: &Body) -> Option<&str> {
    if let Body::Licenses { scope, .. } = body { scope.as_deref() } else { None }
}

/// Names what the session's account gets delivered of a scope, or, where it was not `presented`, what anybody gets.
pub(super) fn delivery_name(session: &Session<'_>, scope: Option<&str>, presented: bool) -> Digest {
    let token =
        session.account_token().and_then(|token| token.0.as_ref()).map(|token| token.as_str()).filter(|_| presented);
    session.client().store.delivery_name(session.authority(), scope, token)
}
