//! The documents as their readers meet them: what is accepted, and every kind of hostile document that is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod backups;
mod batches;
mod certificates;
mod docs;
mod given;
mod licenses;
mod policies;
mod requests;
mod revocations;
mod service_documents;
mod vectors;
mod world;
