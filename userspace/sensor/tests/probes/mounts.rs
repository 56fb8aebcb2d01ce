//! Calls that change mounts and roots, where they succeed: in a mount namespace of the acting process's own, so that
//! nothing of it is seen outside.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use vigia_event::captured::Captured;
use vigia_event::descriptor::{Descriptor, ObjectKind};

use super::actor::{Actor, Arg, args};
use super::rig::Rig;

const TMPFS_MAGIC: u64 = 0x0102_1994;
const NO_CALL: i32 = -libc::ENOSYS;

/// What must be reported of a call beside what it was given and what it returned.
#[derive(Default)]
struct Told<'a> {
    /// As they were passed.
    paths: &'a [&'a str],
    texts: &'a [&'a str],
    /// The path of the file that its descriptor leads to, on a tmpfs.
    file: Option<&'a str>,
    /// The name of the object without a kind of its own that its descriptor leads to.
    object: Option<&'a str>,
    /// What it may return instead, where it is not to be had.
    refusals: &'a [i32],
}

/// Makes a call, which must succeed or be refused as foreseen, and compares its record; answers with what it returned.
fn succeed(
    rig: &mut Rig,
    actor: &mut Actor,
    (name, number): (&str, i64),
    args: &[Arg],
    told: &Told<'_>,
) -> (i64, Captured) {
    rig.read();
    let result = actor.call(number, args);
    let is_refused = told
        .refusals
        .iter()
        .any(|&refusal| result == i64::from(refusal));
    assert!(result >= 0 || is_refused, "{name}: {result}");
    if is_refused {
        println!("refused: {name} ({result})");
    }
    let mut records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 1, "{name}: {records:#?}");
    let captured = records.remove(0);
    let call = super::rig::call(captured.clone()).unwrap();
    assert_eq!((call.event_type.name(), call.result), (name, result));
    for (index, arg) in args.iter().enumerate() {
        if let Arg::Int(number) = arg {
            assert_eq!(
                call.args[index],
                number.cast_unsigned(),
                "{name}: argument {index}"
            );
        }
    }
    let given: Vec<_> = call
        .paths
        .iter()
        .map(|path| (path.given.to_string(), path.truncated))
        .collect();
    let expected: Vec<_> = told
        .paths
        .iter()
        .map(|path| ((*path).to_owned(), false))
        .collect();
    assert_eq!(given, expected, "{name}: {:#?}", call.paths);
    assert_eq!(call.texts, told.texts, "{name}");
    assert!(!call.texts_truncated, "{name}");
    if !is_refused {
        let file = call
            .file
            .as_ref()
            .map(|file| (file.path.to_string(), file.fs_magic));
        let expected = told.file.map(|path| (path.to_owned(), TMPFS_MAGIC));
        assert_eq!(file, expected, "{name}");
        let object = told.object.map(|object| Descriptor::Object {
            kind: ObjectKind::Unsupported,
            name: object.into(),
        });
        assert_eq!(call.descriptor, object, "{name}");
    }
    (result, captured)
}

/// A process in a mount namespace of its own, from which nothing spreads.
fn apart(rig: &mut Rig) -> Actor {
    let mut actor = rig.actor();
    let before = fs::metadata(format!("{}/ns/mnt", actor.proc()))
        .unwrap()
        .ino();
    let (_, captured) = succeed(
        rig,
        &mut actor,
        ("unshare", libc::SYS_unshare),
        args![libc::CLONE_NEWNS],
        &Told::default(),
    );
    let after = fs::metadata(format!("{}/ns/mnt", actor.proc()))
        .unwrap()
        .ino();
    assert_ne!(before, after);
    assert_eq!(u64::from(captured.task.namespaces.mnt), after);
    let private = (libc::MS_REC | libc::MS_PRIVATE).cast_signed();
    succeed(
        rig,
        &mut actor,
        ("mount", libc::SYS_mount),
        args!["none", "/", "none", private, 0],
        &Told {
            paths: &["/"],
            texts: &["none", "none"],
            ..Told::default()
        },
    );
    actor
}

#[test]
fn a_mount_that_is_made_in_pieces_is_told_piece_by_piece() {
    const MOVE_MOUNT_F_EMPTY_PATH: i64 = 4;
    const FSCONFIG_SET_STRING: i64 = 1;
    const FSCONFIG_CMD_CREATE: i64 = 6;
    const OPEN_TREE_CLONE: i64 = 1;
    const CWD: i64 = libc::AT_FDCWD as i64;
    let Some(mut rig) = Rig::arm() else { return };
    let (one, two, three) = (rig.path("one"), rig.path("two"), rig.path("three"));
    for folder in [&one, &two, &three] {
        fs::create_dir(folder).unwrap();
    }
    let mut actor = apart(&mut rig);
    let mut succeed = |name, number, args: &[Arg], told: Told<'_>| {
        succeed(&mut rig, &mut actor, (name, number), args, &told).0
    };
    succeed(
        "mount",
        libc::SYS_mount,
        args!["own", one.as_str(), "tmpfs", 0, 0],
        Told {
            paths: &[&one],
            texts: &["tmpfs", "own"],
            ..Told::default()
        },
    );

    // The mount as it stands, and a copy that stands nowhere yet.
    succeed(
        "open_tree",
        libc::SYS_open_tree,
        args![CWD, one.as_str(), 0],
        Told {
            paths: &[&one],
            file: Some(&one),
            ..Told::default()
        },
    );
    let tree = succeed(
        "open_tree",
        libc::SYS_open_tree,
        args![CWD, one.as_str(), OPEN_TREE_CLONE],
        Told {
            paths: &[&one],
            file: Some("/"),
            ..Told::default()
        },
    );
    succeed(
        "move_mount",
        libc::SYS_move_mount,
        args![tree, "", CWD, two.as_str(), MOVE_MOUNT_F_EMPTY_PATH],
        Told {
            paths: &["", &two],
            ..Told::default()
        },
    );

    // A file system from its parameters on.
    let context = succeed(
        "fsopen",
        libc::SYS_fsopen,
        args!["tmpfs", 0],
        Told {
            texts: &["tmpfs"],
            object: Some("[fscontext]"),
            ..Told::default()
        },
    );
    for (key, value) in [("source", "own"), ("size", "1M")] {
        succeed(
            "fsconfig",
            libc::SYS_fsconfig,
            args![context, FSCONFIG_SET_STRING, key, value, 0],
            Told {
                texts: &[key, value],
                object: Some("[fscontext]"),
                ..Told::default()
            },
        );
    }
    succeed(
        "fsconfig",
        libc::SYS_fsconfig,
        args![context, FSCONFIG_CMD_CREATE, 0, 0, 0],
        Told {
            texts: &["", ""],
            object: Some("[fscontext]"),
            ..Told::default()
        },
    );
    let mount = succeed(
        "fsmount",
        libc::SYS_fsmount,
        args![context, 0, 0],
        Told {
            file: Some("/"),
            ..Told::default()
        },
    );
    succeed(
        "move_mount",
        libc::SYS_move_mount,
        args![mount, "", CWD, three.as_str(), MOVE_MOUNT_F_EMPTY_PATH],
        Told {
            paths: &["", &three],
            ..Told::default()
        },
    );
    succeed(
        "fspick",
        libc::SYS_fspick,
        args![CWD, three.as_str(), 0],
        Told {
            paths: &[&three],
            object: Some("[fscontext]"),
            ..Told::default()
        },
    );
    // Read-only from now on: `struct mount_attr` begins with what is set. Linux 5.12.
    let mut attributes = vec![0; 32];
    attributes[0] = 1;
    succeed(
        "mount_setattr",
        libc::SYS_mount_setattr,
        args![CWD, three.as_str(), 0, attributes, 32],
        Told {
            paths: &[&three],
            refusals: &[NO_CALL],
            ..Told::default()
        },
    );
    for point in [&two, &three] {
        succeed(
            "umount2",
            libc::SYS_umount2,
            args![point.as_str(), libc::MNT_DETACH],
            Told {
                paths: &[point],
                ..Told::default()
            },
        );
    }
}

#[test]
fn a_new_root_is_told() {
    let Some(mut rig) = Rig::arm() else { return };
    let (root, jail) = (rig.path("root"), rig.path("jail"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&jail).unwrap();
    let mut actor = apart(&mut rig);
    let mut succeed = |name, number, args: &[Arg], told: Told<'_>| {
        succeed(&mut rig, &mut actor, (name, number), args, &told);
    };
    succeed(
        "mount",
        libc::SYS_mount,
        args!["own", root.as_str(), "tmpfs", 0, 0],
        Told {
            paths: &[&root],
            texts: &["tmpfs", "own"],
            ..Told::default()
        },
    );
    let put = format!("{root}/put");
    succeed(
        "mkdir",
        libc::SYS_mkdir,
        args![put.as_str(), 0o755],
        Told {
            paths: &[&put],
            ..Told::default()
        },
    );
    succeed(
        "pivot_root",
        libc::SYS_pivot_root,
        args![root.as_str(), put.as_str()],
        Told {
            paths: &[&root, &put],
            ..Told::default()
        },
    );
    // What was the root is below the new one.
    let jail = format!("/put{jail}");
    succeed(
        "chroot",
        libc::SYS_chroot,
        args![jail.as_str()],
        Told {
            paths: &[&jail],
            ..Told::default()
        },
    );
}
