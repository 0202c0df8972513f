//! What the owner does, whoever asks for it: commands on the machine and the API from elsewhere. How it is asked and told is theirs;
//! what is written in one transaction is in `store/`.

pub(crate) mod catalogue;
pub(crate) mod certificates;
pub(crate) mod told;

pub(crate) use crate::rules::accounts::{MAX_NAME_LEN, is_name};

use crate::policy::Fault;
use crate::store::StoreError;
use wmlicense_wire::id::Kid;

/// Something that the owner wants cannot be done. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    /// Database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No policy has this name.
    #[error("there is no policy {0}")]
    NoPolicy(String),
    /// No content has this key ID.
    #[error("there is no content {0}")]
    NoContent(Kid),
    /// No subscription has this name.
    #[error("there is no subscription {0}")]
    NoSubscription(String),
    /// The policy cannot be that of a subscription.
    #[error("policy {0} counts uses or names a subscription; that of a subscription itself does neither")]
    NotForRoots(String),
    /// The policy has wrong fields.
    #[error("the policy is not set; wrong are: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Policy(Vec<Fault>),
    /// The key ID is there with another key.
    #[error("key ID {0} is there already with another key; nothing was added")]
    OtherKey(Kid),
    /// The stored key cannot be compared.
    #[error("the stored key of {0} does not open under the master key")]
    MasterKey(Kid),
    /// The list would change what is there, as told.
    #[error("{0}")]
    Moves(String),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

impl From<getrandom::Error> for Wrong {
    fn from(_: getrandom::Error) -> Self {
        Self::Random
    }
}
