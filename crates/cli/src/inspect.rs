//! `wmlicense inspect`: what content says about its protection. Nothing is decrypted and no network is used.

mod keys;
mod lines;
mod object;

use crate::dump::recognize::vector;
use crate::failure::{Failure, io_remedy};
use crate::output::Output;
use keys::Keys;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use wmlicense_core::file::open_named;
use wmlicense_media::{ContentHeader, HeaderError};

/// Longest test vector.
const VECTOR_LIMIT: u64 = 1 << 20;

pub(crate) fn run(path: &Path, keys: Option<&Path>) -> Result<Output, Failure> {
    let keys = keys.map_or_else(|| Ok(Keys::default()), Keys::read)?;
    let header = read(path).map_err(|error| {
        let remedy = remedy(&error);
        let cause = match error {
            HeaderError::Io(error) => error.to_string(),
            other => other.to_string(),
        };
        Failure::new(format!("{}: {cause}", path.display()), remedy)
    })?;
    let mut json = object::of(&header, &keys);
    json["file"] = path.display().to_string().into();
    Ok(Output::done(lines::of(&header, &keys), json))
}

/// Reads a file, or the bytes in a test vector.
fn read(path: &Path) -> Result<ContentHeader, HeaderError> {
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

fn remedy(error: &HeaderError) -> &'static str {
    match error {
        HeaderError::Io(error) => io_remedy(error, "give a file that you may read"),
        HeaderError::NotRecognised => {
            "give a media file (MP4, WebM, ASF), initialization data, an HLS playlist or a DASH manifest"
        }
        HeaderError::UnknownVersion { .. } | HeaderError::UnknownScheme { .. } | HeaderError::NotSupported { .. } => {
            "use a newer version of this program"
        }
        HeaderError::Truncated { .. }
        | HeaderError::BadSize { .. }
        | HeaderError::BadValue { .. }
        | HeaderError::BadText { .. }
        | HeaderError::TooMany { .. }
        | HeaderError::TooLarge { .. }
        | HeaderError::Missing { .. }
        | HeaderError::NotAllowed { .. }
        | HeaderError::Inside { .. }
        | HeaderError::NoSuchTrack { .. }
        | HeaderError::NoSampleData { .. }
        | HeaderError::SampleCountMismatch { .. } => "the file is damaged or cut short; get it again",
    }
}
