//! What became of a request, as an answer says it.

use crate::cbor::{read, write};

/// What became of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Decided; what was granted is in the answer.
    Done,
    /// Nothing was granted; see the refusals.
    Refused,
    /// The user must act at this URL; the same request gives the result later.
    Interaction {
        /// Page to open.
        url: String,
    },
    /// Ask again with the same request between these times, seconds UTC.
    Later {
        /// Not before.
        from: i64,
        /// Not after.
        until: i64,
    },
    /// Nobody asked: an issuer gives licenses.
    Given,
}

impl Outcome {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Done => write::array([write::uint(0)]),
            Self::Refused => write::array([write::uint(1)]),
            Self::Interaction { url } => write::array([write::uint(2), write::text(url)]),
            Self::Later { from, until } => write::array([write::uint(3), write::int(*from), write::int(*until)]),
            Self::Given => write::array([write::uint(4)]),
        }
    }

    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        let items = read::items(raw, 3)?;
        match (read::uint(items.first()?)?, items.as_slice()) {
            (0, [_]) => Some(Self::Done),
            (1, [_]) => Some(Self::Refused),
            (2, [_, url]) => Some(Self::Interaction { url: read::text(url)? }),
            (3, [_, from, until]) => Some(Self::Later { from: read::int(from)?, until: read::int(until)? }),
            (4, [_]) => Some(Self::Given),
            _ => None,
        }
    }
}
