//! `wmlicense`: the command line for people. This file has the list of its commands; each stands in a file of its own, what they
//! share in `settings.rs` (which store and service), `watch.rs` (running and progress), `failure.rs`, `output.rs` and `exit.rs`.

mod acquire;
mod ask;
mod backup;
mod config;
mod content;
mod dump;
mod exit;
mod explain;
mod failure;
mod give_back;
mod individualize;
mod inspect;
mod interrupt;
mod left_out;
mod list;
mod manual;
mod missing;
mod open;
mod output;
mod play;
mod renew;
mod restore;
mod settings;
mod standing;
mod store_keeper;
mod text;
mod times;
mod watch;
mod wording;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueHint};
use exit::Code;
use failure::Failure;
use output::Output;
use settings::{Common, ServiceOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Gets, keeps, explains, backs up and restores licenses for protected media.
#[derive(Parser)]
#[command(name = "wmlicense", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Let the service give this device an ID and a certificate. Running it is the user's consent.
    Individualize(individualize::Arguments),
    /// Get licenses from the service, by key ID, by media file, or all that the account may have.
    Acquire(acquire::Arguments),
    /// Renew stored licenses at the service they came from.
    Renew(renew::Arguments),
    /// Delete licenses for good and give them back to their service.
    #[command(alias = "return")]
    GiveBack(give_back::Arguments),
    /// List the licenses of a store.
    List(list::Arguments),
    /// Say what licenses permit, what is left of it, why something is refused, and what helps.
    Explain(explain::Arguments),
    /// Give a player on this machine a URL from which it reads the clear bytes of a licensed file.
    ///
    /// The license must permit Play without protected outputs; a play is one use. Each request is judged anew and refused
    /// behind the end of the license; an answer that runs then goes on, unless the policy closes it. Ends with the player, and
    /// with its exit code: a launcher that returns at once ends it too.
    Play(play::Arguments),
    /// Back up all licenses of a store that may be backed up.
    Backup(backup::Arguments),
    /// Look whether a backup is as it was written, without restoring it.
    Verify(restore::VerifyArguments),
    /// Restore a backup: offline on the device that made it, elsewhere through the license management service.
    Restore(restore::Arguments),
    /// Look whether every license of a store is sound.
    Check(store_keeper::CheckArguments),
    /// Remove licenses that can never be used again, and give their room back.
    Clean(store_keeper::CleanArguments),
    /// Show what a media file, initialization data, a playlist or a manifest says about its protection.
    Inspect {
        /// The file.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// File with lines `KID KEY` in hexadecimal, to tell by checksums whether they are the right keys.
        #[arg(long, value_hint = ValueHint::FilePath)]
        keys: Option<PathBuf>,
    },
    /// Show what is in a document, a backup's header or a test vector. Verifies nothing and shows no secrets.
    Dump {
        /// The file.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Show which store, service, authority and account are set, and where each was said.
    Config(ServiceOptions),
    /// Print what a shell needs to complete this program's commands and options.
    Completions(manual::Completions),
    /// Write the manual's pages.
    Man(manual::Pages),
}

/// The command line, with what is said once for all of it.
fn command() -> clap::Command {
    Arguments::command().after_long_help(exit::help())
}

fn run(arguments: &Arguments) -> Result<Output, Failure> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Individualize(words) => individualize::run(words, common),
        Command::Acquire(words) => acquire::run(words, common),
        Command::Renew(words) => renew::run(words, common),
        Command::GiveBack(words) => give_back::run(words, common),
        Command::List(words) => list::run(words, common),
        Command::Explain(words) => explain::run(words, common),
        Command::Backup(words) => backup::run(words, common),
        Command::Verify(words) => restore::verify_backup(words, common),
        Command::Restore(words) => restore::run(words, common),
        Command::Check(words) => store_keeper::check(words, common),
        Command::Clean(words) => store_keeper::clean(words, common),
        Command::Inspect { file, keys } => inspect::run(file, keys.as_deref()),
        Command::Play(words) => play::run(words, common),
        Command::Dump { file } => dump::run(file),
        Command::Config(words) => config::run(words, common),
        Command::Completions(words) => Ok(manual::completions(words, command())),
        Command::Man(words) => manual::pages(words, command()),
    }
}

/// The words of the command line; ends the program where they make no sense, or ask for help.
fn parse() -> Result<Arguments, ExitCode> {
    let result = command().try_get_matches().and_then(|found| Arguments::from_arg_matches(&found));
    result.map_err(|error| {
        let wants_json = std::env::args_os().any(|word| word == "--json");
        let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        if wants_json && !is_help {
            let failure = wrong_usage(&error);
            // Nobody is left to be told that it could not be printed.
            let _ = output::print(&Err(failure), true);
        } else {
            let _ = error.print();
        }
        if is_help { ExitCode::SUCCESS } else { Code::Usage.into() }
    })
}

/// What is wrong with the command line, as other failures are told.
fn wrong_usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut parts = text.trim().split("\n\n");
    let sentence = parts.next().unwrap_or_default().trim_start_matches("error: ");
    let sentence = sentence.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let tip = parts.map(str::trim).find_map(|part| part.strip_prefix("tip: "));
    Failure::new(sentence, tip.unwrap_or("see --help")).with(Code::Usage)
}

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let result = run(&arguments);
    let code = match &result {
        Ok(output) => output.code,
        Err(failure) => interrupt::code().unwrap_or(failure.code),
    };
    match output::print(&result, arguments.common.json) {
        Ok(()) => code.into(),
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => code.into(),
        Err(error) => {
            // Where nothing can be written at all, the code is what is left.
            let _ = writeln!(std::io::stderr(), "error: the result cannot be written: {error}");
            Code::Failed.into()
        }
    }
}
