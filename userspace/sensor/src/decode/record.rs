//! One record as bytes that are only read with a check.

use bstr::BString;
use vigia_abi::record::{RECORD_MAX, text};
use vigia_abi::{Header, Text, Wire};

use super::Malformed;

/// The bytes of a record, cut to the length its header claims.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<(Header, Self), Malformed> {
        let actual = bytes.len();
        let header = Header::read(bytes).ok_or(Malformed::Length { claimed: 0, actual })?;
        let claimed = usize::try_from(header.total_len).unwrap_or(usize::MAX);
        if !(Header::SIZE..=RECORD_MAX).contains(&claimed) {
            return Err(Malformed::Length { claimed, actual });
        }
        let bytes = bytes
            .get(..claimed)
            .ok_or(Malformed::Length { claimed, actual })?;
        Ok((header, Self { bytes }))
    }

    /// The body, which follows the header.
    pub(super) fn body<T: Wire>(self) -> Result<T, Malformed> {
        let too_short = Malformed::Body {
            needed: Header::SIZE + T::SIZE,
            actual: self.bytes.len(),
        };
        self.bytes
            .get(Header::SIZE..)
            .and_then(T::read)
            .ok_or(too_short)
    }

    /// The bytes of a text; none where the record holds no such text.
    pub(super) fn text(self, text: Text) -> Result<Option<&'a [u8]>, Malformed> {
        if text.flags & text::PRESENT == 0 {
            return Ok(None);
        }
        let (offset, len) = (usize::from(text.offset), usize::from(text.len));
        if len == 0 {
            // The probes leave the offset of an empty text at zero.
            return Ok(Some(&[]));
        }
        let outside = Malformed::Text {
            offset,
            len,
            actual: self.bytes.len(),
        };
        if offset < Header::SIZE {
            return Err(outside);
        }
        self.bytes
            .get(offset..offset + len)
            .map(Some)
            .ok_or(outside)
    }

    /// The bytes of a text as an owned string; empty where the record holds no such text.
    pub(super) fn string(self, text: Text) -> Result<BString, Malformed> {
        Ok(self.text(text)?.unwrap_or_default().into())
    }

    /// A path the kernel resolved: the root is the empty text.
    pub(super) fn kernel_path(self, text: Text) -> Result<Option<BString>, Malformed> {
        Ok(self.text(text)?.map(|path| {
            let is_root = path.is_empty() && text.flags & (text::FAULT | text::DETACHED) == 0;
            if is_root {
                BString::from("/")
            } else {
                path.into()
            }
        }))
    }

    /// Strings that each end with a NUL, of which the last may be cut.
    pub(super) fn strings(self, text: Text) -> Result<Vec<BString>, Malformed> {
        let block = self.text(text)?.unwrap_or_default();
        let block = block.strip_suffix(b"\0").unwrap_or(block);
        if block.is_empty() && text.len == 0 {
            return Ok(Vec::new());
        }
        Ok(block.split(|&byte| byte == 0).map(BString::from).collect())
    }
}

/// Whether something of a text is missing.
pub(super) fn is_incomplete(text: Text) -> bool {
    text.flags & (text::TRUNCATED | text::FAULT) != 0
}
