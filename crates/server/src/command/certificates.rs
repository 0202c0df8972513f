//! `wmlicensed certificate`: what ends when, new keys for the roles, keys that count no more.

use super::actor::acting;
use super::error::CommandError;
use super::listing::{Format, show};
use super::{Data, List, Opened, print, reason, time};
use crate::clock::{Clock as _, SystemClock};
use crate::folder::read_private;
use crate::keyring;
use crate::owner::certificates;
use crate::policy::to_rfc3339;
use crate::rules::revocation::{ListedKey, NewRevokedKey};
use crate::store::Act;
use clap::Subcommand;
use std::io::Write as _;
use std::path::PathBuf;
use wmlicense_wire::certificate::ServiceCertificate;

#[derive(Subcommand)]
pub(super) enum CertificateCommand {
    /// List certificates of the roles, backup keys and the status list, with what ends when.
    List(List),
    /// Give every role a new key and a certificate for 400 days. A running service takes them over within a minute.
    Renew {
        #[command(flatten)]
        data: Data,
        /// Keys of the authority, where they are not in the data folder.
        #[arg(long, value_name = "FILE")]
        authority_key: Option<PathBuf>,
    },
    /// Let a service's key count no more, once the next status list is published.
    Revoke {
        #[command(flatten)]
        data: Data,
        /// Certificate of the service.
        certificate: PathBuf,
        /// From when on what it signed counts for nothing; without it, nothing that it ever signed counts.
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<i64>,
        /// Why, for your own records.
        #[arg(long, value_parser = reason)]
        reason: Option<String>,
    },
}

pub(super) fn certificate(command: CertificateCommand) -> Result<(), CommandError> {
    match command {
        CertificateCommand::List(asked) => list(&asked),
        CertificateCommand::Renew { data, authority_key } => renew(&data, authority_key),
        CertificateCommand::Revoke { data, certificate, from, reason } => {
            revoke(&data, certificate, from.unwrap_or(0), reason)
        }
    }
}

fn list(asked: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&asked.data)?;
    let (revoked, now) = (opened.wait(opened.store.revoked())?, SystemClock.now());
    let list = opened.wait(opened.store.status_list())?;
    let rows = certificates::rows(&asked.data.folder(), &revoked, list, now)?;
    let names: Vec<&str> = certificates::COLUMNS.iter().map(|column| column.name).collect();
    show(Format::of(asked.json), &names, rows)
}

fn renew(data: &Data, authority_key: Option<PathBuf>) -> Result<(), CommandError> {
    let made = keyring::renew(&data.folder(), authority_key, SystemClock.now())?;
    for certificate in &made {
        print(&format!("{}: valid until {}", certificate.role.name(), to_rfc3339(certificate.not_after)))?;
    }
    let ids: Vec<String> = made.iter().map(|certificate| certificate.signer_id().to_hex()).collect();
    let act = Act { act: "certificate renew", became: Some(ids.join(", ")), ..Act::default() };
    let noted = || Opened::new(data).and_then(|opened| opened.wait(opened.store.note_act(act, acting()?)));
    if let Err(error) = noted() {
        // The certificates are there and count, whatever the database says.
        writeln!(std::io::stderr(), "wmlicensed: the audit has no row of this: {}", super::error::told(&error))?;
    }
    Ok(())
}

/// Puts the key of a service's certificate on the next status list.
fn revoke(data: &Data, path: PathBuf, from: i64, reason: Option<String>) -> Result<(), CommandError> {
    let opened = Opened::new(data)?;
    let bytes = read_private(&path).map_err(|source| CommandError::File { path: path.clone(), source })?;
    let authority = keyring::authority(&data.folder())?;
    let certificate = ServiceCertificate::parse(&bytes, &authority).map_err(|_| CommandError::Certificate(path))?;
    let (key, kind) = (certificate.signer_id(), ListedKey::Service);
    let key = NewRevokedKey { kind, key, name: certificate.name, from, reason };
    opened.wait(opened.store.revoke_key(key, acting()?))?;
    print(&format!("revoked: {}", certificate.role.name()))
}
