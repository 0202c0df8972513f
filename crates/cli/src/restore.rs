//! `wmlicense restore`.

use crate::ask;
use crate::exit::Code;
use crate::failure::Failure;
use crate::left_out;
use crate::missing::{self, Need};
use crate::open;
use crate::output::Output;
use crate::settings::{Common, ServiceOptions, Settings, StoreOptions};
use crate::text::{self, count, plain};
use crate::watch::{self, Stopped};
use clap::ValueHint;
use serde_json::{Value, json};
use std::path::PathBuf;
use wmlicense_core::event::{ClosedSections, LeftOut, RestoreVerdict, Why};
use wmlicense_core::failure::{Explain as _, FailureKind};
use wmlicense_core::restore::{Preview, Restored, Verified, preview, restore, verify};
use wmlicense_wire::answer::Reason;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    service: ServiceOptions,
    /// The folder that holds the backup.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    from: PathBuf,
    /// Only tell what would be restored. No device is counted.
    #[arg(long)]
    preview: bool,
    /// Let the service give this device an ID if it has none. This is the user's consent.
    #[arg(long)]
    individualize: bool,
}

#[derive(clap::Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    store: StoreOptions,
    /// The folder that holds the backup.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    from: PathBuf,
}

const SERVICE: &str = "this device cannot restore all of it by itself: the license management service has to be asked";
const ACCOUNT: &str = "some of it belongs to an account";

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let mut settings = Settings::of(common, &arguments.service)?;
    let first = once(arguments, &settings, arguments.individualize, common)?;
    let missing = first.missing(&settings, arguments.individualize);
    if missing.is_empty() || !ask::is_possible(common.json) {
        return first.told(&settings, &missing);
    }
    eprintln!("{}", if missing == [Need::Token] { ACCOUNT } else { SERVICE });
    if !missing::ask_for(&mut settings, &missing)? {
        return first.told(&settings, &missing);
    }
    let consent = arguments.individualize || missing.contains(&Need::Consent);
    let second = once(arguments, &settings, consent, common)?;
    second.told(&settings, &[])
}

/// How one run ended, and what kept something from being restored that the user could give.
struct Ended {
    result: Result<Output, Failure>,
    lacking: Option<FailureKind>,
}

impl Ended {
    /// All that is missing for the service to be asked, where that kept something from being restored.
    fn missing(&self, settings: &Settings, individualize: bool) -> Vec<Need> {
        let kind = self.lacking.or(self.result.as_ref().err().and_then(|failure| failure.kind));
        let needs: &[Need] = match kind {
            // Not a missing one, but a wrong one.
            Some(FailureKind::AuthorityNotTrusted) if settings.authorities.is_some() => &[],
            Some(FailureKind::NoService | FailureKind::AuthorityNotTrusted | FailureKind::NeedsIndividualization) => {
                &[Need::Service, Need::Authority, Need::Consent, Need::TokenIfAny]
            }
            Some(FailureKind::AccountRequired | FailureKind::OtherAccount) => &[Need::Token],
            _ => &[],
        };
        let missing = missing::of(settings, needs);
        missing.into_iter().filter(|need| *need != Need::Consent || !individualize).collect()
    }

    /// The end, with all that is missing in one message.
    fn told(self, settings: &Settings, missing: &[Need]) -> Result<Output, Failure> {
        // That it is another account's is said already, with what helps.
        if missing.iter().all(|need| matches!(need, Need::Token | Need::TokenIfAny)) {
            return self.result;
        }
        let all = missing::failure(settings, missing);
        match self.result {
            Err(failure) => Err(Failure { sentence: all.sentence, remedy: all.remedy, ..failure }.adding(&all.fields)),
            Ok(Output { text: said, json, code }) => {
                let text = format!("{said}{}\n  help: {}\n", all.sentence, all.remedy);
                Ok(Output { text, json: text::with(json, all.fields), code })
            }
        }
    }
}

/// Restores, or previews, once.
fn once(arguments: &Arguments, settings: &Settings, individualize: bool, common: &Common) -> Result<Ended, Failure> {
    let client_settings = settings.of_client()?;
    let client = open::open_or_create(settings)?;
    let folder = arguments.from.clone();
    if arguments.preview {
        let work = move |context: &_| preview(&client, &client_settings, &folder, individualize, context);
        return Ok(match watch::run(common.json, work) {
            Ok((previewed, reported)) => {
                let refusals = reported.verdicts.iter().filter_map(|verdict| verdict.refusal.as_ref());
                let lacking = lacking(refusals.chain(previewed.closed.iter().map(|closed| &closed.why)));
                Ended { result: Ok(previewed_output(&previewed, &reported.verdicts)), lacking }
            }
            Err(stopped) => Ended { result: Err(nothing_to_restore(stopped)), lacking: None },
        });
    }
    let work = move |context: &_| restore(&client, &client_settings, &folder, individualize, context);
    Ok(match watch::run(common.json, work) {
        Ok((restored, reported)) => {
            let left_out = restored.left_out.iter().map(|left_out| &left_out.why);
            let lacking = lacking(left_out.chain(restored.closed.iter().map(|closed| &closed.why)));
            Ended { result: Ok(restored_output(&restored, reported.asked_service)), lacking }
        }
        Err(stopped) => Ended { result: Err(nothing_restored(stopped)), lacking: None },
    })
}

/// Why the service could not be asked about some of it, or refused it for want of an account.
fn lacking<'w>(mut whys: impl Iterator<Item = &'w Why>) -> Option<FailureKind> {
    whys.find_map(|why| match why {
        Why::Unasked(failure) => Some(failure.kind),
        Why::Refused { reason: Reason::AccountRequired | Reason::OtherAccount, .. } => Some(why.explain().kind),
        Why::Refused { .. } | Why::NoKey => None,
    })
}

fn restored_output(outcome: &Restored, asked_service: bool) -> Output {
    // Each field is named, so that none that comes later can be forgotten here.
    let Restored { restored, left_out, closed } = outcome;
    let rest = if left_out.is_empty() { String::new() } else { format!(", {} left out", left_out.len()) };
    let text = format!("{} restored{rest}\n{}", count(*restored, "license"), left_out::lines(left_out, closed));
    let partial = outcome.is_partial();
    let json = text::with(fields(*restored, left_out, closed, asked_service), json!({ "partial": partial }));
    Output { text, json, code: Code::of(partial) }
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
    Output { text, json, code: Code::of(previewed.is_partial()) }
}

/// `wmlicense verify`.
pub(crate) fn verify_backup(arguments: &VerifyArguments, common: &Common) -> Result<Output, Failure> {
    let client = open::open(&Settings::of_store(common, &arguments.store)?)?;
    let folder = arguments.from.clone();
    let (verified, _) = watch::run(common.json, move |context| verify(&client, &folder, context))?;
    let Verified { licenses, closed_sections } = verified;
    let mut text = format!("{} whole\n", count(licenses, "license"));
    if closed_sections > 0 {
        text.push_str("a part of the backup opens elsewhere only and was not looked at\n");
    }
    let partial = closed_sections > 0;
    let json = json!({ "licenses": licenses, "closedSections": closed_sections, "partial": partial });
    Ok(Output { text, json, code: Code::of(partial) })
}
