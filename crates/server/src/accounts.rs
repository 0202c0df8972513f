//! Tokens: made here and stored as their hash. Clients send those of accounts in `Authorization: Bearer` only; whoever acts for the
//! owner may also send theirs as a password, because many packagers know no other way.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use wmlicense_wire::id::{Digest, UserId};
use zeroize::Zeroizing;

/// Longest token read, in bytes.
const MAX_TOKEN: usize = 256;

/// Who asks. What an account may have is read in the transaction that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// Random; what policies name the account by.
    pub(crate) user: UserId,
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewAccount {
    pub(crate) user: UserId,
    /// What it may have without a grant.
    pub(crate) scopes: Vec<String>,
}

/// A new token of an account and the hash under which it is found.
pub(crate) fn new_token() -> Result<(Zeroizing<String>, Digest), getrandom::Error> {
    new(token_hash)
}

/// The same for whoever acts for the owner.
pub(crate) fn new_admin_token() -> Result<(Zeroizing<String>, Digest), getrandom::Error> {
    new(admin_hash)
}

fn new(hash: fn(&str) -> Digest) -> Result<(Zeroizing<String>, Digest), getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
    let hash = hash(&token);
    Ok((token, hash))
}

/// A token of an account is none of an admin, whoever copied a hash from one table to the other.
fn admin_hash(token: &str) -> Digest {
    Digest::of_parts(&[b"wmlicense/1 admin token\0", token.as_bytes()])
}

/// Hash of the token of an admin in an `Authorization` header: as a bearer token, or as the password of whatever user (RFC 7617);
/// `None` if it holds neither.
pub(crate) fn admin_token(header: &str) -> Option<Digest> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") && rest.len() <= 2 * MAX_TOKEN {
        let decoded = Zeroizing::new(STANDARD.decode(rest).ok()?);
        let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        return is_plausible(password).then(|| admin_hash(password));
    }
    (scheme.eq_ignore_ascii_case("bearer") && is_plausible(rest)).then(|| admin_hash(rest))
}

fn is_plausible(token: &str) -> bool {
    !token.is_empty() && token.len() <= MAX_TOKEN
}

/// The hash under which a token is found.
pub(crate) fn token_hash(token: &str) -> Digest {
    Digest::of_parts(&[b"wmlicense/1 token\0", token.as_bytes()])
}

/// Hash of the token in an `Authorization` header; `None` if it holds no bearer token (RFC 6750 §2.1).
pub(crate) fn bearer(header: &str) -> Option<Digest> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && is_plausible(token)).then(|| token_hash(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_header_and_by_no_other_form() {
        let (token, hash) = new_token().unwrap();
        assert_eq!(bearer(&format!("Bearer {}", *token)), Some(hash));
        assert_eq!(bearer(&format!("bearer  {} ", *token)), Some(hash));
        assert_eq!(bearer(&format!("Basic {}", *token)), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer(&format!("Bearer {}", "a".repeat(257))), None);
    }

    #[test]
    fn a_token_of_an_admin_comes_as_bearer_or_as_a_password_and_is_none_of_an_account() {
        let (token, hash) = new_admin_token().unwrap();
        let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(admin_token(&format!("Bearer {}", *token)), Some(hash));
        assert_eq!(admin_token(&basic(format!("packager:{}", *token))), Some(hash));
        assert_eq!(admin_token(&basic(format!(":{}", *token)).replace("Basic", "basic")), Some(hash));
        assert_ne!(bearer(&format!("Bearer {}", *token)), Some(hash));
        for wrong in [basic(token.to_string()), basic("a:".to_owned()), "Basic %".to_owned(), "Bearer ".to_owned()] {
            assert_eq!(admin_token(&wrong), None, "{wrong}");
        }
        assert_eq!(admin_token(&basic(format!("a:{}", "b".repeat(300)))), None);
    }
}
