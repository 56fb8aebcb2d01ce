//! The values of a field that has several.
//!
//! Judging an event must not allocate, and lists are as long as the event makes them. So a list that the event
//! holds already is not copied: it is kept as the place where its values are, and read where they are asked for.

use std::borrow::Cow;
use std::fmt;
use std::slice;
use std::sync::Arc;

use bstr::BString;
use smallvec::SmallVec;

use super::Value;
use crate::process::Process;

/// Reads a value of a process, or that it has none; answers the same each time.
pub(crate) type ReadProcess = for<'p> fn(&'p Process) -> Option<Value<'p>>;

/// Several values, in order.
#[derive(Clone)]
pub struct Values<'e>(Source<'e>);

#[derive(Clone)]
enum Source<'e> {
    /// Values of their own; few, or made anyway.
    Held(SmallVec<[Value<'e>; 4]>),
    /// Texts that the event holds.
    Texts(&'e [BString]),
    /// What those of these processes have that have it.
    OfProcesses(&'e [Arc<Process>], ReadProcess),
}

impl<'e> Values<'e> {
    /// Texts that the event holds; takes no memory however many they are.
    #[must_use]
    pub fn of_texts(texts: &'e [BString]) -> Self {
        Self(Source::Texts(texts))
    }

    /// What processes have, without those that lack it; takes no memory however many they are.
    #[must_use]
    pub(crate) fn of_processes(processes: &'e [Arc<Process>], read: ReadProcess) -> Self {
        Self(Source::OfProcesses(processes, read))
    }

    /// The values, borrowed; takes no memory.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(match &self.0 {
            Source::Held(values) => Walk::Held(values.iter()),
            Source::Texts(texts) => Walk::Texts(texts.iter()),
            Source::OfProcesses(processes, read) => Walk::OfProcesses(processes.iter(), *read),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Held(values) => values.len(),
            Source::Texts(texts) => texts.len(),
            Source::OfProcesses(..) => self.iter().count(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// What [`Values::iter`] answers.
#[derive(Clone)]
pub struct Iter<'v>(Walk<'v, slice::Iter<'v, Value<'v>>>);

/// What the iterator over a list itself answers.
pub struct IntoIter<'e>(Walk<'e, smallvec::IntoIter<[Value<'e>; 4]>>);

#[derive(Clone)]
enum Walk<'e, H> {
    Held(H),
    Texts(slice::Iter<'e, BString>),
    OfProcesses(slice::Iter<'e, Arc<Process>>, ReadProcess),
}

impl<'e, H> Walk<'e, H> {
    #[inline]
    fn step(&mut self, held: impl FnOnce(&mut H) -> Option<Value<'e>>) -> Option<Value<'e>> {
        match self {
            Self::Held(values) => held(values),
            Self::Texts(texts) => texts.next().map(Value::text),
            Self::OfProcesses(processes, read) => processes.find_map(|process| read(process)),
        }
    }
}

impl<'v> Iterator for Iter<'v> {
    type Item = Value<'v>;

    #[inline]
    fn next(&mut self) -> Option<Value<'v>> {
        self.0.step(|values| values.next().map(Value::borrowed))
    }
}

impl<'e> Iterator for IntoIter<'e> {
    type Item = Value<'e>;

    #[inline]
    fn next(&mut self) -> Option<Value<'e>> {
        self.0.step(Iterator::next)
    }
}

impl<'e> IntoIterator for Values<'e> {
    type Item = Value<'e>;
    type IntoIter = IntoIter<'e>;

    fn into_iter(self) -> IntoIter<'e> {
        IntoIter(match self.0 {
            Source::Held(values) => Walk::Held(values.into_iter()),
            Source::Texts(texts) => Walk::Texts(texts.iter()),
            Source::OfProcesses(processes, read) => Walk::OfProcesses(processes.iter(), read),
        })
    }
}

impl<'v> IntoIterator for &'v Values<'_> {
    type Item = Value<'v>;
    type IntoIter = Iter<'v>;

    fn into_iter(self) -> Iter<'v> {
        self.iter()
    }
}

impl<'e> FromIterator<Value<'e>> for Values<'e> {
    fn from_iter<I: IntoIterator<Item = Value<'e>>>(values: I) -> Self {
        Self(Source::Held(values.into_iter().collect()))
    }
}

/// Equal where the values are, wherever they come from.
impl PartialEq for Values<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'e> Value<'e> {
    /// The same value, without a copy of its text.
    fn borrowed<'v>(&'v self) -> Value<'v>
    where
        'e: 'v,
    {
        match self {
            Self::Bytes(text) => Value::Bytes(Cow::Borrowed(text)),
            Self::Int(number) => Value::Int(*number),
            Self::Uint(number) => Value::Uint(*number),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Ip(address) => Value::Ip(*address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_the_same_wherever_its_values_are() {
        let texts: Vec<BString> = ["a", "", "c", "d", "e", "f"].map(BString::from).into();
        let there = Values::of_texts(&texts);
        let held: Values<'_> = texts.iter().map(Value::text).collect();
        let made = texts.iter().map(|text| Value::made(text.to_vec()));
        assert_eq!(made.collect::<Values<'_>>(), there);
        assert_eq!(held, there);
        assert_eq!((held.len(), there.len()), (6, 6));
        for list in [held.clone(), there.clone()] {
            let walked: Vec<Value<'_>> = list.into_iter().collect();
            assert_eq!(walked, texts.iter().map(Value::text).collect::<Vec<_>>());
        }
        assert_ne!(Values::of_texts(&texts[..5]), held);
        assert!(Values::of_texts(&[]).is_empty() && !there.is_empty());
    }

    #[test]
    fn processes_without_a_value_do_not_count() {
        let process = |exe_path: &str| {
            Arc::new(Process {
                exe_path: exe_path.into(),
                ..Process::default()
            })
        };
        let processes = ["", "/bin/sh", ""].map(process);
        let read: ReadProcess =
            |process| (!process.exe_path.is_empty()).then(|| Value::text(&process.exe_path));
        let values = Values::of_processes(&processes, read);
        assert_eq!(values, [Value::text("/bin/sh")].into_iter().collect());
        assert_eq!((values.len(), values.is_empty()), (1, false));
        assert!(Values::of_processes(&processes[..1], read).is_empty());
    }
}
