//! Decompresses the copy of a response while it streams.

mod zstd;

use std::io::Write;

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use hyper::HeaderMap;

use self::zstd::Zstd;
use crate::server::content_coding::{is_zlib, names};

/// Number of bytes decompressed at a time.
const STEP: usize = 16 * 1024;

/// The decoder for one response.
pub(super) enum Unpack {
    /// Not compressed.
    Plain,
    /// gzip, with one or several members.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// `deflate`, of which at most this byte is known: the second one tells whether it has zlib's frame, as it should.
    Deflate(Option<u8>),
    /// `deflate` with zlib's frame.
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    /// `deflate` without a frame, which some services send.
    Bare(Box<DeflateDecoder<Vec<u8>>>),
    Brotli(Box<DecompressorWriter<Vec<u8>>>),
    Zstd(Box<Zstd>),
    /// Compressed twice: the decoders in the order in which the bytes pass through them.
    Twice(Box<[Self; 2]>),
    /// Another coding, or damaged data.
    Unknown,
}

impl Unpack {
    /// The decoder for the codings given in the headers. They are listed in the order in which they were applied.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let mut all = Self::Plain;
        for name in names(headers) {
            all = match (Self::of_coding(&name), all) {
                (next, Self::Plain) => next,
                (Self::Unknown, _) | (_, Self::Twice(_) | Self::Unknown) => return Self::Unknown,
                (next, first) => Self::Twice(Box::new([next, first])),
            };
        }
        all
    }

    fn of_coding(name: &str) -> Self {
        match name {
            "gzip" | "x-gzip" => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Self::Deflate(None),
            "br" => Self::Brotli(Box::new(DecompressorWriter::new(Vec::new(), STEP))),
            "zstd" => Self::Zstd(Box::default()),
            _ => Self::Unknown,
        }
    }

    /// True when the copy cannot be read.
    pub(super) fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Twice(both) => both.iter().any(Self::is_unknown),
            Self::Plain
            | Self::Gzip(_)
            | Self::Deflate(_)
            | Self::Zlib(_)
            | Self::Bare(_)
            | Self::Brotli(_)
            | Self::Zstd(_) => false,
        }
    }

    /// Decompresses a chunk and passes the result on.
    pub(super) fn feed(&mut self, chunk: &[u8], mut take: impl FnMut(&[u8])) {
        if matches!(self, Self::Plain) {
            return take(chunk);
        }
        self.expand(chunk, &mut take);
    }

    fn expand(&mut self, chunk: &[u8], take: &mut dyn FnMut(&[u8])) {
        let is_sound = match self {
            Self::Plain => {
                take(chunk);
                true
            }
            Self::Gzip(decoder) => expanded(decoder.as_mut(), MultiGzDecoder::get_mut, chunk, take),
            Self::Deflate(first) => {
                let (first, begin) = (*first, first.iter().chain(chunk).copied().take(2).collect::<Vec<u8>>());
                match *begin.as_slice() {
                    [first, second] => *self = Self::of_begin(first, second),
                    [first] => *self = Self::Deflate(Some(first)),
                    _ => {}
                }
                if begin.len() < 2 {
                    return;
                }
                self.expand(first.as_slice(), take);
                return self.expand(chunk, take);
            }
            Self::Zlib(decoder) => expanded(decoder.as_mut(), ZlibDecoder::get_mut, chunk, take),
            Self::Bare(decoder) => expanded(decoder.as_mut(), DeflateDecoder::get_mut, chunk, take),
            Self::Brotli(decoder) => expanded(decoder.as_mut(), DecompressorWriter::get_mut, chunk, take),
            Self::Zstd(decoder) => decoder.feed(chunk, take),
            Self::Twice(both) => {
                let [first, second] = both.as_mut();
                first.expand(chunk, &mut |bytes| second.expand(bytes, take));
                true
            }
            Self::Unknown => false,
        };
        if !is_sound {
            *self = Self::Unknown;
        }
    }

    /// The decoder for `deflate` that begins with these bytes.
    fn of_begin(first: u8, second: u8) -> Self {
        if is_zlib(first, second) {
            Self::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
        } else {
            Self::Bare(Box::new(DeflateDecoder::new(Vec::new())))
        }
    }
}

/// Decompresses in small steps, so that a chunk that expands a thousandfold needs little memory.
fn expanded<D: Write>(
    decoder: &mut D,
    out: fn(&mut D) -> &mut Vec<u8>,
    chunk: &[u8],
    take: &mut dyn FnMut(&[u8]),
) -> bool {
    chunk.chunks(1024).all(|step| {
        let written = decoder.write_all(step).and_then(|()| decoder.flush());
        let out = out(decoder);
        take(out);
        out.clear();
        written.is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use hyper::header::CONTENT_ENCODING;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    const TEXT: &str = "{\"usage\":{\"prompt_tokens\":7}}\n";

    fn unpacked(codings: &'static str, bytes: &[u8], cut: usize) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for line in codings.split('/') {
            headers.append(CONTENT_ENCODING, line.parse().unwrap());
        }
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
        let zstd = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let raw = with(DeflateEncoder::new(Vec::new(), Compression::fast()), text.as_bytes()).finish().unwrap();
        let cases =
            [("gzip", gzip(text.as_bytes())), ("deflate", zlib(text.as_bytes())), ("zstd", zstd), ("deflate", raw)];
        for (coding, bytes) in cases {
            for cut in [1, 7, 1000, 1 << 20] {
                assert!(unpacked(coding, &bytes, cut) == (text.clone(), false), "{coding} {cut}");
            }
        }
    }

    #[test]
    fn several_codings_in_one_line_or_more_are_undone_in_reverse_order() {
        let once = gzip(TEXT.as_bytes());
        let twice = zlib(&once);
        for (codings, bytes) in [
            ("gzip, identity", &once),
            ("identity/ GZIP ,", &once),
            ("gzip, deflate", &twice),
            ("gzip/identity/deflate", &twice),
        ] {
            for cut in [1, 5, 1000] {
                assert_eq!(unpacked(codings, bytes, cut), (TEXT.to_owned(), false), "{codings} {cut}");
            }
        }
        assert!(unpacked("gzip, gzip, deflate", &twice, 1000).1 && unpacked("gzip, compress", &twice, 1000).1);
        assert!(unpacked("deflate, gzip", &twice, 1000).1, "the wrong order");
    }

    #[test]
    fn zstandard_may_have_several_frames_empty_ones_and_ones_to_be_skipped() {
        let frame = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let skipped = |length: u8| {
            let head = [0x5a, 0x2a, 0x4d, 0x18, length, 0, 0, 0];
            [head.as_slice(), &vec![7; usize::from(length)]].concat()
        };
        let (begin, end) = TEXT.split_at(3);
        let bytes = [skipped(5), frame(begin), frame(""), skipped(0), skipped(200), frame(end), skipped(1)].concat();
        for cut in [1, 3, 10, 1000] {
            assert_eq!(unpacked("zstd", &bytes, cut), (TEXT.to_owned(), false), "{cut}");
        }
    }

    #[test]
    fn a_frame_with_the_checksum_of_other_data_is_damage() {
        let bytes = compress_to_vec(TEXT.as_bytes(), CompressionLevel::Fastest);
        for cut in [1, 3, 1000] {
            let mut bytes = bytes.clone();
            assert!(!unpacked("zstd", &bytes, cut).1, "{cut}");
            *bytes.last_mut().unwrap() ^= 1;
            assert!(unpacked("zstd", &bytes, cut).1, "{cut}");
        }
    }

    fn with<W: Write>(mut encoder: W, bytes: &[u8]) -> W {
        encoder.write_all(bytes).unwrap();
        encoder
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        with(GzEncoder::new(Vec::new(), Compression::fast()), bytes).finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        with(ZlibEncoder::new(Vec::new(), Compression::fast()), bytes).finish().unwrap()
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
