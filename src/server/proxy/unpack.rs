//! Decompresses the copy of a response while it streams.

use std::io::Write as _;

use brotli_decompressor::DecompressorWriter;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;
use ruzstd::decoding::FrameDecoder;

/// Number of bytes needed to read the header of a Zstandard frame.
const ZSTD_HEAD: usize = 18;
/// Maximum window size of a Zstandard frame. Frames with a larger one are not decompressed.
const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;
/// Number of bytes decompressed at a time.
const STEP: usize = 16 * 1024;

/// The decoder for one response.
pub(super) enum Unpack {
    /// Not compressed.
    Plain,
    /// gzip, with one or several members.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// zlib.
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
    Brotli(Box<DecompressorWriter<Vec<u8>>>),
    /// Zstandard, with the bytes that do not form a complete block yet.
    Zstd(Box<FrameDecoder>, Vec<u8>),
    /// Another coding, or damaged data.
    Unknown,
}

impl Unpack {
    /// The decoder for the coding given in a response.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Self::Plain };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Plain,
            "gzip" | "x-gzip" => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Self::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            "br" => Self::Brotli(Box::new(DecompressorWriter::new(Vec::new(), STEP))),
            "zstd" => {
                let mut decoder = FrameDecoder::new();
                decoder.set_max_window_size(ZSTD_WINDOW);
                Self::Zstd(Box::new(decoder), Vec::new())
            }
            _ => Self::Unknown,
        }
    }

    /// True when the copy cannot be read.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Decompresses a chunk and passes the result on.
    pub(super) fn feed(&mut self, chunk: &[u8], mut take: impl FnMut(&[u8])) {
        let is_sound = match self {
            Self::Plain => {
                take(chunk);
                true
            }
            // In small steps, so that a chunk that expands a thousandfold needs little memory.
            Self::Gzip(decoder) => chunk.chunks(1024).all(|step| {
                let written = decoder.write_all(step).and_then(|()| decoder.flush());
                handed_on(decoder.get_mut(), &mut take);
                written.is_ok()
            }),
            Self::Deflate(decoder) => chunk.chunks(1024).all(|step| {
                let written = decoder.write_all(step).and_then(|()| decoder.flush());
                handed_on(decoder.get_mut(), &mut take);
                written.is_ok()
            }),
            Self::Brotli(decoder) => chunk.chunks(1024).all(|step| {
                let written = decoder.write_all(step).and_then(|()| decoder.flush());
                handed_on(decoder.get_mut(), &mut take);
                written.is_ok()
            }),
            Self::Zstd(decoder, pending) => {
                pending.extend_from_slice(chunk);
                zstd(decoder, pending, &mut take)
            }
            Self::Unknown => false,
        };
        if !is_sound {
            *self = Self::Unknown;
        }
    }
}

fn handed_on(out: &mut Vec<u8>, take: &mut impl FnMut(&[u8])) {
    take(out);
    out.clear();
}

/// Decodes the complete blocks in the pending bytes.
fn zstd(decoder: &mut FrameDecoder, pending: &mut Vec<u8>, take: &mut impl FnMut(&[u8])) -> bool {
    let mut out = vec![0; STEP];
    if decoder.blocks_decoded() == 0 && pending.len() < ZSTD_HEAD {
        return true;
    }
    loop {
        let Ok((read, written)) = decoder.decode_from_to(pending, &mut out) else { return false };
        if read > pending.len() {
            // A checksum, the rest of which is still to come.
            return true;
        }
        pending.drain(..read);
        take(out.get(..written).unwrap_or_default());
        if written == 0 && (read == 0 || pending.is_empty()) && decoder.can_collect() == 0 {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"usage\":{\"prompt_tokens\":7}}\n";

    fn unpacked(coding: &'static str, bytes: &[u8], cut: usize) -> (String, bool) {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding.parse().unwrap())]);
        let mut unpack = Unpack::of_headers(&headers);
        let mut out = Vec::new();
        for piece in bytes.chunks(cut) {
            unpack.feed(piece, |bytes| out.extend_from_slice(bytes));
        }
        (String::from_utf8(out).unwrap(), unpack.is_unknown())
    }

    #[test]
    fn every_coding_is_expanded_however_it_is_cut() {
        let text = TEXT.repeat(3000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(text.as_bytes()).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
        let cases = [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap()), ("zstd", zstd)];
        for (coding, bytes) in cases {
            for cut in [1, 7, 1000, 1 << 20] {
                assert!(unpacked(coding, &bytes, cut) == (text.clone(), false), "{coding} {cut}");
            }
        }
    }

    #[test]
    fn brotli_is_expanded() {
        let bytes = brotli_bytes();
        for cut in [1, 5, 100] {
            assert_eq!(unpacked("br", &bytes, cut), (TEXT.repeat(3), false), "{cut}");
        }
    }

    /// A stream with one uncompressed meta-block and an empty last one, as in RFC 7932, section 9.2.
    fn brotli_bytes() -> Vec<u8> {
        let text = TEXT.repeat(3);
        let length = u32::try_from(text.len()).unwrap() - 1;
        // WBITS 16 (bit 0), ISLAST 0, MNIBBLES 4 (bits 00), MLEN - 1 in 16 bits, ISUNCOMPRESSED 1, then padding.
        let bits = (length << 4) | (1 << 20);
        let mut bytes = bits.to_le_bytes()[..3].to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(3);
        bytes
    }

    #[test]
    fn damage_and_other_codings_are_noticed_and_do_no_harm() {
        for coding in ["gzip", "deflate", "br", "zstd", "compress"] {
            assert!(unpacked(coding, &[0xff; 200], 50).1, "{coding}");
        }
    }
}
