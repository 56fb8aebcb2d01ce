//! First stage of calls on sockets, and the stage that adds a socket, an address and data to any call.

use core::mem::offset_of;
use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::interest;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::stage;
use vigia_abi::record::{flags, text};
use vigia_abi::{CallBody, Kind};

use crate::budget::Rank;
use crate::kernel::Ptr;
use crate::maps::CALL_STAGES;
use crate::record::{ADDRESS_MAX, LargeScratch};
use crate::socket::passed;
use crate::{emit, file, scope, socket};

#[btf_tracepoint(function = "sys_exit")]
fn call_network(context: BtfTracePointContext) -> i32 {
    let Some(this) = super::scratch() else {
        return 0;
    };
    // SAFETY: this program's scratch.
    let number = unsafe { super::number(this) };
    let spec = super::spec(number);
    let class = u32::from(spec.class);
    emit::count_number(class, Cause::Seen);
    let (Some(config), Some(word)) = (emit::config(), super::interest_in(number)) else {
        emit::count_number(class, Cause::Broken);
        return 0;
    };
    let result = super::result_of(&context, number);
    let current = Ptr::current_task();
    // SAFETY: this program's scratch.
    unsafe {
        let who = addr_of_mut!((*LargeScratch::header(this)).task);
        let Some(found) = super::watched(this, config, current, class) else {
            return 0;
        };
        // Before anybody's interest: who connected is remembered for calls that come later.
        LargeScratch::begin::<CallBody>(this);
        super::describe(
            this,
            &context,
            current,
            Kind::Call,
            class,
            found | flags::IN_SCOPE,
        );
        let open = super::plain::of_call(this, current, spec, result);
        passed::locate(this, spec, result);
        let is_socket = !open.is_null() && socket::read(this, open);
        if is_socket {
            socket::remember(this, open, spec, result);
        }
        if word & interest::ALL & super::outcome(result) == 0 {
            emit::count_number(class, Cause::NoInterest);
            return 0;
        }
        let rank = if class == Class::Transfer as u32 {
            Rank::Bulk
        } else {
            Rank::Rare
        };
        if !emit::admit(config, class, rank, scope::budget_key(who)) {
            return 0;
        }
        if !open.is_null() {
            super::describe_file(this, open, file::Asker::Descriptor);
        }
        CALL_STAGES.tail_call(&context, stage::SOCKET);
    }
    emit::count_number(class, Cause::Broken);
    0
}

/// Adds the socket that an earlier stage read, the address that was passed, and the data.
#[btf_tracepoint(function = "sys_exit")]
fn call_socket(context: BtfTracePointContext) -> i32 {
    let (Some(this), Some(config)) = (super::scratch(), emit::config()) else {
        return 0;
    };
    // SAFETY: this program's scratch, as an earlier stage left it.
    unsafe {
        let body = LargeScratch::body::<CallBody>(this);
        socket::append(this, offset_of!(CallBody, socket));
        let len = read_volatile(addr_of!((*this).passed.address_len));
        if len != 0 {
            let bytes = addr_of!((*this).passed.bytes) as u64;
            (*body).address =
                LargeScratch::append_kernel_bytes::<{ ADDRESS_MAX as u32 }>(this, bytes, len);
        }
        let wanted = read_volatile(addr_of!((*config).data_bytes));
        let from = read_volatile(addr_of!((*this).passed.data));
        let there = u64::from(read_volatile(addr_of!((*this).passed.data_len)));
        if wanted != 0 && from != 0 {
            let len = if there < wanted { there } else { wanted };
            let cell = addr_of_mut!((*this).draft.cell);
            write_volatile(cell, len);
            let len = read_volatile(cell);
            let mut data = LargeScratch::append_user_bytes(this, from, from.wrapping_add(len));
            // Not counted as incomplete: nobody asked for more.
            if there > wanted || read_volatile(addr_of!((*this).passed.data_has_more)) != 0 {
                data.flags |= text::TRUNCATED;
            }
            (*body).data = data;
        }
        CALL_STAGES.tail_call(&context, stage::GATHER);
        let class = read_volatile(addr_of!((*LargeScratch::header(this)).class));
        emit::count_number(class, Cause::Broken);
    }
    0
}
