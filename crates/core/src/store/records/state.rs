//! Changing what is left of a license: checked against row, bucket and head, and durable before it counts as done.

use super::lookup::policy_by_lid;
use crate::store::head::Head;
use crate::store::integrity::{Row, Table};
use crate::store::{Store, StoreError};
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

impl Store {
    /// Changes the state of a license durably in one transaction: `change` sees the committed state and gives the next, or
    /// refuses. Checks and updates row MAC, bucket and head. Exactly once under many threads and processes.
    pub fn change_state<E: From<StoreError>>(
        &self,
        lid: Lid,
        change: &mut dyn FnMut(&Policy, &State) -> Result<State, E>,
    ) -> Result<State, E> {
        let inner = &*self.inner;
        inner.write(|transaction| {
            let at = inner.clock.moment();
            let (mut head, policy, before) = (|| {
                let head = Head::load(transaction, &inner.integrity)?;
                head.check(transaction, &inner.integrity, lid)?;
                let policy = policy_by_lid(transaction, inner, lid)?.ok_or(StoreError::NoSuchLicense(lid))?;
                match inner.integrity.row(transaction, Table::State, lid)? {
                    Row::Sound(before) => Ok::<_, StoreError>((head, policy, before)),
                    Row::Missing | Row::Changed => Err(StoreError::Tampered),
                }
            })()?;
            let next = change(&policy, &State::decode(&before).map_err(StoreError::from)?)?;
            let content = next.encode();
            if content != before {
                head.put_row(transaction, &inner.integrity, (Table::State, lid), Some(&before), &content)?;
            }
            let mut clock = head.clock.clone();
            clock.note_use(at);
            head.set_clock(clock);
            head.save(transaction, &inner.integrity)?;
            Ok(next)
        })
    }

    /// Compares every authenticated row with the head. The whole store is read; a restore and a check of the store ask.
    pub fn check_integrity(&self) -> Result<(), StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            Head::load(&transaction, &inner.integrity)?.check_all(&transaction, &inner.integrity)
        })
    }
}
