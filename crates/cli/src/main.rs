//! `wmlicense`: looks at documents, media files and stores, backs licenses up and restores them. Exit codes: 0 done, 1 failed, 2 usage,
//! 3 done in part.

mod backup;
mod dump;
mod failure;
mod inspect;
mod left_out;
mod list;
mod open;
mod output;
mod restore;
mod store_keeper;
mod text;
mod watch;
mod wording;

use clap::{Parser, Subcommand};
use failure::Failure;
use output::Output;
use std::path::PathBuf;
use std::process::ExitCode;

/// Looks at license documents and stores, backs licenses up and restores them.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 done in part: a restore or its preview that leaves something out, a backup of which
/// a part could not be verified here.
#[derive(Parser)]
#[command(name = "wmlicense", version, arg_required_else_help = true)]
struct Arguments {
    /// Print one JSON object in place of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show what is in a document, a backup's header or a test vector. Verifies nothing and shows no secrets.
    Dump {
        /// The file.
        file: PathBuf,
    },
    /// Show what a media file, initialization data, a playlist or a manifest says about its protection.
    Inspect {
        /// The file.
        file: PathBuf,
        /// File with lines `KID KEY` in hexadecimal, to tell by checksums whether they are the right keys.
        #[arg(long)]
        keys: Option<PathBuf>,
    },
    /// List the licenses of a store.
    List {
        /// The store's folder.
        #[arg(long)]
        store: PathBuf,
    },
    /// Back up all licenses of a store that may be backed up.
    Backup {
        /// The store's folder.
        #[arg(long)]
        store: PathBuf,
        /// The folder that takes the backup.
        #[arg(long)]
        to: PathBuf,
        /// Replace a backup that is there.
        #[arg(long)]
        overwrite: bool,
    },
    /// Look whether a backup is as it was written, without restoring it.
    Verify {
        /// The store's folder.
        #[arg(long)]
        store: PathBuf,
        /// The folder that holds the backup.
        #[arg(long)]
        from: PathBuf,
    },
    /// Look whether every license of a store is sound.
    Check {
        /// The store's folder.
        #[arg(long)]
        store: PathBuf,
        /// Take damaged licenses out of use and leave the others alone.
        #[arg(long)]
        repair: bool,
    },
    /// Remove licenses that can never be used again, and give their room back.
    Clean {
        /// The store's folder.
        #[arg(long)]
        store: PathBuf,
    },
    /// Restore a backup: offline on the device that made it, elsewhere through the license management service.
    Restore(restore::Arguments),
}

/// Exit code where not all that was asked for could be done.
const PARTIAL: u8 = 3;

fn run(arguments: &Arguments) -> Result<Output, Failure> {
    match &arguments.command {
        Command::Dump { file } => dump::run(file),
        Command::Inspect { file, keys } => inspect::run(file, keys.as_deref()),
        Command::List { store } => list::run(store),
        Command::Backup { store, to, overwrite } => backup::run(store, to, *overwrite, arguments.json),
        Command::Verify { store, from } => restore::verify_backup(store, from, arguments.json),
        Command::Check { store, repair } => store_keeper::check(store, *repair, arguments.json),
        Command::Clean { store } => store_keeper::clean(store, arguments.json),
        Command::Restore(restore) => restore::run(restore, arguments.json),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = run(&arguments);
    let code = match &result {
        Ok(output) if output.partial => ExitCode::from(PARTIAL),
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    };
    match output::print(&result, arguments.json) {
        Ok(()) => code,
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => code,
        Err(_) => ExitCode::FAILURE,
    }
}
