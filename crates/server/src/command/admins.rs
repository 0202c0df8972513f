//! `wmlicensed admin`: those who act for the owner from elsewhere, by tokens with roles.

use super::actor::acting;
use super::error::CommandError;
use super::listing::{self, Format};
use super::{Data, Opened, checked_name, print, time};
use crate::accounts::new_admin_token;
use crate::clock::{Clock as _, SystemClock};
use crate::policy::to_rfc3339;
use crate::rules::admins::AdminRole;
use crate::store::NewAdminToken;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

#[derive(Subcommand)]
pub(super) enum AdminCommand {
    /// Let somebody act for the owner through the management listener, and print the token for it, which is not stored and not
    /// shown again; `admin token` makes another one.
    Add(Box<Add>),
    /// List them by name.
    List(Box<ListAdmins>),
    /// Let them act no more, from now on.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Their names.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print another token for somebody; the one before counts no more.
    Token {
        #[command(flatten)]
        data: Data,
        /// The name.
        name: String,
        #[command(flatten)]
        end: End,
    },
}

#[derive(Args)]
pub(super) struct Add {
    #[command(flatten)]
    data: Data,
    /// Name of the person or program, as the audit says it.
    name: String,
    /// What they may: owner, everything; shop, accounts and what they have; packager, content and its keys; support, help users;
    /// reader, look.
    #[arg(long, value_parser = PossibleValuesParser::new(AdminRole::ALL.map(AdminRole::name))
        .try_map(|name| AdminRole::of_name(&name).ok_or("there is no such role")))]
    role: AdminRole,
    #[command(flatten)]
    end: End,
}

#[derive(Args)]
pub(super) struct ListAdmins {
    #[command(flatten)]
    data: Data,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Those that were removed and tokens that were replaced as well.
    #[arg(long)]
    removed: bool,
}

#[derive(Args)]
pub(super) struct End {
    /// From when on the token counts no more; it may be ended before.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
}

impl End {
    /// A token with this end.
    fn token(&self) -> Result<(Zeroizing<String>, NewAdminToken), CommandError> {
        if let Some(until) = self.until.filter(|until| *until <= SystemClock.now()) {
            return Err(CommandError::Over(to_rfc3339(until)));
        }
        let (token, hash) = new_admin_token()?;
        Ok((token, NewAdminToken { hash, ends_at: self.until }))
    }
}

pub(super) fn admin(command: AdminCommand) -> Result<(), CommandError> {
    match command {
        AdminCommand::Add(add) => {
            let Add { data, name, role, end } = *add;
            checked_name(&name)?;
            let (token, new) = end.token()?;
            let opened = Opened::new(&data)?;
            if !opened.wait(opened.store.add_admin(name.clone(), role, new, acting()?))? {
                return Err(CommandError::AdminExists(name));
            }
            print_token(&token)
        }
        AdminCommand::Token { data, name, end } => {
            let (token, new) = end.token()?;
            let opened = Opened::new(&data)?;
            if !opened.wait(opened.store.set_admin_token(name.clone(), new, acting()?))? {
                return Err(CommandError::NoAdmin(name));
            }
            print_token(&token)
        }
        AdminCommand::Remove { data, names } => {
            let opened = Opened::new(&data)?;
            for name in names {
                if !opened.wait(opened.store.remove_admin(name.clone(), acting()?))? {
                    return Err(CommandError::NoAdmin(name));
                }
                print(&format!("removed: {name}"))?;
            }
            Ok(())
        }
        AdminCommand::List(list) => self::list(&list),
    }
}

fn list(list: &ListAdmins) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let mut rows = opened.wait(opened.store.admins())?;
    rows.retain(|row| list.removed || row.ended_at.is_none());
    listing::show_rows(Format::of(list.json), rows)
}

/// Only when it counts: a token that was printed is one that works.
fn print_token(token: &str) -> Result<(), CommandError> {
    print(&Zeroizing::new(format!("token: {token}")))
}
