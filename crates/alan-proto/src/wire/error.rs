//! Why bytes are not a message.

use core::fmt;

use thiserror::Error;

use super::reader::Cut;

/// Why bytes are not a message. Whoever sent them is to blame; they are dropped and counted.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum DecodeError {
    /// There is not even a type.
    #[error("the message is empty")]
    Empty,
    /// A type that this version does not know: perhaps a later one's, perhaps noise.
    #[error("message type {0:#04x} is unknown")]
    UnknownType(u8),
    /// The bytes end inside a field.
    #[error("the message ends inside its {field}")]
    Truncated {
        /// The field that is cut short or missing.
        field: &'static str,
    },
    /// A field has a value that it can't have.
    #[error("the message's {field} has a value that it can't have")]
    Invalid {
        /// The field.
        field: &'static str,
    },
    /// The session block of a control message contradicts its own framing.
    #[error(transparent)]
    BadBlock(#[from] BlockError),
}

impl From<Cut> for DecodeError {
    fn from(cut: Cut) -> Self {
        Self::Truncated { field: cut.field }
    }
}

/// What is wrong with a session block that opens with the right magic and version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
#[error("the session block's {field} {fault}")]
pub struct BlockError {
    /// The field that is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: BlockFault,
}

impl From<Cut> for BlockError {
    fn from(cut: Cut) -> Self {
        Self { field: cut.field, fault: BlockFault::CutShort }
    }
}

/// What is wrong with a field of a session block.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BlockFault {
    /// The bytes end inside it.
    CutShort,
    /// It must be there and is not.
    Missing,
    /// It is there twice.
    Repeated,
    /// Its length is not the one that its type has.
    WrongLength,
    /// It is zero, which is not a value that it can have.
    Zero,
    /// It has a value that it can't have.
    OutOfRange,
}

impl fmt::Display for BlockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutShort => "is cut short",
            Self::Missing => "is missing",
            Self::Repeated => "is there twice",
            Self::WrongLength => "has the wrong length",
            Self::Zero => "is zero",
            Self::OutOfRange => "is out of range",
        })
    }
}
