//! Which system calls any rule could match, and with which result.

use vigia_event::EventType;

/// What the probes report: per event type and outcome, and whether environments are read.
///
/// An over-approximation of what rules can match; what it leaves out never leaves the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    outcomes: Box<[Outcomes]>,
    /// Whether an execution carries its environment.
    pub environment: bool,
}

/// Results of a system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outcomes {
    /// It did what it was asked to.
    pub success: bool,
    /// It was refused: `EROFS`, `EACCES`, `EPERM`.
    pub refused: bool,
    /// It failed otherwise.
    pub failed: bool,
}

impl Outcomes {
    /// None of them.
    pub const NONE: Self = Self {
        success: false,
        refused: false,
        failed: false,
    };
    /// All of them.
    pub const ALL: Self = Self {
        success: true,
        refused: true,
        failed: true,
    };

    /// What either of the two holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            success: self.success || other.success,
            refused: self.refused || other.refused,
            failed: self.failed || other.failed,
        }
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
        }
    }

    /// Everything the probes can deliver.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            outcomes: vec![Outcomes::ALL; EventType::COUNT].into(),
            environment: true,
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
        let success = Outcomes {
            success: true,
            ..Outcomes::NONE
        };
        let mut interest = Interest::nothing();
        interest.add(named::OPENAT, refused);
        interest.add(named::OPENAT, success);
        assert_eq!(
            interest.of(named::OPENAT),
            Outcomes {
                success: true,
                refused: true,
                failed: false
            }
        );
        assert_eq!(interest.of(named::OPEN), Outcomes::NONE);
    }
}
