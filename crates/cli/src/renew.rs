//! `wmlicense renew`.

use crate::content;
use crate::exit::Code;
use crate::failure::Failure;
use crate::left_out;
use crate::missing::{self, Need};
use crate::open;
use crate::output::Output;
use crate::settings::{Common, ServiceOptions, Settings};
use crate::text::count;
use crate::watch::{self, Stopped};
use clap::ValueHint;
use serde_json::{Value, json};
use std::iter;
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_core::renew::{Brought, RenewError, RenewalWish, Renewed, Unasked, renew};
use wmlicense_wire::id::Kid;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    service: ServiceOptions,
    /// Content: key IDs and media files; all that is stored where none is named.
    #[arg(value_name = "KID|FILE", value_hint = ValueHint::AnyPath)]
    content: Vec<PathBuf>,
    /// Only licenses of which a right ends, or whose renewal is due, within so many days; those that ended are among them.
    #[arg(long, value_name = "DAYS")]
    within_days: Option<u32>,
    /// Only licenses that came with this scope.
    #[arg(long)]
    scope: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let kids = content::kids(&arguments.content)?;
    let mut settings = Settings::of(common, &arguments.service)?;
    // Each license is renewed where it came from; that place needs no word.
    missing::complete(common, &mut settings, &[Need::Authority, Need::TokenIfAny])?;
    let client = open::open(&settings)?;
    let client_settings = settings.of_client()?;
    let (scope, within_days) = (arguments.scope.clone(), arguments.within_days);
    let wish = RenewalWish { kids, scope, within_days, url: arguments.service.service.clone() };
    let working = Arc::clone(&client);
    let work = move |context: &_| match renew(&working, &client_settings, &wish, context) {
        Ok(renewed) => Ok((renewed, Arc::default())),
        Err(RenewError::Partly { renewed, failure, others }) => {
            Ok((renewed, Arc::new(iter::once(*failure).chain(others).collect())))
        }
        Err(error) => Err(error),
    };
    let ((renewed, unasked), reported): ((_, Arc<Vec<Unasked>>), _) = watch::run(common.json, work).map_err(nothing)?;
    let unasked: Vec<Failed> = unasked.iter().map(Failed::of).collect();
    let now = client.clock.now();
    let brought = renewed.brought();
    let Renewed { chosen, stored, refusals } = renewed;
    let mut text = match brought {
        Brought::Licenses => format!("{} renewed\n", count(stored, "license")),
        Brought::Nothing => "the service has nothing new for these licenses\n".to_owned(),
        Brought::NothingChosen => "no stored license is to be renewed\n".to_owned(),
    };
    text.push_str(&left_out::refusal_lines(&refusals, now));
    text.extend(unasked.iter().map(Failed::lines));
    let partial = !refusals.is_empty() || !unasked.is_empty();
    let json = json!({
        "chosen": chosen,
        "stored": stored,
        "refused": left_out::refusals(&refusals, now),
        "failed": unasked.iter().map(Failed::object).collect::<Vec<_>>(),
        "renewalDue": reported.due.iter().map(|kid| kid.to_hex()).collect::<Vec<_>>(),
        "partial": partial,
    });
    Ok(Output { text, json, code: Code::of(partial) })
}

/// What one service could not be asked for, and why.
struct Failed<'u> {
    kids: &'u [Kid],
    failure: Failure,
}

impl<'u> Failed<'u> {
    fn of(unasked: &'u Unasked) -> Self {
        Self { kids: &unasked.kids, failure: Failure::from(&unasked.error) }
    }

    fn lines(&self) -> String {
        let Failure { sentence, remedy, .. } = &self.failure;
        let help = if remedy.is_empty() { String::new() } else { format!("  help: {remedy}\n") };
        match self.kids {
            [] => format!("not told yet what was given back: {sentence}\n{help}"),
            kids => kids.iter().map(|kid| format!("not renewed: {kid}: {sentence}\n")).collect::<String>() + &help,
        }
    }

    fn object(&self) -> Value {
        let kids: Vec<_> = self.kids.iter().map(|kid| kid.to_hex()).collect();
        json!({ "kids": kids, "text": self.failure.sentence, "help": self.failure.remedy })
    }
}

/// Nothing more came: of each license that was refused it is told why.
fn nothing(Stopped { failure, reported }: Stopped) -> Failure {
    if reported.left_out.is_empty() {
        return failure;
    }
    let refused: Vec<Value> = reported.left_out.iter().map(left_out::license).collect();
    failure.telling(left_out::lines(&reported.left_out, &[]), json!({ "refused": refused }))
}
