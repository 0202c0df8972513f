//! Cursors: where a pre-delivery stands, given to the device and brought back by it with the next page. A MAC makes each good
//! for that page of that transaction and that account only.

use super::super::Caller;
use crate::service::Service;
use crate::store::Position;
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::cbor::{self, read, write};
use wmlicense_wire::id::{Digest, UserId};

const MAC_LEN: usize = 16;

/// Where a pre-delivery stands.
pub(super) struct Cursor {
    /// Number of the last change before the run began.
    pub(super) mark: i64,
    pub(super) position: Position,
}

impl Cursor {
    /// The bytes to bring back with the page after the caller's.
    pub(super) fn seal(&self, caller: &Caller, user: Option<UserId>, service: &Service) -> Vec<u8> {
        let (number, text, key) = match &self.position {
            Position::Withdrawn(after) => (0, "", after),
            Position::Scope(scope, after) => (1, scope.as_str(), after),
        };
        let mut said = write::array([write::int(self.mark), write::uint(number), write::text(text), write::bytes(key)]);
        let mac = mac(caller, user, service, caller.request.page.saturating_add(1), &said);
        said.extend_from_slice(&mac);
        said
    }

    /// Reads the cursor that came with the caller's page; `None` if it was not given for it.
    pub(super) fn open(bytes: &[u8], caller: &Caller, user: Option<UserId>, service: &Service) -> Option<Self> {
        let (said, found) = bytes.split_last_chunk::<MAC_LEN>()?;
        if !constant_time_eq(found, &mac(caller, user, service, caller.request.page, said)) {
            return None;
        }
        cbor::check(said).ok()?;
        let [mark, number, text, key] = read::tuple(said)?;
        let after = read::bytes(key)?.to_vec();
        let position = match read::uint(number)? {
            0 => Position::Withdrawn(after),
            1 => Position::Scope(read::text(text)?, after),
            _ => return None,
        };
        Some(Self { mark: read::int(mark)?, position })
    }
}

fn mac(caller: &Caller, user: Option<UserId>, service: &Service, page: u32, said: &[u8]) -> [u8; MAC_LEN] {
    let (thumbprint, transaction) = (caller.thumbprint.as_bytes(), caller.request.transaction);
    // Of a fixed length, so that no two sets of parts join to the same bytes.
    let account = write::array([user.map_or_else(write::null, write::bytes)]);
    let account = Digest::of(&account);
    let parts: [&[u8]; 5] = [thumbprint, transaction.as_bytes(), &page.to_be_bytes(), account.as_bytes(), said];
    let mut mac = [0; MAC_LEN];
    mac.copy_from_slice(&service.master.cursor_mac(&parts)[..MAC_LEN]);
    mac
}
