//! How a wire structure is defined once, for the probes that write it and the reader that checks it.

/// A value that can be read from the bytes of a record.
pub trait Wire: Sized {
    /// Bytes it takes.
    const SIZE: usize;

    /// The value at the beginning of `bytes`; `None` if they are too few.
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl Wire for $integer {
            const SIZE: usize = size_of::<$integer>();

            #[inline]
            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|bytes| <$integer>::from_le_bytes(*bytes))
            }
        }
    )* };
}

integers! { u8 u16 u32 u64 i32 i64 }

impl<T: Wire + Copy + Default, const N: usize> Wire for [T; N] {
    const SIZE: usize = T::SIZE * N;

    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut all = [T::default(); N];
        for (index, one) in all.iter_mut().enumerate() {
            *one = T::read(bytes.get(index * T::SIZE..)?)?;
        }
        Some(all)
    }
}

/// Defines a `repr(C)` structure whose fields follow each other without a gap (asserted), and its
/// [`Wire::read`].
macro_rules! wire {
    ($( $(#[$meta:meta])* pub struct $name:ident { $( $(#[$field_meta:meta])* pub $field:ident: $type:ty, )* } )*) => { $(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }

        const _: () = assert!(
            size_of::<$name>() == 0 $( + size_of::<$type>() )*,
            concat!("there is padding in ", stringify!($name)),
        );

        impl $crate::Wire for $name {
            const SIZE: usize = size_of::<$name>();

            #[inline]
            fn read(bytes: &[u8]) -> Option<Self> {
                Some(Self { $( $field: <$type as $crate::Wire>::read(bytes.get(core::mem::offset_of!($name, $field)..)?)?, )* })
            }
        }
    )* };
}

pub(crate) use wire;
