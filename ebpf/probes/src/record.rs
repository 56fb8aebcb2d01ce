//! Where a record is put together: scratch memory, and appending strings to it.
//!
//! Lengths and positions live in map memory and are read back before each use. The verifier then forgets what
//! it knew of them and checks a bound once, instead of following every value a loop could have given them.

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user, bpf_probe_read_user_str,
};
use vigia_abi::record::{RECORD_MAX, TEXT_MAX, text};
use vigia_abi::{CallBody, CgroupBody, ExecBody, ForkBody, Header, Socket, Text};

use crate::kernel::Addr;
use crate::walk::{Job, Walk};

/// Longest socket address that is captured: more than any that rules can name.
pub(crate) const ADDRESS_MAX: usize = 128;

/// Reads a program's string; its bytes with the NUL at the end, or negative where its memory cannot be read. A null
/// pointer is an empty string: some calls take it for none, and there is nothing to miss.
///
/// # Safety
/// `place` must have room for [`TEXT_MAX`] bytes.
#[inline(always)]
pub(crate) unsafe fn read_user_string(place: *mut u8, address: u64) -> i64 {
    if address == 0 {
        return 1;
    }
    // SAFETY: as the caller promises; the helper checks the address.
    let read =
        unsafe { bpf_probe_read_user_str(place.cast(), TEXT_MAX as u32, address as *const _) };
    // Kernels before 6.16 do not count the NUL of an empty string.
    if read == 0 { 1 } else { read }
}

/// What a call passed beyond its registers, and which call it is.
#[repr(C)]
pub(crate) struct Passed {
    /// The arguments, where they are not those of the 64-bit registers.
    pub(crate) args: [u64; 6],
    /// 64-bit number.
    pub(crate) number: u32,
    /// See [`vigia_abi::record::call`].
    pub(crate) flags: u32,
    /// Where a socket address lies, in the program's memory.
    pub(crate) address: u64,
    /// Where the data lie.
    pub(crate) data: u64,
    /// How many bytes there are of either.
    pub(crate) address_len: u32,
    pub(crate) data_len: u32,
    /// Not 0 where the call moved more than these.
    pub(crate) data_has_more: u32,
    /// The file of the call's descriptor.
    pub(crate) file: Addr,
    /// The socket address itself.
    pub(crate) bytes: [u8; ADDRESS_MAX],
}

/// What is remembered of a record while it is put together.
#[repr(C)]
pub(crate) struct Draft {
    /// Any word, see [`crate::kernel::Ptr::address`].
    pub(crate) cell: u64,
    /// Where the next string goes.
    pub(crate) end: u32,
    /// [`text::TRUNCATED`] and [`text::FAULT`] of all strings.
    pub(crate) notes: u32,
    /// Whether the paths decide whether the record is sent: which of them is next, see `calls::open_paths`, or 0.
    pub(crate) by_path: u64,
}

/// Scratch of records without strings.
#[repr(C, align(8))]
pub(crate) struct SmallScratch {
    pub(crate) draft: Draft,
    pub(crate) record: [u8; size_of::<Header>() + size_of::<ForkBody>()],
}

/// Scratch of records with one string.
#[repr(C, align(8))]
pub(crate) struct CgroupScratch {
    pub(crate) draft: Draft,
    pub(crate) name: [u8; crate::cgroups::NAME_BYTES],
    pub(crate) record: [u8; size_of::<Header>() + size_of::<CgroupBody>() + TEXT_MAX],
}

/// Scratch of records with several strings, some of them kernel paths.
#[repr(C, align(8))]
pub(crate) struct LargeScratch {
    pub(crate) draft: Draft,
    pub(crate) jobs: [Job; 4],
    pub(crate) job: u32,
    pub(crate) job_count: u32,
    pub(crate) passed: Passed,
    pub(crate) socket: Socket,
    pub(crate) walk: Walk,
    pub(crate) record: [u8; RECORD_MAX],
}

// A per-CPU value must fit the kernel's smallest per-CPU unit.
const _: () = assert!(size_of::<LargeScratch>() <= 32 * 1024);

/// Text may begin here at the latest.
const LAST_TEXT: u32 = (RECORD_MAX - TEXT_MAX) as u32;
const _: () =
    assert!(size_of::<Header>() + size_of::<CallBody>() + 5 * TEXT_MAX <= LAST_TEXT as usize);
const _: () =
    assert!(size_of::<Header>() + size_of::<ExecBody>() + 4 * TEXT_MAX <= LAST_TEXT as usize);

/// Clears a body. Written word by word, since the compiler would otherwise call a `memset`.
///
/// # Safety
/// `body` must be valid for writes and aligned to 8 bytes.
#[inline(always)]
pub(crate) unsafe fn clear<T>(body: *mut T) {
    const { assert!(size_of::<T>().is_multiple_of(8)) };
    for index in 0..size_of::<T>() / 8 {
        // SAFETY: inside `body`, as the caller promises.
        unsafe { write_volatile(body.cast::<u64>().add(index), 0) };
    }
}

impl LargeScratch {
    /// Begins a record whose strings follow a header and a `Body`.
    ///
    /// # Safety
    /// `this` must point to the scratch of the running program; so in all functions here.
    #[inline(always)]
    pub(crate) unsafe fn begin<Body>(this: *mut Self) {
        // SAFETY: as the caller promises.
        unsafe {
            write_volatile(
                addr_of_mut!((*this).draft.end),
                (size_of::<Header>() + size_of::<Body>()) as u32,
            );
            write_volatile(addr_of_mut!((*this).draft.notes), 0);
            write_volatile(addr_of_mut!((*this).draft.by_path), 0);
            write_volatile(addr_of_mut!((*this).job), 0);
            write_volatile(addr_of_mut!((*this).job_count), 0);
            clear(Self::body::<Body>(this));
        }
    }

    /// The header.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn header(this: *mut Self) -> *mut Header {
        // SAFETY: the record begins with it and is aligned to 8 bytes.
        unsafe { addr_of_mut!((*this).record).cast() }
    }

    /// The body.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn body<Body>(this: *mut Self) -> *mut Body {
        // SAFETY: it follows the header, whose size is a multiple of 8.
        unsafe {
            addr_of_mut!((*this).record)
                .cast::<u8>()
                .add(size_of::<Header>())
                .cast()
        }
    }

    /// Appends a NUL-terminated string of the program.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn append_user_string(this: *mut Self, address: u64) -> Text {
        // SAFETY: the place has room for TEXT_MAX bytes; the helper checks the address.
        unsafe {
            let Some((place, end)) = Self::room(this) else {
                return Self::no_room(this);
            };
            let read = read_user_string(place, address);
            if read == TEXT_MAX as i64 {
                // The helper always ends with a NUL: only the original tells whether that was the string's own.
                let mut last = 0u8;
                bpf_probe_read_user(
                    (&raw mut last).cast(),
                    1,
                    (address + TEXT_MAX as u64 - 1) as *const _,
                );
                return Self::appended(this, end, read - 1, last != 0);
            }
            Self::appended(this, end, read - 1, false)
        }
    }

    /// Appends a NUL-terminated string of the kernel.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn append_kernel_string(this: *mut Self, address: u64) -> Text {
        // SAFETY: the place has room for TEXT_MAX bytes; the helper checks the address.
        unsafe {
            let Some((place, end)) = Self::room(this) else {
                return Self::no_room(this);
            };
            let read =
                bpf_probe_read_kernel_str(place.cast(), TEXT_MAX as u32, address as *const _);
            Self::appended(this, end, read - 1, read == TEXT_MAX as i64)
        }
    }

    /// Appends the program's memory between two addresses, at most [`TEXT_MAX`] bytes.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn append_user_bytes(this: *mut Self, from: u64, to: u64) -> Text {
        // SAFETY: the place has room for TEXT_MAX bytes; the helper checks the address.
        unsafe {
            let Some((place, end)) = Self::room(this) else {
                return Self::no_room(this);
            };
            let all = to.wrapping_sub(from);
            let len = if all > TEXT_MAX as u64 {
                TEXT_MAX as u64
            } else {
                all
            };
            if len == 0 {
                return Self::appended(this, end, 0, false);
            }
            let failed = bpf_probe_read_user(place.cast(), len as u32, from as *const _);
            Self::appended(
                this,
                end,
                if failed < 0 { failed } else { len as i64 },
                all > TEXT_MAX as u64,
            )
        }
    }

    /// Appends kernel memory: at most `MAX` bytes of it, a power of two.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn append_kernel_bytes<const MAX: u32>(
        this: *mut Self,
        address: u64,
        len: u32,
    ) -> Text {
        // SAFETY: the place has room for TEXT_MAX bytes; the helper checks the address.
        unsafe {
            let Some((place, end)) = Self::room(this) else {
                return Self::no_room(this);
            };
            let cell = addr_of_mut!((*this).draft.cell);
            write_volatile(cell, u64::from(len));
            let len = read_volatile(cell);
            if len == 0 || len > u64::from(MAX) {
                return Self::appended(this, end, 0, len != 0);
            }
            let failed = bpf_probe_read_kernel(place.cast(), len as u32, address as *const _);
            Self::appended(
                this,
                end,
                if failed < 0 { failed } else { len as i64 },
                false,
            )
        }
    }

    /// Appends the path that was just walked.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn append_walked(this: *mut Self) -> Text {
        // SAFETY: the place has room for TEXT_MAX bytes; the walked path lies in the scratch.
        unsafe {
            let Some((place, end)) = Self::room(this) else {
                return Self::no_room(this);
            };
            let start = u64::from(read_volatile(addr_of!((*this).walk.start)));
            let len = (TEXT_MAX as u64).wrapping_sub(start);
            if len == 0 || len > TEXT_MAX as u64 {
                return Self::appended(this, end, 0, false);
            }
            let from = addr_of!((*this).walk.path)
                .cast::<u8>()
                .add((start & (TEXT_MAX as u64 - 1)) as usize);
            bpf_probe_read_kernel(place.cast(), len as u32, from.cast());
            let mut text = Self::appended(this, end, len as i64, false);
            let notes = read_volatile(addr_of!((*this).walk.notes));
            if notes & u32::from(text::TRUNCATED) != 0 {
                Self::note(this, text::TRUNCATED);
            }
            text.flags |= notes as u16;
            text
        }
    }

    /// Where the next string goes, and its offset in the record.
    #[inline(always)]
    unsafe fn room(this: *mut Self) -> Option<(*mut u8, u32)> {
        // SAFETY: the caller's scratch; the offset is checked.
        unsafe {
            let end = read_volatile(addr_of!((*this).draft.end));
            if end > LAST_TEXT {
                return None;
            }
            Some((
                addr_of_mut!((*this).record).cast::<u8>().add(end as usize),
                end,
            ))
        }
    }

    #[inline(always)]
    unsafe fn appended(this: *mut Self, offset: u32, len: i64, truncated: bool) -> Text {
        let mut flags = text::PRESENT;
        if len < 0 {
            flags |= text::FAULT;
        } else {
            if truncated {
                flags |= text::TRUNCATED;
            }
            // SAFETY: the caller's scratch.
            unsafe { write_volatile(addr_of_mut!((*this).draft.end), offset + len as u32) };
        }
        // SAFETY: the caller's scratch.
        unsafe { Self::note(this, flags & (text::TRUNCATED | text::FAULT)) };
        Text {
            offset: offset as u16,
            len: if len < 0 { 0 } else { len as u16 },
            flags,
            padding: 0,
        }
    }

    #[inline(always)]
    unsafe fn no_room(this: *mut Self) -> Text {
        // SAFETY: the caller's scratch.
        unsafe { Self::note(this, text::TRUNCATED) };
        Text {
            offset: 0,
            len: 0,
            flags: text::PRESENT | text::TRUNCATED,
            padding: 0,
        }
    }

    /// Remembers that something of a text is missing.
    ///
    /// # Safety
    /// See [`Self::begin`].
    #[inline(always)]
    pub(crate) unsafe fn note(this: *mut Self, flags: u16) {
        // SAFETY: the caller's scratch.
        unsafe { (*this).draft.notes |= u32::from(flags) };
    }
}
