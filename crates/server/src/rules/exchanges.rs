//! Exchanges: what is known of a request that came before, and what becomes of its answer.

use super::epochs::{Presented, Standing};
use super::rows::{AnsweredRow, ExchangeKey, KeptAnswer};
use wmlicense_wire::id::{Digest, Epoch, SignerId, TransactionId, UserId};

/// For how long the bytes of an answer are kept, in seconds.
pub(crate) const ANSWER_LIFETIME: i64 = 30 * 24 * 60 * 60;

/// One page of one transaction of a device, with the bytes and the account that it came with.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) thumbprint: SignerId,
    pub(crate) transaction: TransactionId,
    pub(crate) page: u32,
    pub(crate) request_hash: Digest,
    pub(crate) account: Option<UserId>,
    /// Seconds UTC.
    pub(crate) now: i64,
    /// What it says about the store that it comes from; none where no store is checked.
    pub(crate) presented: Option<Presented>,
    /// Random bytes for the case that the device gets a new epoch.
    pub(crate) fresh: Epoch,
    /// What its answer was made from.
    pub(crate) standing: Standing,
}

impl Exchange {
    /// What names it.
    pub(crate) fn key(&self) -> ExchangeKey {
        ExchangeKey { thumbprint: self.thumbprint, transaction: self.transaction, page: self.page }
    }
}

/// What is known about an exchange.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Prior {
    /// Nothing.
    None,
    /// It was answered with these bytes; without bytes where answers are not kept because they are made again.
    Answered(Option<Vec<u8>>),
    /// It was answered with what is made again from what was written with it.
    Again,
    /// It was answered so long ago that the bytes are gone.
    Gone,
    /// It came with other bytes or for another account.
    Conflict,
}

/// What became of an attempt to write an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It is written.
    Done,
    /// The exchange was answered in between, or is in conflict.
    Prior(Prior),
    /// What the decision rested on changed in between: decide again.
    Changed,
}

/// What is known about an exchange by its row.
pub(crate) fn prior(exchange: &Exchange, row: Option<AnsweredRow>) -> Prior {
    let Some(AnsweredRow { request_hash, account, answered_at, answer }) = row else { return Prior::None };
    if request_hash != exchange.request_hash || account != exchange.account {
        return Prior::Conflict;
    }
    match answer {
        KeptAnswer::Never => Prior::Answered(None),
        KeptAnswer::Kept(bytes) if exchange.now < answered_at.saturating_add(ANSWER_LIFETIME) => {
            Prior::Answered(Some(bytes))
        }
        KeptAnswer::MadeAgain if exchange.now < answered_at.saturating_add(ANSWER_LIFETIME) => Prior::Again,
        KeptAnswer::Kept(_) | KeptAnswer::MadeAgain | KeptAnswer::Dropped => Prior::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(now: i64) -> Exchange {
        Exchange {
            thumbprint: SignerId::new([1; 32]),
            transaction: TransactionId::new([2; 16]),
            page: 0,
            request_hash: Digest::new([3; 32]),
            account: Some(UserId::new([4; 16])),
            now,
            presented: None,
            fresh: Epoch::new([0; 16]),
            standing: Standing::default(),
        }
    }

    fn row(answer: KeptAnswer) -> AnsweredRow {
        let Exchange { request_hash, account, .. } = exchange(0);
        AnsweredRow { request_hash, account, answered_at: 1000, answer }
    }

    #[test]
    fn bytes_are_given_for_thirty_days_and_the_row_says_for_ever_that_they_were() {
        let at = |now| prior(&exchange(now), Some(row(KeptAnswer::Kept(vec![7]))));
        assert_eq!(at(1000 + ANSWER_LIFETIME - 1), Prior::Answered(Some(vec![7])));
        assert_eq!(at(1000 + ANSWER_LIFETIME), Prior::Gone);
        assert_eq!(prior(&exchange(1000), Some(row(KeptAnswer::Dropped))), Prior::Gone);
        assert_eq!(prior(&exchange(i64::MAX), Some(row(KeptAnswer::Never))), Prior::Answered(None));
        let made_again = |now| prior(&exchange(now), Some(row(KeptAnswer::MadeAgain)));
        assert_eq!(made_again(1000 + ANSWER_LIFETIME - 1), Prior::Again);
        assert_eq!(made_again(1000 + ANSWER_LIFETIME), Prior::Gone);
        assert_eq!(prior(&exchange(1000), None), Prior::None);
    }

    #[test]
    fn other_bytes_and_another_account_are_in_conflict_whatever_is_left_of_the_answer() {
        for answer in [KeptAnswer::Never, KeptAnswer::MadeAgain, KeptAnswer::Kept(vec![7]), KeptAnswer::Dropped] {
            let other = Exchange { request_hash: Digest::new([9; 32]), ..exchange(1000) };
            assert_eq!(prior(&other, Some(row(answer.clone()))), Prior::Conflict);
            let nobody = Exchange { account: None, ..exchange(1000) };
            assert_eq!(prior(&nobody, Some(row(answer))), Prior::Conflict);
        }
    }

    #[test]
    fn a_page_of_a_transaction_of_a_device_has_a_key_of_its_own() {
        let key = exchange(0).key();
        for other in [
            Exchange { thumbprint: SignerId::new([9; 32]), ..exchange(0) },
            Exchange { transaction: TransactionId::new([9; 16]), ..exchange(0) },
            Exchange { page: 1, ..exchange(0) },
        ] {
            assert_ne!(other.key(), key);
        }
        assert_eq!(Exchange { request_hash: Digest::new([9; 32]), account: None, ..exchange(7) }.key(), key);
    }
}
