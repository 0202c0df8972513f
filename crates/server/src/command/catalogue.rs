//! `wmlicensed content`, `policy` and `account`.

use super::{CommandError, Data, List, Opened, checked_name, listing, print};
use crate::accounts::{Account, new_token};
use crate::catalogue::{ContentKey, read_list};
use crate::clock::{Clock as _, SystemClock};
use crate::policy::{Terms as PolicyTerms, parse};
use crate::store::{Added, NewContent, NewSubscription, SubscriptionEntry};
use clap::{ArgGroup, Args, Subcommand};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use wmlicense_wire::aead::{SecretKey, constant_time_eq};
use wmlicense_wire::id::{Kid, UserId};
use zeroize::Zeroizing;

/// Longest file read, in bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

#[derive(Args)]
#[command(group = ArgGroup::new("who").required(true).args(["scope", "open"]))]
pub(super) struct Terms {
    /// Policy that the content is licensed on; without one it may be played and backed up, on four devices.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Scope that an account must have.
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// Anybody may have it.
    #[arg(long)]
    open: bool,
}

#[derive(Subcommand)]
pub(super) enum ContentCommand {
    /// Add one content key, or change the terms of one that is there.
    Add {
        #[command(flatten)]
        data: Data,
        /// Key ID in hexadecimal, with or without hyphens.
        #[arg(long, value_name = "HEX")]
        kid: String,
        /// Content key in hexadecimal.
        #[arg(long, value_name = "HEX")]
        key: String,
        /// Title for people.
        #[arg(long)]
        title: Option<String>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Add the content keys of a file: CSV lines kid,key,title or a JSON array of such objects. All or none are added.
    Import {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        terms: Terms,
        /// The file.
        file: PathBuf,
    },
    /// Forget content: its licenses are withdrawn from devices at their next pre-delivery.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Key IDs in hexadecimal.
        #[arg(required = true, value_name = "KID", value_parser = Kid::from_hex)]
        kids: Vec<Kid>,
    },
    /// List all content. Keys are not shown.
    List(List),
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
pub(super) enum AccountCommand {
    /// Add an account and print its token, which is not stored and not shown again; `account token` makes another one.
    Add {
        #[command(flatten)]
        data: Data,
        /// Name of the account.
        name: String,
        /// Scope that the account has; may be given several times.
        #[arg(long, value_name = "NAME")]
        scope: Vec<String>,
    },
    /// Give an account another token and print it; the one before counts no more from now on.
    Token {
        #[command(flatten)]
        data: Data,
        /// Name of the account.
        name: String,
    },
    /// Give an account scopes or take them away. What it may not have any more is withdrawn from its devices at their next
    /// pre-delivery.
    #[command(group = ArgGroup::new("what").required(true).multiple(true).args(["add_scope", "remove_scope"]))]
    Change {
        #[command(flatten)]
        data: Data,
        /// Name of the account.
        name: String,
        /// Scope to give; may be given several times.
        #[arg(long, value_name = "NAME")]
        add_scope: Vec<String>,
        /// Scope to take away; may be given several times.
        #[arg(long, value_name = "NAME")]
        remove_scope: Vec<String>,
    },
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
        ContentCommand::Add { data, kid, key, title, terms } => {
            let key = Zeroizing::new(key);
            let content = ContentKey::read(&kid, &key, title.as_deref())?;
            let kid = content.kid;
            let new = add(&Opened::new(&data)?, &[content], &terms)?;
            print(&format!("{}: {kid}", if new == 1 { "added" } else { "changed" }))
        }
        ContentCommand::Import { data, terms, file } => {
            let list = read_list(&read_text(&file)?)?;
            let new = add(&Opened::new(&data)?, &list, &terms)?;
            print(&format!("imported: {} ({new} new)", list.len()))
        }
        ContentCommand::Remove { data, kids } => {
            let opened = Opened::new(&data)?;
            print(&format!("removed: {}", opened.wait(opened.store.remove_content(kids, SystemClock.now()))?))
        }
        ContentCommand::List(list) => listing::contents(&list),
    }
}

/// Adds content, all or none. Gives the number of new key IDs.
fn add(opened: &Opened, list: &[ContentKey], terms: &Terms) -> Result<u64, CommandError> {
    for name in [&terms.policy, &terms.scope].into_iter().flatten() {
        checked_name(name)?;
    }
    let keys: HashMap<Kid, &ContentKey> = list.iter().map(|content| (content.kid, content)).collect();
    let mut same: Vec<Kid> = Vec::new();
    loop {
        let sealed = |content: &ContentKey| -> Result<NewContent, CommandError> {
            Ok(NewContent {
                kid: content.kid,
                sealed_key: opened.master.seal(content.kid, &*content.key)?,
                title: content.title.clone(),
                policy: terms.policy.clone(),
                scope: terms.scope.clone(),
            })
        };
        let contents = list.iter().map(sealed).collect::<Result<_, _>>()?;
        match opened.wait(opened.store.add_content(contents, same.clone(), SystemClock.now()))? {
            Added::Done { new } => return Ok(new),
            Added::NoPolicy(name) => return Err(CommandError::NoPolicy(name)),
            Added::Existing(known) => {
                for (kid, sealed) in known {
                    let stored = opened.master.open(kid, &sealed).ok_or(CommandError::MasterKey(kid))?;
                    let equal = keys.get(&kid).is_some_and(|content| constant_time_eq(&stored, &*content.key));
                    if !equal {
                        return Err(CommandError::OtherKey(kid));
                    }
                    same.push(kid);
                }
            }
        }
    }
}

pub(super) fn policy(command: PolicyCommand) -> Result<(), CommandError> {
    match command {
        PolicyCommand::Set { data, name, file } => {
            checked_name(&name)?;
            let text = read_text(&file)?;
            let terms = parse(&text).map_err(CommandError::Policy)?;
            let opened = Opened::new(&data)?;
            check_subscription(&opened, &name, &terms)?;
            let (definition, now) = (text.to_string(), SystemClock.now());
            let new = opened.wait(opened.store.set_policy(name.clone(), definition, terms.subscription, now))?;
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
    if let Some(policy) = &terms.policy {
        let definition = opened.wait(opened.store.policy(policy.clone()))?;
        let definition = definition.ok_or_else(|| CommandError::NoPolicy(policy.clone()))?;
        check_root_terms(policy, &parse(&definition).map_err(CommandError::Policy)?)?;
    }
    let (kid, key) = (Kid::random()?, SecretKey::random()?);
    let sealed_key = opened.master.seal(kid, key.as_bytes())?;
    let subscription = NewSubscription { name, kid, sealed_key, policy: terms.policy, scope: terms.scope };
    let (kid, new) = opened.wait(opened.store.set_subscription(subscription, SystemClock.now()))?;
    print(&format!("{}: {kid}", if new { "added" } else { "changed" }))
}

/// A root is not counted, and is no leaf itself.
fn check_root_terms(policy: &str, terms: &PolicyTerms) -> Result<(), CommandError> {
    let stateful = terms.actions.iter().any(|(_, conditions)| conditions.is_stateful());
    if stateful || terms.subscription.is_some() {
        return Err(CommandError::NotForRoots(policy.to_owned()));
    }
    Ok(())
}

/// The subscription that a policy names must be there, and a policy of a subscription stays fit for it.
fn check_subscription(opened: &Opened, name: &str, terms: &PolicyTerms) -> Result<(), CommandError> {
    let known = opened.all::<SubscriptionEntry>()?;
    if let Some(wanted) = &terms.subscription
        && !known.iter().any(|row| row.name == *wanted)
    {
        return Err(CommandError::NoSubscription(wanted.clone()));
    }
    match known.iter().any(|row| row.policy.as_deref() == Some(name)) {
        true => check_root_terms(name, terms),
        false => Ok(()),
    }
}

pub(super) fn account(command: AccountCommand) -> Result<(), CommandError> {
    match command {
        AccountCommand::Add { data, name, scope } => add_account(&data, name, scope),
        AccountCommand::Token { data, name } => {
            let opened = Opened::new(&data)?;
            let (token, hash) = new_token()?;
            if !opened.wait(opened.store.set_token(name.clone(), hash))? {
                return Err(CommandError::NoAccount(name));
            }
            print_token(&token)
        }
        AccountCommand::Change { data, name, add_scope, remove_scope } => {
            for scope in &add_scope {
                checked_name(scope)?;
            }
            let opened = Opened::new(&data)?;
            let now = SystemClock.now();
            if !opened.wait(opened.store.change_account(name.clone(), add_scope, remove_scope, now))? {
                return Err(CommandError::NoAccount(name));
            }
            print(&format!("changed: {name}"))
        }
    }
}

fn add_account(data: &Data, name: String, scope: Vec<String>) -> Result<(), CommandError> {
    checked_name(&name)?;
    for scope in &scope {
        checked_name(scope)?;
    }
    let opened = Opened::new(data)?;
    let (token, hash) = new_token()?;
    let account = Account { user: UserId::random()?, scopes: scope };
    if !opened.wait(opened.store.add_account(name.clone(), account, hash, SystemClock.now()))? {
        return Err(CommandError::AccountExists(name));
    }
    print_token(&token)
}

/// Only when it counts: a token that was printed is one that works.
fn print_token(token: &str) -> Result<(), CommandError> {
    print(&Zeroizing::new(format!("token: {token}")))
}

/// The text of a file that may hold keys.
fn read_text(path: &Path) -> Result<Zeroizing<String>, CommandError> {
    let at = |source| CommandError::File { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(at)?.len();
    if length > MAX_FILE {
        return Err(at(std::io::Error::from(std::io::ErrorKind::FileTooLarge)));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(at)
}
