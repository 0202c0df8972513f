//! The command line: arguments, and which command runs. Exit status 0 done, 1 failed, 2 wrong usage.

mod accounts;
mod actor;
mod admins;
mod care;
mod catalogue;
mod certificates;
mod data;
mod database;
mod error;
mod give;
mod keys;
mod listing;
mod manual;
mod offers;
mod options;
mod revocation;
mod serve;

use crate::clock::{Clock as _, SystemClock};
use crate::keyring::{self, MasterKey};
use crate::owner;
use crate::policy::parse_rfc3339;
use crate::store::{self, Owner};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use data::{Data, Opened, runtime};
use error::{CommandError, plain, told};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Longest file read, in bytes.
const MAX_FILE: usize = 256 << 20;

/// License service: individualization, issuing and license management.
#[derive(Parser)]
#[command(name = "wmlicensed", version, arg_required_else_help = true, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    data: Data,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make authority, role keys and certificates in an empty folder.
    Init {
        #[command(flatten)]
        data: Data,
        /// Name of the content owner, in the authority's certificate.
        #[arg(long, default_value = "wmlicensed")]
        name: String,
    },
    /// Serve until told to stop.
    Serve(Box<serve::Arguments>),
    /// Certificates of the roles.
    #[command(subcommand)]
    Certificate(certificates::CertificateCommand),
    /// Content and its keys.
    #[command(subcommand)]
    Content(catalogue::ContentCommand),
    /// Terms that content is licensed on.
    #[command(subcommand)]
    Policy(catalogue::PolicyCommand),
    /// Subscriptions: one root license opens many leaves.
    #[command(subcommand)]
    Subscription(catalogue::SubscriptionCommand),
    /// What can be had on which terms.
    #[command(subcommand)]
    Offer(offers::OfferCommand),
    /// Which accounts have what of offers.
    #[command(subcommand)]
    Grant(offers::GrantCommand),
    /// Accounts of users.
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// Those who act for the owner through the management listener.
    #[command(subcommand)]
    Admin(admins::AdminCommand),
    /// Licenses issued.
    #[command(subcommand)]
    License(revocation::LicenseCommand),
    /// Licenses restored to further devices.
    #[command(subcommand)]
    Restore(RestoreCommand),
    /// Individualized devices.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Applications.
    #[command(subcommand)]
    Application(revocation::ApplicationCommand),
    /// What was taken back.
    #[command(subcommand)]
    Revocation(revocation::RevocationCommand),
    /// The list of keys that count no more.
    #[command(subcommand)]
    Status(revocation::StatusCommand),
    /// What was done in the owner's name.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The database as a whole.
    #[command(subcommand)]
    Database(database::DatabaseCommand),
    /// Count everything.
    Stats(List),
    /// Copy the database into a file, also while the service runs. The keys are not in it.
    Backup(care::Backup),
    /// Look whether database, keys and certificates are whole and go together, and what will end or run out.
    Check(care::Check),
    /// Print what a shell needs to complete commands and options.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write a man page for each command into a folder.
    #[command(hide = true)]
    Man {
        /// The folder, which must be there.
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
enum RestoreCommand {
    /// List them, the latest first.
    List(Box<listing::Titled>),
}

#[derive(Subcommand)]
enum AuditCommand {
    /// List acts of the owner, the latest first: who, when, what, and what it was before and after. What devices asked is not in
    /// it.
    List(Box<listing::Audited>),
}

#[derive(Subcommand)]
enum DeviceCommand {
    /// List them, the latest first.
    List(Box<listing::Facts>),
    /// Answer no request of a device any more.
    Revoke(revocation::RevokeDevice),
    /// Declare a device lost: what is out on it of the uses that its accounts were granted comes back to them, and it makes room
    /// for another one.
    Lost(offers::LoseDevice),
    /// Free an account of a device: it makes room for another one, and drops the account's licenses at its next contact.
    Free(offers::FreeDevice),
}

/// Runs one command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words = arguments.into_iter().collect();
    let parsed = options::Parsed::of(&command_line(), words, &|| std::env::vars_os().collect());
    let parsed = parsed.and_then(|parsed| Ok((Arguments::from_arg_matches(&parsed.matches)?, parsed)));
    let (arguments, parsed) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Nothing is left to tell an unwritable standard error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match execute(arguments.command, &parsed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "wmlicensed: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// What is read from the command line.
fn command_line() -> clap::Command {
    options::with_config(Arguments::command())
}

fn execute(command: Command, parsed: &options::Parsed) -> Result<(), CommandError> {
    match command {
        Command::Init { data, name } => init(&data, &name),
        Command::Serve(arguments) => serve::serve(*arguments, parsed),
        Command::Certificate(command) => certificates::certificate(command),
        Command::Content(command) => catalogue::content(command),
        Command::Policy(command) => catalogue::policy(command),
        Command::Subscription(command) => catalogue::subscription(command),
        Command::Offer(command) => offers::offer(command),
        Command::Grant(command) => offers::grant(command),
        Command::Account(command) => accounts::account(command),
        Command::Admin(command) => admins::admin(command),
        Command::License(command) => revocation::license(command),
        Command::Restore(RestoreCommand::List(list)) => listing::restores(&list),
        Command::Device(DeviceCommand::List(list)) => listing::devices(&list),
        Command::Device(DeviceCommand::Revoke(revoke)) => revocation::device(revoke),
        Command::Device(DeviceCommand::Lost(lost)) => offers::lose(lost),
        Command::Device(DeviceCommand::Free(free)) => offers::free(free),
        Command::Application(command) => revocation::application(command),
        Command::Revocation(command) => revocation::revocation(command),
        Command::Status(command) => revocation::status(command),
        Command::Audit(AuditCommand::List(list)) => listing::audit(*list),
        Command::Database(command) => database::database(command),
        Command::Stats(list) => listing::stats(&list),
        Command::Backup(backup) => care::backup(backup),
        Command::Check(check) => care::check(&check),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::man(folder),
    }
}

fn init(data: &Data, name: &str) -> Result<(), CommandError> {
    let (name, folder, database) = (checked_name(name)?, data.folder(), data.database()?);
    keyring::init(&folder, name, SystemClock.now(), |hash| {
        let owner = Owner { authority: hash, master: MasterKey::read(&folder)? };
        runtime()?.block_on(store::open(&database, &folder, &owner, true))?;
        print(&format!("authority: {}", hash.to_base64()))
    })
}

/// A time as commands take it.
fn time(text: &str) -> Result<i64, String> {
    parse_rfc3339(text).ok_or_else(|| "a date like 2027-01-01T00:00:00Z is expected".to_owned())
}

/// Why something was taken back: read in lists, so one line.
fn reason(text: &str) -> Result<String, &'static str> {
    if text.chars().any(char::is_control) { Err("one line of text is expected") } else { Ok(text.to_owned()) }
}

fn checked_name(name: &str) -> Result<&str, CommandError> {
    if owner::is_name(name) { Ok(name) } else { Err(CommandError::Name) }
}

/// The bytes of a file that may hold keys, or of standard input. A copy that became too small is wiped.
fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let at = |source| CommandError::File { path: path.to_owned(), source };
    let mut source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path).map_err(at)?) };
    let (mut bytes, mut length) = (Zeroizing::new(vec![0; 64 << 10]), 0);
    loop {
        if length > MAX_FILE {
            return Err(at(io::Error::from(io::ErrorKind::FileTooLarge)));
        }
        if length == bytes.len() {
            let mut larger = Zeroizing::new(vec![0; (length * 2).min(MAX_FILE + 1)]);
            larger[..length].copy_from_slice(&bytes);
            bytes = larger;
        }
        match source.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(at(error)),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// As [`read_bytes`], of text.
fn read_text(path: &Path) -> Result<Zeroizing<String>, CommandError> {
    let mut bytes = read_bytes(path)?;
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        CommandError::File { path: path.to_owned(), source: io::Error::from(io::ErrorKind::InvalidData) }
    })
}

fn print(line: &str) -> Result<(), CommandError> {
    let mut output = io::stdout().lock();
    // At once: who reads the first line and goes leaves nobody for a second write.
    output.write_all(format!("{line}\n").as_bytes())?;
    Ok(output.flush()?)
}
