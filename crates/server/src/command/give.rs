//! The command that gives licenses to devices that asked for none: into their mailboxes, or into a file for one of them.

use super::actor::acting;
use super::error::CommandError;
use super::{Data, print};
use crate::accounts::Account;
use crate::clock::SystemClock;
use crate::limits::Daily;
use crate::pace::Pace;
use crate::quota::Quotas;
use crate::roles::give::{GiveError, Given, give};
use crate::rules::mailbox::{Addressee, Recipient};
use crate::serve::{DEFAULT_EPOCH_PERIOD, ServeError};
use crate::service::{Measure, Presence, Service, open_database};
use clap::Args;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Kid};

/// Most key IDs at once: what fits one answer with room for the longest policies.
const MAX_KIDS: usize = 256;

#[derive(Args)]
pub(super) struct Give {
    #[command(flatten)]
    data: Data,
    /// A device by its ID in hexadecimal, or an account by its name: then every device that has or asked for licenses of it.
    #[arg(value_name = "ACCOUNT|DEVICE")]
    to: String,
    /// Key IDs of the content in hexadecimal.
    #[arg(value_name = "KID", required = true, value_parser = Kid::from_hex)]
    kids: Vec<Kid>,
    /// The account in whose name a device gets them; without it, only what is open to all.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Write them to a new file for one device instead of its mailbox, to be carried by hand.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The service as the command needs it, and a runtime to wait for it.
struct Opened {
    service: Arc<Service>,
    runtime: tokio::runtime::Runtime,
}

impl Opened {
    fn new(data: &Data) -> Result<Self, CommandError> {
        let presence = Presence {
            public_url: String::new(),
            is_said: true,
            support_url: String::new(),
            privacy_url: None,
            terms_url: None,
            poll_seconds: 1,
        };
        let (folder, clock) = (data.folder(), Arc::new(SystemClock));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let store = runtime.block_on(open_database(&folder, &data.database()?, false)).map_err(ServeError::from)?;
        let epoch_period = i64::from(DEFAULT_EPOCH_PERIOD);
        // Whom the owner gives something, no quota holds.
        let (pace, quotas) = (Pace::new(None), Quotas::new(&Daily::default()));
        let measure = Measure { pace, quotas, epoch_period };
        let service = Service::open(folder, store, vec![Role::Issuer], presence, measure, clock);
        Ok(Self { service: Arc::new(service.map_err(ServeError::from)?), runtime })
    }

    fn wait<T>(&self, pending: crate::store::Pending<'_, T>) -> Result<T, CommandError> {
        Ok(self.runtime.block_on(pending)?)
    }

    fn account(&self, name: &str) -> Result<Option<Account>, CommandError> {
        Ok(self.wait(self.service.store.user_of(name.to_owned()))?.map(|user| Account { user }))
    }

    fn recipients(&self, to: Addressee) -> Result<Vec<Recipient>, CommandError> {
        self.wait(self.service.store.recipients(to))
    }

    /// The devices, and the account in whose name they get the licenses.
    fn addressed(&self, give: &Give) -> Result<(Vec<Recipient>, Option<Account>), CommandError> {
        let named = match &give.account {
            None => None,
            Some(name) => Some(self.account(name)?.ok_or_else(|| CommandError::NoAccount(name.clone()))?),
        };
        if let Ok(device) = DeviceId::from_hex(&give.to) {
            let found = self.recipients(Addressee::Device(device))?;
            if !found.is_empty() {
                return Ok((found, named));
            }
        }
        let account = self.account(&give.to)?.ok_or_else(|| CommandError::NoRecipient(give.to.clone()))?;
        if named.is_some_and(|named| named != account) {
            return Err(CommandError::TwoAccounts);
        }
        let found = self.recipients(Addressee::Account(account.user))?;
        if found.is_empty() { Err(CommandError::NoDevices(give.to.clone())) } else { Ok((found, Some(account))) }
    }

    fn give(
        &self,
        recipient: &Recipient,
        account: Option<Account>,
        kids: &[Kid],
        keep: bool,
    ) -> Result<Given, GiveError> {
        let by = acting()?;
        self.runtime.block_on(give(&self.service, recipient, account, kids, keep, &by))
    }
}

pub(super) fn run(give: Give) -> Result<(), CommandError> {
    let opened = Opened::new(&give.data)?;
    let mut kids = give.kids.clone();
    kids.sort_unstable();
    kids.dedup();
    if kids.len() > MAX_KIDS {
        return Err(CommandError::TooManyKids(MAX_KIDS));
    }
    let (recipients, account) = opened.addressed(&give)?;
    if let Some(path) = &give.out {
        let [recipient] = recipients.as_slice() else { return Err(CommandError::OneDevice(recipients.len())) };
        return to_file(&opened, recipient, account, &kids, path);
    }
    let mut failed = 0;
    for recipient in &recipients {
        match opened.give(recipient, account, &kids, true) {
            Ok(given) => tell(recipient, &given)?,
            // Each device is its own; one that may not have them keeps them from no other.
            Err(error) => {
                failed += 1;
                print(&format!("{}: not given, {error}", recipient.device.to_hex()))?;
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(CommandError::NotGiven(failed)) }
}

fn tell(recipient: &Recipient, given: &Given) -> Result<(), CommandError> {
    let (device, transaction) = (recipient.device.to_hex(), given.transaction.to_hex());
    print(&format!("{device}: given {} licenses, {transaction}", given.licenses))
}

/// The file is there before anything is written down: what is given can then be lost by a failing disk only, and given again.
fn to_file(
    opened: &Opened,
    recipient: &Recipient,
    account: Option<Account>,
    kids: &[Kid],
    path: &Path,
) -> Result<(), CommandError> {
    let at = |source| CommandError::File { path: path.to_owned(), source };
    let mut file = File::create_new(path).map_err(at)?;
    let given = match opened.give(recipient, account, kids, false) {
        Ok(given) => given,
        Err(error) => {
            // An empty file would only mislead; that it cannot be removed changes nothing of the reason.
            let _ = std::fs::remove_file(path);
            print(&format!("{}: not given, {error}", recipient.device.to_hex()))?;
            return Err(CommandError::NotGiven(1));
        }
    };
    file.write_all(&given.answer).and_then(|()| file.sync_all()).map_err(at)?;
    tell(recipient, &given)
}
