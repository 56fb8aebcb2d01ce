//! Everything that depends on the processor: x86-64.

use crate::kernel::Ptr;

/// Byte offsets in `struct pt_regs`, which is part of the kernel's stable interface.
mod regs {
    pub(super) const ORIG_AX: u64 = 120;
    /// In the order of a system call's parameters: rdi, rsi, rdx, r10, r8, r9.
    pub(super) const ARGS: [u64; 6] = [112, 104, 96, 56, 72, 64];
}

/// Bit of `thread_info.status`: the task came in through a 32-bit entry.
const TS_COMPAT: u32 = 2;
/// Bit of a system call number: the x32 table.
const X32: i64 = 0x4000_0000;

/// The system call number; negative outside a system call.
///
/// The kernel takes the lower half of the register and nothing else, so whatever a program puts into the upper
/// half must not make the call look like none.
#[inline(always)]
pub(crate) fn number(regs: Ptr) -> i64 {
    i64::from((regs.load_at::<u64>(regs::ORIG_AX) as u32).cast_signed())
}

/// Whether the number belongs to another table than the 64-bit one.
#[inline(always)]
pub(crate) fn is_compat(status: u32, number: i64) -> bool {
    status & TS_COMPAT != 0 || number & X32 != 0
}

/// The argument registers.
#[inline(always)]
pub(crate) fn args(regs: Ptr) -> [u64; 6] {
    [
        regs.load_at(regs::ARGS[0]),
        regs.load_at(regs::ARGS[1]),
        regs.load_at(regs::ARGS[2]),
        regs.load_at(regs::ARGS[3]),
        regs.load_at(regs::ARGS[4]),
        regs.load_at(regs::ARGS[5]),
    ]
}
