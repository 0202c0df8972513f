//! The client as applications, services and failing machines meet it: one module a subject. What counts allocations of its whole
//! process is the target beside this one.
#![cfg(test)]

mod account;
mod acquire;
mod backup;
mod backup_disk;
mod clock;
mod crashes;
mod damage;
mod disks;
mod exchange_crashes;
mod give_back;
mod individualize;
mod integrity;
mod mailbox;
mod migrations;
mod model;
mod rekey;
mod renewals;
mod restore;
mod revocation;
mod shared;
mod staging;
mod store;
mod store_keeper;
mod subscription;
mod time_namespace;
mod use_of_licenses;
mod verdicts;
mod waits;
mod world;
