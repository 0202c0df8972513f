//! The license service: individualization, issuing and license management behind one HTTP interface, and the owner's
//! commands. The protocol's documents are in `wmlicense-wire`.
#![forbid(unsafe_code)]

mod accounts;
mod catalogue;
mod clear_key;
mod clock;
mod command;
mod ends;
mod fetch;
mod folder;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod jobs;
mod keyring;
mod limits;
mod logging;
mod metrics;
mod origin;
mod owner;
mod pace;
mod packaging;
mod policy;
mod problem;
mod quota;
mod roles;
mod rules;
mod serve;
mod service;
mod shares;
mod shop;
mod source;
mod store;
mod tally;
mod turns;

pub use clock::{Clock, SystemClock};
pub use command::run;
pub use fetch::FetchError;
pub use folder::DataFolder;
pub use limits::{Daily, Limits};
pub use origin::Origin;
pub use packaging::Packaging;
pub use serve::{DEFAULT_EPOCH_PERIOD, Options, ServeError, Server};
pub use shop::{KeysError, KeysPlace, Trust};
pub use source::Network;
