use std::mem::offset_of;

use proptest::prelude::*;
use vigia_abi::record::{call, file, text};
use vigia_abi::{
    CallBody, CgroupBody, ExecBody, ExitBody, File, ForkBody, GivenPath, Header, RenameBody, Task,
    Text, Wire,
};
use vigia_event::call::named;
use vigia_event::captured::{CgroupChangeKind, What};
use vigia_event::file::Layer;

use super::*;

/// A record under construction: header and body as bytes, then the texts.
struct Draft {
    bytes: Vec<u8>,
}

impl Draft {
    fn new(kind: u16, body: usize) -> Self {
        let mut draft = Self {
            bytes: vec![0; Header::SIZE + body],
        };
        draft.put(offset_of!(Header, kind), &kind.to_le_bytes());
        draft
    }

    fn put(&mut self, at: usize, value: &[u8]) -> &mut Self {
        self.bytes[at..at + value.len()].copy_from_slice(value);
        self
    }

    fn body(&mut self, at: usize, value: &[u8]) -> &mut Self {
        self.put(Header::SIZE + at, value)
    }

    fn task(&mut self, at: usize, value: &[u8]) -> &mut Self {
        self.put(offset_of!(Header, task) + at, value)
    }

    fn text(&mut self, at: usize, content: &[u8], flags: u16) -> &mut Self {
        let offset = u16::try_from(self.bytes.len()).unwrap();
        let len = u16::try_from(content.len()).unwrap();
        self.bytes.extend_from_slice(content);
        self.body(at + offset_of!(Text, offset), &offset.to_le_bytes());
        self.body(at + offset_of!(Text, len), &len.to_le_bytes());
        self.body(
            at + offset_of!(Text, flags),
            &(flags | text::PRESENT).to_le_bytes(),
        )
    }

    fn finish(&mut self) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len()).unwrap();
        self.put(offset_of!(Header, total_len), &len.to_le_bytes());
        self.bytes.clone()
    }
}

fn decoded(draft: &mut Draft) -> Captured {
    decode(&draft.finish()).unwrap()
}

const FILE: usize = offset_of!(CallBody, file);

#[test]
fn a_call_is_decoded_with_every_part() {
    const FIRST: usize = offset_of!(CallBody, paths);
    let mut draft = Draft::new(Kind::Call as u16, CallBody::SIZE);
    draft
        .put(
            offset_of!(Header, flags),
            &(flags::IN_SCOPE | flags::SECRET).to_le_bytes(),
        )
        .put(offset_of!(Header, cpu), &3u32.to_le_bytes())
        .put(offset_of!(Header, sequence), &9u64.to_le_bytes())
        .put(offset_of!(Header, boot_time_ns), &77u64.to_le_bytes())
        .task(offset_of!(Task, pid), &42u32.to_le_bytes())
        .task(offset_of!(Task, entered), &2u32.to_le_bytes())
        .task(offset_of!(Task, comm), b"cat\0junk")
        .body(offset_of!(CallBody, number), &437u32.to_le_bytes())
        .body(offset_of!(CallBody, flags), &call::OPEN_HOW.to_le_bytes())
        .body(offset_of!(CallBody, result), &(-30i64).to_le_bytes())
        .body(offset_of!(CallBody, open_how) + 8, &0o640u64.to_le_bytes())
        .text(FIRST + offset_of!(GivenPath, given), b"x/y", 0)
        .text(FIRST + offset_of!(GivenPath, base), b"", 0)
        .text(offset_of!(CallBody, texts), b"user.note", 0)
        .text(FILE + offset_of!(File, path), b"/x/y", text::DELETED)
        .body(FILE + offset_of!(File, ino), &1234u64.to_le_bytes())
        .body(
            FILE + offset_of!(File, flags),
            &(file::PRESENT | file::UPPER | file::CREATED | file::FS_READ_ONLY).to_le_bytes(),
        );
    let captured = decoded(&mut draft);
    assert_eq!(
        (captured.cpu, captured.sequence, captured.boot_time_ns),
        (3, 9, 77)
    );
    assert!(captured.in_scope && captured.is_secret);
    assert_eq!((captured.task.pid, captured.task.entered), (42, Some(true)));
    assert_eq!(captured.task.comm, "cat");
    let What::Call(call) = captured.what else {
        panic!("{captured:?}")
    };
    assert_eq!((call.event_type.name(), call.result), ("openat2", -30));
    assert_eq!(call.open_how, Some([0, 0o640, 0]));
    assert_eq!(call.paths.len(), 1);
    assert_eq!(call.paths[0].given, "x/y");
    assert_eq!(
        call.paths[0].base.as_ref().unwrap(),
        "/",
        "an empty kernel path is the root"
    );
    assert_eq!(call.paths[0].absolute(), "/x/y");
    assert_eq!(call.texts, ["user.note"]);
    let file = call.file.unwrap();
    assert_eq!(
        (file.path.as_slice(), file.ino, file.layer),
        (&b"/x/y"[..], 1234, Layer::Upper)
    );
    assert!(file.created && file.fs_read_only && !file.mount_read_only && file.path_notes.deleted);
}

#[test]
fn a_second_path_keeps_its_place_when_the_first_is_missing() {
    let second = offset_of!(CallBody, paths) + GivenPath::SIZE;
    let mut draft = Draft::new(Kind::Call as u16, CallBody::SIZE);
    draft.body(offset_of!(CallBody, number), &82u32.to_le_bytes());
    draft.text(second, b"/b", text::TRUNCATED);
    let What::Call(call) = decoded(&mut draft).what else {
        panic!("no call")
    };
    assert_eq!(call.paths.len(), 2);
    assert_eq!(call.paths[0], Default::default());
    assert!(call.paths[1].truncated && call.paths[1].given == "/b");
    assert!(call.file.is_none() && call.open_how.is_none() && call.texts.is_empty());
}

#[test]
fn argument_blocks_are_split_at_their_nuls() {
    let cases: &[(&[u8], u16, &[&str], bool)] = &[
        (b"sh\0-c\0true\0", 0, &["sh", "-c", "true"], false),
        (b"a\0\0b\0", 0, &["a", "", "b"], false),
        (b"\0", 0, &[""], false),
        (b"", 0, &[], false),
        (b"", text::FAULT, &[], true),
        (b"a\0bc", text::TRUNCATED, &["a", "bc"], true),
    ];
    for (block, flags, expected, truncated) in cases {
        let mut draft = Draft::new(Kind::Exec as u16, ExecBody::SIZE);
        draft.text(offset_of!(ExecBody, args), block, *flags).text(
            offset_of!(ExecBody, cwd),
            b"",
            0,
        );
        let What::Exec(exec) = decoded(&mut draft).what else {
            panic!("no exec")
        };
        assert_eq!(
            (exec.args.as_slice(), exec.truncated.args),
            (as_strings(expected).as_slice(), *truncated)
        );
        assert_eq!(exec.cwd, "/");
        assert!(exec.env.is_empty() && !exec.truncated.cwd);
    }
}

#[test]
fn a_working_directory_without_its_beginning_is_unknown() {
    let mut draft = Draft::new(Kind::Exec as u16, ExecBody::SIZE);
    draft.text(offset_of!(ExecBody, args), b"sh\0", 0).text(
        offset_of!(ExecBody, cwd),
        b"/deep",
        text::TRUNCATED,
    );
    let What::Exec(exec) = decoded(&mut draft).what else {
        panic!("no exec")
    };
    assert!(exec.cwd.is_empty() && exec.truncated.cwd);

    let mut draft = Draft::new(Kind::Call as u16, CallBody::SIZE);
    draft.body(offset_of!(CallBody, number), &80u32.to_le_bytes());
    draft.text(offset_of!(CallBody, cwd), b"/deep", text::TRUNCATED);
    let What::Call(call) = decoded(&mut draft).what else {
        panic!("no call")
    };
    assert_eq!(call.cwd.unwrap(), "");
}

fn as_strings(texts: &[&str]) -> Vec<bstr::BString> {
    texts.iter().map(|&text| text.into()).collect()
}

#[test]
fn lifecycle_records_are_decoded() {
    let mut fork = Draft::new(Kind::Fork as u16, ForkBody::SIZE);
    fork.body(offset_of!(Task, pid), &7u32.to_le_bytes())
        .body(offset_of!(ForkBody, is_thread), &[1]);
    let What::Fork(forked) = decoded(&mut fork).what else {
        panic!("no fork")
    };
    assert!(forked.is_thread && forked.child.pid == 7);

    let mut exit = Draft::new(Kind::Exit as u16, ExitBody::SIZE);
    exit.body(0, &256i32.to_le_bytes())
        .body(4, &1u32.to_le_bytes());
    assert!(matches!(
        decoded(&mut exit).what,
        What::Exit {
            status: 256,
            process_ended: true
        }
    ));

    let mut rename = Draft::new(Kind::Rename as u16, RenameBody::SIZE);
    rename
        .body(0, b"worker/1")
        .body(offset_of!(RenameBody, tid), &99u32.to_le_bytes());
    let renamed = decoded(&mut rename);
    assert_eq!(renamed.task.tid, 99);
    assert!(matches!(renamed.what, What::Rename { comm } if comm == "worker/1"));

    for (kind, expected) in [
        (Kind::CgroupMkdir, CgroupChangeKind::Mkdir),
        (Kind::CgroupRmdir, CgroupChangeKind::Rmdir),
        (Kind::CgroupAttach, CgroupChangeKind::Attach),
    ] {
        let mut draft = Draft::new(kind as u16, CgroupBody::SIZE);
        draft
            .body(0, &5u64.to_le_bytes())
            .text(offset_of!(CgroupBody, path), b"/docker/ab", 0);
        let What::Cgroup(change) = decoded(&mut draft).what else {
            panic!("no cgroup")
        };
        assert_eq!(
            (change.kind, change.id, change.path),
            (expected, 5, "/docker/ab".into())
        );
    }
}

#[test]
fn what_is_not_a_record_is_refused_with_the_reason() {
    let mut call = Draft::new(Kind::Call as u16, CallBody::SIZE);
    let mut outside = Draft::new(Kind::Exec as u16, ExecBody::SIZE);
    outside
        .text(0, b"abc", 0)
        .body(offset_of!(Text, len), &4u16.to_le_bytes());
    let total = outside.bytes.len();
    let mut entered = Draft::new(Kind::Exit as u16, ExitBody::SIZE);
    let mut cpu = Draft::new(Kind::Exit as u16, ExitBody::SIZE);
    let mut too_long = Draft::new(Kind::Exit as u16, ExitBody::SIZE).finish();
    too_long[0] += 1;
    let cases: Vec<(Vec<u8>, Malformed)> = vec![
        (
            vec![],
            Malformed::Length {
                claimed: 0,
                actual: 0,
            },
        ),
        (
            vec![0; Header::SIZE],
            Malformed::Length {
                claimed: 0,
                actual: Header::SIZE,
            },
        ),
        (
            too_long,
            Malformed::Length {
                claimed: Header::SIZE + ExitBody::SIZE + 1,
                actual: Header::SIZE + ExitBody::SIZE,
            },
        ),
        (Draft::new(0, 0).finish(), Malformed::Kind(0)),
        (Draft::new(11, 0).finish(), Malformed::Kind(11)),
        (
            Draft::new(Kind::Exit as u16, 4).finish(),
            Malformed::Body {
                needed: Header::SIZE + 8,
                actual: Header::SIZE + 4,
            },
        ),
        (
            outside.finish(),
            Malformed::Text {
                offset: total - 3,
                len: 4,
                actual: total,
            },
        ),
        (
            call.body(offset_of!(CallBody, number), &500u32.to_le_bytes())
                .finish(),
            Malformed::SystemCall(500),
        ),
        (
            entered
                .task(offset_of!(Task, entered), &3u32.to_le_bytes())
                .finish(),
            Malformed::Value {
                field: "entered",
                value: 3,
            },
        ),
        (
            cpu.put(offset_of!(Header, cpu), &70_000u32.to_le_bytes())
                .finish(),
            Malformed::Value {
                field: "cpu",
                value: 70_000,
            },
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(&bytes).unwrap_err(), expected);
    }
}

#[test]
fn the_first_call_row_of_the_wire_is_an_event_type_with_parameters() {
    for row in vigia_abi::calls::CALLS {
        let event_type = vigia_event::EventType::from_number(row.number).unwrap();
        assert!(
            !event_type.row().params.is_empty(),
            "{event_type:?} is delivered but has no parameters"
        );
    }
    assert_eq!(
        vigia_event::EventType::from_number(257),
        Some(named::OPENAT)
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_valid_head_with_a_random_rest_never_panics(
        kind in 0u16..13,
        rest in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..1024),
        cut in 0usize..64,
    ) {
        let mut bytes = Draft::new(kind, 0).finish();
        bytes.extend_from_slice(&rest);
        let claimed = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&claimed.to_le_bytes());
        let _ = decode(&bytes);
        bytes.truncate(bytes.len().saturating_sub(cut));
        let _ = decode(&bytes);
    }
}
