//! How raw numbers become the text that rules compare: flags, modes, errno names.

mod errno;
mod flags;

pub use errno::{errno_name, result_text};
pub(crate) use flags::{O_CREAT, O_TMPFILE};
pub use flags::{flag_names, mode_names, open_flag_names, ptrace_request_name};

/// How the value of a parameter becomes text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each names the table or the format it uses")]
pub enum TextStyle {
    Text,
    Path,
    Fd,
    Pid,
    Uid,
    Gid,
    Errno,
    Int,
    Uint,
    Octal,
    Hex,
    HexInt,
    Mode,
    OpenFlags,
    ResolveFlags,
    ExecFlags,
    LinkatFlags,
    RenameFlags,
    UnlinkatFlags,
    MountFlags,
    UmountFlags,
    CloneFlags,
    PtraceRequest,
}
