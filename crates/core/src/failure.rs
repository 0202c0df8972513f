//! A failure as it is told: its kind, one sentence, and what the service said. Which error is what failure is said in
//! `explain.rs`; numbers of results are the boundary's.

mod kinds;

pub use kinds::{Category, FailureKind, Remedy};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use wmlicense_wire::id::Kid;

/// An error that people and programs can be told of.
pub trait Explain {
    /// What it is to them.
    fn explain(&self) -> Failure;
}

impl<E: Explain + ?Sized> Explain for &E {
    fn explain(&self) -> Failure {
        (**self).explain()
    }
}

/// Everything known about a failure. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// When to try again, counted from the failure; none if unknown.
    pub retry_after: Option<Duration>,
    /// HTTP status of the service's answer; 0 if there was none.
    pub http_status: u16,
    /// The service's own number for the problem; 0 if there was none.
    pub server_code: i32,
    /// Finds the request in the service's log.
    pub request_id: Option<String>,
    /// Key ID that it is about.
    pub kid: Option<Kid>,
    /// Page of the service that helps.
    pub page: Option<String>,
    /// What went wrong: a sentence, or a clause that becomes one.
    pub text: Cow<'static, str>,
}

/// One that was explained already, for another listener.
impl Explain for Failure {
    fn explain(&self) -> Failure {
        self.clone()
    }
}

/// The clause.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clause())
    }
}

impl Failure {
    /// A failure of which there is no more to say than its kind.
    pub(crate) fn new(kind: FailureKind) -> Self {
        Self::with(kind, kind.sentence())
    }

    /// A failure with a sentence, or a clause that becomes one.
    pub(crate) fn with(kind: FailureKind, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self { kind, retry_after: None, http_status: 0, server_code: 0, request_id: None, kid: None, page: None, text }
    }

    /// Adds the key ID that it is about.
    #[must_use]
    pub fn about(mut self, kid: Kid) -> Self {
        self.kid = Some(kid);
        self
    }

    /// Adds when to try again, where that is known.
    pub(crate) fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait.or(self.retry_after);
        self
    }

    /// What went wrong, one sentence.
    pub fn sentence(&self) -> Cow<'static, str> {
        sentence(self.text.clone())
    }

    /// The same sentence as a clause, for a line that says more.
    pub fn clause(&self) -> Cow<'static, str> {
        if !is_sentence(&self.text) {
            return self.text.clone();
        }
        let mut letters = self.text.chars();
        let first = letters.next().map(|letter| letter.to_lowercase().collect::<String>()).unwrap_or_default();
        Cow::Owned(format!("{first}{}", letters.as_str().trim_end_matches('.')))
    }
}

fn is_sentence(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_uppercase) && text.ends_with('.')
}

/// Errors are lower-case clauses without a full stop; people read sentences.
pub fn sentence(text: Cow<'static, str>) -> Cow<'static, str> {
    if is_sentence(&text) {
        return text;
    }
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    Cow::Owned(format!("{first}{}.", letters.as_str().trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_become_sentences_and_sentences_clauses() {
        assert_eq!(sentence("the disk is full".into()), "The disk is full.");
        assert_eq!(sentence("Done.".into()), "Done.");
        assert_eq!(sentence("".into()), ".");
        let told = |text: &'static str| Failure::with(FailureKind::Busy, text).to_string();
        assert_eq!(told("The disk is full."), "the disk is full");
        assert_eq!(told("the disk is full"), "the disk is full");
        assert_eq!(told("WRMHEADER is cut short"), "WRMHEADER is cut short");
    }
}
