//! Bodies of requests: read up to a cap and at a pace, or thrown away so that a refusal arrives.

use super::COSE;
use super::shares::Share;
use crate::problem::Fault;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wmlicense_wire::request::MAX_RESTORE_LEN;

/// For how long nothing need come of a body; and how many bytes a second must have come from then on.
const GRACE: Duration = Duration::from_secs(10);
const BYTES_A_SECOND: u64 = 16 * 1024;
/// What is read and thrown away of the body of a refused request, and for how long.
const MAX_DISCARDED: usize = MAX_RESTORE_LEN;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a body of at most `cap` bytes of the protocol's media type, as far as there is room for it.
pub(super) async fn read_body(request: Request, cap: usize, room: &mut Share) -> Result<Vec<u8>, Fault> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(COSE) {
        discard(request.into_body());
        return Err(Fault::BadRequest("The content type must be application/cose."));
    }
    read_frames(request.into_body(), cap, room).await
}

/// Reads on beside the answer for a while and keeps nothing, so that a refusal arrives: a connection that is closed with bytes
/// unread is reset, and the answer is lost with it.
pub(super) fn discard(mut body: Body) {
    tokio::spawn(async move {
        let read = async {
            let mut left = MAX_DISCARDED;
            while let Some(Ok(bytes)) = next_bytes(&mut body).await {
                left = left.saturating_sub(bytes.len());
                if left == 0 {
                    return;
                }
            }
        };
        // Who sends more, or slower, does not get to read why.
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
    });
}

/// The next bytes of a body; empty ones for what is not data.
async fn next_bytes(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// Reads a body of at most `cap` bytes, as far as there is room for it. Nothing else is held meanwhile.
pub(super) async fn read_frames(mut body: Body, cap: usize, room: &mut Share) -> Result<Vec<u8>, Fault> {
    if body.size_hint().lower() > cap as u64 {
        discard(body);
        return Err(Fault::TooLarge);
    }
    let (started, mut bytes) = (Instant::now(), Vec::new());
    loop {
        let by = started + GRACE + Duration::from_secs(bytes.len() as u64 / BYTES_A_SECOND);
        let Ok(next) = timeout_at(by, next_bytes(&mut body)).await else {
            return Err(Fault::BadRequest("The body came too slowly."));
        };
        let Some(more) = next else { return Ok(bytes) };
        let more = more.map_err(|_| Fault::BadRequest("The body ended early."))?;
        if bytes.len() + more.len() > cap {
            discard(body);
            return Err(Fault::TooLarge);
        }
        if !room.grow(more.len() as u64) {
            discard(body);
            return Err(Fault::Overloaded);
        }
        bytes.extend_from_slice(&more);
    }
}
