//! Whether a file is a secret: matched by what it is, not by its name.

use vigia_abi::maps::{SecretKey, secret};

use crate::maps::{SECRET_DEVS, SECRET_FILES};

/// The kind of the file (see [`secret`]); 0 if it is neither secret nor configuration.
#[inline(always)]
pub(crate) fn kind(key: &SecretKey) -> u32 {
    let Some(device) = SECRET_DEVS.get_ptr(key.dev) else {
        return 0;
    };
    // SAFETY: a value of the map; reading one that is being replaced gives the old or the new word.
    let kind = unsafe { (*device).kind };
    if kind != secret::BY_FILE {
        return kind;
    }
    match SECRET_FILES.get_ptr(key) {
        // SAFETY: as above.
        Some(file) => unsafe { (*file).kind },
        None => 0,
    }
}
