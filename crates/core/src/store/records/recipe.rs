//! Recipes: what licenses were asked for with, so that they can be asked for again without their content. Which licenses
//! are to be renewed is found here; asking is the operation's.

use super::at_rest::batch_of;
use super::lookup::{by_kid, by_lid, policy_by_lid, read_state};
use super::pages::{self, Stored, policy_of};
use crate::rights;
use crate::store::integrity::{Row, Table};
use crate::store::{Inner, Store, StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;
use wmlicense_wire::cbor::{self, read, write};
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{LicenseKind, MAX_ACTIONS, Policy};

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
    inner: &'c Inner,
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

    /// Takes a license in if it fits.
    fn look(&mut self, policy: &Policy, authority: Digest, recipe: Option<i64>) -> Result<(), StoreError> {
        let recipe = recipe.map(|id| self.recipe(id).cloned()).transpose()?;
        if policy.kind == LicenseKind::Leaf
            && let Some(root) = policy.root_kid
            && !self.roots.contains(&root)
        {
            self.roots.push(root);
        }
        let scope = recipe.as_ref().and_then(|recipe| recipe.scope.as_deref());
        if self.choice.scope.as_deref().is_some_and(|wanted| scope != Some(wanted)) || !self.is_due(policy)? {
            return Ok(());
        }
        let (url, custom) = recipe.map_or((None, None), |recipe| (Some(recipe.url), recipe.custom));
        let group = RenewalGroup { authority, issuer: policy.issuer, url, custom, licenses: Vec::new() };
        self.put(group, (policy.lid, policy.kid));
        Ok(())
    }

    fn is_due(&self, policy: &Policy) -> Result<bool, StoreError> {
        let Some(before) = self.choice.due_before else { return Ok(true) };
        // A license that lost its state is good for nothing, and renewing it may mend that.
        let Some(state) = read_state(self.connection, &self.inner.integrity, policy)? else { return Ok(true) };
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
        for stored in by_kid(self.connection, self.inner, kid)? {
            if let Some(authority) = stored.authority(self.connection)? {
                self.look(&stored.policy, authority, stored.recipe)?;
            }
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), StoreError> {
        let mut of_batch = None;
        pages::each(self.connection, i64::MIN, &mut |page| {
            let batch = batch_of(page.id);
            let authority = match of_batch {
                Some((known, authority)) if known == batch => authority,
                _ => pages::authority_of(self.connection, batch)?,
            };
            of_batch = Some((batch, authority));
            let Some(authority) = authority else { return Ok(()) };
            for license in page.view()?.licenses() {
                self.look(&policy_of(&license)?, authority, page.recipe)?;
            }
            Ok(())
        })
    }
}

impl Store {
    /// The licenses that are to be renewed, by service and way of asking. Keeps 32 bytes a license.
    pub fn renewable(&self, choice: &RenewalChoice) -> Result<Vec<RenewalGroup>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let mut search = Search {
                connection: &transaction,
                inner,
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
            let transaction = crate::store::moment::read(connection)?;
            let mut states = Vec::with_capacity(lids.len());
            for lid in lids {
                let Some(policy) = policy_by_lid(&transaction, inner, *lid)? else { continue };
                let state = read_state(&transaction, &inner.integrity, &policy)?;
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
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let mut used = Vec::new();
            let mut look = |stored: Stored| {
                let of_issuer = stored.policy.is_stateful() && stored.policy.issuer == issuer;
                if of_issuer && used.len() < limit && stored.authority(&transaction)? == Some(authority) {
                    let state = read_state(&transaction, &inner.integrity, &stored.policy)?;
                    used.extend(state.map(|state| (stored.policy.lid, state)));
                }
                Ok::<_, StoreError>(())
            };
            for kid in kids {
                by_kid(&transaction, inner, *kid)?.into_iter().try_for_each(&mut look)?;
            }
            if kids.is_empty() {
                let mut statement = transaction.prepare_cached("SELECT lid FROM state ORDER BY lid")?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let lid = Lid::new(fixed(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
                    by_lid(&transaction, inner, lid)?.into_iter().try_for_each(&mut look)?;
                }
            }
            removed(&transaction, inner, (authority, issuer), kids, &mut used)?;
            used.truncate(limit);
            Ok(used)
        })
    }

    /// Key IDs of stored licenses; those that are not there any more are passed over.
    pub fn kids(&self, lids: &[Lid]) -> Result<Vec<Kid>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let mut kids = Vec::with_capacity(lids.len());
            for lid in lids {
                kids.extend(policy_by_lid(&transaction, inner, *lid)?.map(|policy| policy.kid));
            }
            Ok(kids)
        })
    }

    /// How a stored license was asked for, where that is known.
    pub fn recipe(&self, lid: Lid) -> Result<Option<Recipe>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let recipe = by_lid(&transaction, inner, lid)?.and_then(|stored| stored.recipe);
            recipe.map(|id| find(&transaction, id)).transpose()
        })
    }
}

/// Adds what is left of licenses of an issuer that are not in the store any more: of these key IDs, or of all.
fn removed(
    connection: &Connection,
    inner: &Inner,
    (authority, issuer): (Digest, ServiceId),
    kids: &[Kid],
    used: &mut Vec<(Lid, State)>,
) -> Result<(), StoreError> {
    const FIND: &str = "SELECT lid FROM removed WHERE authority = ?1 AND issuer = ?2 AND (?3 IS NULL OR kid = ?3)";
    let wanted: Vec<Option<&[u8; 16]>> = match kids {
        [] => vec![None],
        kids => kids.iter().map(|kid| Some(kid.as_bytes())).collect(),
    };
    let mut find = connection.prepare_cached(FIND)?;
    for kid in wanted {
        let mut rows = find.query((authority.as_bytes(), issuer.as_bytes(), kid))?;
        while let Some(row) = rows.next()? {
            let lid = Lid::new(fixed(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
            if by_lid(connection, inner, lid)?.is_some() {
                continue;
            }
            if let Row::Sound(content) = inner.integrity.row(connection, Table::State, lid)? {
                used.push((lid, State::decode(&content)?));
            }
        }
    }
    Ok(())
}
