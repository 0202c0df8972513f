//! Asking who sits at the terminal. Where nobody does, nothing is asked.

use crate::failure::Failure;
use crate::interrupt;
use crate::text::plain;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;
use zeroize::Zeroizing;

/// Longest line that is read.
const LONGEST: usize = 64 << 10;

/// True if somebody is there to answer; nobody is where an object is wanted.
pub(crate) fn is_possible(as_json: bool) -> bool {
    !as_json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn fault(error: std::io::Error) -> Failure {
    Failure::new(format!("the terminal cannot be read: {error}"), "give the answer as an option")
}

/// One line, without blanks around it.
pub(crate) fn line(prompt: &str) -> Result<String, Failure> {
    Ok(read(prompt)?.trim().to_owned())
}

fn read(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    eprint!("{}: ", plain(prompt));
    let mut bytes = Zeroizing::new(vec![0; LONGEST]);
    // A terminal gives one line at a time.
    let length = input().and_then(|mut input| input.read(&mut bytes)).map_err(fault)?;
    if length == 0 {
        return Err(Failure::new("nobody answers at the terminal", "give the answer as an option"));
    }
    let text = std::str::from_utf8(bytes.get(..length).unwrap_or_default());
    let text = text.map_err(|error| fault(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Standard input without the buffer of the standard library, in which a secret would stay.
pub(crate) fn input() -> std::io::Result<File> {
    Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

/// One line that is not shown.
pub(crate) fn secret(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let shown = tcgetattr(std::io::stdin()).map_err(|error| fault(error.into()))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    // A signal in between leaves the terminal as it was.
    interrupt::listen();
    interrupt::keep_terminal(Some(shown.clone()));
    // Hidden before it is asked for: what is typed at once is not shown either.
    let typed = tcsetattr(std::io::stdin(), OptionalActions::Now, &hidden)
        .map_err(|error| fault(error.into()))
        .and_then(|()| read(&format!("{prompt} (not shown)")));
    let restored = tcsetattr(std::io::stdin(), OptionalActions::Now, &shown);
    interrupt::keep_terminal(None);
    eprintln!();
    restored.map_err(|error| fault(error.into()))?;
    Ok(Zeroizing::new(typed?.trim().to_owned()))
}

/// Whether somebody agrees; anything but a yes is a no.
pub(crate) fn yes(question: &str) -> Result<bool, Failure> {
    Ok(matches!(line(&format!("{question} [y/N]"))?.to_lowercase().as_str(), "y" | "yes"))
}
