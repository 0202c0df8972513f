//! Those who act for the owner from elsewhere, in memory.

use super::super::super::Pending;
use super::super::super::rows::AdminRows;
use super::{Tables, found};
use crate::rules::admins::AdminRow;
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
}
