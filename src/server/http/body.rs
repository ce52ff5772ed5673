//! Request bodies: reading and decompressing them, both with bounds.

use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use ruzstd::decoding::StreamingDecoder;

use super::bounds::Bounds;
use super::status::Problem;

/// Content coding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not compressed.
    Identity,
    /// gzip, with one or several members.
    Gzip,
    /// zlib.
    Deflate,
    /// Zstandard.
    Zstd,
}

impl Coding {
    /// The coding given in a request.
    ///
    /// # Errors
    /// 415 for an unknown coding.
    pub(super) fn of_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Identity) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unknown content encoding; there are: gzip, deflate, zstd",
            )),
        }
    }
}

/// Reads a whole body.
///
/// # Errors
/// 413 when it is too long, 408 when it does not arrive in time, 400 when the client disconnects.
pub(super) async fn read(body: Body, bounds: &Bounds) -> Result<Vec<u8>, Problem> {
    let longest = bounds.body;
    let whole = tokio::time::timeout(bounds.arrival, Limited::new(body, longest).collect()).await;
    match whole {
        Ok(Ok(bytes)) => Ok(bytes.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {longest} bytes")))
        }
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body could not be read")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

/// Decompresses a body.
///
/// # Errors
/// 413 when the result exceeds the bound, 400 when the data is damaged.
pub(super) fn expanded(body: Vec<u8>, coding: Coding, most: u64) -> Result<Vec<u8>, Problem> {
    match coding {
        Coding::Identity => Ok(body),
        Coding::Gzip => all_of(flate2::read::MultiGzDecoder::new(body.as_slice()), most),
        Coding::Deflate => all_of(flate2::read::ZlibDecoder::new(body.as_slice()), most),
        Coding::Zstd => frames(&body, most),
    }
}

fn all_of(source: impl Read, most: u64) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    append(source, &mut out, most)?;
    Ok(out)
}

/// Decompresses all frames of a Zstandard body, which may have several.
fn frames(mut body: &[u8], most: u64) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    loop {
        let decoder = StreamingDecoder::new(&mut body).map_err(|_| damaged())?;
        append(decoder, &mut out, most)?;
        if body.is_empty() {
            return Ok(out);
        }
    }
}

fn append(source: impl Read, out: &mut Vec<u8>, most: u64) -> Result<(), Problem> {
    let room = most.saturating_sub(out.len() as u64);
    let read = source.take(room + 1).read_to_end(out).map_err(|_| damaged())?;
    if read as u64 > room {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body expands to more than {most} bytes")));
    }
    Ok(())
}

fn damaged() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the compressed body is damaged")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const MOST: u64 = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn concatenated_members_and_frames_are_one_body() {
        let both = [gzip(b"{\"resource"), gzip(b"Logs\":[]}")].concat();
        assert_eq!(expanded(both, Coding::Gzip, MOST).unwrap(), b"{\"resourceLogs\":[]}");
        let both = [zstd(b"{\"resource"), zstd(b"Logs\":[]}")].concat();
        assert_eq!(expanded(both, Coding::Zstd, MOST).unwrap(), b"{\"resourceLogs\":[]}");
    }

    #[test]
    fn a_bomb_is_refused_while_it_expands() {
        let most = usize::try_from(MOST).unwrap();
        let (over, fits) = (vec![0; most + 1], vec![0; most]);
        for (coding, pack) in [(Coding::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Coding::Zstd, zstd)] {
            assert_eq!(expanded(pack(&over), coding, MOST).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(expanded(pack(&fits), coding, MOST).unwrap().len(), most);
            // The bound applies to all members together.
            let two = [pack(&fits), pack(b"x")].concat();
            assert_eq!(expanded(two, coding, MOST).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        }
    }

    #[test]
    fn a_damaged_body_is_the_clients_fault() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
            assert_eq!(expanded(b"not compressed".to_vec(), coding, MOST).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
        let mut cut = gzip(b"{\"resourceLogs\":[]}");
        cut.truncate(cut.len() - 5);
        assert_eq!(expanded(cut, Coding::Gzip, MOST).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
