//! Whether an account may have content: one question, asked before a license is issued, renewed, previewed and restored.

use crate::accounts::Account;
use crate::store::{Content, Part};
use wmlicense_wire::answer::Reason;

/// Why an account, or nobody in particular, may not have content. A leaf is of no use without its root, so the root's scope
/// counts as well.
pub(crate) fn may_have(account: Option<&Account>, content: &Content) -> Result<(), Reason> {
    let root = if let Part::Leaf(root) = &content.part { root.scope.as_ref() } else { None };
    let mut scopes = [content.scope.as_ref(), root].into_iter().flatten();
    match account {
        Some(account) if scopes.any(|scope| !account.scopes.contains(scope)) => Err(Reason::NotEntitled),
        None if scopes.next().is_some() => Err(Reason::AccountRequired),
        Some(_) | None => Ok(()),
    }
}

/// The same of a license that exists already. Content that is not here was removed by its owner if the license is of this
/// service's own issuing; of another issuer's content nothing is known, and that issuer appointed this service to decide by
/// what the license says.
pub(crate) fn may_still_have(account: Option<&Account>, content: Option<&Content>, own: bool) -> Result<(), Reason> {
    match content {
        Some(content) => may_have(account, content),
        None if own => Err(Reason::UnknownContent),
        None => Ok(()),
    }
}
