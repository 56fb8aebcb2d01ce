//! The one door through which bytes of an event become text of an alert: bounded, valid UTF-8, redacted.

use std::borrow::Cow;
use std::cell::Cell;

use bstr::ByteSlice;
use vigia_event::Event;

use crate::redact::{Phrases, Redactor};
use crate::text;

/// Bytes of a name, an id or a label.
pub(crate) const NAME_BYTES: usize = 512;
/// Bytes of any other text: a path, a command line, the value of a field.
pub(crate) const TEXT_BYTES: usize = 4096;
/// What redaction reads, so that it sees the end of a secret where the shown text is cut before it.
const READ_BYTES: usize = 64 * 1024;
/// What redaction reads for one alert; behind that, texts are read up to [`SHORT_BYTES`] only.
const BUDGET_BYTES: usize = 512 * 1024;
const SHORT_BYTES: usize = 256;
/// Ancestors whose arguments are known to redaction.
const ANCESTORS: usize = 8;

/// Makes text, knowing which secrets the processes of an event have in their arguments.
pub(crate) struct Texts<'r> {
    redactor: &'r Redactor,
    phrases: Phrases,
    left: Cell<usize>,
}

impl<'r> Texts<'r> {
    /// For texts about an event; secrets among the arguments of its processes and of its container's health check are
    /// known.
    pub(crate) fn of_event(redactor: &'r Redactor, event: &Event) -> Self {
        let mut phrases = Phrases::default();
        for process in std::iter::once(&event.process).chain(event.ancestors.iter().take(ANCESTORS))
        {
            phrases.extend(redactor.phrases(&process.task.comm, &process.args, &process.env));
        }
        let known = event
            .container
            .as_ref()
            .and_then(|container| container.known());
        if let Some([program, words @ ..]) = known.map(|known| known.health_check.as_slice()) {
            phrases.extend(redactor.phrases(program, words, &[]));
        }
        Self {
            redactor,
            phrases,
            left: Cell::new(BUDGET_BYTES),
        }
    }

    /// For texts that belong to no event.
    pub(crate) fn plain_only(redactor: &'r Redactor) -> Self {
        Self {
            redactor,
            phrases: Phrases::default(),
            left: Cell::new(BUDGET_BYTES),
        }
    }

    /// A text of usual length.
    pub(crate) fn text(&self, bytes: &[u8]) -> String {
        self.bounded(bytes, TEXT_BYTES)
    }

    /// A text of at most `limit` bytes.
    pub(crate) fn bounded(&self, bytes: &[u8], limit: usize) -> String {
        let whole = self.read(bytes);
        text::cut(self.redactor.text(&whole, &self.phrases), limit).into_owned()
    }

    /// A text, unless it is empty.
    pub(crate) fn some(&self, bytes: &[u8]) -> Option<String> {
        (!bytes.is_empty()).then(|| self.text(bytes))
    }

    /// The value of a field, as its name and its bytes.
    pub(crate) fn field(&self, name: &str, bytes: &[u8]) -> String {
        let whole = self.read(bytes);
        text::cut(self.redactor.field(name, &whole, &self.phrases), TEXT_BYTES).into_owned()
    }

    /// A text that is no secret by what it is (an id, the node's name): bounded only.
    pub(crate) fn plain(&self, bytes: &[u8], limit: usize) -> String {
        text::lossy(bytes.as_bytes(), limit)
    }

    /// At most `limit` bytes of a text that was made from redacted parts.
    pub(crate) fn cut(&self, whole: String, limit: usize) -> String {
        text::cut(Cow::Owned(whole), limit).into_owned()
    }

    fn read(&self, bytes: &[u8]) -> String {
        let whole = text::lossy(bytes, READ_BYTES.min(self.left.get().max(SHORT_BYTES)));
        self.left.set(self.left.get().saturating_sub(whole.len()));
        whole
    }
}
