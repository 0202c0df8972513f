//! `wmlicense` as a person or a script runs it: one module a subject.
#![cfg(test)]

mod inspect;
mod journey;
mod recorded;
mod scarce;
