//! The border across which nothing secret may go: every text is shown to a [`Redact`] before it is written.

use vigia_event::captured::Captured;
use vigia_event::container::Inspected;
use vigia_event::mount::MountTable;
use vigia_event::secret::SecretAccess;
use vigia_event::users::Users;
use vigia_event::{Event, File, Process};

/// Removes what must not leave the machine.
///
/// A snapshot is shown once, when it is first written, not with every event that refers to it.
pub trait Redact {
    /// A process, without the file it runs, which is shown by itself.
    fn process(&mut self, process: &mut Process);
    /// The file a process runs.
    fn file(&mut self, file: &mut File);
    /// Mounts, and the secrets among them.
    fn mounts(&mut self, mounts: &mut MountTable);
    /// Users and groups.
    fn users(&mut self, users: &mut Users);
    /// What an engine says of a container.
    fn inspected(&mut self, inspected: &mut Inspected);
    /// What was captured of an event. The event itself is as it came, with its process and ancestors.
    fn captured(&mut self, captured: &mut Captured, event: &Event);
    /// Who reads a secret, and why.
    fn secret(&mut self, secret: &mut SecretAccess, event: &Event);
}

/// Removes nothing: for events that were made up, and for a user who has switched redaction off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Redact for Plain {
    fn process(&mut self, _: &mut Process) {}
    fn file(&mut self, _: &mut File) {}
    fn mounts(&mut self, _: &mut MountTable) {}
    fn users(&mut self, _: &mut Users) {}
    fn inspected(&mut self, _: &mut Inspected) {}
    fn captured(&mut self, _: &mut Captured, _: &Event) {}
    fn secret(&mut self, _: &mut SecretAccess, _: &Event) {}
}
