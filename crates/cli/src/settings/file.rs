//! The configuration file: TOML with a handful of keys. What is wrong in it is told with its line.

use super::token::warn_of_others;
use super::{Environment, Origin, Setting, TokenPlace, authority, service};
use crate::exit::Code;
use crate::failure::Failure;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use wmlicense_wire::id::Digest;
use zeroize::Zeroizing;

/// The keys with what each holds, for messages and the manual.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("store", "the folder of the license store"),
    ("service", "URL of the license service"),
    ("authority", "the authority to trust, or a list of them"),
    ("token-file", "the file that holds the account token"),
    ("token", "the account token itself; then nobody else should be able to read this file"),
];
/// Longest file.
const MAX_LEN: u64 = 64 << 10;
/// How like a known key must be for it to be meant, from 0 to 1.
const ALIKE: f64 = 0.7;

/// What the file says.
#[derive(Default)]
pub(super) struct File {
    pub(super) store: Option<Setting<PathBuf>>,
    pub(super) service: Option<Setting<String>>,
    pub(super) authorities: Option<Setting<Vec<Digest>>>,
    pub(super) token: Option<Setting<TokenPlace>>,
}

/// One value of the file while it is read.
struct Entry<'e> {
    path: &'e Path,
    text: &'e str,
    key: &'e str,
    value: &'e Spanned<DeValue<'e>>,
    line: usize,
}

impl File {
    /// Reads the file; one that nobody named need not be there.
    pub(super) fn read(path: &Path, is_named: bool, environment: Environment<'_>) -> Result<Option<Self>, Failure> {
        let fault = |error: &io::Error| {
            Failure::of_file(path, error, "name a configuration file that you may read with --config").with(Code::Usage)
        };
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(None),
            result => result.map_err(|error| fault(&error))?,
        };
        // It may hold a token.
        let mut text = Zeroizing::new(String::with_capacity(MAX_LEN as usize + 1));
        // One byte more tells a file that is too long.
        let read = (&file).take(MAX_LEN + 1).read_to_string(&mut text);
        if file.metadata().is_ok_and(|found| found.len() > MAX_LEN) || text.len() as u64 > MAX_LEN {
            let sentence =
                format!("{} is longer than the {} KiB of a configuration file", path.display(), MAX_LEN >> 10);
            return Err(Failure::new(sentence, "name another with --config, or shorten it").with(Code::Usage));
        }
        read.map_err(|error| fault(&error))?;
        let read = Self::parse(path, &text, environment)?;
        if read.token.as_ref().is_some_and(|token| matches!(token.value, TokenPlace::Said(_))) {
            warn_of_others(&file, path);
        }
        Ok(Some(read))
    }

    fn parse(path: &Path, text: &str, environment: Environment<'_>) -> Result<Self, Failure> {
        // Only the message: the error's own text shows the line, in which a token may stand.
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            wrong(path, line, error.message(), "correct the line")
        })?;
        let mut found = Self::default();
        for (key, value) in table.get_ref() {
            let line = line_of(text, key.span().start);
            let entry = Entry { path, text, key: key.get_ref(), value, line };
            found.take(&entry, environment)?;
        }
        Ok(found)
    }

    fn take(&mut self, entry: &Entry<'_>, environment: Environment<'_>) -> Result<(), Failure> {
        let origin = Origin::File { path: entry.path.to_path_buf(), line: entry.line };
        match entry.key {
            "store" => self.store = Some(Setting::new(entry.path_value(environment)?, origin)),
            "service" => {
                let url = service(entry.text_value()?).map_err(|reason| entry.wrong(reason))?;
                self.service = Some(Setting::new(url, origin));
            }
            "authority" => self.authorities = Some(Setting::new(entry.authorities()?, origin)),
            "token-file" | "token" if self.token.is_some() => {
                return Err(wrong(
                    entry.path,
                    entry.line,
                    "`token` and `token-file` are both set",
                    "take out one of them",
                ));
            }
            "token-file" => {
                let place = TokenPlace::File(entry.path_value(environment)?);
                self.token = Some(Setting::new(place, origin));
            }
            "token" => self.token = Some(Setting::new(TokenPlace::said(entry.text_value()?.to_owned()), origin)),
            unknown => return Err(entry.unknown(unknown)),
        }
        Ok(())
    }
}

impl<'e> Entry<'e> {
    fn wrong(&self, reason: impl fmt::Display) -> Failure {
        let line = line_of(self.text, self.value.span().start);
        wrong(self.path, line, format!("`{}`: {reason}", self.key), "correct the line")
    }

    fn text_value(&self) -> Result<&'e str, Failure> {
        let found = self.value.get_ref();
        found.as_str().ok_or_else(|| self.wrong(format!("a text in quotes is wanted here, not {}", found.type_str())))
    }

    /// A path; one that is not absolute begins at the file's folder, and `~/` is the home.
    fn path_value(&self, environment: Environment<'_>) -> Result<PathBuf, Failure> {
        let text = self.text_value()?;
        if text.is_empty() {
            return Err(self.wrong("this names no file or folder"));
        }
        let below_home = text.strip_prefix("~/").and_then(|rest| Some(PathBuf::from(environment("HOME")?).join(rest)));
        let folder = self.path.parent().unwrap_or(Path::new(""));
        Ok(below_home.unwrap_or_else(|| folder.join(text)))
    }

    fn authorities(&self) -> Result<Vec<Digest>, Failure> {
        let one = |text: &str| authority(text).map_err(|reason| self.wrong(reason));
        let Some(list) = self.value.get_ref().as_array() else { return Ok(vec![one(self.text_value()?)?]) };
        let texts = list
            .iter()
            .map(|value| value.get_ref().as_str().ok_or_else(|| self.wrong("an authority is a text in quotes")));
        let all: Vec<Digest> = texts.map(|text| one(text?)).collect::<Result<_, _>>()?;
        if all.is_empty() { Err(self.wrong("this names no authority")) } else { Ok(all) }
    }

    fn unknown(&self, key: &str) -> Failure {
        let likeness = |known: &str| strsim::jaro_winkler(known, &key.to_lowercase());
        let nearest = KEYS.iter().map(|(known, _)| (likeness(known), *known)).filter(|(alike, _)| *alike >= ALIKE);
        let nearest = nearest.max_by(|(one, _), (other, _)| one.total_cmp(other));
        let known = KEYS.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
        let help =
            nearest.map_or_else(|| format!("the keys are {known}"), |(_, known)| format!("did you mean `{known}`?"));
        wrong(self.path, self.line, format!("unknown key `{key}`"), &help)
    }
}

fn wrong(path: &Path, line: usize, reason: impl fmt::Display, remedy: &str) -> Failure {
    Failure::new(format!("{}, line {line}: {reason}", path.display()), remedy).with(Code::Usage)
}

/// Number of the line that holds this byte.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
