//! Deterministic ids: a receiver, and a restarted agent, recognise an alert they have already seen.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};
use vigia_event::{Event, Spelling};

/// 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AlertId(String);

impl AlertId {
    /// The id of what a rule said about an event in one spelling of its path.
    #[must_use]
    pub fn of_event(event: &Event, rule: &str, spelling: Spelling) -> Self {
        let spelling: &[u8] = match spelling {
            Spelling::Given => b"given",
            Spelling::Real => b"real",
            Spelling::Underlying => b"underlying",
        };
        let captured = &event.captured;
        Self::of_parts(&[
            &event.node.boot_id,
            &captured.cpu.to_le_bytes(),
            &captured.sequence.to_le_bytes(),
            &captured.boot_time_ns.to_le_bytes(),
            rule.as_bytes(),
            spelling,
        ])
    }

    /// An id that follows from others: that of a summary.
    #[must_use]
    pub(crate) fn of_repeats(first: &Self, last: &Self, count: u64) -> Self {
        Self::of_parts(&[
            b"repeats",
            first.0.as_bytes(),
            last.0.as_bytes(),
            &count.to_le_bytes(),
        ])
    }

    /// Every part is preceded by its length, so that no two lists of parts are the same bytes.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        Self(
            digest
                .iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
