//! `wmlicensed backup` and `check`.

use super::actor::acting;
use super::error::CommandError;
use super::listing::{Format, show};
use super::{Data, Opened, print};
use crate::clock::{Clock as _, SystemClock};
use crate::ends::{WARNED_DAYS, days};
use crate::folder::DataFolder;
use crate::keyring::{self, Certified, MasterKey};
use crate::policy::to_rfc3339;
use crate::store::{self, Act, Broken, Checked, CopyError, Database, Inspection};
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use wmlicense_wire::certificate::{AuthorityCertificate, Role};
use wmlicense_wire::status_list::StatusList;

/// What is said where a backup is not this program's.
const OF_SERVER: &str = "the database is on a server: pg_dump, or a base backup with its log, makes a backup of it; what else belongs to \
a backup are the keys, the certificates and authority.cose of the data folder";

/// Room on the disk below which the service will soon take no writes, and below which the owner is told in time.
const LEAST_ROOM: u64 = 64 * 1024 * 1024;
const GOOD_ROOM: u64 = 1024 * 1024 * 1024;

#[derive(Args)]
pub(super) struct Backup {
    #[command(flatten)]
    data: Data,
    /// The file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    data: Data,
    /// Look at this backup in place of the database in the data folder.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn backup(Backup { data, to }: Backup) -> Result<(), CommandError> {
    let folder = data.folder();
    let Database::Sqlite(path) = data.database()? else { return Err(CommandError::Backup(OF_SERVER.to_owned())) };
    keyring::check_database(&folder, &path)?;
    store::copy(&path, &to).map_err(|error| match error {
        CopyError::Store(error) => CommandError::Store(error),
        CopyError::File(source) => CommandError::File { path: to.clone(), source },
        CopyError::Damaged(_) => CommandError::Backup(error.to_string()),
    })?;
    if store::is_current(&path)? {
        let (opened, about) = (Opened::new(&data)?, Some(to.display().to_string()));
        opened.wait(opened.store.note_act(Act { act: "backup", about, ..Act::default() }, acting()?))?;
    } else {
        // Opening it would bring it to this version's schema, under a service of another version that may be running.
        let warning = "the database is of another version of this program: it was copied and left as it is, and its audit does not \
            tell of the copy";
        // Nobody is there to be warned where standard error is closed.
        let _ = writeln!(std::io::stderr(), "wmlicensed: warning: {warning}");
    }
    print(&format!("backup: {}", super::error::plain(&to.display().to_string())))?;
    print("in it: content with sealed keys, policies, accounts, devices, licenses, restores, answers, the audit")?;
    print(
        "not in it: keys, certificates, authority.cose; copy these to another place after `init` and `certificate renew`",
    )?;
    print("without keys/master.key of this folder nothing of the content in it opens")
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warning,
    Bad,
}

/// What was looked at, and what was found.
struct Finding {
    verdict: Verdict,
    what: &'static str,
    found: String,
}

fn finding(verdict: Verdict, what: &'static str, found: impl Into<String>) -> Finding {
    Finding { verdict, what, found: found.into() }
}

pub(super) fn check(asked: &Check) -> Result<(), CommandError> {
    let folder = asked.data.folder();
    let (authority, certified) = keyring::certificates(&folder)?;
    let mut findings = vec![finding(Verdict::Good, "authority", authority.hash.to_base64())];
    findings.extend(Role::ALL.into_iter().map(|role| of_role(role, &certified)));
    findings.push(of_backup_keys(&certified));
    findings.push(of_modes(&folder));
    match (&asked.file, asked.data.database()?) {
        (Some(file), _) => findings.extend(of_database(&folder, file, &authority)),
        (None, Database::Sqlite(path)) => {
            keyring::check_database(&folder, &path)?;
            findings.extend(of_database(&folder, &path, &authority));
        }
        (None, Database::Postgres(_)) => findings.extend(of_server(&asked.data)),
    }
    findings.push(of_room(folder.path()));
    let rows = findings.iter().map(|Finding { verdict, what, found }| {
        let verdict = match verdict {
            Verdict::Good => "good",
            Verdict::Warning => "warning",
            Verdict::Bad => "bad",
        };
        vec![json!(verdict), json!(what), json!(found)]
    });
    show(Format::of(asked.json), &["verdict", "what", "found"], rows.collect())?;
    match findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        bad => Err(CommandError::Check(bad)),
    }
}

/// A server looks after its own disk: here is asked whether it is this service's, and whether it takes writes; and what this
/// program wrote is looked at.
fn of_server(data: &Data) -> Vec<Finding> {
    const WHAT: &str = "database";
    let opened = match Opened::new(data) {
        Ok(opened) => opened,
        Err(error) => return vec![finding(Verdict::Bad, WHAT, error.to_string())],
    };
    let mut findings = vec![match opened.wait(opened.store.ready()) {
        Ok(()) => finding(Verdict::Good, WHAT, "on a server, of these keys, and takes writes"),
        Err(error) => finding(Verdict::Bad, WHAT, error.to_string()),
    }];
    let mut all = Checked::default();
    loop {
        match opened.wait(opened.store.check_deliveries(all.behind)) {
            Ok(checked) => {
                all = all.and(checked);
                if all.behind.is_none() {
                    findings.push(of_deliveries(&all));
                    return findings;
                }
            }
            Err(error) => {
                findings.push(finding(Verdict::Bad, DELIVERIES, error.to_string()));
                return findings;
            }
        }
    }
}

/// What is said of the licenses that were delivered many at once.
const DELIVERIES: &str = "deliveries";

fn of_deliveries(Checked { deliveries, broken, named, behind: _ }: &Checked) -> Finding {
    if *broken == 0 {
        return finding(Verdict::Good, DELIVERIES, format!("{deliveries}, with the pages that say what was delivered"));
    }
    let name = |Broken { id, device, page, why }: &Broken| {
        format!("delivery {} to device {device} with page {}: {why}", id.to_hex(), page.to_hex())
    };
    let words: Vec<String> = named.iter().map(name).collect();
    let more = match broken - named.len() as u64 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let found = format!("{broken} of {deliveries} are damaged, put a backup back: {}{more}", words.join("; "));
    finding(Verdict::Bad, DELIVERIES, found)
}

fn of_role(role: Role, all: &[Certified]) -> Finding {
    let (what, now) = (role.name(), SystemClock.now());
    let in_use = all.iter().find(|certified| certified.certificate.role == role && certified.is_in_use(all));
    let Some(Certified { certificate, .. }) = in_use else {
        return finding(
            Verdict::Warning,
            what,
            "no key here; a service on this machine must leave this role to another",
        );
    };
    let (end, days) = (to_rfc3339(certificate.not_after), days(certificate.not_after, now));
    match certificate.not_after {
        past if past <= now => finding(Verdict::Bad, what, format!("ended {end}; run `wmlicensed certificate renew`")),
        _ if days < WARNED_DAYS => {
            finding(Verdict::Warning, what, format!("ends {end}, in {days} days; run `wmlicensed certificate renew`"))
        }
        _ => finding(Verdict::Good, what, format!("valid until {end}")),
    }
}

fn of_backup_keys(all: &[Certified]) -> Finding {
    match all.iter().filter(|certified| !certified.has_backup_key).count() {
        0 => finding(Verdict::Good, "backup keys", "all there"),
        missing => {
            let found = format!("{missing} are not here; backups sealed to them restore on the same device only");
            finding(Verdict::Warning, "backup keys", found)
        }
    }
}

fn of_modes(folder: &DataFolder) -> Finding {
    match folder.open_keys() {
        Err(error) => finding(Verdict::Bad, "key files", error.to_string()),
        Ok(open) if open.is_empty() => finding(Verdict::Good, "key files", "for their owner only"),
        Ok(open) => {
            let found = format!("others can read {}; run `chmod 600` on them", listed(&open));
            finding(Verdict::Warning, "key files", found)
        }
    }
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn of_database(folder: &DataFolder, database: &Path, authority: &AuthorityCertificate) -> Vec<Finding> {
    const WHAT: &str = "database";
    let master = match MasterKey::read(folder) {
        Ok(master) => master,
        Err(error) => return vec![finding(Verdict::Bad, "master key", error.to_string())],
    };
    let inspection = store::inspect(database, |kid, sealed| master.open(kid, sealed).is_some());
    let Inspection { schema: (schema, known), is_ours, faults, dangling, keys, sealed, deliveries, status_list } =
        match inspection {
            Ok(inspection) => inspection,
            Err(error) => return vec![finding(Verdict::Bad, WHAT, format!("{}: {error}", database.display()))],
        };
    if let Some(first) = faults.first() {
        return vec![finding(Verdict::Bad, WHAT, format!("damaged, put a backup back: {first}"))];
    }
    if !is_ours {
        return vec![finding(Verdict::Bad, WHAT, "an empty file, or a database of another program")];
    }
    let mut findings = vec![match schema {
        newer if newer > known => {
            finding(Verdict::Bad, WHAT, format!("whole, but of schema {schema}, and this version knows up to {known}"))
        }
        older if older < known => {
            finding(Verdict::Good, WHAT, format!("whole, of schema {schema}; the next start makes it {known}"))
        }
        _ if dangling > 0 => finding(Verdict::Bad, WHAT, format!("{dangling} rows refer to rows that are not there")),
        _ => finding(Verdict::Good, WHAT, format!("whole, of schema {schema}")),
    }];
    findings.push(match sealed.1 {
        None => finding(Verdict::Good, "content keys", format!("{keys} open under keys/master.key")),
        Some(first) => {
            let found = format!("{} of {keys} do not open under keys/master.key, first {first}", sealed.0);
            finding(Verdict::Bad, "content keys", found)
        }
    });
    if schema == known {
        findings.push(of_deliveries(&deliveries));
    }
    if let Some(bytes) = status_list {
        findings.push(of_status_list(&bytes, authority));
    }
    findings
}

fn of_status_list(bytes: &[u8], authority: &AuthorityCertificate) -> Finding {
    let what = "status list";
    match StatusList::parse(bytes, authority) {
        Err(_) => finding(Verdict::Bad, what, "not signed by this authority; run `wmlicensed status publish`"),
        Ok(list) if list.next_update <= SystemClock.now() => {
            let due = to_rfc3339(list.next_update);
            finding(Verdict::Warning, what, format!("a newer one was due {due}; run `wmlicensed status publish`"))
        }
        Ok(list) => finding(Verdict::Good, what, format!("the next is due {}", to_rfc3339(list.next_update))),
    }
}

fn of_room(path: &Path) -> Finding {
    let what = "free space";
    match rustix::fs::statvfs(path) {
        Err(error) => finding(Verdict::Warning, what, error.to_string()),
        Ok(disk) => {
            let room = disk.f_bavail.saturating_mul(disk.f_frsize);
            let verdict = match room {
                ..LEAST_ROOM => Verdict::Bad,
                LEAST_ROOM..GOOD_ROOM => Verdict::Warning,
                GOOD_ROOM.. => Verdict::Good,
            };
            finding(verdict, what, format!("{} MiB", room / (1024 * 1024)))
        }
    }
}
