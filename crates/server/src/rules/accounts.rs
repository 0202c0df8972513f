//! What tokens of accounts are worth, and what becomes of them: one name has one token at a time.

use super::rows::TokenRow;
use wmlicense_wire::id::UserId;

/// Longest name in bytes.
pub(crate) const MAX_NAME_LEN: usize = 128;

/// True for what accounts, policies, scopes, offers and admins can be called.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// What a token says of who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented<A> {
    /// The account.
    Account(A),
    /// It was an account's once: it was ended, another one took its place, or its time is over.
    Ended,
    /// It was never one.
    Unknown,
}

#[cfg(test)]
impl<A> Presented<A> {
    pub(crate) fn account(self) -> Option<A> {
        match self {
            Self::Account(account) => Some(account),
            Self::Ended | Self::Unknown => None,
        }
    }
}

/// What a token that was presented at `now` says.
pub(crate) fn presented(token: Option<&TokenRow>, now: i64) -> Presented<UserId> {
    match token {
        None => Presented::Unknown,
        Some(token) if counts(token, now) => Presented::Account(token.user),
        Some(_) => Presented::Ended,
    }
}

/// True if a token is good at `now`.
pub(crate) fn counts(token: &TokenRow, now: i64) -> bool {
    token.ended_at.is_none() && token.ends_at.is_none_or(|end| now < end)
}

/// Those of an account's tokens that end when the one of this name does, or all of them where there is no name. Their names are
/// free again.
pub(crate) fn ended(tokens: Vec<TokenRow>, name: Option<&str>, now: i64) -> Vec<TokenRow> {
    let meant = |token: &TokenRow| token.ended_at.is_none() && name.is_none_or(|name| token.name == name);
    tokens.into_iter().filter(meant).map(|token| TokenRow { ended_at: Some(now), ..token }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_wire::id::Digest;

    const USER: UserId = UserId::new([5; 16]);

    fn token(name: &str, ends_at: Option<i64>, ended_at: Option<i64>) -> TokenRow {
        TokenRow { hash: Digest::new([1; 32]), user: USER, name: name.to_owned(), created_at: 100, ends_at, ended_at }
    }

    #[test]
    fn a_token_counts_until_the_second_of_its_end() {
        assert_eq!(presented(Some(&token("a", None, None)), i64::MAX), Presented::Account(USER));
        let bounded = token("a", Some(200), None);
        assert_eq!(presented(Some(&bounded), 199), Presented::Account(USER));
        assert_eq!(presented(Some(&bounded), 200), Presented::Ended);
        assert_eq!(presented(Some(&token("a", None, Some(150))), 120), Presented::Ended);
        assert_eq!(presented(None, 120), Presented::Unknown);
    }

    #[test]
    fn only_tokens_of_the_name_end_and_only_once() {
        let tokens = vec![token("phone", None, None), token("phone", None, Some(110)), token("tv", Some(90), None)];
        let ends = |name| -> Vec<_> {
            let ended = ended(tokens.clone(), name, 300).into_iter();
            ended.map(|token| (token.name, token.ended_at)).collect()
        };
        assert_eq!(ends(Some("phone")), [("phone".to_owned(), Some(300))]);
        assert_eq!(ends(Some("car")), []);
        assert_eq!(ends(None), [("phone".to_owned(), Some(300)), ("tv".to_owned(), Some(300))]);
    }
}
