//! Bodies of requests: read within bounds, and expanded within bounds.

use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::status::Problem;

/// Bytes of a request's body as it arrives.
pub(super) const LONGEST: usize = 16 * 1024 * 1024;
/// Bytes of a body once expanded.
pub(super) const EXPANDED: u64 = 64 * 1024 * 1024;
/// Time for a body to arrive.
const ARRIVAL: std::time::Duration = std::time::Duration::from_secs(30);

/// Coding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Identity,
    /// gzip, of one or several members.
    Gzip,
    /// zlib.
    Deflate,
    /// Zstandard.
    Zstd,
}

impl Coding {
    /// The coding that a request names.
    ///
    /// # Errors
    /// 415 for another one.
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
/// 413 when it is too long, 408 when it does not arrive, 400 when the client leaves.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let whole = tokio::time::timeout(ARRIVAL, Limited::new(body, LONGEST).collect()).await;
    match whole {
        Ok(Ok(bytes)) => Ok(bytes.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {LONGEST} bytes")))
        }
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body could not be read")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

/// Expands a body.
///
/// # Errors
/// 413 when it expands beyond the bound, 400 when it is damaged.
pub(super) fn expanded(body: Vec<u8>, coding: Coding) -> Result<Vec<u8>, Problem> {
    match coding {
        Coding::Identity => Ok(body),
        Coding::Gzip => all_of(flate2::read::MultiGzDecoder::new(body.as_slice())),
        Coding::Deflate => all_of(flate2::read::ZlibDecoder::new(body.as_slice())),
        Coding::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(body.as_slice());
            all_of(decoder.map_err(|_| damaged())?)
        }
    }
}

fn all_of(source: impl Read) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    source.take(EXPANDED + 1).read_to_end(&mut out).map_err(|_| damaged())?;
    if out.len() as u64 > EXPANDED {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body expands to more than {EXPANDED} bytes"),
        ));
    }
    Ok(out)
}

fn damaged() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the compressed body is damaged")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn concatenated_gzip_members_are_one_body() {
        let both = [gzip(b"{\"resource"), gzip(b"Logs\":[]}")].concat();
        assert_eq!(expanded(both, Coding::Gzip).unwrap(), b"{\"resourceLogs\":[]}");
    }

    #[test]
    fn a_bomb_is_refused_while_it_expands() {
        let bomb = gzip(&vec![0; usize::try_from(EXPANDED).unwrap() + 1]);
        assert!(bomb.len() < 500_000);
        assert_eq!(expanded(bomb, Coding::Gzip).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn a_damaged_body_is_the_clients_fault() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
            assert_eq!(expanded(b"not compressed".to_vec(), coding).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
        let mut cut = gzip(b"{\"resourceLogs\":[]}");
        cut.truncate(cut.len() - 5);
        assert_eq!(expanded(cut, Coding::Gzip).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
