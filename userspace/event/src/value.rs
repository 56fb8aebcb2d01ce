//! Values of fields, and what asking for one can answer.

use std::borrow::Cow;
use std::net::IpAddr;

mod values;

pub(crate) use values::ReadProcess;
pub use values::Values;

/// The type of a field's values: decides which operators are legal and how a constant is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Bytes that are meant to be read as text.
    Text,
    /// A file system path; compared like text.
    Path,
    /// Raw bytes.
    Bytes,
    /// Signed 64-bit integer.
    Int,
    /// Unsigned 64-bit integer.
    Uint,
    /// `true` or `false`.
    Bool,
    /// A TCP or UDP port; constants may be service names.
    Port,
    /// An IPv4 or IPv6 address.
    Ip,
    /// An address that is tested against networks.
    IpNet,
    /// Nanoseconds since the epoch.
    AbsTime,
    /// A duration in nanoseconds.
    RelTime,
}

impl FieldType {
    /// The word documentation and error messages use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Path => "path",
            Self::Bytes => "bytes",
            Self::Int => "signed integer",
            Self::Uint => "unsigned integer",
            Self::Bool => "bool",
            Self::Port => "port",
            Self::Ip => "IP address",
            Self::IpNet => "IP network",
            Self::AbsTime => "absolute time",
            Self::RelTime => "relative time",
        }
    }
}

/// One value of a field, borrowed from the event where that is possible.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'e> {
    /// [`FieldType::Text`], [`FieldType::Path`] and [`FieldType::Bytes`].
    Bytes(Cow<'e, [u8]>),
    /// [`FieldType::Int`].
    Int(i64),
    /// [`FieldType::Uint`], [`FieldType::Port`], [`FieldType::AbsTime`] and [`FieldType::RelTime`].
    Uint(u64),
    /// [`FieldType::Bool`].
    Bool(bool),
    /// [`FieldType::Ip`] and [`FieldType::IpNet`].
    Ip(IpAddr),
}

impl<'e> Value<'e> {
    /// A text or path value that borrows from the event.
    pub fn text<T: AsRef<[u8]> + ?Sized>(text: &'e T) -> Self {
        Self::Bytes(Cow::Borrowed(text.as_ref()))
    }

    /// A text or path value that had to be made.
    #[must_use]
    pub fn made(text: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(text))
    }
}

/// What asking an event for a field answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Extracted<'e> {
    /// The event has no such value: every comparison with it is false.
    Missing,
    /// The value is still on its way (engine metadata): the comparison is neither true nor false yet.
    Unknown,
    /// One value.
    One(Value<'e>),
    /// The values of a list field, or of a field that stands for any of several (see
    /// [`crate::fields::Shape`]).
    Many(Values<'e>),
}

impl<'e> Extracted<'e> {
    /// The text, or [`Extracted::Missing`] where there is none.
    pub fn text<T: AsRef<[u8]> + ?Sized>(text: Option<&'e T>) -> Self {
        text.map_or(Self::Missing, |text| Self::One(Value::text(text)))
    }

    /// The value, or [`Extracted::Missing`] where there is none.
    #[must_use]
    pub fn from_option(value: Option<Value<'e>>) -> Self {
        value.map_or(Self::Missing, Self::One)
    }
}

impl<'e> From<Value<'e>> for Extracted<'e> {
    fn from(value: Value<'e>) -> Self {
        Self::One(value)
    }
}
