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
    /// The fields that are incomplete, in alphabetical order.
    pub fn truncated(&self) -> impl Iterator<Item = &'static str> {
        let process = self.process.truncated;
        let call = self.call();
        let has = |is_cut: fn(&Call) -> bool| call.is_some_and(is_cut);
        let exe = self.process.exe_file.as_deref();
        [
            ("evt.args", has(|call| call.texts_truncated)),
            ("evt.buffer", has(|call| call.data_truncated)),
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
        call.data_truncated = true;
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
}
