//! Names of the default rules, as the tests expect them.

#![allow(missing_docs, reason = "each constant is the name of a rule")]

pub const READ_ONLY_WRITE: &str = "Write attempt on read-only root filesystem";
pub const READ_ONLY_VOLUME_WRITE: &str = "Write attempt on read-only volume";
pub const KERNEL_PATH_WRITE: &str = "Write attempt on kernel path";
pub const REMOUNT: &str = "Read-only root filesystem remounted";
pub const SECRET_READ: &str = "Unexpected read of a secret";
pub const SHELL: &str = "Interactive shell in a container";
pub const NOT_FROM_IMAGE: &str = "Execution of a program that is not from the image";
pub const PASSWORDS_READ: &str = "Read of password hashes";
pub const COMPAT_CALL: &str = "32-bit system call in a container";
pub const OVER_BUDGET: &str = "Container over its event budget";
