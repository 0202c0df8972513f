//! Content keys that come in files and go to packagers.

use super::actor::acting;
use super::error::CommandError;
use super::{Data, Opened, print, read_bytes};
use crate::catalogue::{Addressee, List, Recipient, RecipientError, bento4, cpix_document, read, read_title, shaka};
use crate::folder::write_new;
use crate::owner::catalogue::hand_out;
use clap::{ArgGroup, Args};
use std::path::PathBuf;
use wmlicense_wire::id::Kid;

/// Most key IDs that are told one by one.
const MAX_TOLD: usize = 20;
/// Longest label in bytes.
const MAX_LABEL_LEN: usize = 64;

#[derive(Args)]
pub(super) struct KeyFile {
    /// Title of those keys that have none in the file.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// RSA key in PKCS #8, as PEM, that opens an encrypted CPIX document.
    #[arg(long, value_name = "FILE", requires = "cpix_cert")]
    cpix_key: Option<PathBuf>,
    /// Certificate that the keys of the document are encrypted to, as PEM or DER.
    #[arg(long, value_name = "FILE", requires = "cpix_key")]
    cpix_cert: Option<PathBuf>,
    /// The file; - is standard input.
    file: PathBuf,
}

impl KeyFile {
    pub(super) fn read(&self) -> Result<List, CommandError> {
        let title = read_title(self.title.as_deref())?;
        let recipient = match (&self.cpix_cert, &self.cpix_key) {
            (Some(certificate), Some(key)) => {
                let read = Recipient::read(&read_bytes(certificate)?, &read_bytes(key)?);
                let wrong = |source| match source {
                    RecipientError::Certificate | RecipientError::Unfit => (certificate.clone(), source),
                    RecipientError::Key | RecipientError::Others => (key.clone(), source),
                };
                Some(read.map_err(wrong).map_err(|(path, source)| CommandError::Recipient { path, source })?)
            }
            _ => None,
        };
        let mut list = read(&read_bytes(&self.file)?, recipient.as_ref())?;
        for key in list.keys.iter_mut().filter(|key| key.title.is_none()) {
            key.title.clone_from(&title);
        }
        Ok(list)
    }
}

/// Tells which key IDs of a file had no key.
pub(super) fn left_out(keyless: &[Kid]) -> Result<(), CommandError> {
    if keyless.is_empty() {
        return Ok(());
    }
    print(&format!("left out, because the file has no key for them: {}", keyless.len()))?;
    keyless.iter().take(MAX_TOLD).try_for_each(|kid| print(&format!("  {kid}")))?;
    match keyless.len().checked_sub(MAX_TOLD) {
        Some(more @ 1..) => print(&format!("  and {more} more")),
        _ => Ok(()),
    }
}

/// A key ID and the label under which a packager finds its key.
#[derive(Clone)]
struct Labelled {
    label: String,
    kid: Kid,
}

fn labelled(text: &str) -> Result<Labelled, String> {
    let (label, kid) = text.split_once('=').unwrap_or(("", text));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if label.len() > MAX_LABEL_LEN || !label.bytes().all(is_plain) {
        return Err(format!("a label has up to {MAX_LABEL_LEN} letters, digits, '-', '_' and '.'"));
    }
    let kid = Kid::from_hex(kid).map_err(|error| error.to_string())?;
    Ok(Labelled { label: label.to_owned(), kid })
}

#[derive(Args)]
#[command(group = ArgGroup::new("form").required(true).args(["shaka", "bento4", "cpix"]))]
pub(super) struct Export {
    #[command(flatten)]
    data: Data,
    /// Options of Shaka Packager, for its --flagfile.
    #[arg(long)]
    shaka: bool,
    /// Pairs KID:KEY for Bento4, a line each.
    #[arg(long)]
    bento4: bool,
    /// A CPIX document. Its keys are in clear unless --recipient names who may read them.
    #[arg(long)]
    cpix: bool,
    /// Certificate, as PEM or DER, of somebody who may read the keys of the document, and nobody else may; several times for several.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["shaka", "bento4"])]
    recipient: Vec<PathBuf>,
    /// New file for the keys, which only its owner may read; without it they are printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Key IDs in hexadecimal; with Shaka Packager LABEL=KID for the tracks of this drm_label.
    #[arg(required = true, value_name = "[LABEL=]KID", value_parser = labelled)]
    keys: Vec<Labelled>,
}

pub(super) fn export(export: Export) -> Result<(), CommandError> {
    let addressee = |path: &PathBuf| {
        Addressee::read(&read_bytes(path)?).map_err(|source| CommandError::Recipient { path: path.clone(), source })
    };
    let addressees = export.recipient.iter().map(addressee).collect::<Result<Vec<_>, _>>()?;
    let opened = Opened::new(&export.data)?;
    let labelled = export.keys.into_iter().map(|key| (key.label, key.kid)).collect();
    let keys = opened.run(hand_out(&opened.store, &opened.master, labelled, acting()?))?;
    let text = match (export.shaka, export.bento4) {
        (true, _) => shaka(&keys),
        (_, true) => bento4(&keys),
        _ => cpix_document(&keys, &addressees).map_err(|_| CommandError::Random)?,
    };
    let Some(out) = export.out else { return print(&text) };
    write_new(&out, text.as_bytes()).map_err(|source| CommandError::File { path: out.clone(), source })?;
    print(&format!("wrote {} keys to {}", keys.len(), out.display()))
}
