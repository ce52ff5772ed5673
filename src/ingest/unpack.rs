//! Decompresses zstd files and values with bounded memory. Both may consist of several frames.
//!
//! Uses `ruzstd`, which is pure Rust: no C compiler, no linked library, a single crate.

use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::BlockDecodingStrategy::UptoBlocks;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use super::fingerprint::Fingerprint;
use super::fs::{Handle, read_at};

/// Magic number of a zstd frame.
const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// Magic number of skippable frames, without the first byte, whose low four bits vary.
const SKIPPABLE: &[u8] = b"\x2a\x4d\x18";
/// Largest accepted window in bytes: eight times that of zstd's highest regular level.
const WINDOW: u64 = 64 * 1024 * 1024;
/// Compressed bytes per read.
const CHUNK: usize = 64 * 1024;

/// Why a compressed file could not be read completely.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A system error.
    System(io::Error),
    /// The data is damaged, for this reason.
    Damaged(&'static str),
    /// The memory limit was exceeded, for this reason.
    TooWide(&'static str),
}

/// Reader of a file's decompressed content.
pub(super) struct Unpack<'a> {
    frames: Frames<BufReader<Source<'a>>>,
}

/// Reader of the decompressed content of all frames.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// True while inside a frame.
    in_frame: bool,
}

/// Reader of the compressed bytes.
struct Source<'a> {
    handle: &'a dyn Handle,
    at: u64,
    fingerprint: Fingerprint,
    failed: Option<io::Error>,
}

/// True for the first bytes of a zstd file.
pub(super) fn is_packed(head: &[u8]) -> bool {
    head.starts_with(MAGIC) || head.get(1..4) == Some(SKIPPABLE) && head[0] & 0xf0 == 0x50
}

/// False if a frame that has been read to its end has the checksum of other data. Many frames have none.
pub(crate) fn is_intact(decoder: &FrameDecoder) -> bool {
    let stated = decoder.get_checksum_from_data();
    stated.is_none() || stated == decoder.get_calculated_checksum()
}

/// Decompresses a value, if it is compressed and its content is not longer than `most`. What follows a whole frame and is
/// damaged, or no frame, is left out.
pub(super) fn whole(bytes: &[u8], most: u64) -> Option<Vec<u8>> {
    if !is_packed(bytes) {
        return None;
    }
    let (mut held, mut of_whole_frames) = (Vec::new(), 0);
    let mut frames = Frames::new(bytes);
    let mut part = vec![0; CHUNK];
    loop {
        match frames.fill(&mut part) {
            Ok(0) => break,
            Ok(count) => held.extend_from_slice(&part[..count]),
            Err(_) if of_whole_frames > 0 => {
                held.truncate(of_whole_frames);
                break;
            }
            Err(_) => return None,
        }
        if held.len() as u64 > most {
            return None;
        }
        if frames.is_at_end() {
            of_whole_frames = held.len();
        }
    }
    Some(held)
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Self { source, decoder, in_frame: false }
    }

    /// Decompresses into a buffer; 0 after the last frame.
    fn fill(&mut self, into: &mut [u8]) -> Result<usize, Trouble> {
        loop {
            if !self.in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let decoded = self.decoder.decode_blocks(&mut self.source, UptoBlocks(1));
                decoded.map_err(|_| Trouble::Damaged("cut short or damaged"))?;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(into).map_err(|_| Trouble::Damaged("damaged"));
            }
            if !is_intact(&self.decoder) {
                return Err(Trouble::Damaged("damaged: a checksum is wrong"));
            }
            self.in_frame = false;
        }
    }

    /// True after the last byte of a frame that is whole.
    fn is_at_end(&self) -> bool {
        self.decoder.is_finished() && self.decoder.can_collect() == 0 && is_intact(&self.decoder)
    }

    /// Starts the next frame, skipping those without data. Returns false after the last one.
    fn begin_frame(&mut self) -> Result<bool, Trouble> {
        loop {
            if self.source.fill_buf().map_err(Trouble::System)?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink());
                    if skipped.map_err(Trouble::System)? < u64::from(length) {
                        return Err(Trouble::Damaged("cut short"));
                    }
                }
                Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                    return Err(Trouble::TooWide("compressed with zstd in a window above 64 MiB"));
                }
                Err(_) => return Err(Trouble::Damaged("cut short or damaged")),
            }
        }
    }
}

impl<'a> Unpack<'a> {
    pub(super) fn new(handle: &'a dyn Handle) -> Self {
        let source = Source { handle, at: 0, fingerprint: Fingerprint::default(), failed: None };
        Self { frames: Frames::new(BufReader::with_capacity(CHUNK, source)) }
    }

    /// Decompresses into a buffer; 0 at the end of the file. A system error takes precedence over what it leads to.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Result<usize, Trouble> {
        self.frames.fill(into).map_err(|trouble| match self.frames.source.get_mut().failed.take() {
            Some(error) => Trouble::System(error),
            None => trouble,
        })
    }

    /// Compressed bytes read so far.
    pub(super) fn consumed(&self) -> u64 {
        self.frames.source.get_ref().at
    }

    /// Fingerprint of the compressed bytes read so far.
    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.frames.source.get_ref().fingerprint
    }
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match read_at(self.handle, into, self.at) {
            Ok(count) => {
                self.fingerprint.push(&into[..count]);
                self.at += count as u64;
                Ok(count)
            }
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(copy)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
    }

    fn text_of(bytes: &[u8]) -> Option<String> {
        whole(bytes, 1000).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_value_is_read_with_all_its_frames() {
        let skipped = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".as_slice()];
        let two = [packed("one, "), packed(""), packed("two")].concat();
        assert_eq!(text_of(&packed("one")).as_deref(), Some("one"));
        assert_eq!(text_of(&two).as_deref(), Some("one, two"));
        assert_eq!(text_of(&[skipped[0], &two, skipped[0]].concat()).as_deref(), Some("one, two"));
        let long = "x".repeat(501);
        assert_eq!(text_of(&[packed(&long), packed(&long)].concat()), None, "longer than allowed");
        assert_eq!(text_of(b"one"), None);
        assert_eq!(text_of(&packed("")).as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_frame_behind_a_value_is_left_out() {
        let [one, two] = [packed("one"), packed("a longer second one")];
        for rest in [b"\0\0\0\0".as_slice(), b"text", &two[..two.len() - 3], b"\x28\xb5\x2f\xfd"] {
            assert_eq!(text_of(&[&one, rest].concat()).as_deref(), Some("one"), "{rest:x?}");
        }
        assert_eq!(text_of(&one[..one.len() - 2]), None);
        let mut wrong = packed("one");
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(text_of(&wrong), None, "a checksum is wrong");
    }
}
