//! Decompresses zstd files with bounded memory.
//!
//! Uses `ruzstd`, which is pure Rust: no C compiler, no linked library, a single crate.

use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::BlockDecodingStrategy::UptoBlocks;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::fingerprint::Fingerprint;
use super::fs::{Handle, read_at};

/// Magic number of a zstd frame.
pub(super) const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
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
    source: BufReader<Source<'a>>,
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

/// Decompresses a value, if it is compressed and intact and its content is not longer than `most`.
pub(super) fn whole(bytes: &[u8], most: u64) -> Option<Vec<u8>> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let mut held = Vec::new();
    let mut frame = StreamingDecoder::new_with_max_window_size(bytes, WINDOW).ok()?;
    frame.by_ref().take(most.saturating_add(1)).read_to_end(&mut held).ok()?;
    (held.len() as u64 <= most && is_intact(&frame.decoder)).then_some(held)
}

impl<'a> Unpack<'a> {
    pub(super) fn new(handle: &'a dyn Handle) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        let source = Source { handle, at: 0, fingerprint: Fingerprint::default(), failed: None };
        Self { source: BufReader::with_capacity(CHUNK, source), decoder, in_frame: false }
    }

    /// Decompresses into a buffer; 0 at the end of the file.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Result<usize, Trouble> {
        loop {
            if !self.in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let decoded = self.decoder.decode_blocks(&mut self.source, UptoBlocks(1));
                decoded.map_err(|_| self.trouble("cut short or damaged"))?;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(into).map_err(|_| self.trouble("damaged"));
            }
            if !is_intact(&self.decoder) {
                return Err(Trouble::Damaged("damaged: a checksum is wrong"));
            }
            self.in_frame = false;
        }
    }

    /// Compressed bytes read so far.
    pub(super) fn consumed(&self) -> u64 {
        self.source.get_ref().at
    }

    /// Fingerprint of the compressed bytes read so far.
    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.source.get_ref().fingerprint
    }

    /// Starts the next frame, skipping those without data. Returns false at the end of the file.
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
                Err(_) => return Err(self.trouble("cut short or damaged")),
            }
        }
    }

    /// Why the decoder stopped. A system error takes precedence.
    fn trouble(&mut self, what: &'static str) -> Trouble {
        match self.source.get_mut().failed.take() {
            Some(error) => Trouble::System(error),
            None => Trouble::Damaged(what),
        }
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
    use super::*;

    #[test]
    fn a_value_with_the_checksum_of_other_data_is_not_read() {
        let mut packed =
            ruzstd::encoding::compress_to_vec(b"{}".as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(whole(&packed, 2).as_deref(), Some(b"{}".as_slice()));
        assert_eq!(whole(&packed, 1), None);
        *packed.last_mut().unwrap() ^= 1;
        assert_eq!(whole(&packed, 2), None);
    }
}
