//! Something of which there is only so much, in fair shares: no source gets more than a part of what is left for all others, so
//! whoever comes next finds something.

use crate::source::Source;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A source has at most this part of what nobody has: alone a third of all, and each one that takes all it gets leaves two
/// thirds to the others.
const PART: u64 = 2;
/// All networks of a site of IPv6 together have at most this part of all.
const PART_OF_SITE: u64 = 2;

/// So much, and who has what of it.
pub(crate) struct Shares {
    total: u64,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: u64,
    by: HashMap<Source, u64>,
    of_sites: HashMap<Source, u64>,
}

/// Takes an amount out of what somebody has, and forgets who has nothing.
fn take_out(of: &mut HashMap<Source, u64>, who: Source, amount: u64) {
    if let Some(own) = of.get_mut(&who) {
        *own = own.saturating_sub(amount);
        if *own == 0 {
            of.remove(&who);
        }
    }
}

impl Shares {
    pub(crate) fn new(total: u64) -> Arc<Self> {
        Arc::new(Self { total, taken: Mutex::default() })
    }

    /// A share, given back when it is dropped; none where too little is left.
    pub(crate) fn take(self: &Arc<Self>, source: Source, amount: u64) -> Option<Share> {
        let mut share = Share { shares: Arc::clone(self), source, amount: 0 };
        share.grow(amount).then_some(share)
    }

    fn is_taken(&self, source: Source, amount: u64) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by.get(&source).copied().unwrap_or(0);
        let left = self.total.saturating_sub(taken.all);
        if own.saturating_add(amount) > left / PART {
            return false;
        }
        if let Some(site) = source.site() {
            let of_site = taken.of_sites.get(&site).copied().unwrap_or(0) + amount;
            if of_site > self.total / PART_OF_SITE {
                return false;
            }
            taken.of_sites.insert(site, of_site);
        }
        taken.all += amount;
        taken.by.insert(source, own + amount);
        true
    }

    /// How much is taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    fn give_back(&self, source: Source, amount: u64) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(amount);
        take_out(&mut taken.by, source, amount);
        if let Some(site) = source.site() {
            take_out(&mut taken.of_sites, site, amount);
        }
    }
}

/// What somebody has of it.
pub(crate) struct Share {
    shares: Arc<Shares>,
    source: Source,
    amount: u64,
}

impl Share {
    /// Makes the share larger; false where too little is left.
    pub(crate) fn grow(&mut self, more: u64) -> bool {
        let grown = self.shares.is_taken(self.source, more);
        if grown {
            self.amount += more;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.give_back(self.source, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    #[test]
    fn one_source_gets_a_third_however_it_asks_and_what_is_given_back_is_there_again() {
        let shares = Shares::new(90);
        let mut first = shares.take(source(1), 20).unwrap();
        assert!(first.grow(10) && !first.grow(1));
        assert!(shares.take(source(1), 1).is_none());
        let second = shares.take(source(2), 20).unwrap();
        assert!(shares.take(source(2), 1).is_none());
        drop(first);
        assert!(shares.take(source(2), 1).is_some());
        drop(second);
        let taken = shares.taken.lock().unwrap();
        assert!(taken.by.is_empty() && taken.all == 0);
    }

    #[test]
    fn all_networks_of_one_site_leave_half_to_the_others() {
        let shares = Shares::new(1 << 20);
        let network = |site: u16, number: u16| Source::of([0x2001, 0xdb8, site, number, 0, 0, 0, 1].into());
        let mut held = Vec::new();
        for number in 0..100 {
            while let Some(share) = shares.take(network(1, number), 1024) {
                held.push(share);
            }
        }
        assert_eq!(shares.taken(), 1 << 19);
        let other = shares.take(network(2, 1), 1 << 17);
        assert!(other.is_some() && shares.take(source(1), 1 << 16).is_some());
        drop((held, other));
        let taken = shares.taken.lock().unwrap();
        assert!(taken.by.is_empty() && taken.of_sites.is_empty() && taken.all == 0);
    }

    #[test]
    fn ten_that_take_all_they_get_leave_something_to_the_next() {
        let shares = Shares::new(1 << 20);
        let mut held = Vec::new();
        for number in 0..10 {
            while let Some(share) = shares.take(source(number), 64) {
                held.push(share);
            }
        }
        assert!(shares.take(source(200), 8 * 1024).is_some());
    }
}
