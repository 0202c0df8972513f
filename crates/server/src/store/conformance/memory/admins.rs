//! Those who act for the owner from elsewhere, in memory.

use super::super::super::Pending;
use super::super::super::rows::AdminRows;
use super::{Tables, found};
use crate::rules::admins::{AdminRow, Repeat, RepeatRow};
use wmlicense_wire::id::Digest;

impl AdminRows for Tables {
    fn admin(&mut self, hash: Digest) -> Pending<'_, Option<AdminRow>> {
        found(self.admins.get(&hash).cloned())
    }

    fn admin_by_name<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<AdminRow>> {
        found(self.admins.values().find(|row| row.name == name && row.ended_at.is_none()).cloned())
    }

    fn admins(&mut self) -> Pending<'_, Vec<AdminRow>> {
        let mut all: Vec<AdminRow> = self.admins.values().cloned().collect();
        all.sort_by(|a, b| (&a.name, a.created_at, a.hash).cmp(&(&b.name, b.created_at, b.hash)));
        found(all)
    }

    fn put_admin<'a>(&'a mut self, row: &'a AdminRow) -> Pending<'a, ()> {
        self.admins.insert(row.hash, row.clone());
        found(())
    }

    fn request<'a>(&'a mut self, admin: &'a str, key: &'a str) -> Pending<'a, Option<RepeatRow>> {
        found(self.requests.get(&(admin.to_owned(), key.to_owned())).cloned())
    }

    fn requests_of<'a>(&'a mut self, admin: &'a str) -> Pending<'a, u64> {
        found(self.requests.keys().filter(|(of, _)| of == admin).count() as u64)
    }

    fn claim_request<'a>(&'a mut self, row: &'a RepeatRow, from: i64) -> Pending<'a, bool> {
        let key = (row.repeat.admin.clone(), row.repeat.key.clone());
        let is_new = self.requests.get(&key).is_none_or(|known| known.done_at < from);
        if is_new {
            self.requests.insert(key, row.clone());
        }
        found(is_new)
    }

    fn answer_request<'a>(&'a mut self, repeat: &'a Repeat, status: u16, answer: &'a [u8]) -> Pending<'a, ()> {
        let row = self.requests.get_mut(&(repeat.admin.clone(), repeat.key.clone()));
        if let Some(row) = row.filter(|row| row.repeat.claim == repeat.claim) {
            row.answer = Some((status, answer.to_vec()));
        }
        found(())
    }

    fn drop_requests(&mut self, before: i64) -> Pending<'_, ()> {
        self.requests.retain(|_, row| row.done_at >= before);
        found(())
    }
}
