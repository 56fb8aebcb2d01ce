//! Capabilities by name.

/// By bit, as `capability.h` numbers them.
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// All capabilities that have a name; a bit for each.
pub const ALL_CAPABILITIES: u64 = (1 << CAPABILITIES.len()) - 1;

/// The names of a set of capabilities, as in `CAP_NET_RAW`, lowest first; a bit without a name has none.
pub fn capability_names(set: u64) -> impl Iterator<Item = &'static str> {
    CAPABILITIES
        .into_iter()
        .enumerate()
        .filter_map(move |(bit, name)| (set >> bit & 1 == 1).then_some(name))
}

/// The bit of a capability's name, with or without `CAP_`, in any case; all of them for `all`.
#[must_use]
pub fn capability_bits(name: &[u8]) -> Option<u64> {
    if name.eq_ignore_ascii_case(b"all") {
        return Some(ALL_CAPABILITIES);
    }
    let prefixed = name
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"CAP_"));
    let short = if prefixed { &name[4..] } else { name };
    let bit = CAPABILITIES
        .iter()
        .position(|one| one.as_bytes()[4..].eq_ignore_ascii_case(short))?;
    Some(1 << bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_bits_and_back() {
        for (name, bit) in [("CAP_CHOWN", 0), ("net_raw", 13), ("cap_Sys_Admin", 21)] {
            assert_eq!(capability_bits(name.as_bytes()), Some(1 << bit), "{name}");
        }
        assert_eq!(capability_bits(b"ALL"), Some(ALL_CAPABILITIES));
        for name in ["", "CAP_", "CAP_FLY", "CAP"] {
            assert_eq!(capability_bits(name.as_bytes()), None, "{name}");
        }
        let names: Vec<_> = capability_names(1 << 13 | 1 | 1 << 63).collect();
        assert_eq!(names, ["CAP_CHOWN", "CAP_NET_RAW"]);
        assert_eq!(capability_names(u64::MAX).count(), 41);
    }
}
