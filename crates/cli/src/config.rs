//! `wmlicense config`: what is set, and where it was said.

use crate::failure::Failure;
use crate::output::Output;
use crate::settings::{Common, ServiceOptions, Settings};

pub(crate) fn run(options: &ServiceOptions, common: &Common) -> Result<Output, Failure> {
    // It says on standard output what `--verbose` says on standard error.
    let quiet = Common { json: common.json, verbose: false, config: common.config.clone() };
    let settings = Settings::of(&quiet, options)?;
    Ok(Output::done(settings.lines(), settings.object()))
}
