//! The client beside the real service, from the first certificate to the last restore. What goes through C is not here.
#![cfg(test)]

mod behind_proxy;
mod large_restore;
mod recorded_run;
mod samples;
mod shop;
