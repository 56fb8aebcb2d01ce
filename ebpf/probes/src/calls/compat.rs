//! Calls through the 32-bit or x32 entry: their numbers are another table's, so that they are only told of. Those
//! that mark a task as having entered a container do so here, too.

use core::ptr::{addr_of_mut, write_volatile};

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::record::flags;
use vigia_abi::{CompatBody, Kind};

use super::namespace;
use crate::budget::Rank;
use crate::kernel::Ptr;
use crate::record::LargeScratch;
use crate::{arch, emit, scope, task};

const CLASS: u32 = Class::Compat as u32;
const UNSHARE_32: i64 = 310;
const SETNS_32: i64 = 346;
const UNSHARE_X32: i64 = 0x4000_0000 | 272;
const SETNS_X32: i64 = 0x4000_0000 | 308;

#[btf_tracepoint(function = "sys_exit")]
fn call_compat(context: BtfTracePointContext) -> i32 {
    emit::count(Class::Compat, Cause::Seen);
    if context.arg::<i64>(1) >= 0 {
        // Who has entered a container must not depend on the entry he took into the kernel.
        match arch::number(Ptr::argument(&context, 0)) {
            SETNS_32 | SETNS_X32 => namespace::note(true),
            UNSHARE_32 | UNSHARE_X32 => namespace::note(false),
            _ => {}
        }
    }
    let (Some(this), Some(config)) = (super::scratch(), emit::config()) else {
        emit::count(Class::Compat, Cause::Broken);
        return 0;
    };
    let current = Ptr::current_task();
    // SAFETY: this program's scratch.
    unsafe {
        let header = LargeScratch::header(this);
        let who = addr_of_mut!((*header).task);
        let found = scope::identify(current, who);
        if scope::is_agent(config, who) {
            emit::count(Class::Compat, Cause::Agent);
            return 0;
        }
        if !scope::is_in_scope(config, current, who, found) {
            emit::count(Class::Compat, Cause::OutOfScope);
            return 0;
        }
        // A 32-bit program makes nothing but such calls: they must not push anything else out.
        if !emit::admit(config, CLASS, Rank::Bulk, scope::budget_key(who)) {
            return 0;
        }
        LargeScratch::begin::<CompatBody>(this);
        task::complete(current, who, addr_of_mut!((*this).draft.cell));
        emit::label(header, Kind::CompatCall, CLASS);
        (*header).flags = found | flags::IN_SCOPE;
        let body = LargeScratch::body::<CompatBody>(this);
        write_volatile(
            addr_of_mut!((*body).number),
            arch::number(Ptr::argument(&context, 0)) as u32,
        );
        write_volatile(addr_of_mut!((*body).result), context.arg(1));
        super::submit(this);
    }
    0
}
