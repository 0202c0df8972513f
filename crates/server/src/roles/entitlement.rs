//! Whether an account may have content: one question, asked before a license is issued, renewed, previewed and restored. By what it
//! may is settled where rows are read (`store/terms.rs`).

use crate::rules::granted::Right;
use crate::rules::offers::outlives;
use crate::store::{Content, Part};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::policy::Policy;

/// Why who asks may not have content, and from when on it may, where a grant begins later.
pub(crate) type Denied = (Reason, Option<i64>);

/// Whether who asks may have content, as it was settled.
pub(crate) fn may_have(content: &Content) -> Result<(), Denied> {
    match &content.right {
        Right::Anybody | Right::Account | Right::Granted(_) => Ok(()),
        Right::Refused(reason, from) => Err((*reason, *from)),
    }
}

/// The same of a license that exists already. Content that is not here was removed by its owner if the license is of this
/// service's own issuing; of another issuer's content nothing is known, and that issuer appointed this service to decide by
/// what the license says.
pub(crate) fn may_still_have(content: Option<&Content>, own: bool) -> Result<(), Denied> {
    match content {
        Some(content) => may_have(content),
        None if own => Err((Reason::UnknownContent, None)),
        None => Ok(()),
    }
}

/// True if a license that keeps its policy would go on longer than any terms that its account has today. A leaf ends with its root.
pub(crate) fn is_too_long(content: Option<&Content>, policy: &Policy) -> bool {
    content.is_some_and(|content| !matches!(content.part, Part::Leaf(_)) && outlives(policy, content.latest))
}
