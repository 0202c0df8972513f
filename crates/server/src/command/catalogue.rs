//! `wmlicensed content`, `policy` and `subscription`.

use super::actor::acting;
use super::error::CommandError;
use super::keys::{self, Export, KeyFile};
use super::{Data, List, Opened, checked_name, listing, print, read_text};
use crate::catalogue::ContentKey;
use crate::owner::catalogue::{self as owner, How};
use crate::rules::granted::OFFERS_ONLY;
use crate::store::{Changes, Offering};
use clap::{ArgGroup, Args, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

#[derive(Args)]
#[command(group = ArgGroup::new("who").args(["scope", "open"]))]
pub(super) struct Terms {
    /// Policy that the content is licensed on; without one it may be played and backed up, on four devices.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Scope that an account must have. Without it and without --open only offers that name it reach it.
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// Anybody may have it.
    #[arg(long)]
    open: bool,
}

impl Terms {
    /// The scope as it is kept.
    fn kept_scope(&self) -> Option<String> {
        if self.open { None } else { Some(self.scope.clone().unwrap_or_else(|| OFFERS_ONLY.to_owned())) }
    }
}

#[derive(Subcommand)]
pub(super) enum ContentCommand {
    /// Add one content key, or change the terms of one that is there.
    Add(Box<AddContent>),
    /// Add the content keys of a file. All or none are added, and what changes is told.
    ///
    /// The file is a CPIX document, a JSON array of objects with kid, key and title, CSV lines kid,key,title, or the keys as Shaka
    /// Packager (label=…:key_id=…:key=…) or Bento4 (KID:KEY) take them; which of these it tells itself.
    Import {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        terms: Terms,
        /// Only tell what would change.
        #[arg(long)]
        dry_run: bool,
        /// Let content that is there already get these terms, or be for others than before; without it such a list is refused.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        file: KeyFile,
    },
    /// Write content keys for a packager. The audit tells who did.
    Export(Box<Export>),
    /// Forget content: its licenses are withdrawn from devices at their next pre-delivery.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Key IDs in hexadecimal.
        #[arg(required = true, value_name = "KID", value_parser = Kid::from_hex)]
        kids: Vec<Kid>,
    },
    /// List content by key ID. Keys are not shown.
    List(Box<listing::Scoped>),
}

#[derive(Args)]
#[command(group = ArgGroup::new("which key").required(true).args(["key", "key_file", "generate"]))]
pub(super) struct AddContent {
    #[command(flatten)]
    data: Data,
    /// Key ID in hexadecimal, with or without hyphens; with --generate a random one where none is named.
    #[arg(long, value_name = "HEX", required_unless_present = "generate")]
    kid: Option<String>,
    /// Make a random key, which `content export` gives to the packager.
    #[arg(long)]
    generate: bool,
    /// File with the content key in hexadecimal; - is standard input.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Content key in hexadecimal. Other users of the machine can read it here, and shells write it down: take --key-file.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// Title for people.
    #[arg(long)]
    title: Option<String>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Set a policy. Content that refers to it is licensed on the changed terms from now on.
    Set {
        #[command(flatten)]
        data: Data,
        /// Name of the policy.
        name: String,
        /// JSON file with the terms.
        file: PathBuf,
    },
    /// Show the JSON of a policy.
    Show {
        #[command(flatten)]
        data: Data,
        /// Name of the policy.
        name: String,
    },
    /// List all policies.
    List(List),
}

#[derive(Subcommand)]
pub(super) enum SubscriptionCommand {
    /// Add a subscription, or change the terms of the one of this name. Policies name it in `subscription`.
    Add {
        #[command(flatten)]
        data: Data,
        /// Name of the subscription.
        name: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// List all subscriptions.
    List(List),
}

pub(super) fn content(command: ContentCommand) -> Result<(), CommandError> {
    match command {
        ContentCommand::Add(add) => add_content(*add),
        ContentCommand::Import { data, terms, dry_run, replace, file } => {
            let list = file.read()?;
            let changes = add(&Opened::new(&data)?, &list.keys, &terms, ("content import", replace, dry_run))?;
            let done = if dry_run { "would import" } else { "imported" };
            print(&format!("{done}: {} ({} new)", list.keys.len(), changes.new))?;
            owner::told(&changes).iter().try_for_each(|line| print(line))?;
            keys::left_out(&list.keyless)
        }
        ContentCommand::Export(export) => keys::export(*export),
        ContentCommand::Remove { data, kids } => {
            let opened = Opened::new(&data)?;
            print(&format!("removed: {}", opened.wait(opened.store.remove_content(kids, acting()?))?))
        }
        ContentCommand::List(list) => listing::contents(&list),
    }
}

fn add_content(add_content: AddContent) -> Result<(), CommandError> {
    let AddContent { data, kid, generate, key_file, key, title, terms } = add_content;
    let content = if generate {
        ContentKey::random(kid.as_deref(), title.as_deref())?
    } else {
        let key = match (key_file, key) {
            (Some(file), _) => read_text(&file)?,
            (None, key) => {
                // Nobody is there to be warned where standard error is closed.
                let warning = "warning: a key on the command line is seen by others; give it with --key-file";
                let _ = writeln!(std::io::stderr(), "wmlicensed: {warning}");
                Zeroizing::new(key.unwrap_or_default())
            }
        };
        ContentKey::read(&kid.unwrap_or_default(), &key, title.as_deref())?
    };
    let kid = content.kid;
    // Who names one key ID names its terms, too.
    let changes = add(&Opened::new(&data)?, &[content], &terms, ("content add", true, false))?;
    print(&format!("{}: {kid}", owner::became(&changes)))
}

/// Adds content, all or none, and gives what that changes.
fn add(
    opened: &Opened,
    list: &[ContentKey],
    terms: &Terms,
    how: (&'static str, bool, bool),
) -> Result<Changes, CommandError> {
    for name in [&terms.policy, &terms.scope].into_iter().flatten() {
        checked_name(name)?;
    }
    let (act, replace, dry) = how;
    let offering = Offering { policy: terms.policy.clone(), scope: terms.kept_scope() };
    let how = How { act, replace, dry, offering };
    opened.run(owner::add(&opened.store, &opened.master, list, &how, acting()?))
}

pub(super) fn policy(command: PolicyCommand) -> Result<(), CommandError> {
    match command {
        PolicyCommand::Set { data, name, file } => {
            checked_name(&name)?;
            let text = read_text(&file)?;
            let opened = Opened::new(&data)?;
            let new = opened.run(owner::set_policy(&opened.store, name.clone(), text.to_string(), acting()?))?;
            print(&format!("{}: {name}", if new { "set" } else { "changed" }))
        }
        PolicyCommand::Show { data, name } => {
            let opened = Opened::new(&data)?;
            let definition = opened.wait(opened.store.policy(name.clone()))?.ok_or(CommandError::NoPolicy(name))?;
            print(definition.trim_end())
        }
        PolicyCommand::List(list) => listing::policies(&list),
    }
}

pub(super) fn subscription(command: SubscriptionCommand) -> Result<(), CommandError> {
    let SubscriptionCommand::Add { data, name, terms } = command else {
        let SubscriptionCommand::List(list) = command else { return Ok(()) };
        return listing::subscriptions(&list);
    };
    for name in [Some(&name), terms.policy.as_ref(), terms.scope.as_ref()].into_iter().flatten() {
        checked_name(name)?;
    }
    let opened = Opened::new(&data)?;
    let scope = terms.kept_scope();
    let offering = Offering { policy: terms.policy, scope };
    let setting = owner::set_subscription(&opened.store, &opened.master, name, offering, acting()?);
    let (kid, new) = opened.run(setting)?;
    print(&format!("{}: {kid}", if new { "added" } else { "changed" }))
}
