//! Players on freshly packaged media with random keys, against a real service. What each of them shows must be what the
//! same player shows of the clear source.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod application;
mod every_input;
mod ffmpeg;
mod gstreamer;
#[path = "../support/packager.rs"]
mod packager;
mod stage;
#[allow(dead_code, reason = "each driver uses another part")]
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "vectors are only read here")]
#[path = "../../crates/wire/tests/documents/vectors/file.rs"]
mod vectors;
