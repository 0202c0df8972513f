//! Changing what a store keeps behind the library's back, as an edited or damaged file has it.

use rusqlite::Connection;
use std::path::Path;
use wmlicense_core::store::FILE_NAME;
use wmlicense_wire::backup::page::{PageBuilder, PageView};
use wmlicense_wire::id::Kid;
use wmlicense_wire::license::License;
use wmlicense_wire::policy::Policy;

/// A license as it stands in its page.
#[derive(Clone)]
pub struct Kept {
    pub index: u32,
    pub policy: Vec<u8>,
    pub binding: Vec<u8>,
    pub wrapped: Vec<u8>,
}

/// The database of the store in a folder.
pub fn database(folder: &Path) -> Connection {
    Connection::open(folder.join(FILE_NAME)).unwrap()
}

/// The licenses of each page, with its row ID.
pub fn pages(database: &Connection) -> Vec<(i64, Vec<Kept>)> {
    let mut statement = database.prepare("SELECT id, licenses FROM page ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(i64, Vec<u8>)> = rows.map(Result::unwrap).collect();
    rows.into_iter().map(|(id, page)| (id, kept(&page))).collect()
}

fn kept(page: &[u8]) -> Vec<Kept> {
    let of = |license: wmlicense_wire::backup::page::PagedLicense<'_>| {
        let (policy, binding) = license.parts().unwrap();
        Kept {
            index: license.index,
            policy: policy.to_vec(),
            binding: binding.to_vec(),
            wrapped: license.wrapped.to_vec(),
        }
    };
    PageView::parse(page).unwrap().licenses().map(of).collect()
}

/// The page with these licenses.
pub fn page_of(licenses: &[Kept]) -> Option<Vec<u8>> {
    let mut page = PageBuilder::default();
    for kept in licenses {
        let license = License { policy: kept.policy.clone(), binding: kept.binding.clone() };
        page.push(kept.index, &license.encode(), &kept.wrapped).unwrap();
    }
    page.finish()
}

/// Lets `change` edit the licenses of the page that has one of this key ID.
pub fn change_page(database: &Connection, kid: Kid, change: impl FnOnce(&mut Vec<Kept>)) {
    let has = |licenses: &[Kept]| licenses.iter().any(|kept| Policy::decode(&kept.policy).unwrap().kid == kid);
    let (id, mut licenses) = pages(database).into_iter().find(|(_, licenses)| has(licenses)).unwrap();
    change(&mut licenses);
    match page_of(&licenses) {
        Some(page) => database.execute("UPDATE page SET licenses = ?2 WHERE id = ?1", (id, page)).unwrap(),
        None => database.execute("DELETE FROM page WHERE id = ?1", [id]).unwrap(),
    };
}

/// Lets `change` edit the license of this key ID.
pub fn change_license(database: &Connection, kid: Kid, change: impl FnOnce(&mut Kept)) {
    change_page(database, kid, |licenses| {
        let is = |kept: &&mut Kept| Policy::decode(&kept.policy).unwrap().kid == kid;
        change(licenses.iter_mut().find(is).unwrap());
    });
}

/// Makes the key of the license of this key ID one that does not open.
pub fn lose_key(database: &Connection, kid: Kid) {
    change_license(database, kid, |kept| kept.wrapped.fill(0));
}

/// Takes every license away and everything that names one.
pub fn empty(database: &Connection) {
    let all = "DELETE FROM page; DELETE FROM batch; UPDATE recent SET id = id + 1, entries = x'' WHERE id = (SELECT max(id) FROM recent);
        DELETE FROM recent WHERE length(entries) > 0; DELETE FROM bucket WHERE first <> (SELECT min(first) FROM bucket);
        UPDATE bucket SET entries = x''";
    database.execute_batch(all).unwrap();
}
