//! `wmlicensed account`: accounts, their tokens and scopes.

use super::actor::acting;
use super::error::CommandError;
use super::listing::{self, Format, Pages, Times};
use super::{Data, Opened, checked_name, print, time};
use crate::accounts::{NewAccount, new_token};
use crate::clock::{Clock as _, SystemClock};
use crate::policy::to_rfc3339;
use crate::store::{DEFAULT_TOKEN, Filter, NewToken, TokenEnd};
use clap::{ArgGroup, Args, Subcommand};
use wmlicense_wire::id::{DeviceId, UserId};
use zeroize::Zeroizing;

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
    /// List accounts by name.
    List(Box<ListAccounts>),
    /// Remove accounts: their tokens end, and what they had is withdrawn from their devices at the next pre-delivery. What was
    /// issued to them is still listed.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Names of the accounts.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Give an account a token and print it; the one of the same name counts no more from now on. Or list and end its tokens.
    Token(Box<Token>),
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

#[derive(Args)]
pub(super) struct ListAccounts {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    pages: Pages,
    /// The account of this name.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Accounts that have this scope.
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// Accounts that licenses were issued to on this device.
    #[arg(long, value_name = "HEX", value_parser = DeviceId::from_hex)]
    device: Option<DeviceId>,
    #[command(flatten)]
    times: Times,
    /// Those that were removed as well.
    #[arg(long)]
    removed: bool,
}

#[derive(Args)]
pub(super) struct Token {
    #[command(flatten)]
    data: Data,
    /// Name of the account.
    account: String,
    /// What the token is called, so that an account can have several: one for each application or device, say.
    #[arg(long, value_name = "TOKEN", default_value = DEFAULT_TOKEN)]
    name: String,
    /// From when on it counts no more; it may be ended before.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["end", "list"])]
    until: Option<i64>,
    /// End the token of this name instead.
    #[arg(long, conflicts_with = "list")]
    end: bool,
    /// List the tokens of the account instead; they themselves are not stored.
    #[arg(long)]
    list: bool,
    /// Print the list as JSON.
    #[arg(long, requires = "list")]
    json: bool,
}

pub(super) fn account(command: AccountCommand) -> Result<(), CommandError> {
    match command {
        AccountCommand::Add { data, name, scope } => add(&data, name, scope),
        AccountCommand::List(list) => self::list(*list),
        AccountCommand::Remove { data, names } => remove(&data, names),
        AccountCommand::Token(token) if token.list => list_tokens(*token),
        AccountCommand::Token(token) if token.end => end_token(*token),
        AccountCommand::Token(token) => set_token(*token),
        AccountCommand::Change { data, name, add_scope, remove_scope } => {
            for scope in &add_scope {
                checked_name(scope)?;
            }
            let opened = Opened::new(&data)?;
            if !opened.wait(opened.store.change_account(name.clone(), add_scope, remove_scope, acting()?))? {
                return Err(CommandError::NoAccount(name));
            }
            print(&format!("changed: {name}"))
        }
    }
}

fn add(data: &Data, name: String, scope: Vec<String>) -> Result<(), CommandError> {
    checked_name(&name)?;
    for scope in &scope {
        checked_name(scope)?;
    }
    let opened = Opened::new(data)?;
    let (token, hash) = new_token()?;
    let account = NewAccount { user: UserId::random()?, scopes: scope };
    if !opened.wait(opened.store.add_account(name.clone(), account, hash, acting()?))? {
        return Err(CommandError::AccountExists(name));
    }
    print_token(&token)
}

fn list(list: ListAccounts) -> Result<(), CommandError> {
    let ListAccounts { data, pages, account, scope, device, times, removed } = list;
    let (since, until) = times.bounds();
    let filter = Filter { account, scope, device, since, until, removed, ..Filter::default() };
    listing::accounts(&Opened::new(&data)?, &pages, filter)
}

fn remove(data: &Data, names: Vec<String>) -> Result<(), CommandError> {
    let opened = Opened::new(data)?;
    for name in names {
        if !opened.wait(opened.store.remove_account(name.clone(), acting()?))? {
            return Err(CommandError::NoAccount(name));
        }
        print(&format!("removed: {name}"))?;
    }
    Ok(())
}

fn set_token(Token { data, account, name, until, .. }: Token) -> Result<(), CommandError> {
    checked_name(&name)?;
    if let Some(until) = until.filter(|until| *until <= SystemClock.now()) {
        return Err(CommandError::Over(to_rfc3339(until)));
    }
    let opened = Opened::new(&data)?;
    let (token, hash) = new_token()?;
    let new = NewToken { hash, name, ends_at: until };
    if !opened.wait(opened.store.set_token(account.clone(), new, acting()?))? {
        return Err(CommandError::NoAccount(account));
    }
    print_token(&token)
}

fn end_token(Token { data, account, name, .. }: Token) -> Result<(), CommandError> {
    let opened = Opened::new(&data)?;
    match opened.wait(opened.store.end_token(account.clone(), name.clone(), acting()?))? {
        TokenEnd::Ended => print(&format!("ended: {name}")),
        TokenEnd::NoToken => Err(CommandError::NoToken(account, name)),
        TokenEnd::NoAccount => Err(CommandError::NoAccount(account)),
    }
}

fn list_tokens(Token { data, account, json, .. }: Token) -> Result<(), CommandError> {
    let opened = Opened::new(&data)?;
    let tokens = opened.wait(opened.store.tokens(account.clone()))?.ok_or(CommandError::NoAccount(account))?;
    listing::show_rows(Format::of(json), tokens)
}

/// Only when it counts: a token that was printed is one that works.
fn print_token(token: &str) -> Result<(), CommandError> {
    print(&Zeroizing::new(format!("token: {token}")))
}
