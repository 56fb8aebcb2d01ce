//! What a call on a socket passes through memory: an address, and data.

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use vigia_abi::CallBody;
use vigia_abi::calls::{CallSpec, NONE, note, shape};
use vigia_abi::record::call;

use crate::calls::argument_of;
use crate::record::{ADDRESS_MAX, LargeScratch};

const AF_UNSPEC: u16 = 0;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// The second half of an IPv4-mapped address, without the address.
const MAPPED: u64 = 0xffff_0000;

/// `struct msghdr` of programs, 64-bit and 32-bit: where name, its length, the vector and its length are, and how
/// long the structure is (behind which `struct mmsghdr` has the length of the message).
struct Layout {
    name: u64,
    name_len: u64,
    vector: u64,
    bytes: u64,
    word: u64,
}

const LAYOUT_64: Layout = Layout {
    name: 0,
    name_len: 8,
    vector: 16,
    bytes: 56,
    word: 8,
};
const LAYOUT_32: Layout = Layout {
    name: 0,
    name_len: 4,
    vector: 8,
    bytes: 28,
    word: 4,
};
/// `sendmmsg`, `recvmmsg`: the result counts messages.
const SENDMMSG: u32 = 307;
const RECVMMSG: u32 = 299;

/// Finds address and data of a call whose arguments are in the record, and reads the address.
///
/// # Safety
/// `this` must point to the scratch of the running program, with a described call; so in all functions here.
#[inline(always)]
pub(crate) unsafe fn locate(this: *mut LargeScratch, spec: &CallSpec, result: i64) {
    // SAFETY: as the caller promises.
    unsafe {
        let body = LargeScratch::body::<CallBody>(this);
        let argument = |index: u8| argument_of(body, index);
        let mut address = 0;
        let mut address_len = 0;
        let mut data = 0;
        let mut data_len = 0;
        let mut has_more = false;
        if spec.shape == shape::MESSAGE {
            let header = argument(spec.address);
            let number = read_volatile(addr_of!((*body).number));
            let is_32 = read_volatile(addr_of!((*body).flags)) & call::COMPAT != 0;
            let layout = if is_32 { LAYOUT_32 } else { LAYOUT_64 };
            address = pointer(this, header + layout.name, is_32);
            address_len = word(this, header + layout.name_len);
            let vector = pointer(this, header + layout.vector, is_32);
            data = pointer(this, vector, is_32);
            let room = pointer(this, vector + layout.word, is_32) as u32;
            let moved = if number == SENDMMSG || number == RECVMMSG {
                word(this, header + layout.bytes)
            } else {
                result as u32
            };
            data_len = if result < 0 && spec.note & note::SENDS == 0 {
                0
            } else if result >= 0 && moved < room {
                moved
            } else {
                // The rest lies in further pieces.
                has_more = result >= 0 && moved > room;
                room
            };
        } else {
            if spec.address != NONE {
                address = argument(spec.address);
                let len = argument(spec.address + 1);
                address_len = if spec.shape != shape::RECEIVED {
                    len as u32
                } else if len != 0 {
                    word(this, len)
                } else {
                    0
                };
            }
            if spec.data != NONE {
                data = argument(spec.data);
                let room = argument(spec.data + 1);
                data_len = if spec.shape != shape::RECEIVED {
                    room as u32
                } else if result <= 0 {
                    0
                } else if (result as u64) < room {
                    result as u32
                } else {
                    // With MSG_TRUNC the result is the length of a message that did not fit.
                    room as u32
                };
            }
        }
        // What was received from nobody in particular leaves no address.
        if address == 0 || (result < 0 && spec.note & note::RECEIVES != 0) {
            address_len = 0;
        }
        let passed = addr_of_mut!((*this).passed);
        write_volatile(addr_of_mut!((*passed).data), data);
        write_volatile(addr_of_mut!((*passed).data_len), data_len);
        write_volatile(addr_of_mut!((*passed).data_has_more), u32::from(has_more));
        write_volatile(addr_of_mut!((*passed).address), address);
        write_volatile(addr_of_mut!((*passed).address_len), address_len);
        read_address(this);
    }
}

/// Reads the address that was located; none is left where that fails.
///
/// # Safety
/// See [`locate`].
#[inline(always)]
pub(crate) unsafe fn read_address(this: *mut LargeScratch) {
    // SAFETY: as the caller promises; the length is checked.
    unsafe {
        let passed = addr_of_mut!((*this).passed);
        let place = addr_of_mut!((*passed).address_len);
        let mut len = read_volatile(place);
        if len > ADDRESS_MAX as u32 {
            len = ADDRESS_MAX as u32;
        }
        let bytes = addr_of_mut!((*passed).bytes);
        // A short one must not go on with the last call's.
        for index in 0..4 {
            write_volatile(bytes.cast::<u64>().add(index), 0);
        }
        let from = read_volatile(addr_of!((*passed).address));
        let is_read = len != 0 && bpf_probe_read_user(bytes.cast(), len, from as *const _) == 0;
        write_volatile(place, if is_read { len } else { 0 });
    }
}

/// Makes the address that was passed that of the socket's other end.
///
/// # Safety
/// See [`locate`].
#[inline(always)]
pub(crate) unsafe fn into_remote(this: *mut LargeScratch) {
    // SAFETY: as the caller promises.
    unsafe {
        if read_volatile(addr_of!((*this).passed.address_len)) == 0 {
            return;
        }
        let bytes = addr_of!((*this).passed.bytes).cast::<u8>();
        let out = addr_of_mut!((*this).socket);
        let remote = addr_of_mut!((*out).remote).cast::<u64>();
        let family = read_volatile(bytes.cast::<u16>());
        let port = read_volatile(bytes.add(2).cast::<u16>()).swap_bytes();
        // An address of no family is one of IPv4 to a datagram socket of it.
        let is_v4 = family == AF_INET || family == AF_UNSPEC;
        let v4 = u64::from(read_volatile(bytes.add(4).cast::<u32>()));
        if is_v4 && (*out).family == AF_INET {
            write_volatile(remote, v4);
        } else if family == AF_INET && (*out).family == AF_INET6 {
            write_volatile(remote, 0);
            write_volatile(remote.add(1), MAPPED | v4 << 32);
        } else if family == AF_INET6 && (*out).family == AF_INET6 {
            write_volatile(remote, read_volatile(bytes.add(8).cast::<u64>()));
            write_volatile(remote.add(1), read_volatile(bytes.add(16).cast::<u64>()));
        } else {
            return;
        }
        (*out).remote_port = port;
    }
}

/// Whether an address was passed, and of which family: `AF_UNSPEC` ends a connection.
///
/// # Safety
/// See [`locate`].
#[inline(always)]
pub(crate) unsafe fn has_address(this: *const LargeScratch) -> (bool, bool) {
    // SAFETY: as the caller promises.
    unsafe {
        let is_there = read_volatile(addr_of!((*this).passed.address_len)) != 0;
        let family = read_volatile(addr_of!((*this).passed.bytes).cast::<u16>());
        (is_there, is_there && family == AF_UNSPEC)
    }
}

/// A pointer or size of a program; 0 where it cannot be read.
#[inline(always)]
unsafe fn pointer(this: *mut LargeScratch, address: u64, is_32: bool) -> u64 {
    // SAFETY: as the caller promises; the helper checks the address.
    unsafe {
        let cell = addr_of_mut!((*this).draft.cell);
        write_volatile(cell, 0);
        let bytes = if is_32 { 4 } else { 8 };
        bpf_probe_read_user(cell.cast(), bytes, address as *const _);
        read_volatile(cell)
    }
}

/// A 32-bit word of a program; 0 where it cannot be read.
#[inline(always)]
unsafe fn word(this: *mut LargeScratch, address: u64) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { pointer(this, address, true) as u32 }
}
