//! The bytes of a pickle, taken from the front.

use super::refusal::Refusal;

/// No opcode of PyTorch's own needs more; a name of a tensor is short.
const LONGEST_TEXT: usize = 1 << 16;

/// The bytes of a pickle, and how many of them were taken.
pub(crate) struct PickleBytes<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

/// A pickle that contradicts itself.
pub(crate) fn broken<T>(why: &str) -> Result<T, Refusal> {
    Err(Refusal::Damaged(format!("its pickle {why}")))
}

impl<'a> PickleBytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        match self.bytes[self.at..].get(..count) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => broken("ends too early"),
        }
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        match self.bytes[self.at..].first_chunk() {
            Some(&bytes) => {
                self.at += N;
                Ok(bytes)
            }
            None => broken("ends too early"),
        }
    }

    /// A line of a GLOBAL, without its end.
    pub(crate) fn line(&mut self) -> Result<&'a str, Refusal> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().take(LONGEST_TEXT).position(|&byte| byte == b'\n') else {
            return broken("has a name without an end");
        };
        let line = self.take(length)?;
        self.take(1)?;
        self.utf8(line)
    }

    fn utf8(&self, bytes: &'a [u8]) -> Result<&'a str, Refusal> {
        std::str::from_utf8(bytes).or_else(|_| broken(&format!("has a text before byte {} that is no UTF-8", self.at)))
    }

    /// A text of this many bytes.
    pub(crate) fn text(&mut self, length: u64) -> Result<&'a str, Refusal> {
        let Some(length) = usize::try_from(length).ok().filter(|&length| length <= LONGEST_TEXT) else {
            return broken(&format!("has a text of {length} bytes, more than {LONGEST_TEXT}"));
        };
        let bytes = self.take(length)?;
        self.utf8(bytes)
    }

    /// A whole number of this many bytes, in two's complement.
    pub(crate) fn long(&mut self, length: usize) -> Result<i128, Refusal> {
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|byte| byte >> 7 == 1);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        match wide.get_mut(..length) {
            Some(low) => low.copy_from_slice(bytes),
            None => return broken(&format!("has a number of {length} bytes")),
        }
        Ok(i128::from_le_bytes(wide))
    }
}
