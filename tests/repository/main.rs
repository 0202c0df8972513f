//! What is committed agrees with itself: header, list of symbols, documents and the modules' graph are what the sources say.
#![cfg(test)]

mod abi;
mod abi_types;
mod cpp;
mod declared;
mod docs;
mod graph;
mod header;
mod layout;
mod manual;
mod porting;
mod promises;
mod samples;
mod strict;
