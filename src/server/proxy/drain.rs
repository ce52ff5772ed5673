//! Reads the rest of a request that was answered early. Common clients send all of it before they read the answer, and
//! would not get the answer if the connection was closed meanwhile.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;

/// Maximum time and number of bytes to read.
const MOST: (Duration, u64) = (Duration::from_secs(10), 64 * 1024 * 1024);

/// Reads what a client is still sending of this request, unless it waits to be asked for it.
pub(super) fn request(request: Request<Incoming>) {
    if !request.headers().contains_key(EXPECT) {
        body(request.into_body());
    }
}

/// Reads what a client is still sending of this body.
pub(super) fn body(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        let (time, mut left) = MOST;
        let _ = tokio::time::timeout(time, async {
            while let Some(Ok(frame)) = body.frame().await {
                let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, |data| data.len() as u64)) else { break };
                left = rest;
            }
        })
        .await;
    });
}
