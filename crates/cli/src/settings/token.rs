//! Where an account token is, and reading it. It is never an argument, which anybody sees in the list of processes, and never shown.

use crate::ask;
use crate::failure::Failure;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wmlicense_core::transport::AccountToken;
use zeroize::Zeroizing;

/// Longest file that may hold a token.
const MAX_LEN: u64 = 64 << 10;
/// Bits of a file's mode with which others than its owner read or write it.
const OTHERS: u32 = 0o066;
const REMEDY: &str = "put the token alone in its first line, in the letters in which the service gave it";

/// Where a token is.
#[derive(Clone)]
pub(crate) enum TokenPlace {
    /// In the first line of a file.
    File(PathBuf),
    /// In the first line of standard input.
    Input,
    /// Here.
    Said(Arc<Zeroizing<String>>),
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Input => f.write_str("on standard input"),
            Self::Said(_) => f.write_str("set"),
        }
    }
}

impl TokenPlace {
    pub(crate) fn of_path(path: &Path) -> Self {
        if path == Path::new("-") { Self::Input } else { Self::File(path.to_path_buf()) }
    }

    pub(crate) fn said(text: String) -> Self {
        Self::Said(Arc::new(Zeroizing::new(text)))
    }

    pub(crate) fn read(&self) -> Result<AccountToken, Failure> {
        match self {
            Self::File(path) => {
                let fault = |error| Failure::of_file(path, &error, "give a text file that holds the account token");
                let file = File::open(path).map_err(fault)?;
                warn_of_others(&file, path);
                token(&first_part(file).map_err(fault)?, &path.display().to_string())
            }
            Self::Input => {
                let fault = |error| Failure::of_file(Path::new("standard input"), &error, REMEDY);
                token(&ask::input().and_then(first_part).map_err(fault)?, "standard input")
            }
            Self::Said(text) => token(text, "what is set as the account token"),
        }
    }
}

/// The text of a file, as far as one may be long.
fn first_part(file: impl Read) -> io::Result<Zeroizing<String>> {
    // Room for all at once, so that no part of the token stays behind where a buffer grew.
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN as usize));
    file.take(MAX_LEN).read_to_string(&mut text)?;
    Ok(text)
}

/// Says that a file with a token is open to others.
pub(super) fn warn_of_others(file: &File, path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = file.metadata()
        && metadata.is_file()
        && std::os::unix::fs::MetadataExt::mode(&metadata) & OTHERS != 0
    {
        // As a shell takes it, whatever is in it.
        let quoted = path.display().to_string().replace('\'', r"'\''");
        eprintln!("warning: others may read the account token in {}\nhelp: chmod 600 '{quoted}'", path.display());
    }
}

fn token(text: &str, place: &str) -> Result<AccountToken, Failure> {
    let token = first_line(text);
    let fault = match token {
        "" => "holds no token",
        _ if !AccountToken::is_sendable(token) => "holds in its first line what is no account token",
        _ => return Ok(AccountToken::new(token.to_owned())),
    };
    Err(Failure::new(format!("{place} {fault}"), REMEDY))
}

/// The first line without the mark that some editors put before a text.
fn first_line(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_first_line_without_what_an_editor_puts_around_it() {
        for text in ["abc", "abc\r\nmore", " abc \n", "\u{feff}abc\n"] {
            assert_eq!(first_line(text), "abc", "{text:?}");
        }
        assert_eq!(first_line("\n"), "");
    }
}
