//! The kernel side of Vigía: programs that see a task act and send a record of it.
//!
//! Each attached program first decides whether anybody wants to know (`scope`, `calls`), then whether the
//! container may still speak (`budget`), and only then collects: the acting task (`task`), strings of the
//! program (`record`), the kernel's own paths (`walk`) and the file (`file`). A system call does so in stages
//! that tail-call each other, so that the verifier looks at each piece once. What must be known before a call runs
//! is captured at its entry (`entries`); what io_uring does is no system call, and told of by programs of its own (`ring`).
//!
//! Nothing is assumed about the layout of kernel structures: the loader writes every offset into
//! frozen read-only data (`kernel`). Linux 5.10 is the floor, so there is no `bpf_loop`, no task storage and no
//! atomic operation that returns a value.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod arch;
mod budget;
mod calls;
mod cgroups;
mod emit;
mod entries;
mod exec;
mod file;
mod kernel;
mod lifecycle;
mod maps;
mod marks;
mod record;
mod ring;
mod scope;
mod secrets;
mod socket;
mod task;
mod walk;

/// How user space knows which wire format this object speaks.
#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = "vigia.abi")]
static ABI: [u8; 16] = vigia_abi::abi_mark(vigia_abi::ABI_VERSION);

/// Helpers such as `bpf_probe_read_kernel` are for GPL-compatible programs only. Apache-2.0 is not on the
/// kernel's list, so the probes are offered under both, as its own samples are.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Loops, so that the verifier refuses an object in which a panic can be reached.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
