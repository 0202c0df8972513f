//! `wmlicense inspect`: what content says about its protection. Nothing is decrypted and no network is used.

mod keys;
mod lines;
mod object;

use crate::dump::recognize::vector;
use crate::failure::{self, Failure};
use crate::output::Output;
use keys::Keys;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use wmlicense_core::failure::Explain as _;
use wmlicense_core::file::open_named;
use wmlicense_media::{ContentHeader, HeaderError};

/// Longest test vector.
const VECTOR_LIMIT: u64 = 1 << 20;

pub(crate) fn run(path: &Path, keys: Option<&Path>) -> Result<Output, Failure> {
    let keys = keys.map_or_else(|| Ok(Keys::default()), Keys::read)?;
    let header = read(path)?;
    let mut json = object::of(&header, &keys);
    json["file"] = path.display().to_string().into();
    Ok(Output::done(lines::of(&header, &keys), json))
}

/// What a file says.
pub(crate) fn read(path: &Path) -> Result<ContentHeader, Failure> {
    read_header(path).map_err(|error| match error {
        HeaderError::Io(error) => Failure::of_file(path, &error, "give a file that you may read"),
        other => {
            let told = other.explain();
            Failure::new(format!("{}: {told}", path.display()), &failure::help(&told))
        }
    })
}

/// Reads a file, or the bytes in a test vector.
fn read_header(path: &Path) -> Result<ContentHeader, HeaderError> {
    let vector = |error| match error {
        HeaderError::NotRecognised => {
            let mut bytes = Vec::new();
            File::open(path)?.take(VECTOR_LIMIT).read_to_end(&mut bytes)?;
            vector(&bytes).ok_or(error).and_then(|vector| ContentHeader::parse(&vector.bytes))
        }
        _ => Err(error),
    };
    let file = open_named(path).map_err(HeaderError::from);
    file.and_then(ContentHeader::read).or_else(vector)
}
