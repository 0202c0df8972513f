//! The file of options: TOML whose keys are the options' names. What is wrong in it is told with its line.

use super::{ALIKE, CONFIG, Origin, Said, is_list, nearest, rows, wrong};
use clap::{Arg, Command, Error, ValueHint};
use std::ffi::OsString;
use std::fmt;
use std::io::Read as _;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest file.
const MAX_LEN: u64 = 64 << 10;

/// What stands in the file, by option.
pub(super) fn read(path: &Path, serve: &Command) -> Result<Said, Error> {
    let fault =
        |error: std::io::Error| wrong(format!("{}: {error}; --{CONFIG} names the file of options", path.display()));
    let mut text = String::new();
    // One byte more tells a file that is too long.
    std::fs::File::open(path).and_then(|file| file.take(MAX_LEN + 1).read_to_string(&mut text)).map_err(fault)?;
    if text.len() as u64 > MAX_LEN {
        return Err(wrong(format!("{}: a file of options has at most {} KiB", path.display(), MAX_LEN >> 10)));
    }
    // Only the message: the error's own text shows the line, in which a password may stand.
    let table = DeTable::parse(&text).map_err(|error| {
        Place { path, line: line_of(&text, error.span().map_or(0, |span| span.start)) }.wrong(error.message())
    })?;
    let mut said = Said::new();
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        let place = Place { path, line: line_of(&text, key.span().start) };
        let Some((_, argument)) = rows(serve).find(|(known, _)| *known == name) else {
            return Err(place.wrong(unknown(name, serve)));
        };
        let value = spoken(&place, argument, name, value)?;
        said.insert(name.to_owned(), (value, Origin::File { path: path.to_owned(), line: place.line }));
    }
    Ok(said)
}

struct Place<'p> {
    path: &'p Path,
    line: usize,
}

impl Place<'_> {
    fn wrong(&self, reason: impl fmt::Display) -> Error {
        wrong(format!("{}, line {}: {reason}", self.path.display(), self.line))
    }
}

fn unknown(name: &str, serve: &Command) -> String {
    match nearest(name, rows(serve).map(|(known, _)| known), ALIKE) {
        Some(known) => format!("there is no option `{name}`; is `{known}` meant?"),
        None => format!("there is no option `{name}`; `wmlicensed serve --help` lists them without their hyphens"),
    }
}

/// A value as it would be said on the command line.
fn spoken(place: &Place<'_>, argument: &Arg, name: &str, value: &Spanned<DeValue<'_>>) -> Result<OsString, Error> {
    let is_flag = !argument.get_action().takes_values();
    let refused = |wanted: &str, found: &DeValue<'_>| {
        Err(place.wrong(format!("`{name}` is {wanted}, and not of the type {}", found.type_str())))
    };
    match value.get_ref() {
        DeValue::Boolean(said) if is_flag => Ok(said.to_string().into()),
        found if is_flag => refused("true or false", found),
        DeValue::Array(values) if is_list(argument) => {
            let mut texts = Vec::new();
            for value in values {
                match value.get_ref() {
                    DeValue::String(text) => texts.push(&**text),
                    found => return refused("a list of texts in quotes", found),
                }
            }
            // An option that takes lists without saying how they are separated takes a word for each.
            let separator = argument.get_value_delimiter().unwrap_or(',');
            if texts.iter().any(|text| text.contains(separator)) {
                return Err(place.wrong(format!("a value of `{name}` contains `{separator}`")));
            }
            Ok(texts.join(separator.encode_utf8(&mut [0; 4])).into())
        }
        DeValue::String(text) if is_path(argument) => {
            Ok(place.path.parent().unwrap_or(Path::new("")).join(&**text).into())
        }
        DeValue::String(text) => Ok(OsString::from(&**text)),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().into()),
        found => {
            refused(if is_list(argument) { "a list of texts in quotes" } else { "a text in quotes or a number" }, found)
        }
    }
}

fn is_path(argument: &Arg) -> bool {
    matches!(argument.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath)
}

/// Number of the line that holds this byte.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
