//! Reading kernel memory at offsets that only the loader knows.
//!
//! [`Ptr`] is a pointer whose type the verifier may know; where the loader found typed loads to be accepted
//! they are used, since they cost a tenth of a helper call. [`Addr`] is an address like any number: always read
//! through the helper. Reading through either never faults: what cannot be read is zero.

use core::mem::MaybeUninit;
use core::ptr::{addr_of, read_volatile, write_volatile};

use aya_ebpf::helpers::{
    bpf_get_current_task, bpf_get_current_task_btf, generated::bpf_probe_read_kernel,
};
use vigia_abi::offsets::COUNT;
use vigia_abi::settings::{SETTING_COUNT, Setting};

/// Filled by the loader, see [`vigia_abi::offsets`].
#[unsafe(no_mangle)]
static OFFSETS: [u32; COUNT] = [0; COUNT];
/// Filled by the loader, see [`vigia_abi::settings`].
#[unsafe(no_mangle)]
static SETTINGS: [u32; SETTING_COUNT] = [0; SETTING_COUNT];

/// The offset of a member.
#[inline(always)]
pub(crate) fn offset(member: usize) -> u64 {
    // SAFETY: `member` is a constant of `vigia_abi::offsets`, all below COUNT. Volatile, because the value in
    // the object is not the one at run time.
    u64::from(unsafe { read_volatile(addr_of!(OFFSETS).cast::<u32>().add(member)) })
}

/// Whether this kernel has an optional member.
#[inline(always)]
pub(crate) fn has(member: usize) -> bool {
    offset(member) != u64::from(vigia_abi::offsets::ABSENT)
}

/// A word the loader decided on.
#[inline(always)]
pub(crate) fn setting(setting: Setting) -> u32 {
    // SAFETY: every `Setting` is below SETTING_COUNT; volatile as above.
    unsafe { read_volatile(addr_of!(SETTINGS).cast::<u32>().add(setting as usize)) }
}

#[inline(always)]
fn typed_loads() -> bool {
    setting(Setting::TypedLoads) != 0
}

/// Reads `T` at an address; zero if that cannot be read.
#[inline(always)]
fn probe<T: Plain>(address: u64) -> T {
    // Not zeroed first: for an array that would be a call of `memset`, a loop over its bytes.
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks `address` and writes all of `value`, zeros if it cannot read; every pattern of
    // bytes is a `T`.
    unsafe {
        bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            address as *const _,
        );
        value.assume_init()
    }
}

/// A value of which every byte pattern is valid and that may be read from the kernel.
pub(crate) trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty)*) => { $( impl Plain for $type {} )* };
}
plain! { u8 u16 u32 u64 i32 }

impl<const N: usize> Plain for [u64; N] {}

/// A kernel pointer that the verifier may know the type of.
#[derive(Clone, Copy)]
pub(crate) struct Ptr(u64);

impl Ptr {
    /// The current task.
    #[inline(always)]
    pub(crate) fn current_task() -> Self {
        // SAFETY: neither helper has preconditions; the first exists wherever the loader allows typed loads.
        Self(unsafe {
            if typed_loads() {
                bpf_get_current_task_btf() as u64
            } else {
                bpf_get_current_task()
            }
        })
    }

    /// An argument of a BTF tracepoint.
    #[inline(always)]
    pub(crate) fn argument(
        context: &aya_ebpf::programs::BtfTracePointContext,
        index: usize,
    ) -> Self {
        Self(context.arg(index))
    }

    /// The value of a member.
    #[inline(always)]
    pub(crate) fn load<T: Plain>(self, member: usize) -> T {
        self.load_at(offset(member))
    }

    /// The value at an offset.
    #[inline(always)]
    pub(crate) fn load_at<T: Plain>(self, offset: u64) -> T {
        let address = self.0 + offset;
        if typed_loads() {
            // SAFETY: the verifier proves that the offset is a member of the pointer's type, and a fault reads zero.
            unsafe { read_volatile(address as *const T) }
        } else {
            probe(address)
        }
    }

    /// The pointer in a member.
    #[inline(always)]
    pub(crate) fn follow(self, member: usize) -> Self {
        Self(self.load(member))
    }

    /// The pointer at an offset.
    #[inline(always)]
    pub(crate) fn follow_at(self, offset: u64) -> Self {
        Self(self.load_at(offset))
    }

    /// A structure inside this one.
    #[inline(always)]
    pub(crate) fn member(self, member: usize) -> Self {
        Self(self.0 + offset(member))
    }

    /// The same address, of which the verifier knows nothing: `cell` is any word of map memory.
    #[inline(always)]
    pub(crate) fn address(self, cell: *mut u64) -> Addr {
        // SAFETY: the caller's cell lies in map memory.
        unsafe {
            write_volatile(cell, self.0);
            Addr(read_volatile(cell))
        }
    }
}

/// A kernel address.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Addr(pub(crate) u64);

impl Addr {
    pub(crate) const NULL: Self = Self(0);

    /// The value of a member.
    #[inline(always)]
    pub(crate) fn load<T: Plain>(self, member: usize) -> T {
        probe(self.0 + offset(member))
    }

    /// The value at an offset.
    #[inline(always)]
    pub(crate) fn load_at<T: Plain>(self, offset: u64) -> T {
        probe(self.0 + offset)
    }

    /// The pointer in a member.
    #[inline(always)]
    pub(crate) fn follow(self, member: usize) -> Self {
        Self(self.load(member))
    }

    /// A structure inside this one.
    #[inline(always)]
    pub(crate) fn member(self, member: usize) -> Self {
        Self(self.0 + offset(member))
    }

    /// The structure of which this one is a member.
    #[inline(always)]
    pub(crate) fn container(self, member: usize) -> Self {
        Self(self.0 - offset(member))
    }

    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self.0 == 0
    }
}
