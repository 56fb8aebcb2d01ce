#![allow(
    unsafe_code,
    reason = "aya takes map keys and values only as `Pod`, an unsafe trait"
)]
//! Wire structures as keys and values of maps.

use vigia_abi::Wire;

/// A wire structure that the kernel copies into and out of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Plain<T>(pub(crate) T);

// SAFETY: `Wire` is implemented for integers, arrays of them, and `repr(C)` structures of both, for which the
// macro that defines them asserts that there is no padding: every bit pattern is a value, and every byte of a
// value is initialised.
unsafe impl<T: Wire + Copy + 'static> aya::Pod for Plain<T> {}
