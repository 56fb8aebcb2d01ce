//! Which texts of an event are incomplete: longer than what is kept, or in memory that could not be read to the end.

use serde::{Deserialize, Serialize};

use crate::captured::Call;
use crate::event::Event;
use crate::file::File;

/// Texts of an execution that are incomplete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Truncated {
    /// Arguments are missing at the end.
    pub args: bool,
    /// Variables of the environment are missing at the end.
    pub env: bool,
    /// The working directory is unknown, because it lies too deep.
    pub cwd: bool,
}

impl Event {
    /// The fields that would hold more had the kernel's memory, or ours, had room; in alphabetical order.
    pub fn truncated(&self) -> impl Iterator<Item = &'static str> {
        let process = self.process.truncated;
        let call = self.call();
        let has = |is_cut: fn(&Call) -> bool| call.is_some_and(is_cut);
        let exe = self.process.exe_file.as_deref();
        [
            ("evt.args", has(|call| call.texts_truncated)),
            ("evt.buffer", has(has_more_data)),
            (
                "fd.realpath",
                has(|call| call.file.as_ref().is_some_and(is_cut)),
            ),
            (
                "fs.path.name",
                has(|call| call.paths.iter().any(|path| path.truncated)),
            ),
            ("proc.args", process.args),
            ("proc.cwd", process.cwd),
            ("proc.env", process.env),
            ("proc.exepath", exe.is_some_and(is_cut)),
        ]
        .into_iter()
        .filter_map(|(name, is_cut)| is_cut.then_some(name))
    }
}

fn is_cut(file: &File) -> bool {
    file.path_notes.truncated
}

/// Whether the call moved more bytes than were captured.
fn has_more_data(call: &Call) -> bool {
    let moved = usize::try_from(call.result).unwrap_or(0);
    call.data.as_ref().is_some_and(|data| data.len() < moved)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::captured::{GivenPath, What};
    use crate::file::PathNotes;
    use crate::process::Process;
    use crate::testing;

    fn truncated(event: &Event) -> Vec<&'static str> {
        event.truncated().collect()
    }

    #[test]
    fn every_text_that_is_incomplete_is_named() {
        let mut event = testing::call("read", [0; 6], 100);
        assert!(truncated(&event).is_empty());
        let deep = File {
            path_notes: PathNotes {
                truncated: true,
                ..PathNotes::default()
            },
            ..File::default()
        };
        let What::Call(call) = &mut event.captured.what else {
            panic!("no call");
        };
        call.texts_truncated = true;
        call.data = Some(vec![b'x'; 80].into());
        call.file = Some(deep.clone());
        call.paths = vec![
            GivenPath::default(),
            GivenPath {
                truncated: true,
                ..GivenPath::default()
            },
        ];
        event.process = Arc::new(Process {
            exe_file: Some(Arc::new(deep)),
            truncated: Truncated {
                args: true,
                env: true,
                cwd: true,
            },
            ..Process::default()
        });
        let expected = [
            "evt.args",
            "evt.buffer",
            "fd.realpath",
            "fs.path.name",
            "proc.args",
            "proc.cwd",
            "proc.env",
            "proc.exepath",
        ];
        assert_eq!(truncated(&event), expected);
    }

    #[test]
    fn data_is_complete_where_all_that_was_moved_is_there() {
        for (moved, expected) in [(80, false), (81, true), (-1, false)] {
            let mut event = testing::call("read", [0; 6], moved);
            if let What::Call(call) = &mut event.captured.what {
                call.data = Some(vec![b'x'; 80].into());
            }
            assert_eq!(!truncated(&event).is_empty(), expected, "{moved}");
        }
    }
}
