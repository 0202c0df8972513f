//! Bodies of requests: read up to a cap and at a pace, or thrown away so that a refusal arrives.

use super::COSE;
use crate::problem::Fault;
use crate::shares::Share;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wmlicense_wire::request::MAX_RESTORE_LEN;
use zeroize::Zeroizing;

/// For how long nothing need come of a body; and how many bytes a second must come from then on.
const GRACE: Duration = Duration::from_secs(10);
const BYTES_A_SECOND: u64 = 16 * 1024;
const MICROS: u64 = 1_000_000;
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

/// The body of an answer that has keys or tokens in it: sent without a copy of ours, and wiped when it was sent.
pub(super) fn wiped(bytes: Zeroizing<Vec<u8>>) -> Body {
    struct Owned(Zeroizing<Vec<u8>>);
    impl AsRef<[u8]> for Owned {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Body::from(Bytes::from_owner(Owned(bytes)))
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
    let (mut by, mut bytes) = (Instant::now() + GRACE, Vec::new());
    loop {
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
        by = put_off(by, Instant::now(), more.len());
        bytes.extend_from_slice(&more);
    }
}

/// By when more has to come after bytes that came. Who was fast saves nothing up: a body holds its room only while it comes.
fn put_off(by: Instant, now: Instant, came: usize) -> Instant {
    (by + Duration::from_micros(came as u64 * MICROS / BYTES_A_SECOND)).min(now + GRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_came_fast_and_then_stands_still_has_no_more_time_than_one_that_never_came() {
        let start = Instant::now();
        let soon = start + Duration::from_millis(50);
        assert_eq!(put_off(start + GRACE, soon, 4 * 1024 * 1024 - 1), soon + GRACE);
    }

    #[test]
    fn a_body_at_just_the_pace_comes_to_its_end_and_one_below_it_does_not() {
        let start = Instant::now();
        let ends_after = |bytes: usize| {
            let mut by = start + GRACE;
            (1..1000).find(|second| {
                let now = start + Duration::from_secs(*second);
                let late = now > by;
                by = put_off(by, now, bytes);
                late
            })
        };
        assert_eq!(ends_after(16 * 1024), None);
        assert_eq!(ends_after(8 * 1024), Some(20));
        assert_eq!(ends_after(0), Some(11));
    }
}
