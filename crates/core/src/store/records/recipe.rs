//! Recipes: what licenses were asked for with, so that they can be asked for again without their content. Which licenses
//! are to be renewed is found here; asking is the operation's.

use super::lookup::read_state;
use crate::rights;
use crate::store::integrity::{Integrity, Row, Table};
use crate::store::{Store, StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;
use wmlicense_wire::cbor::{self, read, write};
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{LicenseKind, MAX_ACTIONS, Policy};
use wmlicense_wire::request::MAX_LICENSES;

/// How a license was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// Base URL of the service.
    pub url: String,
    /// Scope, where the license came with all of it.
    pub scope: Option<String>,
    /// Actions wanted.
    pub actions: Vec<String>,
    /// Content header as the file had it, where the service was given it.
    pub header: Option<Vec<u8>>,
    /// The application's bytes for the service.
    pub custom: Option<Vec<u8>>,
}

/// Which stored licenses are to be renewed: those that fit all that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenewalChoice {
    /// Only these key IDs, and the roots that their licenses need; all where empty.
    pub kids: Vec<Kid>,
    /// Only licenses that came with this scope.
    pub scope: Option<String>,
    /// Only licenses of which a right ends, or whose renewal is due, before then, seconds UTC.
    pub due_before: Option<i64>,
}

/// Licenses that one service renews in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalGroup {
    /// Authority of the service.
    pub authority: Digest,
    /// Service that issued them.
    pub issuer: ServiceId,
    /// Where they came from; none for licenses that were restored from another device's backup.
    pub url: Option<String>,
    /// The application's bytes for the service.
    pub custom: Option<Vec<u8>>,
    /// The licenses, with their key IDs.
    pub licenses: Vec<(Lid, Kid)>,
}

/// Writes a recipe down unless it is known, and gives its row.
pub(in crate::store) fn keep(connection: &Connection, recipe: &Recipe) -> Result<i64, StoreError> {
    let actions = write::array(recipe.actions.iter().map(|action| write::text(action)));
    let bytes = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or_else(write::null, write::bytes);
    let digest = Digest::of(&write::array([
        write::text(&recipe.url),
        recipe.scope.as_deref().map_or_else(write::null, write::text),
        actions.clone(),
        bytes(&recipe.header),
        bytes(&recipe.custom),
    ]));
    connection
        .prepare_cached(
            "INSERT INTO recipe (digest, url, scope, actions, header, custom) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (digest) DO NOTHING",
        )?
        .execute((digest.as_bytes(), &recipe.url, &recipe.scope, actions, &recipe.header, &recipe.custom))?;
    let mut find = connection.prepare_cached("SELECT id FROM recipe WHERE digest = ?1")?;
    Ok(find.query_row([digest.as_bytes()], |row| row.get(0))?)
}

/// Recipe of a pending or ended request.
pub(in crate::store) fn of_exchange(connection: &Connection, id: TransactionId) -> Result<Option<i64>, StoreError> {
    let mut find = connection.prepare_cached("SELECT recipe FROM exchange WHERE id = ?1")?;
    Ok(find.query_row([id.as_bytes()], |row| row.get(0)).optional()?.flatten())
}

/// Recipe of a stored license.
pub(in crate::store) fn of_license(connection: &Connection, lid: Lid) -> Result<Option<i64>, StoreError> {
    let mut find = connection.prepare_cached("SELECT recipe FROM license WHERE lid = ?1")?;
    Ok(find.query_row([lid.as_bytes()], |row| row.get(0)).optional()?.flatten())
}

/// A recipe by its row.
pub(in crate::store) fn find(connection: &Connection, id: i64) -> Result<Recipe, StoreError> {
    let sql = "SELECT url, scope, actions, header, custom FROM recipe WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let missing = || StoreError::Damaged("a recipe is missing".into());
    let row = rows.next()?.ok_or_else(missing)?;
    let actions: Vec<u8> = row.get(2)?;
    cbor::check(&actions)?;
    let actions = read::array(MAX_ACTIONS, read::text)(&actions);
    let actions = actions.ok_or_else(|| StoreError::Damaged("a recipe cannot be read".into()))?;
    Ok(Recipe { url: row.get(0)?, scope: row.get(1)?, actions, header: row.get(3)?, custom: row.get(4)? })
}

/// One look at all licenses for a choice.
struct Search<'c> {
    connection: &'c Connection,
    integrity: &'c Integrity,
    choice: &'c RenewalChoice,
    recipes: HashMap<i64, Recipe>,
    groups: Vec<RenewalGroup>,
    /// Roots that chosen leaves need.
    roots: Vec<Kid>,
}

impl Search<'_> {
    fn recipe(&mut self, id: i64) -> Result<&Recipe, StoreError> {
        if !self.recipes.contains_key(&id) {
            self.recipes.insert(id, find(self.connection, id)?);
        }
        self.recipes.get(&id).ok_or_else(|| StoreError::Damaged("a recipe is missing".into()))
    }

    /// Takes a row of policy, authority and recipe in if it fits.
    fn look(&mut self, row: &rusqlite::Row<'_>) -> Result<(), StoreError> {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let policy = Policy::decode(blob(1)?)?;
        let recipe: Option<i64> = row.get(3)?;
        let recipe = recipe.map(|id| self.recipe(id).cloned()).transpose()?;
        if policy.kind == LicenseKind::Leaf
            && let Some(root) = policy.root_kid
            && !self.roots.contains(&root)
        {
            self.roots.push(root);
        }
        let scope = recipe.as_ref().and_then(|recipe| recipe.scope.as_deref());
        if self.choice.scope.as_deref().is_some_and(|wanted| scope != Some(wanted)) || !self.is_due(&policy)? {
            return Ok(());
        }
        let (url, custom) = recipe.map_or((None, None), |recipe| (Some(recipe.url), recipe.custom));
        let authority = Digest::new(fixed(blob(2)?)?);
        let group = RenewalGroup { authority, issuer: policy.issuer, url, custom, licenses: Vec::new() };
        self.put(group, (policy.lid, policy.kid));
        Ok(())
    }

    fn is_due(&self, policy: &Policy) -> Result<bool, StoreError> {
        let Some(before) = self.choice.due_before else { return Ok(true) };
        // A license that lost its state is good for nothing, and renewing it may mend that.
        let Some(state) = read_state(self.connection, self.integrity, policy)? else { return Ok(true) };
        Ok(rights::due_at(policy, &state).is_some_and(|due| due < before))
    }

    fn put(&mut self, group: RenewalGroup, license: (Lid, Kid)) {
        let same = |known: &&mut RenewalGroup| {
            (known.authority, known.issuer, &known.url, &known.custom)
                == (group.authority, group.issuer, &group.url, &group.custom)
        };
        match self.groups.iter_mut().find(same) {
            Some(known) => known.licenses.push(license),
            None => self.groups.push(RenewalGroup { licenses: vec![license], ..group }),
        }
    }

    fn kid(&mut self, kid: Kid) -> Result<(), StoreError> {
        let sql = "SELECT license.id, policy, authority, recipe FROM license
            JOIN batch ON batch.id = license.id / 4096 WHERE kid = ?1";
        const { assert!(MAX_LICENSES == 4096) };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([kid.as_bytes()])?;
        while let Some(row) = rows.next()? {
            self.look(row)?;
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT license.id, policy, authority, recipe FROM license
            JOIN batch ON batch.id = license.id / 4096 ORDER BY license.id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.look(row)?;
        }
        Ok(())
    }
}

impl Store {
    /// The licenses that are to be renewed, by service and way of asking. Keeps 32 bytes a license.
    pub fn renewable(&self, choice: &RenewalChoice) -> Result<Vec<RenewalGroup>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::connection::read(connection)?;
            let mut search = Search {
                connection: &transaction,
                integrity: &inner.integrity,
                choice,
                recipes: HashMap::new(),
                groups: Vec::new(),
                roots: Vec::new(),
            };
            if choice.kids.is_empty() {
                search.all()?;
            } else {
                for kid in &choice.kids {
                    search.kid(*kid)?;
                }
                for root in std::mem::take(&mut search.roots) {
                    if !choice.kids.contains(&root) {
                        search.kid(root)?;
                    }
                }
            }
            Ok(search.groups)
        })
    }

    /// What is left of stored licenses; those that are not there any more are passed over.
    pub fn states(&self, lids: &[Lid]) -> Result<Vec<(Lid, State)>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::connection::read(connection)?;
            let mut find = transaction.prepare_cached("SELECT policy FROM license WHERE lid = ?1")?;
            let mut states = Vec::with_capacity(lids.len());
            for lid in lids {
                let policy: Option<Vec<u8>> = find.query_row([lid.as_bytes()], |row| row.get(0)).optional()?;
                let Some(policy) = policy else { continue };
                let state = read_state(&transaction, &inner.integrity, &Policy::decode(&policy)?)?;
                states.push((*lid, state.unwrap_or_default()));
            }
            Ok(states)
        })
    }

    /// What is left of stored licenses of this issuer that count or run from their first use: of these key IDs, or of all where
    /// there are none, and of those that were removed and whose state stays. At most `limit` of them. One that lost its state
    /// is not among them.
    pub fn usage(
        &self,
        authority: Digest,
        issuer: ServiceId,
        kids: &[Kid],
        limit: usize,
    ) -> Result<Vec<(Lid, State)>, StoreError> {
        const OF_KID: &str = "SELECT policy FROM license JOIN batch ON batch.id = license.id / 4096
            WHERE authority = ?1 AND kid = ?2";
        const OF_ALL: &str = "SELECT policy FROM state JOIN license ON license.lid = state.lid
            JOIN batch ON batch.id = license.id / 4096 WHERE authority = ?1 AND ?2 IS NOT NULL";
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::connection::read(connection)?;
            let mut used = Vec::new();
            let all = [Kid::new([0; 16])];
            let (sql, kids) = if kids.is_empty() { (OF_ALL, &all[..]) } else { (OF_KID, kids) };
            let mut statement = transaction.prepare_cached(sql)?;
            for kid in kids {
                let mut rows = statement.query((authority.as_bytes(), kid.as_bytes()))?;
                while let Some(row) = rows.next()? {
                    let policy = Policy::decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
                    if !policy.is_stateful() || policy.issuer != issuer || used.len() >= limit {
                        continue;
                    }
                    let state = read_state(&transaction, &inner.integrity, &policy)?;
                    used.extend(state.map(|state| (policy.lid, state)));
                }
            }
            removed(&transaction, &inner.integrity, (authority, issuer), sql == OF_ALL, kids, &mut used)?;
            used.truncate(limit);
            Ok(used)
        })
    }

    /// Key IDs of stored licenses; those that are not there any more are passed over.
    pub fn kids(&self, lids: &[Lid]) -> Result<Vec<Kid>, StoreError> {
        self.inner.readers.with(|connection| {
            let transaction = crate::store::connection::read(connection)?;
            let mut find = transaction.prepare_cached("SELECT kid FROM license WHERE lid = ?1")?;
            let mut kids = Vec::with_capacity(lids.len());
            for lid in lids {
                let kid: Option<Vec<u8>> = find.query_row([lid.as_bytes()], |row| row.get(0)).optional()?;
                if let Some(kid) = kid {
                    kids.push(Kid::new(fixed(&kid)?));
                }
            }
            Ok(kids)
        })
    }

    /// How a stored license was asked for, where that is known.
    pub fn recipe(&self, lid: Lid) -> Result<Option<Recipe>, StoreError> {
        self.inner.readers.with(|connection| {
            let transaction = crate::store::connection::read(connection)?;
            of_license(&transaction, lid)?.map(|id| find(&transaction, id)).transpose()
        })
    }
}

/// Adds what is left of licenses of an issuer that are not in the store any more: of these key IDs, or of all.
fn removed(
    connection: &Connection,
    integrity: &Integrity,
    (authority, issuer): (Digest, ServiceId),
    all: bool,
    kids: &[Kid],
    used: &mut Vec<(Lid, State)>,
) -> Result<(), StoreError> {
    const FIND: &str = "SELECT lid FROM removed WHERE authority = ?1 AND issuer = ?2 AND (?3 OR kid = ?4)
        AND NOT EXISTS (SELECT 1 FROM license WHERE license.lid = removed.lid)";
    let mut find = connection.prepare_cached(FIND)?;
    for kid in kids {
        let mut rows = find.query((authority.as_bytes(), issuer.as_bytes(), all, kid.as_bytes()))?;
        while let Some(row) = rows.next()? {
            let lid = Lid::new(fixed(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
            if let Row::Sound(content) = integrity.row(connection, Table::State, lid)? {
                used.push((lid, State::decode(&content)?));
            }
        }
    }
    Ok(())
}
