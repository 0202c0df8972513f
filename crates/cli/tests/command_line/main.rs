//! `wmlicense` as a person or a script runs it: one module a subject.
#![cfg(test)]

mod acquiring;
mod configuration;
mod explaining;
mod giving_back;
mod inspect;
mod interrupted;
mod journey;
mod manual;
mod page;
mod playing;
mod program;
mod recorded;
mod renewing;
mod restoring;
mod scarce;
mod shapes;
mod terminal;
