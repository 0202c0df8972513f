//! `wmlicensed completions` and `wmlicensed man`: what the program tells about its commands to shells and to `man`.

use super::command_line;
use super::error::CommandError;
use clap_complete::Shell;
use std::io::{self, Write as _};
use std::path::PathBuf;

pub(super) fn completions(shell: Shell) -> Result<(), CommandError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command_line(), "wmlicensed", &mut text);
    Ok(io::stdout().lock().write_all(&text)?)
}

pub(super) fn man(folder: PathBuf) -> Result<(), CommandError> {
    clap_mangen::generate_to(command_line(), &folder).map_err(|source| CommandError::File { path: folder, source })
}
