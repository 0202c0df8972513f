//! Bodies of requests: read up to a cap, or thrown away so that a refusal arrives.

use super::COSE;
use crate::problem::Fault;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header;
use std::pin::Pin;
use std::time::Duration;
use wmlicense_wire::request::MAX_RESTORE_LEN;

/// Longest time that a body may take to arrive.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// What is read and thrown away of the body of a refused request, and for how long.
const MAX_DISCARDED: usize = MAX_RESTORE_LEN;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a body of at most `cap` bytes of the protocol's media type.
pub(super) async fn read_body(request: Request, cap: usize) -> Result<Vec<u8>, Fault> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(COSE) {
        discard(request.into_body());
        return Err(Fault::BadRequest("The content type must be application/cose."));
    }
    let body = request.into_body();
    if body.size_hint().lower() > cap as u64 {
        discard(body);
        return Err(Fault::TooLarge);
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, read_frames(body, cap)).await;
    read.unwrap_or(Err(Fault::BadRequest("The body came too slowly.")))
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

pub(super) async fn read_frames(mut body: Body, cap: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(more) = next_bytes(&mut body).await {
        let more = more.map_err(|_| Fault::BadRequest("The body ended early."))?;
        if bytes.len() + more.len() > cap {
            discard(body);
            return Err(Fault::TooLarge);
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}
