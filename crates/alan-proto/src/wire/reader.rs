//! Takes fields off the front of received bytes, naming the field where they end too early.

use crate::event::RequestId;

/// The bytes ended inside a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) field: &'static str,
}

/// What is left to read. Every method takes from the front or leaves it as it was.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left, without taking it.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn bytes(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], Cut> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Cut { field })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Cut> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Cut { field })?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, Cut> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, Cut> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, Cut> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, Cut> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(super) fn request_id(&mut self) -> Result<RequestId, Cut> {
        self.array("request id").map(RequestId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_off_the_front_in_order() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(reader.u8("one").ok(), Some(1));
        assert_eq!(reader.u16("two").ok(), Some(0x0203));
        assert_eq!(reader.bytes(2, "three").ok(), Some(&[4, 5][..]));
        assert_eq!(reader.rest(), [6]);
        assert!(!reader.is_empty());
    }

    #[test]
    fn a_field_that_is_cut_short_is_named_and_nothing_is_taken() {
        let mut reader = Reader::new(&[1]);
        assert_eq!(reader.u16("port").map_err(|cut| cut.field), Err("port"));
        assert_eq!(reader.bytes(usize::MAX, "key").map_err(|cut| cut.field), Err("key"));
        assert_eq!(reader.rest(), [1]);
    }
}
