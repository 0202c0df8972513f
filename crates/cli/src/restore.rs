//! `wmlicense restore`.

use crate::backup::count;
use crate::failure::{Failure, reason_text};
use crate::open;
use crate::output::{Output, plain};
use crate::watch;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wmlicense_core::client::Settings;
use wmlicense_core::restore::{Preview, Verdict, Verified, preview, restore, verify};
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
        return Ok(previewed_output(previewed, &reported.verdicts));
    }
    let (restored, reported) =
        watch::run(as_json, move |context| restore(&client, &settings, &folder, individualize, context))?;
    let mut text = format!("{} restored\n", count(restored.restored, "license"));
    for (kid, reason) in &restored.refused {
        text.push_str(&format!("left out: {kid}: {}\n", reason_text(*reason)));
    }
    if restored.closed_sections > 0 {
        text.push_str("a part of the backup opens neither here nor at the service\n");
    }
    let refused = |(kid, reason): &(wmlicense_wire::id::Kid, _)| -> Value {
        json!({ "kid": kid.to_hex(), "reason": *reason as u32, "text": reason_text(*reason) })
    };
    let json = json!({
        "restored": restored.restored,
        "refused": restored.refused.iter().map(refused).collect::<Vec<_>>(),
        "closedSections": restored.closed_sections,
        "askedService": reported.asked_service,
    });
    Ok(Output { text, json })
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

fn previewed_output(previewed: Preview, verdicts: &[Verdict]) -> Output {
    let mut text = String::new();
    for verdict in verdicts {
        let name = verdict.title.as_deref().map_or_else(|| verdict.kid.to_string(), plain);
        let what = verdict.refusal.map_or("would be restored", reason_text);
        let devices = match verdict.devices_limit {
            0 => String::new(),
            limit => format!(" ({} of {limit} devices used)", verdict.devices_used),
        };
        text.push_str(&format!("{name}: {what}{devices}\n"));
    }
    text.push_str(&format!(
        "{} would be restored, {} not\n",
        count(previewed.restorable, "license"),
        previewed.refused
    ));
    let verdict = |verdict: &Verdict| -> Value {
        json!({
            "kid": verdict.kid.to_hex(),
            "title": verdict.title,
            "refusal": verdict.refusal.map(|reason| reason as u32),
            "text": verdict.refusal.map(reason_text),
            "devicesUsed": verdict.devices_used,
            "devicesLimit": verdict.devices_limit,
        })
    };
    let json = json!({
        "restorable": previewed.restorable,
        "refused": previewed.refused,
        "licenses": verdicts.iter().map(verdict).collect::<Vec<_>>(),
    });
    Output { text, json }
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
    Ok(Output { text, json: json!({ "licenses": licenses, "closedSections": closed_sections }) })
}
