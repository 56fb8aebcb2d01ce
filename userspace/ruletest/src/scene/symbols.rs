//! Names of flags, errors and capabilities back to numbers, by asking the tables that print them.

use vigia_event::text::{TextStyle, errno_name, flag_names};

/// The number of an error's name.
pub(super) fn errno(name: &str) -> Option<i64> {
    (1..=4095).find(|&number| errno_name(number) == Some(name))
}

/// The number that a text of some style stands for: digits, or names joined by `|`.
pub(super) fn number(style: TextStyle, text: &str) -> Option<u64> {
    let octal = matches!(style, TextStyle::Octal | TextStyle::Mode);
    if let Some(number) = digits(text, octal) {
        return Some(number);
    }
    text.split('|')
        .map(|name| flag(style, name.trim()))
        .try_fold(0, |all, one| Some(all | one?))
}

fn digits(text: &str, octal: bool) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    if octal {
        return u64::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8).ok();
    }
    text.parse::<u64>()
        .ok()
        .or_else(|| text.parse::<i64>().ok().map(i64::cast_unsigned))
}

/// The number that is printed as a name: one bit, one of the flags that are several, or a row of an enumeration.
fn flag(style: TextStyle, name: &str) -> Option<u64> {
    const O_SYNC: u64 = 0o4_010_000;
    const O_TMPFILE: u64 = 0o20_200_000;
    // Flags of opens are printed in a numbering of Falco's; those without the access mode as the kernel has them.
    let (style, several): (_, &[u64]) = match (style, name) {
        (TextStyle::OpenFlags, "O_RDONLY") => return Some(0),
        (TextStyle::OpenFlags, "O_WRONLY") => return Some(1),
        (TextStyle::OpenFlags, "O_RDWR") => return Some(2),
        (TextStyle::OpenFlags | TextStyle::FileFlags, _) => {
            (TextStyle::FileFlags, &[O_SYNC, O_TMPFILE])
        }
        _ => (style, &[0]),
    };
    let bits = (0..64).map(|bit| 1 << bit);
    several
        .iter()
        .copied()
        .chain(bits)
        .chain(0..0x400)
        .chain(0x4200..0x4300)
        .find(|&number| {
            flag_names(style, number).is_some_and(|names| names.split('|').any(|one| one == name))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_the_numbers_that_print_them() {
        for (style, text, expected) in [
            (TextStyle::OpenFlags, "O_RDONLY", Some(0)),
            (TextStyle::OpenFlags, "O_WRONLY|O_CREAT", Some(0o101)),
            (TextStyle::OpenFlags, "O_RDWR|O_TMPFILE", Some(0o20_200_002)),
            (TextStyle::OpenFlags, "O_SYNC", Some(0o4_010_000)),
            (TextStyle::OpenFlags, "O_NOTHING", None),
            (TextStyle::PtraceRequest, "PTRACE_ATTACH", Some(16)),
            (TextStyle::PtraceRequest, "PTRACE_PEEKUSR", Some(3)),
            (TextStyle::PtraceRequest, "PTRACE_SEIZE", Some(0x4206)),
            (
                TextStyle::MountFlags,
                "REMOUNT|BIND",
                Some(1 << 5 | 1 << 12),
            ),
            (TextStyle::Mode, "0755", Some(0o755)),
            (TextStyle::Mode, "S_ISUID|S_IXUSR", Some(0o4100)),
            (TextStyle::Int, "-1", Some(u64::MAX)),
            (TextStyle::Uint, "0x10", Some(16)),
        ] {
            assert_eq!(number(style, text), expected, "{text}");
        }
        assert_eq!(errno("EROFS"), Some(30));
    }
}
