//! Players on freshly packaged media with random keys, against a real service. What each of them shows must be what the
//! same player shows of the clear source.
#![cfg(test)]

mod application;
mod av;
mod every_input;
mod ffmpeg;
mod gstreamer;
mod stage;
