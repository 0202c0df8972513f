//! The C boundary of `wmlicense`: what `include/wmlicense.h` declares, and the only `unsafe` code of the project.
//! Every exported function is one call of the gate around one call of the core; no rule of the domain lives here.
#![allow(non_camel_case_types)] // C names are written as C writes them, so that the header needs no renaming.
#![allow(clippy::missing_safety_doc)] // A Rust heading would be printed into the C header; duties stand there as prose.

// In the order of the header.
pub mod version;

pub mod result;

pub mod status;

pub mod callback;

pub mod error_info;

pub mod object;

pub mod prop;

pub mod client;
mod clock;

pub mod individualizer;

pub mod content_header;

pub mod kid_text;

pub mod license_request;

pub mod license_query;

pub mod ensure;

pub mod license_enumerator;

pub mod backup_restorer;

pub mod store_keeper;

pub mod decryptor;

pub mod revocation_agent;

pub mod event_queue;

pub mod transport;

pub mod log_callback;

#[doc(hidden)]
pub mod defines;
mod detail;
mod flags;
mod gate;
mod input;
pub mod kinds;
mod life;
mod lists;
mod log_index;
mod log_slot;
mod memory;
#[doc(hidden)]
pub mod reference;
mod registers;
mod sync;
mod teller;
mod verbed;
mod worker;
