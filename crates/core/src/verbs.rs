//! What a client does, one file or folder a verb: each returns its whole outcome and tells all its events.

pub mod acquire;
pub mod carried;
pub mod ensure;
pub mod give_back;
pub mod individualize;
pub mod mailbox;
pub mod renew;
pub mod restore;
pub mod revoke;
pub mod store_keeper;
