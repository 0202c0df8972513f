//! `wmlicense check` and `wmlicense clean`.

use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::settings::{Common, Settings, StoreOptions};
use crate::text::count;
use crate::watch::{self, Stopped};
use serde_json::{Value, json};
use wmlicense_core::event::LicenseFault;
use wmlicense_core::failure::Explain as _;
use wmlicense_core::store_keeper;
use wmlicense_wire::id::Kid;

#[derive(clap::Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    store: StoreOptions,
    /// Take damaged licenses out of use and leave the others alone.
    #[arg(long)]
    repair: bool,
}

#[derive(clap::Args)]
pub(crate) struct CleanArguments {
    #[command(flatten)]
    store: StoreOptions,
}

pub(crate) fn check(arguments: &CheckArguments, common: &Common) -> Result<Output, Failure> {
    let client = open::open(&Settings::of_store(common, &arguments.store)?)?;
    let repair = arguments.repair;
    let (checked, reported) =
        watch::run(common.json, move |context| store_keeper::check(&client, repair, context)).map_err(unsound)?;
    let mut text = format!("{} checked\n{}", count(checked.licenses, "license"), damaged_lines(&reported.damaged));
    if checked.repair.quarantined > 0 {
        text.push_str(&format!("taken out of use: {}\n", checked.repair.quarantined));
    }
    if checked.repair.used_up > 0 {
        text.push_str(&format!("count as used up: {}\n", checked.repair.used_up));
    }
    text.push_str(if checked.repaired { "the store is repaired\n" } else { "the store is sound\n" });
    let json = json!({
        "licenses": checked.licenses,
        "damaged": damaged_objects(&reported.damaged),
        "quarantined": checked.repair.quarantined,
        "usedUp": checked.repair.used_up,
        "repaired": checked.repaired,
    });
    Ok(Output::done(text, json))
}

/// The store is not sound: each damaged license is told, as where they are taken out of use.
fn unsound(Stopped { failure, reported }: Stopped) -> Failure {
    match reported.damaged.as_slice() {
        [] => failure,
        damaged => failure.telling(damaged_lines(damaged), json!({ "damaged": damaged_objects(damaged) })),
    }
}

fn damaged_lines(damaged: &[(Kid, LicenseFault)]) -> String {
    damaged.iter().map(|(kid, fault)| format!("damaged: {kid}: {}\n", fault.explain().clause())).collect()
}

fn damaged_objects(damaged: &[(Kid, LicenseFault)]) -> Vec<Value> {
    damaged.iter().map(|(kid, fault)| json!({ "kid": kid.to_hex(), "text": fault.explain().clause() })).collect()
}

pub(crate) fn clean(arguments: &CleanArguments, common: &Common) -> Result<Output, Failure> {
    let client = open::open(&Settings::of_store(common, &arguments.store)?)?;
    let (cleaned, _) = watch::run(common.json, move |context| store_keeper::clean(&client, context))?;
    let text = format!("{} removed\n", count(cleaned.removed, "license"));
    Ok(Output::done(text, json!({ "removed": cleaned.removed })))
}
