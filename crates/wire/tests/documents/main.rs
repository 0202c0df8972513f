//! The documents as their readers meet them: what is accepted, and every kind of hostile document that is not.
#![cfg(test)]

mod answers;
mod backups;
mod batches;
mod certificates;
mod docs;
mod given;
mod items;
mod licenses;
mod over;
mod policies;
mod requests;
mod revocations;
mod service_documents;
mod vectors;
mod world;
