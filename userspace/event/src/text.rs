//! How raw numbers become the text that rules compare: flags, modes, errno names.

mod capabilities;
mod constants;
mod errno;
mod flags;
pub(crate) mod kept;

pub use capabilities::{ALL_CAPABILITIES, capability_bits, capability_names};
pub use errno::{errno_name, result_text};
pub use flags::flag_names;
pub(crate) use flags::{O_CREAT, O_TMPFILE, found, open_bits};

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
    FileFlags,
    ProtFlags,
    MmapFlags,
    AccessFlags,
    FlockOperation,
    SpliceFlags,
    MemfdFlags,
    ModuleFlags,
    CloseRangeFlags,
    BpfCommand,
    SocketDomain,
    Signal,
    ShutdownHow,
    FcntlCommand,
    Resource,
    Whence,
    FutexOp,
    PrctlOption,
    SeccompOp,
    RelTime,
    SockAddr,
    SockTuple,
    Bytes,
    FdList,
    Dynamic,
}

impl TextStyle {
    /// What stands for an empty value.
    pub(crate) fn empty(self) -> &'static str {
        match self {
            Self::Bytes | Self::SockTuple | Self::FdList | Self::Dynamic => "NULL",
            _ => "<NA>",
        }
    }
}
