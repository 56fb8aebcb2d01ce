//! Last stage of successful opens, by far the most frequent calls of all: whether some rule asks for a path like theirs.
//!
//! Rules are asked for the path as the program gave it, made absolute as text, for the one that the kernel has, and for
//! the one that a bind mount hides. The record is dropped only if none of them begins or ends as some rule wants it, and
//! wherever that cannot be said for certain it is sent.

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::interest;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::{Config, PATH_PART_MAX, PathKey, config, path_end, stage};
use vigia_abi::offsets::*;
use vigia_abi::record::{RECORD_MAX, TEXT_MAX, text};
use vigia_abi::{CallBody, Text};

use super::gather::first_byte;
use crate::budget::Rank;
use crate::kernel::Addr;
use crate::maps::{CALL_STAGES, OPEN_PATHS};
use crate::record::LargeScratch;
use crate::{emit, scope};

const TMPFS_MAGIC: u64 = 0x0102_1994;
const RAMFS_MAGIC: u64 = 0x8584_58f6;
/// Longer paths are sent unseen.
const SCANNED_MAX: usize = 255;
/// Of a longer name the folder is not looked for: the record is sent.
const NAME_MAX: usize = 64;
/// How much of either end of a path is put together, so that a whole part is left without the name.
const PIECE: u64 = (PATH_PART_MAX + 1 + NAME_MAX) as u64;
/// Where a piece may be put: a power of two.
const PLACES: usize = 128;
const _: () = assert!((PIECE as usize) < PLACES);

/// The path that the kernel has, of [`Draft::by_path`](crate::record::Draft).
const STEP_REAL: u64 = 1;
/// The one that a bind mount hides.
const STEP_UNDERLYING: u64 = 2;
/// The one that the program passed, as it is now.
const STEP_GIVEN: u64 = 3;
/// As it was when the call began, where that was captured.
const LAST_STEP: u64 = 4;

/// Lies where the path of the last walk did, which is in the record by now.
#[repr(C)]
struct Room {
    /// Length of the key in bits.
    bits: u32,
    key: PathKey,
    padding: u32,
    /// One end of a path: a piece of its base, a slash, and one of itself.
    forward: [u8; 2 * PLACES],
    /// How many bytes of it are in use.
    filled: u64,
    /// Any number, for the same reason as in `record`.
    cell: u64,
    asked: u64,
    text: Text,
    base: Text,
}

const _: () = assert!(size_of::<Room>() <= TEXT_MAX);
const _: () = assert!(core::mem::offset_of!(Room, key) == size_of::<u32>());

/// Whether user space told the paths of which it wants opens with an outcome of [`interest`].
///
/// # Safety
/// `config` must be the value of the map.
#[inline(always)]
pub(super) unsafe fn decide(config: *const Config, outcome: u32) -> bool {
    let flag = if outcome == interest::READ {
        config::READS_BY_PATH
    } else if outcome == interest::SUCCEEDED {
        config::WRITES_BY_PATH
    } else {
        0
    };
    // SAFETY: as the caller promises.
    unsafe { read_volatile(addr_of!((*config).flags)) & flag != 0 }
}

/// Whether a file could be a secret that user space has not told of yet: it lies in memory, or is mounted by itself.
#[inline(always)]
pub(super) fn may_be_secret(open: Addr) -> bool {
    let magic: u64 = open.follow(FILE_INODE).follow(INODE_SB).load(SB_MAGIC);
    let path = open.member(FILE_PATH);
    let mount = path.follow(PATH_MNT).container(MOUNT_MNT);
    magic == TMPFS_MAGIC
        || magic == RAMFS_MAGIC
        || mount.follow(MOUNT_ROOT) == path.follow(PATH_DENTRY)
}

/// Looks at one text each time round: all at once would be more than the verifier follows.
#[btf_tracepoint(function = "sys_exit")]
fn call_open_paths(context: BtfTracePointContext) -> i32 {
    let (Some(this), Some(config)) = (super::scratch(), emit::config()) else {
        return 0;
    };
    // SAFETY: this program's scratch, with a complete record.
    unsafe {
        let step = addr_of_mut!((*this).draft.by_path);
        let here = read_volatile(step);
        look_at(this, here);
        let is_asked = read_volatile(addr_of!((*room(this)).asked)) != 0;
        if !is_asked && here < LAST_STEP {
            write_volatile(step, here + 1);
            CALL_STAGES.tail_call(&context, stage::OPEN_PATHS);
            // Without the others nobody can say that it is not asked for.
        } else if !is_asked {
            emit::count(Class::Open, Cause::NoInterest);
            return 0;
        }
        let key = scope::budget_key(addr_of!((*LargeScratch::header(this)).task));
        if emit::admit(config, Class::Open as u32, Rank::Bulk, key) {
            super::submit(this);
        }
    }
    0
}

/// Looks at the text of a step; every open has that of the first.
///
/// # Safety
/// `this` must point to the scratch of the running program, with a complete record; so in all functions here.
#[inline(always)]
unsafe fn look_at(this: *mut LargeScratch, step: u64) {
    // SAFETY: as the caller promises.
    unsafe {
        let room = room(this);
        let body = LargeScratch::body::<CallBody>(this);
        // By way of map memory, so that what follows is followed once.
        let chosen = addr_of_mut!((*room).text);
        match step {
            STEP_REAL => {
                write_volatile(addr_of_mut!((*room).asked), 0);
                write_volatile(chosen, read_volatile(addr_of!((*body).file.path)));
            }
            STEP_UNDERLYING => {
                write_volatile(chosen, read_volatile(addr_of!((*body).file.underlying)));
            }
            STEP_GIVEN => write_volatile(chosen, read_volatile(addr_of!((*body).paths[0].given))),
            _ => write_volatile(chosen, read_volatile(addr_of!((*body).entry[0]))),
        }
        let text = read_volatile(chosen);
        if step != STEP_REAL && text.flags == 0 {
            return;
        }
        write_volatile(addr_of_mut!((*room).base), Text::default());
        if step >= STEP_GIVEN {
            scan(this, text);
            if first_byte(this, text.offset) != b'/' {
                let base = read_volatile(addr_of!((*body).paths[0].base));
                ask_unless_certain(this, base);
                write_volatile(addr_of_mut!((*room).base), base);
            }
        }
        let base = read_volatile(addr_of!((*room).base));
        look(this, base, text);
    }
}

#[inline(always)]
unsafe fn room(this: *mut LargeScratch) -> *mut Room {
    // SAFETY: as the caller promises; it fits, and the path begins at a multiple of 8.
    unsafe { addr_of_mut!((*this).walk.path).cast() }
}

#[inline(always)]
unsafe fn ask(this: *mut LargeScratch) {
    // SAFETY: as the caller promises.
    unsafe { write_volatile(addr_of_mut!((*room(this)).asked), 1) };
}

/// Sends the record unless a text is whole, and one that can be looked at.
#[inline(always)]
unsafe fn ask_unless_certain(this: *mut LargeScratch, text: Text) {
    let end = text.offset as usize + text.len as usize;
    if text.flags != text::PRESENT || text.len == 0 || end > RECORD_MAX {
        // SAFETY: as the caller promises.
        unsafe { ask(this) };
    }
}

/// Sends the record if the path that a program gave may change when it is made absolute as text: a component is `..`, `.`
/// or nothing.
#[inline(always)]
unsafe fn scan(this: *mut LargeScratch, given: Text) {
    /// A component with anything but dots in it.
    const NAMED: u64 = 3;
    // SAFETY: as the caller promises.
    unsafe {
        let room = room(this);
        let offset = u64::from(given.offset);
        let len = u64::from(given.len);
        if len > SCANNED_MAX as u64 || offset > (RECORD_MAX - SCANNED_MAX) as u64 {
            ask(this);
            return;
        }
        // How many dots the component has so far.
        let dots = addr_of_mut!((*room).cell);
        let is_absolute = first_byte(this, given.offset) == b'/';
        write_volatile(dots, if is_absolute { NAMED } else { 0 });
        let first = addr_of!((*this).record).cast::<u8>().add(offset as usize);
        for index in 0..SCANNED_MAX {
            if index as u64 >= len {
                break;
            }
            let here = read_volatile(first.add(index));
            let before = read_volatile(dots);
            if here == b'/' {
                if before < NAMED {
                    ask(this);
                }
                write_volatile(dots, 0);
            } else if here == b'.' {
                write_volatile(dots, before + 1);
            } else {
                write_volatile(dots, NAMED);
            }
        }
        if read_volatile(dots) < NAMED {
            ask(this);
        }
    }
}

/// Sends the record if some rule asks for a path that begins or ends as this one does; `base` is what a relative one
/// starts from.
#[inline(always)]
unsafe fn look(this: *mut LargeScratch, base: Text, path: Text) {
    // SAFETY: as the caller promises.
    unsafe {
        ask_unless_certain(this, path);
        let room = room(this);
        if read_volatile(addr_of!((*room).asked)) != 0 {
            return;
        }
        let filled = addr_of_mut!((*room).filled);

        write_volatile(filled, 0);
        append(this, base.offset.into(), base.len.into());
        if base.len > 1 {
            append_slash(this);
        }
        append(this, path.offset.into(), path.len.into());
        let key = addr_of_mut!((*room).key).cast::<u8>();
        write_volatile(key, path_end::START);
        let forward = addr_of!((*room).forward).cast::<u8>();
        bpf_probe_read_kernel(key.add(1).cast(), PATH_PART_MAX as u32, forward.cast());
        look_up(this);

        write_volatile(filled, 0);
        if u64::from(path.len) < PIECE {
            append_end(this, base);
            if base.len > 1 {
                append_slash(this);
            }
        }
        append_end(this, path);
        look_up_backwards(this, path_end::BACK);
        cut_name(this);
        look_up_backwards(this, path_end::FOLDER);
    }
}

/// Cuts the last component and its slash off what was put together.
#[inline(always)]
unsafe fn cut_name(this: *mut LargeScratch) {
    // SAFETY: as the caller promises; the place is masked.
    unsafe {
        let room = room(this);
        let filled = addr_of_mut!((*room).filled);
        let end = read_volatile(filled);
        write_volatile(addr_of_mut!((*room).cell), 0);
        for index in 0..=NAME_MAX as u64 {
            let at = end.wrapping_sub(1 + index);
            if backwards(room, at) == b'/' {
                write_volatile(filled, at);
                write_volatile(addr_of_mut!((*room).cell), 1);
                break;
            }
        }
        if read_volatile(addr_of!((*room).cell)) == 0 {
            ask(this);
        }
    }
}

#[inline(always)]
unsafe fn backwards(room: *const Room, at: u64) -> u8 {
    // SAFETY: the caller's room; the place is masked.
    unsafe {
        let forward = addr_of!((*room).forward).cast::<u8>();
        read_volatile(forward.add((at & (2 * PLACES as u64 - 1)) as usize))
    }
}

#[inline(always)]
unsafe fn look_up_backwards(this: *mut LargeScratch, end: u8) {
    // SAFETY: as the caller promises.
    unsafe {
        let room = room(this);
        let key = addr_of_mut!((*room).key).cast::<u8>();
        write_volatile(key, end);
        for index in 0..PATH_PART_MAX {
            let filled = read_volatile(addr_of!((*room).filled));
            let byte = backwards(room, filled.wrapping_sub(1 + index as u64));
            write_volatile(key.add(1 + index), byte);
        }
        look_up(this);
    }
}

/// Appends at most the last [`PIECE`] bytes of a text.
#[inline(always)]
unsafe fn append_end(this: *mut LargeScratch, text: Text) {
    let len = u64::from(text.len);
    let skipped = if len > PIECE { len - PIECE } else { 0 };
    // SAFETY: as the caller promises.
    unsafe { append(this, u64::from(text.offset) + skipped, len - skipped) };
}

/// Appends at most the first [`PIECE`] bytes of what stands in the record.
#[inline(always)]
unsafe fn append(this: *mut LargeScratch, offset: u64, len: u64) {
    // SAFETY: as the caller promises; every place is masked or checked.
    unsafe {
        let room = room(this);
        let cell = addr_of_mut!((*room).cell);
        write_volatile(cell, if len > PIECE { PIECE } else { len });
        let len = read_volatile(cell) & (PLACES as u64 - 1);
        let filled = addr_of_mut!((*room).filled);
        let at = read_volatile(filled) & (PLACES as u64 - 1);
        if offset > (RECORD_MAX - PLACES) as u64 {
            if len != 0 {
                ask(this);
            }
            return;
        }
        let to = addr_of_mut!((*room).forward).cast::<u8>().add(at as usize);
        let from = addr_of!((*this).record).cast::<u8>().add(offset as usize);
        bpf_probe_read_kernel(to.cast(), len as u32, from.cast());
        write_volatile(filled, at + len);
    }
}

#[inline(always)]
unsafe fn append_slash(this: *mut LargeScratch) {
    // SAFETY: as the caller promises; the place is masked.
    unsafe {
        let room = room(this);
        let filled = addr_of_mut!((*room).filled);
        let at = read_volatile(filled) & (PLACES as u64 - 1);
        write_volatile(
            addr_of_mut!((*room).forward).cast::<u8>().add(at as usize),
            b'/',
        );
        write_volatile(filled, at + 1);
    }
}

#[inline(always)]
unsafe fn look_up(this: *mut LargeScratch) {
    // SAFETY: as the caller promises; the key begins with its length.
    unsafe {
        let room = room(this);
        let filled = read_volatile(addr_of!((*room).filled));
        let len = if filled > PATH_PART_MAX as u64 {
            PATH_PART_MAX as u64
        } else {
            filled
        };
        write_volatile(addr_of_mut!((*room).bits), (1 + len as u32) * 8);
        if OPEN_PATHS.get(&*room.cast::<Key<PathKey>>()).is_some() {
            ask(this);
        }
    }
}
