//! `wmlicense backup`.

use crate::exit::Code;
use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::settings::{Common, Settings, StoreOptions};
use crate::text::{count, plain};
use crate::watch;
use clap::ValueHint;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_core::backup::back_up;
use wmlicense_wire::backup::FILE_NAME;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    store: StoreOptions,
    /// The folder that takes the backup.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: PathBuf,
    /// Replace a backup that is there.
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let client = open::open(&Settings::of_store(common, &arguments.store)?)?;
    let (working, folder, overwrite) = (Arc::clone(&client), arguments.to.clone(), arguments.overwrite);
    let (report, reported) = watch::run(common.json, move |context| back_up(&working, &folder, overwrite, context))?;
    let mut restricted = Vec::new();
    let mut text = match (report.backed_up, reported.restricted.is_empty()) {
        (0, true) => "nothing to back up\n".to_owned(),
        (0, false) => "no license may be backed up\n".to_owned(),
        (licenses, _) => format!("{} in {}\n", count(licenses, "license"), arguments.to.join(FILE_NAME).display()),
    };
    let partial = !reported.restricted.is_empty();
    for kid in reported.restricted {
        let title = client.store.title(kid)?;
        let shown = title.as_deref().map_or_else(String::new, |title| format!(" ({})", plain(title)));
        text.push_str(&format!("left out, because its terms say so: {kid}{shown}\n"));
        restricted.push(json!({ "kid": kid.to_hex(), "title": title }));
    }
    let json = json!({ "backedUp": report.backed_up, "restricted": restricted, "partial": partial });
    Ok(Output { text, json, code: Code::of(partial) })
}
