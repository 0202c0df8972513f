//! What the service holds devices and accounts to, decided over rows that were read. No SQL and no engine is here: the
//! transactions in `store/` read the rows, ask these rules, and write what they say.

pub(crate) mod accounts;
pub(crate) mod admins;
pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod content;
pub(crate) mod delivered;
pub(crate) mod delivery;
pub(crate) mod devices;
pub(crate) mod epochs;
pub(crate) mod exchanges;
pub(crate) mod granted;
pub(crate) mod grants;
pub(crate) mod interactions;
pub(crate) mod ledger;
pub(crate) mod licenses;
pub(crate) mod mailbox;
pub(crate) mod offers;
pub(crate) mod pages;
pub(crate) mod renewal;
pub(crate) mod returns;
pub(crate) mod revocation;
pub(crate) mod rows;
pub(crate) mod seats;
pub(crate) mod shop;
pub(crate) mod tally;
pub(crate) mod uses;
