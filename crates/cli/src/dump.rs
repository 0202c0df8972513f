//! `wmlicense dump`: what a file is and what is in it. Nothing is verified, and nothing that is secret is read.

mod fields;
pub(crate) mod recognize;

use crate::failure::Failure;
use crate::output::Output;
use crate::text::plain;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use wmlicense_wire::cbor::diagnostic::pretty;

/// Longest file that is read whole; of longer ones the front is enough, because they are backups or nothing of ours.
const MAX_LEN: u64 = 8 << 20;

/// What a file turned out to be.
struct Found {
    /// Its name for people.
    kind: String,
    /// Its parts by name.
    fields: Value,
    /// The CBOR to show.
    cbor: Vec<u8>,
}

pub(crate) fn run(path: &Path) -> Result<Output, Failure> {
    let fault = |error: std::io::Error| Failure::of_file(path, &error, "give a file that you may read");
    let file = File::open(path).map_err(fault)?;
    let mut length = file.metadata().map_err(fault)?.len();
    let mut bytes = Vec::new();
    file.take(MAX_LEN).read_to_end(&mut bytes).map_err(fault)?;
    let mut json = json!({ "file": path.display().to_string(), "verified": false });
    let mut text = String::new();
    if let Some(vector) = recognize::vector(&bytes) {
        for (name, value) in &vector.fields {
            text.push_str(&format!("{}: {}\n", plain(name), plain(value)));
        }
        text.push('\n');
        json["vector"] = vector.fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        bytes = vector.bytes;
        length = bytes.len() as u64;
    }
    let found = recognize::recognize(&bytes, length)
        .map_err(|reason| Failure::new(format!("{}: {reason}", path.display()), reason.remedy()))?;
    let diagnostic = pretty(&found.cbor).unwrap_or_default();
    text.push_str(&format!("{}, {length} bytes, not verified\n{diagnostic}", found.kind));
    json["kind"] = Value::String(found.kind);
    json["bytes"] = Value::from(length);
    json["fields"] = found.fields;
    json["diagnostic"] = Value::String(diagnostic);
    Ok(Output::done(text, json))
}
