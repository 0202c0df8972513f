//! `wmlicense give-back`: deleting licenses for good, and telling their service so that it can count this device out.

use crate::ask;
use crate::content;
use crate::exit::Code;
use crate::failure::Failure;
use crate::missing::{self, Need};
use crate::open;
use crate::output::Output;
use crate::settings::{Common, ServiceOptions, Settings};
use crate::text::{count, plain};
use crate::watch;
use clap::ValueHint;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_core::client::{self, Client};
use wmlicense_core::give_back;
use wmlicense_core::renew;
use wmlicense_wire::id::Kid;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    service: ServiceOptions,
    /// Content: key IDs and media files.
    #[arg(value_name = "KID|FILE", value_hint = ValueHint::AnyPath, required = true)]
    content: Vec<PathBuf>,
    /// Delete from this device only and tell nobody. What was used stays known, and the license may come again.
    #[arg(long)]
    local: bool,
    /// Do not ask whether that is meant. Where nobody can be asked (no terminal, or --json), nothing is deleted without it.
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let kids = content::kids(&arguments.content)?;
    let mut settings = Settings::of(common, &arguments.service)?;
    if !arguments.local {
        missing::complete(common, &mut settings, &[Need::Authority])?;
    }
    let client = open::open(&settings)?;
    let stored = stored(&client, &kids)?;
    if !stored.is_empty() && !arguments.yes {
        agreed(&client, &stored, arguments.local, common.json)?;
    }
    if stored.is_empty() && client.store.give_back_places()?.is_empty() {
        return Err(Failure::new("there is no license for this content", ""));
    }
    let client_settings = Arc::new(settings.of_client()?);
    let mut deleted = 0;
    for kid in &stored {
        deleted += match arguments.local {
            true => client.store.delete(*kid)?,
            false => give_back::delete(&client, &client_settings, *kid)?,
        };
    }
    if arguments.local {
        let text = format!("{} deleted from this device\n", count(deleted, "license"));
        return Ok(Output::done(text, json!({ "deleted": deleted, "local": true, "partial": false })));
    }
    tell(&client, client_settings, deleted, common.json)
}

/// Those of these key IDs for which there is a license.
fn stored(client: &Client, kids: &[Kid]) -> Result<Vec<Kid>, Failure> {
    let mut stored = Vec::new();
    for kid in kids {
        if !client.store.licenses(*kid)?.is_empty() {
            stored.push(*kid);
        }
    }
    Ok(stored)
}

/// Sees to it that somebody agrees. What is deleted for good is never deleted because nobody could be asked.
fn agreed(client: &Client, kids: &[Kid], local: bool, as_json: bool) -> Result<(), Failure> {
    if !ask::is_possible(as_json) {
        let sentence = "nothing was deleted: nobody can be asked here whether that is meant";
        return Err(Failure::new(sentence, "add --yes, if it is").with(Code::Usage));
    }
    for kid in kids {
        let title = client.store.title(*kid)?.map_or_else(String::new, |title| format!("  {}", plain(&title)));
        eprintln!("{kid}{title}");
    }
    let how = if local { "from this device only" } else { "for good and give them back" };
    match ask::yes(&format!("Delete the licenses for these {how}?"))? {
        true => Ok(()),
        false => Err(Failure::new("nothing was deleted", "")),
    }
}

/// Sends what waits to be given back. The licenses are gone already: what cannot be told now is told at the next contact.
fn tell(client: &Arc<Client>, settings: Arc<client::Settings>, deleted: u64, as_json: bool) -> Result<Output, Failure> {
    let waits = !client.store.give_back_places()?.is_empty();
    let mut text = format!("{} deleted for good\n", count(deleted, "license"));
    let mut json = json!({ "deleted": deleted, "local": false, "told": true, "partial": false });
    if waits {
        let working = Arc::clone(client);
        let sent = watch::run(as_json, move |context| renew::give_back_only(&working, &settings, context));
        match sent {
            Ok(_) => text.push_str("given back: the service counts this device out\n"),
            Err(stopped) => {
                let failure = stopped.failure;
                text.push_str(&format!(
                    "not told yet: {}\n  help: {}; the next `wmlicense acquire` or `wmlicense renew` there tells it\n",
                    failure.sentence, failure.remedy
                ));
                json = json!({
                    "deleted": deleted,
                    "local": false,
                    "told": false,
                    "partial": true,
                    "text": failure.sentence,
                    "help": failure.remedy,
                });
            }
        }
    }
    let partial = json["partial"] == true;
    Ok(Output { text, json, code: Code::of(partial) })
}
