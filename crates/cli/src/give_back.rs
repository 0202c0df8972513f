//! `wmlicense give-back`: deleting licenses for good, and telling their service so that it can count this device out.

use crate::ask;
use crate::content;
use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt;
use crate::missing::{self, Need};
use crate::open;
use crate::output::Output;
use crate::settings::{Common, ServiceOptions, Settings};
use crate::text::{count, plain};
use crate::watch;
use clap::ValueHint;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_core::client::{self, Client};
use wmlicense_core::give_back;
use wmlicense_core::renew;
use wmlicense_core::store::GiveBackTo;
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
    let named = content::own(&arguments.content)?;
    let mut settings = Settings::of(common, &arguments.service)?;
    if !arguments.local {
        missing::complete(common, &mut settings, &[Need::Authority])?;
    }
    let client = open::open(&settings)?;
    let (stored, beside) = (stored(&client, &named.kids)?, stored(&client, &named.beside)?);
    if stored.is_empty() {
        return Err(nothing_stored(&client, &beside)?);
    }
    if !arguments.yes {
        agreed(&client, &stored, &beside, arguments.local, common.json)?;
    }
    let client_settings = Arc::new(settings.of_client()?);
    let gone = Gone::of(&client, &client_settings, &stored, arguments.local)?;
    let mut output = gone.output(arguments.local);
    if !arguments.local {
        gone.tell(&client, client_settings, common.json, &mut output)?;
    }
    output.add(&left_alone_lines(&beside), json!({ "leftAlone": hex(&beside) }));
    Ok(output)
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

fn nothing_stored(client: &Client, beside: &[Kid]) -> Result<Failure, Failure> {
    let waiting = client.store.give_back_places()?.len();
    let lines = format!("{}{}", left_alone_lines(beside), waiting_lines(waiting));
    let fields = json!({ "leftAlone": hex(beside), "waiting": waiting });
    Ok(Failure::new("there is no license for this content", "").telling(lines, fields))
}

/// Sees to it that somebody agrees. What is deleted for good is never deleted because nobody could be asked.
fn agreed(client: &Client, kids: &[Kid], beside: &[Kid], local: bool, as_json: bool) -> Result<(), Failure> {
    if !ask::is_possible(as_json) {
        let sentence = "nothing was deleted: nobody can be asked here whether that is meant";
        return Err(Failure::new(sentence, "add --yes, if it is").with(Code::Usage));
    }
    for kid in kids {
        let title = client.store.title(*kid)?.map_or_else(String::new, |title| format!("  {}", plain(&title)));
        eprintln!("{kid}{title}");
    }
    eprint!("{}", left_alone_lines(beside));
    let how = if local { "from this device only" } else { "for good and give them back" };
    match ask::yes(&format!("Delete the licenses for these {how}?"))? {
        true => Ok(()),
        false => Err(Failure::new("nothing was deleted", "")),
    }
}

/// What was deleted. The licenses are gone whatever comes after.
#[derive(Default)]
struct Gone {
    licenses: u64,
    /// Where they wait to be given back to.
    places: Vec<GiveBackTo>,
    /// Key IDs whose licenses could not be deleted.
    kept: Vec<(Kid, Failure)>,
}

impl Gone {
    /// Deletes what can be deleted; fails where that is nothing.
    fn of(client: &Client, settings: &client::Settings, kids: &[Kid], local: bool) -> Result<Self, Failure> {
        let mut gone = Self::default();
        for kid in kids {
            let deleted = match local {
                true => client.store.delete(*kid).map(|licenses| (licenses, Vec::new())).map_err(Failure::from),
                false => give_back::delete_with_places(client, settings, *kid)
                    .map(|deleted| (deleted.licenses, deleted.places))
                    .map_err(Failure::from),
            };
            match deleted {
                Ok((licenses, places)) => {
                    gone.licenses += licenses;
                    gone.places.extend(places);
                }
                Err(failure) => gone.kept.push((*kid, failure)),
            }
        }
        match gone.kept.pop() {
            Some((_, failure)) if gone.licenses == 0 => Err(failure),
            last => {
                gone.kept.extend(last);
                Ok(gone)
            }
        }
    }

    fn output(&self, local: bool) -> Output {
        let how = if local { "from this device" } else { "for good" };
        let mut text = format!("{} deleted {how}\n", count(self.licenses, "license"));
        for (kid, Failure { sentence, remedy, .. }) in &self.kept {
            text.push_str(&format!("not deleted: {kid}: {sentence}\n"));
            if !remedy.is_empty() {
                text.push_str(&format!("  help: {remedy}\n"));
            }
        }
        let kept = |(kid, failure): &(Kid, Failure)| json!({ "kid": kid.to_hex(), "text": failure.sentence, "help": failure.remedy });
        let kept: Vec<Value> = self.kept.iter().map(kept).collect();
        let partial = !kept.is_empty();
        let json = json!({ "deleted": self.licenses, "local": local, "partial": partial, "kept": kept });
        Output { text, json, code: Code::of(partial) }
    }

    /// Tells the services of what was deleted here: what cannot be told now is told at the next contact. What waits since
    /// earlier at other services is only mentioned.
    fn tell(
        &self,
        client: &Arc<Client>,
        settings: Arc<client::Settings>,
        as_json: bool,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let (working, places) = (Arc::clone(client), self.places.clone());
        let sent = match places.is_empty() {
            true => Ok(()),
            false => watch::run(as_json, move |context| renew::give_back_only(&working, &settings, &places, context))
                .map(|_| ())
                .map_err(Failure::from),
        };
        let (own, others): (Vec<_>, Vec<_>) =
            client.store.give_back_places()?.into_iter().partition(|place| self.places.contains(place));
        let sent = match sent {
            Ok(()) if !own.is_empty() => Err(Failure::new("the service did not take it yet", "")),
            sent => sent,
        };
        output.json["told"] = sent.is_ok().into();
        match sent {
            Ok(()) if self.places.is_empty() => {}
            Ok(()) => output.text.push_str("given back: the service counts this device out\n"),
            Err(Failure { sentence, remedy, .. }) => {
                let next = "the next `wmlicense acquire` or `wmlicense renew` there tells it";
                let help = if remedy.is_empty() { next.to_owned() } else { format!("{remedy}; {next}") };
                let text = format!("not told yet: {sentence}\n  help: {help}\n");
                output.add(&text, json!({ "partial": true, "text": sentence, "help": remedy }));
                // Ended by a signal, whatever was done by then.
                output.code = interrupt::code().unwrap_or(Code::Partial);
            }
        }
        output.add(&waiting_lines(others.len()), json!({ "waiting": others.len() }));
        Ok(())
    }
}

fn left_alone_lines(kids: &[Kid]) -> String {
    kids.iter().map(|kid| format!("left alone: {kid}: named beside the samples, maybe another film's\n")).collect()
}

/// Licenses that were deleted earlier and wait to be given back to so many services.
fn waiting_lines(places: usize) -> String {
    match places {
        0 => String::new(),
        places => format!(
            "deleted earlier and not told yet to {}: the next `wmlicense acquire` or `wmlicense renew` there tells it\n",
            count(places as u64, "service")
        ),
    }
}

fn hex(kids: &[Kid]) -> Vec<String> {
    kids.iter().map(|kid| kid.to_hex()).collect()
}
