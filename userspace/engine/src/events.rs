//! Sets of event types: which events a rule can match at all, so that it is asked about no others.

use std::fmt;

use vigia_event::EventType;

const WORDS: usize = EventType::COUNT.div_ceil(64);

/// A set of event types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventTypes {
    bits: [u64; WORDS],
}

impl EventTypes {
    /// No event type.
    pub const NONE: Self = Self { bits: [0; WORDS] };

    /// Every event type.
    #[must_use]
    pub fn all() -> Self {
        EventType::all().collect()
    }

    /// Adds one.
    pub fn insert(&mut self, event_type: EventType) {
        self.bits[event_type.index() / 64] |= 1 << (event_type.index() % 64);
    }

    /// Whether it is in the set.
    #[must_use]
    pub fn contains(&self, event_type: EventType) -> bool {
        self.bits[event_type.index() / 64] & (1 << (event_type.index() % 64)) != 0
    }

    /// What is in either.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        for (word, other) in self.bits.iter_mut().zip(other.bits) {
            *word |= other;
        }
        self
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(mut self, other: &Self) -> Self {
        for (word, other) in self.bits.iter_mut().zip(other.bits) {
            *word &= other;
        }
        self
    }

    /// What is not in it.
    #[must_use]
    pub fn complement(self) -> Self {
        let mut all = Self::all();
        for (word, own) in all.bits.iter_mut().zip(self.bits) {
            *word &= !own;
        }
        all
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bits
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&word| word == 0)
    }

    /// Its members, in the order of the table of event types.
    pub fn iter(&self) -> impl Iterator<Item = EventType> {
        EventType::all().filter(|&event_type| self.contains(event_type))
    }
}

impl Default for EventTypes {
    fn default() -> Self {
        Self::NONE
    }
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(types: I) -> Self {
        let mut set = Self::NONE;
        for event_type in types {
            set.insert(event_type);
        }
        set
    }
}

impl fmt::Debug for EventTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigia_event::call::named;

    #[test]
    fn sets_are_sets() {
        let open: EventTypes = [named::OPEN, named::OPENAT].into_iter().collect();
        let exec: EventTypes = [named::EXECVE].into_iter().collect();
        assert_eq!(open.len(), 2);
        assert!(open.intersection(&exec).is_empty());
        assert_eq!(open.union(&exec).len(), 3);
        assert_eq!(open.complement().len(), EventType::COUNT - 2);
        assert_eq!(open.complement().complement(), open);
        assert_eq!(
            open.iter().collect::<Vec<_>>(),
            [named::OPEN, named::OPENAT]
        );
        assert_eq!(EventTypes::all().len(), EventType::COUNT);
    }
}
