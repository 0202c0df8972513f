//! Who acts in the owner's name, and how it is written down: what was before and what is after, in short.

use super::admins::Repeat;
use super::rows::AuditRow;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest text of a row, in characters: the row says what happened, it is no copy.
const MAX_TEXT: usize = 400;

/// Who acts, and when. One row of the audit is written for it.
#[derive(Debug, Clone)]
pub(crate) struct Acting {
    pub(crate) who: String,
    /// Seconds UTC.
    pub(crate) now: i64,
    /// Of the row: a transaction that runs again writes the same one.
    pub(crate) id: [u8; 16],
    /// The request that it is done for, where that must not be done again.
    pub(crate) repeat: Option<Repeat>,
}

/// What is done, about what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Act {
    /// The command, by its words.
    pub(crate) act: &'static str,
    pub(crate) about: Option<String>,
    pub(crate) was: Option<String>,
    pub(crate) became: Option<String>,
}

impl Acting {
    /// Somebody begins to act at `now`, seconds UTC.
    pub(crate) fn begun(who: String, now: i64) -> Result<Self, getrandom::Error> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        // Rows of one second stand in the order in which they were begun.
        let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        id[..4].copy_from_slice(&nanoseconds.to_be_bytes());
        Ok(Self { who, now, id, repeat: None })
    }

    /// The row for what is done.
    pub(crate) fn row(&self, act: Act) -> AuditRow {
        let Act { act, about, was, became } = act;
        let (about, was, became) = (about.map(short), was.map(short), became.map(short));
        AuditRow { done_at: self.now, id: self.id, who: self.who.clone(), act: act.to_owned(), about, was, became }
    }
}

/// Tests name no one.
#[cfg(test)]
impl From<i64> for Acting {
    fn from(now: i64) -> Self {
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        Self { who: "test".to_owned(), now, id, repeat: None }
    }
}

fn short(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_short_and_cut_between_characters() {
        let act = Act { act: "policy set", was: Some("ä".repeat(400)), became: Some("ä".repeat(401)), about: None };
        let row = Acting::from(7).row(act);
        assert_eq!((row.done_at, row.was.unwrap().chars().count()), (7, 400));
        assert!(row.became.unwrap().ends_with("ä…"));
    }
}
