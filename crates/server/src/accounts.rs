//! Account tokens: made here, stored as their hash, sent by clients in `Authorization: Bearer` only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wmlicense_wire::id::{Digest, UserId};
use zeroize::Zeroizing;

/// Longest token read, in bytes.
const MAX_TOKEN: usize = 256;

/// An account as the service needs it to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Random; what policies name the account by.
    pub(crate) user: UserId,
    /// What it may have.
    pub(crate) scopes: Vec<String>,
}

/// A new token and the hash under which it is found.
pub(crate) fn new_token() -> Result<(Zeroizing<String>, Digest), getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
    let hash = token_hash(&token);
    Ok((token, hash))
}

/// The hash under which a token is found.
pub(crate) fn token_hash(token: &str) -> Digest {
    Digest::of_parts(&[b"wmlicense/1 token\0", token.as_bytes()])
}

/// Hash of the token in an `Authorization` header; `None` if it holds no bearer token (RFC 6750 §2.1).
pub(crate) fn bearer(header: &str) -> Option<Digest> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    let plausible = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN;
    plausible.then(|| token_hash(token))
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
}
