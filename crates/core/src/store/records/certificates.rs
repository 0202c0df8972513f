//! Certificates and service documents that the store keeps. Nothing is believed because it is here: each is verified
//! again from the pinned authority when it is read first.

use super::transactions;
use crate::logging::Keep;
use crate::store::{Store, StoreError, TransactionState, error::fixed};
use rusqlite::OptionalExtension as _;
use std::sync::{Arc, PoisonError};
use wmlicense_wire::certificate::{AuthorityCertificate, CertificateError, DeviceCertificate, Directory};
use wmlicense_wire::id::{Digest, TransactionId};

fn damaged(error: CertificateError) -> StoreError {
    StoreError::Damaged(error.to_string())
}

impl Store {
    /// Authority certificate and service certificates known under an authority, with what other processes learnt meanwhile.
    pub fn directory(&self, authority: Digest) -> Result<Option<Arc<Directory>>, StoreError> {
        let _records = Keep::begin();
        let mut directories = self.inner.directories.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = match directories.get(&authority) {
            Some(known) => Arc::clone(known),
            None => {
                let Some(bytes) = self.authority_certificate(authority)? else { return Ok(None) };
                Arc::new(Directory::new(AuthorityCertificate::parse_pinned(&bytes, &[authority]).map_err(damaged)?))
            }
        };
        let fresh = self.new_service_certificates(authority, &known)?;
        if !fresh.is_empty() || known.services().is_empty() {
            for bytes in &fresh {
                Arc::make_mut(&mut known).add(bytes).map_err(damaged)?;
            }
            directories.insert(authority, Arc::clone(&known));
        }
        Ok(Some(known))
    }

    /// What this process knows of an authority already, without asking the database.
    pub(super) fn known_directory(&self, authority: Digest) -> Option<Arc<Directory>> {
        self.inner.directories.lock().unwrap_or_else(PoisonError::into_inner).get(&authority).map(Arc::clone)
    }

    fn authority_certificate(&self, authority: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.readers.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT bytes FROM authority WHERE hash = ?1")?;
            Ok(statement.query_row([authority.as_bytes()], |row| row.get(0)).optional()?)
        })
    }

    fn new_service_certificates(&self, authority: Digest, known: &Directory) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = "SELECT hash, bytes FROM service_certificate WHERE authority = ?1 ORDER BY hash";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([authority.as_bytes()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let hash = Digest::new(fixed(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
                if !known.services().iter().any(|service| service.hash == hash) {
                    found.push(row.get(1)?);
                }
            }
            Ok(found)
        })
    }

    /// Adds what is new of a verified directory.
    pub fn save_directory(&self, directory: &Directory) -> Result<(), StoreError> {
        let authority = directory.authority.hash;
        let stored = self.directory(authority)?;
        let is_known =
            |hash| stored.as_ref().is_some_and(|stored| stored.services().iter().any(|service| service.hash == hash));
        let fresh: Vec<_> = directory.services().iter().filter(|service| !is_known(service.hash)).collect();
        if stored.is_some() && fresh.is_empty() {
            return Ok(());
        }
        self.inner.write(|connection| {
            connection
                .prepare_cached("INSERT OR IGNORE INTO authority (hash, bytes) VALUES (?1, ?2)")?
                .execute((authority.as_bytes(), &directory.authority.bytes))?;
            let sql = "INSERT OR IGNORE INTO service_certificate (authority, hash, bytes) VALUES (?1, ?2, ?3)";
            let mut statement = connection.prepare_cached(sql)?;
            for service in fresh {
                statement.execute((authority.as_bytes(), service.hash.as_bytes(), &service.bytes))?;
            }
            Ok(())
        })
    }

    /// The newest service document known for a service URL.
    pub fn service_document(&self, url: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.readers.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT bytes FROM service_document WHERE url = ?1")?;
            Ok(statement.query_row([url], |row| row.get(0)).optional()?)
        })
    }

    /// All service documents that are kept.
    pub(crate) fn service_documents(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.readers.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT bytes FROM service_document ORDER BY url")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Keeps a verified service document; an older one than the known is ignored.
    pub fn save_service_document(
        &self,
        url: &str,
        document: &[u8],
        (issued_at, furthest): (i64, i64),
    ) -> Result<(), StoreError> {
        self.inner.write(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO service_document (url, issued_at, bytes) VALUES (?1, ?2, ?3)
                     ON CONFLICT (url) DO UPDATE SET issued_at = excluded.issued_at, bytes = excluded.bytes
                     WHERE excluded.issued_at > service_document.issued_at OR service_document.issued_at > ?4",
                )?
                .execute((url, issued_at, document, furthest))?;
            Ok(())
        })
    }

    /// The device's certificate at an authority.
    pub fn device_certificate(&self, authority: Digest) -> Result<Option<DeviceCertificate>, StoreError> {
        let bytes: Option<Vec<u8>> = self.inner.readers.with(|connection| {
            let sql = "SELECT bytes FROM device_certificate WHERE authority = ?1";
            Ok(connection.prepare_cached(sql)?.query_row([authority.as_bytes()], |row| row.get(0)).optional()?)
        })?;
        let Some(bytes) = bytes else { return Ok(None) };
        let Some(directory) = self.directory(authority)? else { return Ok(None) };
        directory.device(&bytes).map(Some).map_err(damaged)
    }

    /// Keeps the certificate and ends the transaction that brought it, in one commit.
    pub fn save_device_certificate(
        &self,
        authority: Digest,
        certificate: &[u8],
        transaction: TransactionId,
    ) -> Result<(), StoreError> {
        self.inner.write(|connection| {
            transactions::end(connection, transaction, TransactionState::Answered)?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO device_certificate (authority, bytes) VALUES (?1, ?2)")?
                .execute((authority.as_bytes(), certificate))?;
            Ok(())
        })
    }
}
