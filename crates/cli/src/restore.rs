//! `wmlicense restore`.

use crate::backup::count;
use crate::failure::Failure;
use crate::left_out;
use crate::open;
use crate::output::{Output, plain};
use crate::watch;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wmlicense_core::client::Settings;
use wmlicense_core::restore::{ClosedSections, Preview, Restored, Verdict, Verified, Why, preview, restore, verify};
use wmlicense_core::transport::{AccountToken, NetworkSettings, ProxyChoice, ProxyEnvironment};
use wmlicense_wire::id::Digest;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The store's folder; made if it is not there.
    #[arg(long)]
    store: PathBuf,
    /// The folder that holds the backup.
    #[arg(long)]
    from: PathBuf,
    /// URL of the license service; not needed on the device that made the backup.
    #[arg(long)]
    service: Option<String>,
    /// SHA-256 of the authority to trust, in base64, as `wmlicensed init` prints it; may stand more than once.
    #[arg(long, value_parser = authority)]
    authority: Vec<Digest>,
    /// File with the account token.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// Only tell what would be restored. No device is counted.
    #[arg(long)]
    preview: bool,
    /// Let the service give this device an ID if it has none. This is the user's consent.
    #[arg(long)]
    individualize: bool,
}

fn authority(text: &str) -> Result<Digest, String> {
    Digest::from_base64(text).map_err(|error| error.to_string())
}

pub(crate) fn run(arguments: &Arguments, as_json: bool) -> Result<Output, Failure> {
    let account_token = Arc::new(arguments.token_file.as_deref().map(token).transpose()?.unwrap_or_default());
    let client = open::open_or_create(&arguments.store, arguments.authority.clone())?;
    let proxy = ProxyChoice::Environment(Arc::new(ProxyEnvironment::read()));
    let network = NetworkSettings { proxy, ..NetworkSettings::default() };
    let settings = Settings { service_url: arguments.service.clone(), account_token, network, ..Settings::default() };
    let (folder, individualize) = (arguments.from.clone(), arguments.individualize);
    if arguments.preview {
        let (previewed, reported) = watch::run(as_json, move |context| preview(&client, &settings, &folder, context))?;
        return Ok(previewed_output(&previewed, &reported.verdicts));
    }
    let (restored, reported) =
        watch::run(as_json, move |context| restore(&client, &settings, &folder, individualize, context))?;
    Ok(restored_output(&restored, reported.asked_service))
}

fn restored_output(outcome: &Restored, asked_service: bool) -> Output {
    // Each field is named, so that none that comes later can be forgotten here.
    let Restored { restored, left_out, closed } = outcome;
    let rest = if left_out.is_empty() { String::new() } else { format!(", {} left out", left_out.len()) };
    let text = format!("{} restored{rest}\n{}", count(*restored, "license"), left_out::lines(left_out, closed));
    let of = |is_refused: bool| {
        let licenses = left_out.iter().filter(|license| license.why.reason().is_some() == is_refused);
        licenses.map(left_out::license).collect::<Vec<_>>()
    };
    let json = json!({
        "restored": restored,
        "partial": outcome.is_partial(),
        "refused": of(true),
        "undecided": of(false),
        "closedSections": sections(closed),
        "closed": closed.iter().map(left_out::section).collect::<Vec<_>>(),
        "askedService": asked_service,
    });
    Output { text, json, partial: outcome.is_partial() }
}

fn sections(closed: &[ClosedSections]) -> u64 {
    closed.iter().map(|closed| u64::from(closed.sections)).sum()
}

/// The first line of a file, which never shows in the list of processes as an argument would.
fn token(path: &Path) -> Result<AccountToken, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display()), "give a file that holds the account token")
    })?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        return Err(Failure::new(format!("{} holds no token", path.display()), "put the token in its first line"));
    }
    Ok(AccountToken::new(token.to_owned()))
}

fn previewed_output(previewed: &Preview, verdicts: &[Verdict]) -> Output {
    let Preview { restorable, refused, undecided, closed } = previewed;
    let mut text = String::new();
    for verdict in verdicts {
        let name = verdict.title.as_deref().map_or_else(|| verdict.kid.to_string(), plain);
        let what = verdict.refusal.as_ref().map_or_else(|| "would be restored".to_owned(), left_out::text);
        let devices = match verdict.devices_limit {
            0 => String::new(),
            limit => format!(" ({} of {limit} devices used)", verdict.devices_used),
        };
        text.push_str(&format!("{name}: {what}{devices}\n"));
    }
    text.push_str(&left_out::closed_lines(closed));
    let undecided_too = if *undecided == 0 { String::new() } else { format!(", {undecided} undecided") };
    text.push_str(&format!("{} would be restored, {refused} not{undecided_too}\n", count(*restorable, "license")));
    let verdict = |verdict: &Verdict| -> Value {
        let why = verdict.refusal.as_ref();
        json!({
            "kid": verdict.kid.to_hex(),
            "title": verdict.title,
            "decided": !matches!(why, Some(Why::Unasked(_) | Why::NoKey)),
            "refusal": why.and_then(Why::reason).map(|reason| reason as u32),
            "text": why.map(left_out::text),
            "why": why.map(left_out::object),
            "devicesUsed": verdict.devices_used,
            "devicesLimit": verdict.devices_limit,
        })
    };
    let json = json!({
        "restorable": restorable,
        "refused": refused,
        "undecided": undecided,
        "partial": previewed.is_partial(),
        "closedSections": sections(closed),
        "closed": closed.iter().map(left_out::section).collect::<Vec<_>>(),
        "licenses": verdicts.iter().map(verdict).collect::<Vec<_>>(),
    });
    Output { text, json, partial: previewed.is_partial() }
}

/// `wmlicense verify`.
pub(crate) fn verify_backup(store: &Path, from: &Path, as_json: bool) -> Result<Output, Failure> {
    let client = open::open(store)?;
    let folder = from.to_path_buf();
    let (verified, _) = watch::run(as_json, move |context| verify(&client, &folder, context))?;
    let Verified { licenses, closed_sections } = verified;
    let mut text = format!("{} whole\n", count(licenses, "license"));
    if closed_sections > 0 {
        text.push_str("a part of the backup opens elsewhere only and was not looked at\n");
    }
    let json = json!({ "licenses": licenses, "closedSections": closed_sections });
    Ok(Output { text, json, partial: closed_sections > 0 })
}
