//! The license client behind the C ABI and the command line: device, store, rights, acquire, backup, restore, decrypt.
//! Every public function is safe, blocks only where it says so, and never touches the process as a whole.
#![forbid(unsafe_code)]

pub mod acquire;
pub mod backup;
pub mod client;
pub mod clock;
pub mod decrypt;
pub mod device;
mod documents;
pub mod ensure;
pub mod event;
mod file;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
pub mod give_back;
pub mod header;
pub mod individualize;
pub mod keeper;
pub mod license;
pub mod logging;
pub mod mailbox;
mod memory;
pub mod operation;
pub mod renew;
pub mod restore;
pub mod revoke;
pub mod rights;
pub mod session;
pub mod shortage;
pub mod store;
mod sync;
pub mod transport;
mod turn;

// The tests' content owner names this crate as tests outside it do.
#[cfg(test)]
extern crate self as wmlicense_core;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod test_support;
