//! The content codings of a message, as its headers name them and as its first bytes show them.

use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;

/// Largest window of a Zstandard frame. A content coding needs no larger one (RFC 9659).
pub(super) const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

/// Names of the codings in lower case, in the order in which they were applied, without `identity`. A header that is
/// not text gives the name `?`.
pub(super) fn names(headers: &HeaderMap) -> impl Iterator<Item = String> + '_ {
    let values = headers.get_all(CONTENT_ENCODING).into_iter();
    let names = values.flat_map(|value| value.to_str().unwrap_or("?").split(','));
    names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !matches!(name.as_str(), "" | "identity"))
}

/// True if `deflate` data that begins with these bytes has the frame of zlib (RFC 1950, section 2.2), as it should. Some
/// programs send it without; the first of these bytes would then begin a block with padding that is not zero.
pub(super) fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x8f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}
