//! The license client behind the C ABI and the command line: device, store, rights, acquire, backup, restore, decrypt.
//! Every public function is safe, blocks only where it says so, and never touches the process as a whole.
#![forbid(unsafe_code)]

pub mod backup;
pub mod client;
pub mod clock;
pub mod contact;
pub mod decryptor;
pub mod device;
mod documents;
pub mod event;
mod explain;
pub mod failure;
pub mod file;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
pub mod license;
pub mod logging;
pub mod operation;
pub mod rights;
pub mod shortage;
pub mod store;
mod sync;
pub mod transport;
mod turn;
mod verbs;

pub use verbs::{acquire, carried, ensure, give_back, individualize, mailbox, renew, restore, revoke, store_keeper};
