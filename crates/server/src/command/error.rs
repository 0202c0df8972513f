//! What a command can fail with, and how it is told.

use crate::catalogue::{ContentError, RecipientError};
use crate::keyring::KeyringError;
use crate::owner::Wrong;
use crate::policy::Fault;
use crate::rules::granted::GrantId;
use crate::serve::ServeError;
use crate::service::OpenError;
use crate::store::StoreError;
use std::io;
use std::path::PathBuf;
use wmlicense_wire::id::{DeviceId, Kid};

/// A command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// Keys or certificates.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of two options that belong together.
    #[error("--{0} is set and --{1} is not; both are needed")]
    Lone(&'static str, &'static str),
    /// Two options of which one undoes the other.
    #[error("--{0} and --{1} say different things; give one of them")]
    Contradicting(&'static str, &'static str),
    /// Serving.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A file that the user named.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Key or certificate of a recipient in a file that the user named.
    #[error("{}: {source}", .path.display())]
    Recipient {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecipientError,
    },
    /// No content has this key ID.
    #[error("there is no content {0}; `wmlicensed content list` shows what there is")]
    NoContent(Kid),
    /// The list of content cannot be taken.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The policy has wrong fields.
    #[error("the policy is not set; wrong are\n{}", lines(.0))]
    Policy(Vec<Fault>),
    /// No policy has this name.
    #[error("there is no policy {0}; set it with `wmlicensed policy set`")]
    NoPolicy(String),
    /// No offer has this name.
    #[error("there is no offer {0}; `wmlicensed offer list` shows what there is")]
    NoOffer(String),
    /// The offer is granted.
    #[error("offer {0} stays: {1} grants of it are not over; `wmlicensed grant list --offer {0} --current` shows them")]
    OfferInUse(String, u64),
    /// No grant has this ID.
    #[error("there is no grant {0}; `wmlicensed grant list` shows what there is")]
    NoGrant(GrantId),
    /// The grant was ended.
    #[error("grant {0} was ended; add another one with `wmlicensed grant add`")]
    GrantEnded(GrantId),
    /// The grant would never count.
    #[error("the grant would end before it begins; --until is a later time than --from")]
    NeverGranted,
    /// No account has this name.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// Nobody of this name acts for the owner.
    #[error("there is no admin {0}; `wmlicensed admin list` shows who there is")]
    NoAdmin(String),
    /// The name of an admin is taken.
    #[error("there is an admin {0} already; `wmlicensed admin token {0}` gives another token")]
    AdminExists(String),
    /// The account has no token of this name.
    #[error("account {0} has no token {1}; `wmlicensed account token {0} --list` shows those that it has")]
    NoToken(String, String),
    /// The end of a token is over.
    #[error("{0} is over; a token ends later than now")]
    Over(String),
    /// The list would change what is there.
    #[error("{0}\nnothing was changed; with --replace it is, and --dry-run only tells")]
    Moves(String),
    /// The text is no cursor of the list.
    #[error("the cursor is none of this list; take it as it was printed, with the same filters")]
    Cursor,
    /// Something is wrong with the service, as printed.
    #[error("{0} of the checks failed")]
    Check(usize),
    /// The service keeps its data in another way.
    #[error("{0}")]
    Backup(String),
    /// No subscription has this name.
    #[error("there is no subscription {0}; add it with `wmlicensed subscription add`")]
    NoSubscription(String),
    /// The policy cannot be that of a subscription.
    #[error("policy {0} counts uses or names a subscription; that of a subscription itself does neither")]
    NotForRoots(String),
    /// The name is empty or too long.
    #[error("a name has 1 to 128 bytes without control characters")]
    Name,
    /// The key ID is there with another key.
    #[error("key ID {0} is there already with another key; nothing was added")]
    OtherKey(Kid),
    /// The stored key cannot be compared.
    #[error("the stored key of {0} does not open under the master key")]
    MasterKey(Kid),
    /// The account's name is taken.
    #[error("there is an account {0} already; `wmlicensed account token {0}` gives it another token")]
    AccountExists(String),
    /// Neither a device nor an account.
    #[error("there is no account {0}, and no device of this ID that asked here before")]
    NoRecipient(String),
    /// The account has no devices.
    #[error("account {0} has no devices that this service knows")]
    NoDevices(String),
    /// One account is named twice, differently.
    #[error("the licenses are given to one account; another one cannot be named beside it")]
    TwoAccounts,
    /// A file is for one device.
    #[error("a file is for one device, and the account has {0}; name the device, and the account with --account")]
    OneDevice(usize),
    /// More than one answer takes.
    #[error("at most {0} key IDs are given at once")]
    TooManyKids(usize),
    /// The account has nothing on the device.
    #[error("account {account} has no license on device {}", .device.to_hex())]
    NotItsDevice {
        /// Its name.
        account: String,
        /// The device.
        device: DeviceId,
    },
    /// So many devices got nothing.
    #[error("{0} devices were given nothing")]
    NotGiven(usize),
    /// No such device.
    #[error("there is no device {0}")]
    NoDevice(DeviceId),
    /// No such order.
    #[error("there is no revocation {0}")]
    NoRevocation(u64),
    /// The file is no certificate of this authority.
    #[error("{} is no certificate of a service of this authority", .0.display())]
    Certificate(PathBuf),
    /// More keys are revoked than a status list takes.
    #[error("more keys are revoked than a status list of 1 MiB takes")]
    TooLong,
    /// Another process published meanwhile.
    #[error("another status list was published meanwhile; publish again")]
    Published,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// Nothing can be printed, or no thread can be had.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Keyring(error) => Self::Keyring(error),
            OpenError::Store(error) => Self::Store(error),
        }
    }
}

/// With the command that helps.
impl From<Wrong> for CommandError {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Store(error) => Self::Store(error),
            Wrong::NoContent(kid) => Self::NoContent(kid),
            Wrong::NoPolicy(name) => Self::NoPolicy(name),
            Wrong::NoSubscription(name) => Self::NoSubscription(name),
            Wrong::NotForRoots(name) => Self::NotForRoots(name),
            Wrong::Policy(faults) => Self::Policy(faults),
            Wrong::OtherKey(kid) => Self::OtherKey(kid),
            Wrong::MasterKey(kid) => Self::MasterKey(kid),
            Wrong::Moves(told) => Self::Moves(told),
            Wrong::Random => Self::Random,
        }
    }
}

impl From<getrandom::Error> for CommandError {
    fn from(_: getrandom::Error) -> Self {
        Self::Random
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("  {}", plain(&fault.to_string()))).collect::<Vec<_>>().join("\n")
}

/// An error for people: one line, but where several things are wrong one for each.
pub(super) fn told(error: &CommandError) -> String {
    let text = error.to_string();
    let has_lines = match error {
        CommandError::Policy(_) | CommandError::Moves(_) => true,
        CommandError::Content(error) => matches!(error, ContentError::Several(_)),
        _ => false,
    };
    if has_lines { text.lines().map(plain).collect::<Vec<_>>().join("\n") } else { plain(&text) }
}

/// Text from elsewhere, with everything that could steer a terminal left out.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
