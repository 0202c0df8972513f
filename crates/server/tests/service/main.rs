//! `wmlicensed` as devices, owners and failing machines meet it: one module a subject. What the modules share is in
//! `wmlicense-testkit`.
#![cfg(test)]

mod accounts;
mod again;
mod care;
mod clock;
mod command_crashes;
mod commands;
mod configuration;
mod delivery;
mod entitlement;
mod epochs;
mod full_disk;
mod gifts;
mod hostile;
mod imports;
mod journey;
mod listings;
mod lives;
mod logs;
mod managed;
mod page;
mod pages;
mod preview;
mod rekey;
mod renewals;
mod restore;
mod returns;
mod revocation;
mod service_crashes;
mod signers;
mod taken_back;
mod time;
mod tls;
mod withdrawals;
