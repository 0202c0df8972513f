//! In whose name a command acts: the audit says it.

use crate::clock::{Clock as _, SystemClock};
use crate::store::Acting;

/// Whom the system names, at this time.
pub(super) fn acting() -> Result<Acting, getrandom::Error> {
    Acting::begun(who(), SystemClock.now())
}

/// The user of the system by its name, or by its number where no file names it. With `sudo` also who gave the command: that is
/// what `sudo` said, and only the first is what the system knows.
fn who() -> String {
    let number = rustix::process::geteuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = name_of(&users, number).map_or_else(|| format!("user {number}"), str::to_owned);
    let behind = std::env::var("SUDO_USER").ok().filter(|behind| *behind != user && is_name(behind));
    behind.map_or(user.clone(), |behind| format!("{user} for {behind}"))
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The name of a user in a file of users (passwd(5)).
fn name_of(users: &str, number: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, of) = (fields.next()?, fields.nth(1)?);
        (of.parse() == Ok(number) && is_name(name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n#\n\nada:x:1000:1000::/home/ada:/bin/sh\nbroken:x\n";
        assert_eq!(name_of(users, 1000), Some("ada"));
        assert_eq!((name_of(users, 0), name_of(users, 7)), (Some("root"), None));
    }

    #[test]
    fn acts_of_one_second_have_rows_of_their_own() {
        let (first, second) = (acting().unwrap(), acting().unwrap());
        assert_ne!(first.id, second.id);
        assert!(!first.who.is_empty());
    }
}
