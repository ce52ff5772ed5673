//! Decompresses Zstandard as it arrives, frame by frame, without the skippable ones (RFC 8878).

use ruzstd::decoding::FrameDecoder;

use super::STEP;
use crate::ingest::is_intact;
use crate::server::content_coding::ZSTD_WINDOW;

/// First four bytes of a skippable frame, except for the last four bits.
const SKIPPED: u32 = 0x184D_2A50;

/// The decoder.
pub(in crate::server::proxy) struct Zstd {
    decoder: FrameDecoder,
    /// Bytes that do not form a complete header or block yet.
    pending: Vec<u8>,
    /// True between a frame's header and its end.
    is_in_frame: bool,
    /// Number of bytes still to be skipped.
    skipped: usize,
}

impl Default for Zstd {
    fn default() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW);
        Self { decoder, pending: Vec::new(), is_in_frame: false, skipped: 0 }
    }
}

impl Zstd {
    /// Decompresses a chunk and passes the result on. Returns false if the data is damaged.
    pub(super) fn feed(&mut self, chunk: &[u8], take: &mut dyn FnMut(&[u8])) -> bool {
        self.pending.extend_from_slice(chunk);
        let mut out = Vec::new();
        loop {
            if !self.is_in_frame {
                match self.begin() {
                    Some(true) => {}
                    Some(false) => return true,
                    None => return false,
                }
            }
            out.resize(STEP, 0);
            let Ok((read, written)) = self.decoder.decode_from_to(&self.pending, &mut out) else { return false };
            if read > self.pending.len() {
                // A checksum, the rest of which is still to come.
                return true;
            }
            self.pending.drain(..read);
            take(out.get(..written).unwrap_or_default());
            self.is_in_frame = !self.decoder.is_finished() || self.decoder.can_collect() > 0;
            if !self.is_in_frame && !is_intact(&self.decoder) {
                return false;
            }
            if self.is_in_frame && written == 0 && read == 0 {
                return true;
            }
        }
    }

    /// Begins the next frame. `Some(false)` if more bytes are needed for that, `None` if they are damaged.
    fn begin(&mut self) -> Option<bool> {
        loop {
            let now = self.skipped.min(self.pending.len());
            self.pending.drain(..now);
            self.skipped -= now;
            let Some((magic, rest)) = self.pending.split_first_chunk() else { return Some(false) };
            if u32::from_le_bytes(*magic) & !0xf == SKIPPED {
                let Some(length) = rest.first_chunk() else { return Some(false) };
                self.skipped = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_add(8)?;
                continue;
            }
            if rest.first().is_none_or(|descriptor| rest.len() < header(*descriptor)) {
                return Some(false);
            }
            let mut source = self.pending.as_slice();
            self.decoder.reset(&mut source).ok()?;
            let read = self.pending.len() - source.len();
            self.pending.drain(..read);
            self.is_in_frame = true;
            return Some(true);
        }
    }
}

/// Length of a frame's header after its magic number, from the header's first byte.
fn header(descriptor: u8) -> usize {
    let has_one_segment = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = match descriptor >> 6 {
        0 => usize::from(has_one_segment),
        power => 1 << power,
    };
    1 + usize::from(!has_one_segment) + dictionary + size
}
