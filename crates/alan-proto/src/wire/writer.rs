//! Puts fields one after the other into the caller's buffer.

/// A buffer and how much of it is written. The callers have made sure that all of it fits.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Bytes written so far.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.out
            .get_mut(self.len..end)
            .expect("the buffer has at least encoded_len() bytes")
            .copy_from_slice(bytes);
        self.len = end;
    }

    pub(super) fn u8(&mut self, number: u8) {
        self.bytes(&number.to_be_bytes());
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.bytes(&number.to_be_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes(&number.to_be_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    /// So many zero bytes.
    pub(super) fn zeros(&mut self, len: usize) {
        for _ in 0..len {
            self.u8(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_one_after_the_other_big_endian() {
        let mut out = [0xff; 19];
        let mut writer = Writer::new(&mut out);
        writer.u8(1);
        writer.u16(0x0203);
        writer.u32(0x0405_0607);
        writer.u64(0x0809_0a0b_0c0d_0e0f);
        writer.zeros(2);
        writer.bytes(b"!");
        assert_eq!(writer.len(), 18);
        let expected = b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\0\0!\xff";
        assert_eq!(out, *expected);
    }

    #[test]
    #[should_panic(expected = "at least encoded_len() bytes")]
    fn a_buffer_that_is_too_short_is_our_bug() {
        Writer::new(&mut [0; 1]).u16(1);
    }
}
