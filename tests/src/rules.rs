//! Names of the default rules, as the tests expect them.

#![allow(missing_docs, reason = "each constant is the name of a rule")]

pub const READ_ONLY_WRITE: &str = "Write Refused in Read-Only Container";
pub const ROUTINE_WRITE: &str = "Routine Write Refused";
pub const READ_ONLY_VOLUME_WRITE: &str = "Write Refused on Read-Only Volume";
pub const KERNEL_PATH_WRITE: &str = "Write Refused on Kernel Path";
pub const REMOUNT: &str = "Read-Only Root Remounted or Covered";
pub const SECRET_READ: &str = "Unexpected Read of a Secret";
pub const SECRET_SOURCE_READ: &str = "Source of a Secret Read on the Host";
pub const ENVIRONMENT_READ: &str = "Environment With Secrets Read";
pub const SHELL: &str = "Interactive Shell in Container";
pub const NOT_FROM_IMAGE: &str = "Program Not From the Image";
pub const CREDENTIALS_READ: &str = "Credential File Read in Container";
pub const COMPAT_CALL: &str = "32-bit System Call in Container";
pub const OVER_BUDGET: &str = "Container Over Its Event Budget";
pub const PACKAGE_MANAGER: &str = "Package Manager in Container";
pub const PROCESS_TAKEN: &str = "Memory or Descriptors of Another Process Taken";
