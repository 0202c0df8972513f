//! The command line: arguments, and which command runs. Exit status 0 done, 1 failed, 2 wrong usage.

mod catalogue;
mod give;
mod listing;
mod manual;
mod options;
mod revocation;
mod serve;

use crate::clock::{Clock as _, SystemClock};
use crate::folder::DataFolder;
use crate::keyring::{self, KeyringError, MasterKey};
use crate::policy::{Fault, to_rfc3339};
use crate::serve::ServeError;
use crate::store::{self, Listed, Pending, Store, StoreError};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Kid};

/// License service: individualization, issuing and license management.
#[derive(Parser)]
#[command(name = "wmlicensed", version, arg_required_else_help = true, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Data {
    /// Data folder of the service.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
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
    Certificate(CertificateCommand),
    /// Content and its keys.
    #[command(subcommand)]
    Content(catalogue::ContentCommand),
    /// Terms that content is licensed on.
    #[command(subcommand)]
    Policy(catalogue::PolicyCommand),
    /// Subscriptions: one root license opens many leaves.
    #[command(subcommand)]
    Subscription(catalogue::SubscriptionCommand),
    /// Accounts of users.
    #[command(subcommand)]
    Account(catalogue::AccountCommand),
    /// Licenses issued.
    #[command(subcommand)]
    License(revocation::LicenseCommand),
    /// Licenses restored to further devices.
    #[command(subcommand)]
    Restore(ListCommand),
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
    /// Count everything.
    Stats(List),
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
enum CertificateCommand {
    /// Give every role a new key and a certificate for 400 days. A running service takes them over within a minute.
    Renew {
        #[command(flatten)]
        data: Data,
    },
    /// Let a service's key count no more, once the next status list is published.
    Revoke {
        #[command(flatten)]
        data: Data,
        /// Certificate of the service.
        certificate: PathBuf,
        /// From when on what it signed counts for nothing; without it, nothing that it ever signed counts.
        #[arg(long, value_name = "TIME", value_parser = revocation::time)]
        from: Option<i64>,
        /// Why, for your own records.
        #[arg(long, value_parser = reason)]
        reason: Option<String>,
    },
}

#[derive(Subcommand)]
enum ListCommand {
    /// List them, the latest first.
    List(List),
}

#[derive(Subcommand)]
enum DeviceCommand {
    /// List them, the latest first.
    List(List),
    /// Answer no request of a device any more.
    Revoke(revocation::RevokeDevice),
}

/// A command failed.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// Keys or certificates.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of two options that belong together.
    #[error("--{0} is set and --{1} is not; both are needed")]
    Lone(&'static str, &'static str),
    /// Serving.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A file that the user named.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The list of content cannot be taken.
    #[error(transparent)]
    Content(#[from] crate::catalogue::ContentError),
    /// The policy has wrong fields.
    #[error("the policy is not set; wrong are\n{}", lines(.0))]
    Policy(Vec<Fault>),
    /// No policy has this name.
    #[error("there is no policy {0}; set it with `wmlicensed policy set`")]
    NoPolicy(String),
    /// No account has this name.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// No subscription has this name.
    #[error("there is no subscription {0}; add it with `wmlicensed subscription add`")]
    NoSubscription(String),
    /// The policy cannot be that of a subscription.
    #[error("policy {0} counts uses or names a subscription; that of a subscription itself does neither")]
    NotForRoots(String),
    /// The name is empty or too long.
    #[error("a name has 1 to 128 bytes without control characters")]
    Name,
    /// The key ID is there with another key.
    #[error("key ID {0} is there already with another key; nothing was added")]
    OtherKey(Kid),
    /// The stored key cannot be compared.
    #[error("the stored key of {0} does not open under the master key")]
    MasterKey(Kid),
    /// The account's name is taken.
    #[error("there is an account {0} already; `wmlicensed account token {0}` gives it another token")]
    AccountExists(String),
    /// Neither a device nor an account.
    #[error("there is no account {0}, and no device of this ID that asked here before")]
    NoRecipient(String),
    /// The account has no devices.
    #[error("account {0} has no devices that this service knows")]
    NoDevices(String),
    /// One account is named twice, differently.
    #[error("the licenses are given to one account; another one cannot be named beside it")]
    TwoAccounts,
    /// A file is for one device.
    #[error("a file is for one device, and the account has {0}; name the device, and the account with --account")]
    OneDevice(usize),
    /// More than one answer takes.
    #[error("at most {0} key IDs are given at once")]
    TooManyKids(usize),
    /// So many devices got nothing.
    #[error("{0} devices were given nothing")]
    NotGiven(usize),
    /// No such device.
    #[error("there is no device {0}")]
    NoDevice(DeviceId),
    /// No such order.
    #[error("there is no revocation {0}")]
    NoRevocation(u64),
    /// The file is no certificate of this authority.
    #[error("{} is no certificate of a service of this authority", .0.display())]
    Certificate(PathBuf),
    /// More keys are revoked than a status list takes.
    #[error("more keys are revoked than a status list of 1 MiB takes")]
    TooLong,
    /// Another process published meanwhile.
    #[error("another status list was published meanwhile; publish again")]
    Published,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// Nothing can be printed, or no thread can be had.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<getrandom::Error> for CommandError {
    fn from(_: getrandom::Error) -> Self {
        Self::Random
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("  {}", plain(&fault.to_string()))).collect::<Vec<_>>().join("\n")
}

/// An error for people: one line, but of a policy one for each field.
fn told(error: &CommandError) -> String {
    let text = error.to_string();
    if matches!(error, CommandError::Policy(_)) { text } else { plain(&text) }
}

/// Text from elsewhere, with everything that could steer a terminal left out.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
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
        Command::Init { data, name } => init(&DataFolder::new(data.data), &name),
        Command::Serve(arguments) => serve::serve(*arguments, parsed),
        Command::Certificate(CertificateCommand::Renew { data }) => renew(&DataFolder::new(data.data)),
        Command::Certificate(CertificateCommand::Revoke { data, certificate, from, reason }) => {
            revocation::certificate(&data, certificate, from.unwrap_or(0), reason)
        }
        Command::Content(command) => catalogue::content(command),
        Command::Policy(command) => catalogue::policy(command),
        Command::Subscription(command) => catalogue::subscription(command),
        Command::Account(command) => catalogue::account(command),
        Command::License(command) => revocation::license(command),
        Command::Restore(ListCommand::List(list)) => listing::restores(&list),
        Command::Device(DeviceCommand::List(list)) => listing::devices(&list),
        Command::Device(DeviceCommand::Revoke(revoke)) => revocation::device(revoke),
        Command::Application(command) => revocation::application(command),
        Command::Revocation(command) => revocation::revocation(command),
        Command::Status(command) => revocation::status(command),
        Command::Stats(list) => listing::stats(&list),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::man(folder),
    }
}

fn init(folder: &DataFolder, name: &str) -> Result<(), CommandError> {
    let name = checked_name(name)?;
    keyring::init(folder, name, SystemClock.now(), |hash| {
        store::create(folder)?;
        print(&format!("authority: {}", hash.to_base64()))
    })
}

fn renew(folder: &DataFolder) -> Result<(), CommandError> {
    for certificate in keyring::renew(folder, SystemClock.now())? {
        print(&format!("{}: valid until {}", certificate.role.name(), to_rfc3339(certificate.not_after)))?;
    }
    Ok(())
}

/// Why something was taken back: read in lists, so one line.
fn reason(text: &str) -> Result<String, &'static str> {
    if text.chars().any(char::is_control) { Err("one line of text is expected") } else { Ok(text.to_owned()) }
}

fn checked_name(name: &str) -> Result<&str, CommandError> {
    let good = (1..=128).contains(&name.len()) && !name.chars().any(char::is_control);
    if good { Ok(name) } else { Err(CommandError::Name) }
}

fn print(line: &str) -> Result<(), CommandError> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// The database and master key of a data folder, and a runtime to wait for the store.
struct Opened {
    store: Arc<Store>,
    master: MasterKey,
    runtime: tokio::runtime::Runtime,
}

impl Opened {
    fn new(data: &Data) -> Result<Self, CommandError> {
        let folder = DataFolder::new(&data.data);
        let master = MasterKey::read(&folder)?;
        keyring::check_database(&folder)?;
        let store = store::open(&folder)?;
        Ok(Self { store, master, runtime: tokio::runtime::Builder::new_current_thread().enable_time().build()? })
    }

    fn wait<T>(&self, pending: Pending<'_, T>) -> Result<T, CommandError> {
        Ok(self.runtime.block_on(pending)?)
    }

    /// A list.
    fn all<T: Listed + Send + 'static>(&self) -> Result<Vec<T>, CommandError> {
        self.wait(self.store.all())
    }
}
