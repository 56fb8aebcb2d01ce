//! Which system calls any rule could match, and with which result.

use vigia_abi::calls::{CALLS, interest};
use vigia_event::EventType;
use vigia_event::open_paths::OpenPaths;

/// What the probes report: per event type and outcome, and whether environments are read.
///
/// An over-approximation of what rules can match; what it leaves out never leaves the kernel.
///
/// ```
/// use vigia_event::call::named;
/// use vigia_sensor::{Interest, Outcomes};
///
/// let mut interest = Interest::nothing();
/// interest.add(named::OPENAT, Outcomes { refused: true, ..Outcomes::NONE });
/// assert!(!interest.of(named::OPENAT).read);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    outcomes: Box<[Outcomes]>,
    /// Whether an execution carries its environment.
    pub environment: bool,
    /// The paths of opens that are reported as reads (see [`Outcomes::read`]); those of secrets, and of files that may be
    /// secrets nobody has told the probes of yet, are reported whatever their path.
    pub read_paths: OpenPaths,
    /// The same for those that are reported as successes ([`Outcomes::success`]).
    pub write_paths: OpenPaths,
    /// How many bytes of what is sent and received (and of modules that are loaded) are captured; 0 for none.
    pub data_bytes: u32,
}

/// As many bytes of data as Falco captures by default.
pub const DEFAULT_DATA_BYTES: u32 = 80;

/// Results of a system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outcomes {
    /// It did what it was asked to; of the open family only opens with write access and those that may have made or
    /// emptied the file, see [`Outcomes::read`].
    pub success: bool,
    /// The open family only: it opened a file and could not have changed anything, without write access, `O_CREAT` and
    /// `O_TRUNC`. By far the most frequent outcome of all, hence its own.
    pub read: bool,
    /// It was refused: `EROFS`, `EACCES`, `EPERM`.
    pub refused: bool,
    /// It failed otherwise.
    pub failed: bool,
}

impl Outcomes {
    /// None of them.
    pub const NONE: Self = Self {
        success: false,
        read: false,
        refused: false,
        failed: false,
    };
    /// Every kind of success.
    pub const SUCCESS: Self = Self {
        success: true,
        read: true,
        refused: false,
        failed: false,
    };
    /// All of them.
    pub const ALL: Self = Self {
        success: true,
        read: true,
        refused: true,
        failed: true,
    };

    /// What either of the two holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            success: self.success || other.success,
            read: self.read || other.read,
            refused: self.refused || other.refused,
            failed: self.failed || other.failed,
        }
    }

    fn bits(self) -> u32 {
        let bit = |wanted: bool, bit: u32| if wanted { bit } else { 0 };
        bit(self.success, interest::SUCCEEDED)
            | bit(self.read, interest::READ)
            | bit(self.refused, interest::REFUSED)
            | bit(self.failed, interest::FAILED)
    }
}

impl Default for Interest {
    fn default() -> Self {
        Self::nothing()
    }
}

impl Interest {
    /// Nothing beside process lifecycle, container lifecycle and secrets, which are always reported.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            outcomes: vec![Outcomes::NONE; EventType::COUNT].into(),
            environment: false,
            read_paths: OpenPaths::Any,
            write_paths: OpenPaths::Any,
            data_bytes: 0,
        }
    }

    /// Everything the probes can deliver.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            outcomes: vec![Outcomes::ALL; EventType::COUNT].into(),
            environment: true,
            read_paths: OpenPaths::Any,
            write_paths: OpenPaths::Any,
            data_bytes: DEFAULT_DATA_BYTES,
        }
    }

    /// Adds outcomes of one event type.
    pub fn add(&mut self, event_type: EventType, outcomes: Outcomes) {
        if let Some(slot) = self.outcomes.get_mut(event_type.index()) {
            *slot = slot.or(outcomes);
        }
    }

    /// The outcomes of one event type.
    #[must_use]
    pub fn of(&self, event_type: EventType) -> Outcomes {
        self.outcomes
            .get(event_type.index())
            .copied()
            .unwrap_or_default()
    }

    /// Event types in this interest that the probes cannot deliver: rules that need them never fire.
    pub fn undeliverable(&self) -> impl Iterator<Item = EventType> {
        EventType::all().filter(|&event_type| {
            self.of(event_type) != Outcomes::NONE && !event_type.is_delivered()
        })
    }

    /// Whether paths must be captured when calls begin.
    pub(crate) fn needs_entries(&self) -> bool {
        self.words()
            .any(|(_, word)| word & (interest::ENTRY | interest::ENTRY_OF_WRITES) != 0)
    }

    /// The words of the kernel's interest table, by system call number.
    pub(crate) fn words(&self) -> impl Iterator<Item = (u32, u32)> {
        CALLS.iter().map(|row| {
            let outcomes =
                EventType::from_number(row.number).map_or(Outcomes::NONE, |kind| self.of(kind));
            (u32::from(row.number), row.interest(outcomes.bits()))
        })
    }
}

#[cfg(test)]
mod tests {
    use vigia_event::call::named;

    use super::*;

    #[test]
    fn outcomes_add_up() {
        let refused = Outcomes {
            refused: true,
            ..Outcomes::NONE
        };
        let read = Outcomes {
            read: true,
            ..Outcomes::NONE
        };
        let mut interest = Interest::nothing();
        interest.add(named::OPENAT, refused);
        interest.add(named::OPENAT, read);
        assert_eq!(
            interest.of(named::OPENAT),
            Outcomes {
                read: true,
                refused: true,
                ..Outcomes::NONE
            }
        );
        assert_eq!(interest.of(named::OPEN), Outcomes::NONE);
    }

    #[test]
    fn a_word_reports_exactly_what_is_wanted() {
        let mut wanted = Interest::nothing();
        wanted.add(
            named::OPENAT,
            Outcomes {
                refused: true,
                ..Outcomes::NONE
            },
        );
        for (number, word) in wanted.words() {
            let expected = if number == 257 { interest::REFUSED } else { 0 };
            assert_eq!(word & interest::ALL, expected, "{number}");
        }
        assert!(wanted.words().any(|(number, _)| number == 257));
    }

    #[test]
    fn rules_know_which_calls_the_probes_deliver() {
        for event_type in EventType::all() {
            let Some(number) = event_type.row().number else {
                continue;
            };
            // Forks are told by a probe of their own.
            let is_fork = ["clone", "clone3", "fork", "vfork"].contains(&event_type.name());
            let delivered = is_fork || vigia_abi::calls::find(number).is_some();
            assert_eq!(event_type.is_delivered(), delivered, "{event_type:?}");
        }
    }

    #[test]
    fn what_the_probes_cannot_deliver_is_told() {
        let read = EventType::from_name("read").unwrap();
        let mut interest = Interest::nothing();
        interest.add(read, Outcomes::SUCCESS);
        interest.add(named::OPENAT, Outcomes::SUCCESS);
        interest.add(named::PROCEXIT, Outcomes::SUCCESS);
        assert_eq!(interest.undeliverable().collect::<Vec<_>>(), [read]);
    }
}
