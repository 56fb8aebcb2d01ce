//! Parts of paths as keys of the kernel's table.

use std::collections::BTreeSet;

use aya::maps::lpm_trie::Key;
use vigia_abi::maps::{PATH_PART_MAX, PathKey, config, path_end, sizes};
use vigia_event::open_paths::{OpenPaths, PathPart};

/// The keys of all parts, and the flags of [`config`] for which of the two they decide: not where any path is wanted, or
/// there are more parts than the table holds.
pub(crate) fn keys(reads: &OpenPaths, writes: &OpenPaths) -> (Vec<Key<PathKey>>, u32) {
    // Cut short, two parts may be one.
    let mut keys: BTreeSet<(u32, PathKey)> = BTreeSet::new();
    let mut flags = 0;
    for (paths, flag) in [
        (reads, config::READS_BY_PATH),
        (writes, config::WRITES_BY_PATH),
    ] {
        if let OpenPaths::Of(parts) = paths {
            keys.extend(parts.iter().map(key));
            flags |= flag;
        }
    }
    if keys.len() > sizes::OPEN_PATHS as usize {
        return (Vec::new(), 0);
    }
    let keys = keys.into_iter().map(|(bits, key)| Key::new(bits, key));
    (keys.collect(), flags)
}

/// A key, and how many of its bits count.
fn key(part: &PathPart) -> (u32, PathKey) {
    let mut key = [0; PATH_PART_MAX + 1];
    let (end, bytes): (u8, Vec<u8>) = match part {
        PathPart::Start(part) => (path_end::START, part.to_vec()),
        PathPart::End(part) => (path_end::BACK, part.iter().rev().copied().collect()),
        PathPart::FolderEnd(part) => (path_end::FOLDER, part.iter().rev().copied().collect()),
    };
    let mut bits = 0;
    for (slot, byte) in key.iter_mut().zip(std::iter::once(end).chain(bytes)) {
        *slot = byte;
        bits += u8::BITS;
    }
    (bits, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Box<[u8]> {
        text.as_bytes().into()
    }

    #[test]
    fn a_key_holds_the_part_from_its_end_inwards() {
        for (part, bits, bytes) in [
            (PathPart::Start(part("/etc/")), 48, &b"\x01/etc/"[..]),
            (PathPart::End(part("_key")), 40, b"\x02yek_"),
            (PathPart::FolderEnd(part("/.ssh")), 48, b"\x03hss./"),
        ] {
            let (found, key) = key(&part);
            assert_eq!((found, &key[..bytes.len()]), (bits, bytes));
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "/a".repeat(PATH_PART_MAX);
        let longer = long.clone() + "b";
        let parts = [long, longer].map(|text| PathPart::Start(part(&text)));
        let (keys, _) = keys(&OpenPaths::Of(parts.into()), &OpenPaths::Any);
        let [only] = keys.as_slice() else {
            panic!("{} keys", keys.len())
        };
        assert_eq!(only.prefix_len() as usize, (PATH_PART_MAX + 1) * 8);
    }

    #[test]
    fn paths_decide_only_where_not_any_is_wanted() {
        let one = |text| OpenPaths::Of([PathPart::Start(part(text))].into());
        let many = (0..=sizes::OPEN_PATHS).map(|number| PathPart::End(part(&number.to_string())));
        let many = OpenPaths::Of(many.collect());
        let (any, reads, writes) = (
            OpenPaths::Any,
            config::READS_BY_PATH,
            config::WRITES_BY_PATH,
        );
        for (of_reads, of_writes, count, flags) in [
            (&any, &any, 0, 0),
            (&one("/a"), &any, 1, reads),
            (&any, &one("/a"), 1, writes),
            (&one("/a"), &one("/a"), 1, reads | writes),
            (&one("/a"), &one("/b"), 2, reads | writes),
            (&OpenPaths::none(), &OpenPaths::none(), 0, reads | writes),
            (&one("/a"), &many, 0, 0),
        ] {
            let (keys, found) = keys(of_reads, of_writes);
            assert_eq!(
                (keys.len(), found),
                (count, flags),
                "{of_reads:?} {of_writes:?}"
            );
        }
    }
}
