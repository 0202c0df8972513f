//! Initialization data of type `keyids` (W3C EME "keyids" format): `{"kids":["<base64url>", …]}`.

use crate::error::HeaderError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wmlicense_wire::id::Kid;

/// Enough for 16 000 key IDs; more in one piece of initialization data is no honest content.
const SIZE_LIMIT: usize = 512 << 10;

#[derive(serde::Deserialize)]
struct KeyIds {
    kids: Vec<serde_json::Value>,
}

/// Reads the key IDs, `None` for one that cannot be read. Padded and plain base64 are accepted, because clients are known
/// to send both.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Option<Kid>>, HeaderError> {
    if text.len() > SIZE_LIMIT {
        let (size, limit) = (text.len() as u64, SIZE_LIMIT as u64);
        return Err(HeaderError::TooLarge { offset: 0, field: "keyids", size, limit });
    }
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let bad = HeaderError::BadText { offset: 0, field: "keyids" };
    let Ok(parsed) = serde_json::from_slice::<KeyIds>(text) else { return Err(bad) };
    if parsed.kids.is_empty() {
        return Err(HeaderError::Missing { offset: 0, field: "keyids" });
    }
    Ok(parsed.kids.iter().map(|kid| decode(kid.as_str()?)).collect())
}

fn decode(text: &str) -> Option<Kid> {
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    Kid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
