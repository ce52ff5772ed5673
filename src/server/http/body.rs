//! Request bodies: reading and decompressing them, both with bounds.

use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::FrameDecoderError;

use super::bounds::Bounds;
use super::status::Problem;
use crate::ingest::is_intact;
use crate::server::content_coding::{ZSTD_WINDOW, is_zlib, names};

/// Maximum number of codings of a body, nested in each other.
const MOST_CODINGS: usize = 2;

/// Content coding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// gzip, with one or several members.
    Gzip,
    /// zlib, or raw deflate.
    Deflate,
    /// Zstandard.
    Zstd,
}

impl Coding {
    /// The codings given in a request, in the order in which they were applied. Empty for an unencoded body.
    ///
    /// # Errors
    /// 415 for an unknown coding, and for too many.
    pub(super) fn of_headers(headers: &HeaderMap) -> Result<Vec<Self>, Problem> {
        let mut all = Vec::new();
        let refusal = |why: &str| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        for name in names(headers) {
            all.push(match name.as_str() {
                "gzip" | "x-gzip" => Self::Gzip,
                "deflate" => Self::Deflate,
                "zstd" => Self::Zstd,
                _ => return refusal("unknown content encoding; there are: gzip, deflate, zstd"),
            });
        }
        if all.len() > MOST_CODINGS { refusal("the body is encoded more than twice") } else { Ok(all) }
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
/// 413 when the result of any coding exceeds the bound, 400 when the data is damaged.
pub(super) fn expanded(body: Vec<u8>, codings: &[Coding], most: u64) -> Result<Vec<u8>, Problem> {
    codings.iter().rev().try_fold(body, |body, coding| match coding {
        Coding::Gzip => all_of(flate2::read::MultiGzDecoder::new(body.as_slice()), most),
        Coding::Deflate => match body.as_slice() {
            [first, second, ..] if is_zlib(*first, *second) => {
                all_of(flate2::read::ZlibDecoder::new(body.as_slice()), most)
            }
            bare => bare_deflate(bare, most),
        },
        Coding::Zstd => frames(&body, most),
    })
}

/// Decompresses data without zlib's header and checksum. Without the checksum, only the end tells that it is whole.
fn bare_deflate(body: &[u8], most: u64) -> Result<Vec<u8>, Problem> {
    let mut decoder = flate2::Decompress::new(false);
    let mut out = Vec::with_capacity(body.len().saturating_mul(4).min(1 << 20));
    loop {
        let (before, begun) = (decoder.total_out(), decoder.total_in());
        let rest = usize::try_from(begun).ok().and_then(|at| body.get(at..)).unwrap_or_default();
        let status = decoder.decompress_vec(rest, &mut out, flate2::FlushDecompress::None).map_err(|_| damaged())?;
        if decoder.total_out() > most {
            return Err(too_large(most));
        }
        match status {
            flate2::Status::StreamEnd => return Ok(out),
            flate2::Status::Ok | flate2::Status::BufError => {
                if out.len() < out.capacity() && (before, begun) == (decoder.total_out(), decoder.total_in()) {
                    return Err(damaged());
                }
                out.reserve(out.len().max(1 << 12));
            }
        }
    }
}

fn all_of(source: impl Read, most: u64) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    append(source, &mut out, most)?;
    Ok(out)
}

/// Decompresses all frames of a Zstandard body, which may have several, and checks their checksums, where they have any.
fn frames(mut body: &[u8], most: u64) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    loop {
        if let Some(behind) = behind_skippable(body)? {
            body = behind;
        } else {
            let frame = StreamingDecoder::new_with_max_window_size(&mut body, ZSTD_WINDOW);
            let mut frame = frame.map_err(|error| {
                if matches!(error, FrameDecoderError::WindowSizeTooBig { .. }) { too_wide() } else { damaged() }
            })?;
            append(&mut frame, &mut out, most)?;
            if !is_intact(&frame.decoder) {
                return Err(damaged());
            }
        }
        if body.is_empty() {
            return Ok(out);
        }
    }
}

/// The bytes behind a skippable frame (RFC 8878, 3.1.2); `None` for any other frame.
fn behind_skippable(body: &[u8]) -> Result<Option<&[u8]>, Problem> {
    let [0x50..=0x5f, 0x2a, 0x4d, 0x18, frame @ ..] = body else { return Ok(None) };
    let (length, frame) = frame.split_first_chunk().ok_or_else(damaged)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| damaged())?;
    frame.get(length..).map(Some).ok_or_else(damaged)
}

fn append(source: impl Read, out: &mut Vec<u8>, most: u64) -> Result<(), Problem> {
    let room = most.saturating_sub(out.len() as u64);
    let read = source.take(room + 1).read_to_end(out).map_err(|_| damaged())?;
    if read as u64 > room {
        return Err(too_large(most));
    }
    Ok(())
}

fn too_large(most: u64) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body expands to more than {most} bytes"))
}

fn too_wide() -> Problem {
    let mib = ZSTD_WINDOW >> 20;
    Problem::new(StatusCode::BAD_REQUEST, format!("the body is compressed in a zstd window of more than {mib} MiB"))
}

fn damaged() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the compressed body is damaged")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::header;

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
        assert_eq!(expanded(both, &[Coding::Gzip], MOST).unwrap(), b"{\"resourceLogs\":[]}");
        let both = [zstd(b"{\"resource"), zstd(b"Logs\":[]}")].concat();
        assert_eq!(expanded(both, &[Coding::Zstd], MOST).unwrap(), b"{\"resourceLogs\":[]}");
    }

    /// Deflated data without zlib's header and checksum.
    fn bare(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn deflated_data_may_lack_its_wrapping_and_never_its_end() {
        let long: Vec<u8> = (0..200_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        for text in [b"".as_slice(), b"{\"resourceLogs\":[]}", &long] {
            let mut body = bare(text);
            assert_eq!(expanded(body.clone(), &[Coding::Deflate], MOST).unwrap(), text);
            body.pop();
            assert_eq!(expanded(body, &[Coding::Deflate], MOST).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn frames_without_data_are_skipped() {
        let skipped = |number: u8| [&[0x50 + number, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], b"abc".as_slice()].concat();
        let body = [skipped(0), zstd(b"{\"resource"), skipped(15), zstd(b"Logs\":[]}"), skipped(3)].concat();
        assert_eq!(expanded(body, &[Coding::Zstd], MOST).unwrap(), b"{\"resourceLogs\":[]}");
        let mut cut = skipped(0);
        cut.pop();
        assert_eq!(expanded(cut, &[Coding::Zstd], MOST).unwrap_err().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_frame_with_the_checksum_of_other_data_is_damaged() {
        let text: Vec<u8> = (0..400_000_u32).map(|number| (number / 7 % 251) as u8).collect();
        let whole = zstd(&text);
        assert_ne!(whole[4] & 4, 0, "the frame has a checksum");
        assert_eq!(expanded(whole.clone(), &[Coding::Zstd], MOST).unwrap(), text);
        let last = whole.len() - 1;
        for (changed, behind) in [(last, Vec::new()), (last - 3, zstd(b"{}"))] {
            let mut body = whole.clone();
            body[changed] ^= 1;
            let problem = expanded([body, behind].concat(), &[Coding::Zstd], MOST).unwrap_err();
            assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{changed}");
        }
    }

    #[test]
    fn a_window_is_at_most_8_mib_and_an_error_says_so() {
        // A frame without a checksum that is one block of two bytes, in a window of 2 to the power of this.
        let frame =
            |power: u8| [&[0x28, 0xb5, 0x2f, 0xfd, 0, (power - 10) << 3, 0x11, 0, 0], b"{}".as_slice()].concat();
        assert_eq!(expanded(frame(23), &[Coding::Zstd], MOST).unwrap(), b"{}");
        for power in [24, 27, 41] {
            let problem = expanded(frame(power), &[Coding::Zstd], MOST).unwrap_err();
            assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{power}");
            assert!(problem.message.contains("more than 8 MiB"), "{}", problem.message);
        }
    }

    #[test]
    fn codings_are_undone_from_the_last_to_the_first() {
        let codings = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()));
            Coding::of_headers(&values.collect())
        };
        for values in [["gzip, identity", ""], ["", "gzip"], [" Identity ,x-gzip", "identity"]] {
            assert_eq!(codings(&values).unwrap(), [Coding::Gzip], "{values:?}");
        }
        for values in [vec!["zstd,gzip"], vec!["zstd", "gzip"]] {
            let body = gzip(&zstd(b"{}"));
            assert_eq!(expanded(body, &codings(&values).unwrap(), MOST).unwrap(), b"{}", "{values:?}");
        }
        assert_eq!(codings(&[]).unwrap(), []);
        for values in [vec!["br"], vec!["gzip", "br"], vec!["gzip, gzip, gzip"], vec!["gzip\u{80}"]] {
            let refusal = codings(&values).unwrap_err();
            assert_eq!(refusal.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{values:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_while_it_expands() {
        let most = usize::try_from(MOST).unwrap();
        let (over, fits) = (vec![0; most + 1], vec![0; most]);
        let packs = [(Coding::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Coding::Zstd, zstd), (Coding::Deflate, bare)];
        for (coding, pack) in packs {
            assert_eq!(expanded(pack(&over), &[coding], MOST).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(expanded(pack(&fits), &[coding], MOST).unwrap().len(), most);
            if coding == Coding::Deflate {
                continue;
            }
            // The bound applies to all members together.
            let two = [pack(&fits), pack(b"x")].concat();
            assert_eq!(expanded(two, &[coding], MOST).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        }
    }

    #[test]
    fn a_damaged_body_is_the_clients_fault() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
            assert_eq!(
                expanded(b"not compressed".to_vec(), &[coding], MOST).unwrap_err().status,
                StatusCode::BAD_REQUEST
            );
        }
        let mut cut = gzip(b"{\"resourceLogs\":[]}");
        cut.truncate(cut.len() - 5);
        assert_eq!(expanded(cut, &[Coding::Gzip], MOST).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
