//! Everything that depends on the processor: x86-64.

use core::arch::asm;
use core::ptr::{addr_of, read_volatile};

use vigia_abi::calls::NUMBERS;
use vigia_abi::compat;
use vigia_abi::offsets::{TASK_STACK, TASK_STATUS};

use crate::kernel::{Addr, Ptr};

/// Byte offsets in `struct pt_regs`, which is part of the kernel's stable interface.
mod regs {
    pub(super) const ORIG_AX: u64 = 120;
    /// In the order of a system call's parameters: rdi, rsi, rdx, r10, r8, r9.
    pub(super) const ARGS: [u64; 6] = [112, 104, 96, 56, 72, 64];
    /// The same for the 32-bit entry: ebx, ecx, edx, esi, edi, ebp.
    pub(super) const ARGS_32: [u64; 6] = [40, 88, 96, 104, 112, 32];
    pub(super) const CS: u64 = 136;
    pub(super) const SIZE: u64 = 168;
}

/// Code segments of programs, 64-bit and 32-bit.
const USER_CS: [u64; 2] = [0x33, 0x23];
/// Size of a kernel stack, but where the kernel checks its own memory (KASAN): there no segment is a program's.
const STACK_BYTES: u64 = 16 * 1024;
/// Bytes above the registers at the top of a kernel stack: none, or two words where the kernel knows FRED.
const TOP_PADDING: [u64; 2] = [0, 16];

/// Bit of `thread_info.status`: the task came in through a 32-bit entry.
const TS_COMPAT: u32 = 2;
/// Bit of a system call number: the x32 table.
const X32: u32 = 0x4000_0000;
/// The first x32 number that is not that of the 64-bit call.
const X32_OWN: u32 = 512;

/// [`compat::I386`] in read-only data.
#[unsafe(no_mangle)]
static I386_CALLS: [u16; NUMBERS as usize] = compat::I386;
/// [`compat::X32`] in read-only data.
#[unsafe(no_mangle)]
static X32_CALLS: [u16; 64] = compat::X32;
/// [`compat::SOCKETCALLS`] in read-only data.
#[unsafe(no_mangle)]
static SOCKET_CALLS: [u16; 32] = compat::SOCKETCALLS;

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
    status & TS_COMPAT != 0 || number & i64::from(X32) != 0
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

/// The argument registers of a 32-bit call.
#[inline(always)]
pub(crate) fn args_32(regs: Ptr) -> [u64; 6] {
    let arg = |index: usize| u64::from(regs.load_at::<u64>(regs::ARGS_32[index]) as u32);
    [arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)]
}

/// The 64-bit call that does the same as a call of another table; [`compat::NONE`] for none. Of `socketcall` that is
/// told by its first argument.
#[inline(always)]
pub(crate) fn translate(number: u32, first: u64) -> u16 {
    // SAFETY: every index is checked or masked to its table; volatile, since a known table would become a jump.
    unsafe {
        if number & X32 != 0 {
            let number = number & !X32;
            if number < X32_OWN {
                return number as u16;
            }
            if number < X32_OWN + X32_CALLS.len() as u32 {
                let index = opaque(number - X32_OWN) & (X32_CALLS.len() - 1);
                return read_volatile(addr_of!(X32_CALLS).cast::<u16>().add(index));
            }
            return compat::NONE;
        }
        if number == compat::SOCKETCALL {
            let index = opaque(first as u32) & (SOCKET_CALLS.len() - 1);
            let call = read_volatile(addr_of!(SOCKET_CALLS).cast::<u16>().add(index));
            return if call == 0 { compat::NONE } else { call };
        }
        if number < NUMBERS {
            let index = opaque(number) & (NUMBERS as usize - 1);
            return read_volatile(addr_of!(I386_CALLS).cast::<u16>().add(index));
        }
        compat::NONE
    }
}

/// The same number, of which the compiler knows nothing: it would leave out a mask that a comparison made needless,
/// and the verifier does not follow such comparisons.
#[inline(always)]
fn opaque(number: u32) -> usize {
    let mut number = u64::from(number);
    // SAFETY: changes nothing; without any instruction its line would be one too many for the kernel.
    unsafe { asm!("{number} += 0", number = inout(reg) number, options(nomem, nostack)) };
    number as usize
}

/// Whether a number of another table is one of the x32 table, whose arguments stand in the 64-bit registers.
#[inline(always)]
pub(crate) fn is_x32(number: u32) -> bool {
    number & X32 != 0
}

/// The system call that a task is in, by its 64-bit number, and its first argument; 0 where there is none or it
/// cannot be told. For tracepoints that are not handed the registers.
#[inline(always)]
pub(crate) fn current_call(task: Ptr, cell: *mut u64) -> (u32, u64) {
    /// fork, clone, vfork of the 32-bit entry: they are no calls that the probes deliver.
    const FORKS_32: [(u32, u32); 3] = [(2, 57), (120, 56), (190, 58)];
    let status: u32 = task.load(TASK_STATUS);
    let top = task.follow(TASK_STACK).address(cell).0 + STACK_BYTES;
    for padding in TOP_PADDING {
        let regs = Addr(top - padding - regs::SIZE);
        let segment: u64 = regs.load_at(regs::CS);
        if segment != USER_CS[0] && segment != USER_CS[1] {
            continue;
        }
        let number = regs.load_at::<u64>(regs::ORIG_AX) as u32;
        if status & TS_COMPAT == 0 {
            return (number & !X32, regs.load_at(regs::ARGS[0]));
        }
        let first = u64::from(regs.load_at::<u64>(regs::ARGS_32[0]) as u32);
        for (own, wide) in FORKS_32 {
            if number == own {
                return (wide, first);
            }
        }
        return (number, first);
    }
    (0, 0)
}
