//! `wmlicensed`: see `wmlicensed --help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    wmlicense_server::run(std::env::args_os())
}
