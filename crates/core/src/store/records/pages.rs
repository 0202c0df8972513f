//! Rows of pages: how one is read, how a license in it is found, and how one is taken out of it. How they are made is `packing.rs`.

use super::at_rest::{batch_of, is_a_page, pages_of, place, place_in};
use crate::store::index::changes::Changes;
use crate::store::{StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::backup::page::{PageView, PagedLicense};
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::Binding;
use wmlicense_wire::policy::Policy;

/// What the row of a page says beside its licenses.
pub(in crate::store) struct PageRow<'r> {
    /// Row ID.
    pub(in crate::store) id: i64,
    /// Section of its licenses; none where they may not be backed up.
    pub(in crate::store) section: Option<i64>,
    pub(in crate::store) stateful: bool,
    pub(in crate::store) recipe: Option<i64>,
    /// Sealed key.
    pub(in crate::store) key: &'r [u8],
    /// The page.
    pub(in crate::store) licenses: &'r [u8],
}

pub(in crate::store) const COLUMNS: &str = "id, section, stateful, recipe, key, licenses";

impl<'r> PageRow<'r> {
    /// From a row of [`COLUMNS`].
    pub(in crate::store) fn read(row: &'r rusqlite::Row<'_>) -> Result<Self, StoreError> {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        Ok(Self {
            id: row.get(0)?,
            section: row.get(1)?,
            stateful: row.get(2)?,
            recipe: row.get(3)?,
            key: blob(4)?,
            licenses: blob(5)?,
        })
    }

    pub(in crate::store) fn view(&self) -> Result<PageView<'r>, StoreError> {
        PageView::parse(self.licenses).map_err(|_| unreadable())
    }
}

pub(in crate::store) fn unreadable() -> StoreError {
    StoreError::Damaged("a page of licenses cannot be read".into())
}

/// A license of a page, its policy read.
pub(in crate::store) fn policy_of(license: &PagedLicense<'_>) -> Result<Policy, StoreError> {
    let (policy, _) = license.parts().ok_or_else(unreadable)?;
    Ok(Policy::decode(policy)?)
}

/// Gives every page in the order of their rows, those with an ID from `from` on.
pub(in crate::store) fn each(
    connection: &Connection,
    from: i64,
    take: &mut dyn FnMut(&PageRow<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM page WHERE id >= ?1 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([from])?;
    while let Some(row) = rows.next()? {
        take(&PageRow::read(row)?)?;
    }
    Ok(())
}

/// What stands at a place, if the license is there.
pub(in crate::store) fn at<T>(
    connection: &Connection,
    wanted: i64,
    look: impl FnOnce(&PageRow<'_>, &PagedLicense<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    const SQL: &str = "SELECT id, section, stateful, recipe, key, licenses FROM page WHERE id = ?1";
    let (page, index) = place(wanted);
    let mut find = connection.prepare_cached(SQL)?;
    let mut rows = find.query([page])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let row = PageRow::read(row)?;
    row.view()?.find(index).map(|license| look(&row, &license)).transpose()
}

/// A stored license as those see it who change what is stored.
pub(in crate::store) struct Stored {
    pub(in crate::store) place: i64,
    pub(in crate::store) recipe: Option<i64>,
    pub(in crate::store) policy: Policy,
    pub(in crate::store) policy_hash: Digest,
    pub(in crate::store) binding: Vec<u8>,
}

impl Stored {
    fn at(connection: &Connection, place: i64) -> Result<Option<Self>, StoreError> {
        at(connection, place, |row, license| {
            let (policy, binding) = license.parts().ok_or_else(unreadable)?;
            Ok(Self {
                place,
                recipe: row.recipe,
                policy: Policy::decode(policy)?,
                policy_hash: Digest::of(policy),
                binding: binding.to_vec(),
            })
        })
    }

    /// The license with this ID, among these places.
    pub(in crate::store) fn with_lid(
        connection: &Connection,
        places: &[i64],
        lid: Lid,
    ) -> Result<Option<Self>, StoreError> {
        for place in places {
            if let Some(stored) = Self::at(connection, *place)?.filter(|stored| stored.policy.lid == lid) {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// The licenses with this key ID, among these places.
    pub(in crate::store) fn with_kid(
        connection: &Connection,
        places: &[i64],
        kid: Kid,
    ) -> Result<Vec<Self>, StoreError> {
        let mut found = Vec::new();
        for place in places {
            found.extend(Self::at(connection, *place)?.filter(|stored| stored.policy.kid == kid));
        }
        Ok(found)
    }

    /// When it was bound, seconds UTC.
    pub(in crate::store) fn bound_at(&self) -> Result<i64, StoreError> {
        Ok(Binding::decode(&self.binding)?.issued_at)
    }

    /// Authority of the service that signed it.
    pub(in crate::store) fn authority(&self, connection: &Connection) -> Result<Option<Digest>, StoreError> {
        authority_of(connection, batch_of(place(self.place).0))
    }
}

/// Authority of a batch.
pub(in crate::store) fn authority_of(connection: &Connection, batch: i64) -> Result<Option<Digest>, StoreError> {
    let mut find = connection.prepare_cached("SELECT authority FROM batch WHERE id = ?1")?;
    let authority: Option<Vec<u8>> = find.query_row([batch], |row| row.get(0)).optional()?;
    authority.map(|authority| Ok(Digest::new(fixed(&authority)?))).transpose()
}

/// Takes a license out: rewrites its page without it, and removes a page and a batch that have none left. False if it is gone.
/// The batch that is being put in may have more to come and stays.
pub(in crate::store) fn take_out(
    connection: &Connection,
    changes: &mut Changes<'_>,
    stored: (i64, (Kid, Lid)),
    putting: Option<i64>,
) -> Result<bool, StoreError> {
    let (wanted, ids) = stored;
    let (page, index) = place(wanted);
    if !cut_out(connection, page, index)? {
        return Ok(false);
    }
    changes.went(ids, wanted)?;
    let batch = batch_of(page);
    if putting != Some(batch) {
        drop_if_empty(connection, batch)?;
    }
    Ok(true)
}

/// Rewrites a page without one license. False if that is not there.
pub(in crate::store) fn cut_out(connection: &Connection, page: i64, index: u32) -> Result<bool, StoreError> {
    let mut find = connection.prepare_cached("SELECT licenses FROM page WHERE id = ?1")?;
    let Some(licenses): Option<Vec<u8>> = find.query_row([page], |row| row.get(0)).optional()? else {
        return Ok(false);
    };
    let view = PageView::parse(&licenses).map_err(|_| unreadable())?;
    if view.find(index).is_none() {
        return Ok(false);
    }
    match view.without(index) {
        Some(rest) => {
            connection.prepare_cached("UPDATE page SET licenses = ?2 WHERE id = ?1")?.execute((page, rest))?
        }
        None => connection.prepare_cached("DELETE FROM page WHERE id = ?1")?.execute([page])?,
    };
    Ok(true)
}

/// Removes a batch without pages.
pub(in crate::store) fn drop_if_empty(connection: &Connection, batch: i64) -> Result<(), StoreError> {
    let (first, last) = pages_of(batch);
    let removed = connection
        .prepare_cached(
            "DELETE FROM batch WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM page WHERE page.id BETWEEN ?2 AND ?3)",
        )?
        .execute((batch, first, last))?;
    if removed > 0 {
        connection.prepare_cached("DELETE FROM standing WHERE batch = ?1")?.execute([batch])?;
    }
    Ok(())
}

/// IDs of the licenses of a page with their places; those that cannot be read, or have no place, are passed over.
pub(in crate::store) fn ids(row: &PageRow<'_>) -> Vec<((Kid, Lid), i64)> {
    let (Ok(view), true) = (row.view(), is_a_page(row.id)) else { return Vec::new() };
    let of = |license: PagedLicense<'_>| {
        let policy = policy_of(&license).ok()?;
        Some(((policy.kid, policy.lid), place_in(row.id, license.index)))
    };
    view.licenses().filter_map(of).collect()
}
