//! `wmlicense backup`.

use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::text::{count, plain};
use crate::watch;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use wmlicense_core::backup::back_up;
use wmlicense_wire::backup::FILE_NAME;

pub(crate) fn run(store: &Path, to: &Path, overwrite: bool, as_json: bool) -> Result<Output, Failure> {
    let client = open::open(store)?;
    let (working, folder) = (Arc::clone(&client), to.to_path_buf());
    let (report, reported) = watch::run(as_json, move |context| back_up(&working, &folder, overwrite, context))?;
    let mut restricted = Vec::new();
    let mut text = if report.backed_up == 0 {
        "nothing to back up\n".to_owned()
    } else {
        format!("{} in {}\n", count(report.backed_up, "license"), to.join(FILE_NAME).display())
    };
    for kid in reported.restricted {
        let title = client.store.title(kid)?;
        let shown = title.as_deref().map_or_else(String::new, |title| format!(" ({})", plain(title)));
        text.push_str(&format!("left out, because its terms say so: {kid}{shown}\n"));
        restricted.push(json!({ "kid": kid.to_hex(), "title": title }));
    }
    Ok(Output::done(text, json!({ "backedUp": report.backed_up, "restricted": restricted })))
}
