//! Unpacks a file that is compressed with zstd, in bounded memory.
//!
//! The decoder is `ruzstd`, in Rust alone: no C compiler, no linked library, one crate.

use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::BlockDecodingStrategy::UptoBlocks;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use super::fingerprint::Fingerprint;
use super::fs::Handle;
use super::tail::retry;

/// How every zstd frame begins.
pub(super) const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// Of a skippable frame, all but the low half of the first byte.
const SKIPPABLE: &[u8] = b"\x2a\x4d\x18";
/// Bytes of what is unpacked that may have to be held at once: eight times what zstd's strongest usual level needs.
const WINDOW: u64 = 64 * 1024 * 1024;
/// Compressed bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// Why a compressed file cannot be read to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The file system says so.
    System(io::Error),
    /// The data is damaged from here on; the reason in a few words.
    Damaged(&'static str),
    /// It would need more memory than it is given; in a few words.
    TooWide(&'static str),
}

/// Reader over the unpacked content of a file.
pub(super) struct Unpack<'a> {
    source: BufReader<Source<'a>>,
    decoder: FrameDecoder,
    /// A frame has begun and not ended.
    in_frame: bool,
}

/// The compressed bytes.
struct Source<'a> {
    handle: &'a dyn Handle,
    at: u64,
    fingerprint: Fingerprint,
    failed: Option<io::Error>,
}

/// True for the first bytes of a file that is compressed with zstd.
pub(super) fn is_packed(head: &[u8]) -> bool {
    head.starts_with(MAGIC) || head.get(1..4) == Some(SKIPPABLE) && head[0] & 0xf0 == 0x50
}

impl<'a> Unpack<'a> {
    pub(super) fn new(handle: &'a dyn Handle) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        let source = Source { handle, at: 0, fingerprint: Fingerprint::default(), failed: None };
        Self { source: BufReader::with_capacity(CHUNK, source), decoder, in_frame: false }
    }

    /// Unpacks into a buffer; 0 at the end of the file.
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
            let (stated, found) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
            if stated.is_some() && stated != found {
                return Err(Trouble::Damaged("damaged: a checksum is wrong"));
            }
            self.in_frame = false;
        }
    }

    /// Compressed bytes read so far.
    pub(super) fn consumed(&self) -> u64 {
        self.source.get_ref().at
    }

    /// The fingerprint of the compressed bytes read so far.
    pub(super) fn print(&self) -> &Fingerprint {
        &self.source.get_ref().fingerprint
    }

    /// Begins the next frame; false at the end of the file. Frames that hold no data are passed over.
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

    /// Why the decoder stopped: the file system's own trouble comes first.
    fn trouble(&mut self, what: &'static str) -> Trouble {
        match self.source.get_mut().failed.take() {
            Some(error) => Trouble::System(error),
            None => Trouble::Damaged(what),
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match retry(self.handle, into, self.at) {
            Ok(count) => {
                self.fingerprint.push(&into[..count]);
                self.at += count as u64;
                Ok(count)
            }
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(told)
            }
        }
    }
}
