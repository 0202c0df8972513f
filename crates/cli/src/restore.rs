//! `wmlicense restore`.

use crate::failure::Failure;
use crate::left_out;
use crate::open;
use crate::output::Output;
use crate::text;
use crate::text::count;
use crate::text::plain;
use crate::watch::{self, Stopped};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wmlicense_core::client::Settings;
use wmlicense_core::event::{ClosedSections, LeftOut, RestoreVerdict, Why};
use wmlicense_core::restore::{Preview, Restored, Verified, preview, restore, verify};
use wmlicense_core::transport::{AccountToken, NetworkSettings, ProxyChoice, ProxyEnvironment};
use wmlicense_wire::id::Digest;
use wmlicense_wire::url::Url;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The store's folder; made if it is not there.
    #[arg(long)]
    store: PathBuf,
    /// The folder that holds the backup.
    #[arg(long)]
    from: PathBuf,
    /// URL of the license service; not needed on the device that made the backup.
    #[arg(long, value_parser = service)]
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

fn service(text: &str) -> Result<String, String> {
    Url::public(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

pub(crate) fn run(arguments: &Arguments, as_json: bool) -> Result<Output, Failure> {
    let account_token = Arc::new(arguments.token_file.as_deref().map(token).transpose()?.unwrap_or_default());
    let client = open::open_or_create(&arguments.store, arguments.authority.clone())?;
    let proxy = ProxyChoice::Environment(Arc::new(ProxyEnvironment::read()));
    let network = NetworkSettings { proxy, ..NetworkSettings::default() };
    let settings = Settings { service_url: arguments.service.clone(), account_token, network, ..Settings::default() };
    let (folder, individualize) = (arguments.from.clone(), arguments.individualize);
    if arguments.preview {
        let work = move |context: &_| preview(&client, &settings, &folder, individualize, context);
        let (previewed, reported) = watch::run(as_json, work).map_err(nothing_to_restore)?;
        return Ok(previewed_output(&previewed, &reported.verdicts));
    }
    let work = move |context: &_| restore(&client, &settings, &folder, individualize, context);
    let (restored, reported) = watch::run(as_json, work).map_err(nothing_restored)?;
    Ok(restored_output(&restored, reported.asked_service))
}

fn restored_output(outcome: &Restored, asked_service: bool) -> Output {
    // Each field is named, so that none that comes later can be forgotten here.
    let Restored { restored, left_out, closed } = outcome;
    let rest = if left_out.is_empty() { String::new() } else { format!(", {} left out", left_out.len()) };
    let text = format!("{} restored{rest}\n{}", count(*restored, "license"), left_out::lines(left_out, closed));
    let partial = outcome.is_partial();
    let json = text::with(fields(*restored, left_out, closed, asked_service), json!({ "partial": partial }));
    Output { text, json, partial }
}

/// What became of a backup's licenses and parts, for programs.
fn fields(restored: u64, left_out: &[LeftOut], closed: &[ClosedSections], asked_service: bool) -> Value {
    let of = |is_refused: bool| {
        let licenses = left_out.iter().filter(|license| license.why.reason().is_some() == is_refused);
        licenses.map(left_out::license).collect::<Vec<_>>()
    };
    let more = json!({
        "restored": restored,
        "refused": of(true),
        "undecided": of(false),
        "askedService": asked_service,
    });
    text::with(left_out::sections(closed), more)
}

/// Nothing went in: of each license and each part it is told why, as where some did.
fn nothing_restored(Stopped { failure, reported }: Stopped) -> Failure {
    let (left_out, closed) = (&reported.left_out, &reported.closed);
    if left_out.is_empty() && closed.is_empty() {
        return failure;
    }
    failure.telling(left_out::lines(left_out, closed), fields(0, left_out, closed, reported.asked_service))
}

/// Nothing could be looked at.
fn nothing_to_restore(Stopped { failure, reported }: Stopped) -> Failure {
    match reported.closed.as_slice() {
        [] => failure,
        closed => failure.telling(left_out::closed_lines(closed), left_out::sections(closed)),
    }
}

/// The first line of a file, which never shows in the list of processes as an argument would.
fn token(path: &Path) -> Result<AccountToken, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::of_file(path, &error, "give a text file that holds the account token"))?;
    let token = first_line(&text);
    let fault = match token {
        "" => "holds no token",
        _ if !AccountToken::is_sendable(token) => "holds in its first line what is no account token",
        _ => return Ok(AccountToken::new(token.to_owned())),
    };
    let remedy = "put the token alone in its first line, in the letters in which the service gave it";
    Err(Failure::new(format!("{} {fault}", path.display()), remedy))
}

/// The first line without the mark that some editors put before a text.
fn first_line(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().next().unwrap_or_default().trim()
}

fn previewed_output(previewed: &Preview, verdicts: &[RestoreVerdict]) -> Output {
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
    let verdict = |verdict: &RestoreVerdict| -> Value {
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
    let more = json!({
        "restorable": restorable,
        "refused": refused,
        "undecided": undecided,
        "partial": previewed.is_partial(),
        "licenses": verdicts.iter().map(verdict).collect::<Vec<_>>(),
    });
    let json = text::with(left_out::sections(closed), more);
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
