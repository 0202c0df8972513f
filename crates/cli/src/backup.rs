//! `wmlicense backup`.

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
    let mut text = if report.backed_up == 0 {
        "nothing to back up\n".to_owned()
    } else {
        format!("{} in {}\n", count(report.backed_up, "license"), arguments.to.join(FILE_NAME).display())
    };
    for kid in reported.restricted {
        let title = client.store.title(kid)?;
        let shown = title.as_deref().map_or_else(String::new, |title| format!(" ({})", plain(title)));
        text.push_str(&format!("left out, because its terms say so: {kid}{shown}\n"));
        restricted.push(json!({ "kid": kid.to_hex(), "title": title }));
    }
    Ok(Output::done(text, json!({ "backedUp": report.backed_up, "restricted": restricted })))
}
