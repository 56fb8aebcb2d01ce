//! `fd.*` and `fs.path.*`: the descriptor, file or path the event is about.

use bstr::{BStr, ByteSlice};

use crate::call::DescriptorNumber;
use crate::captured::GivenPath;
use crate::container::Container;
use crate::event::{Event, View};
use crate::mount::Mount;
use crate::secret::{SecretAccess, SecretKind};
use crate::value::{Extracted, FieldType, Value};

use super::{ArgumentRule, Availability, FieldRow, Shape, Stability};

pub(super) static FIELDS: &[FieldRow] = &[
    row!(
        "fd.name",
        Path,
        Stable,
        Descriptors,
        "Of a file the path made absolute, also where the call has only a path (unlink, rename) or failed. A condition is judged once with the path as the program gave it and, where they differ, once with the path as the kernel resolved it, and once with the one a bind mount hides. Of a socket its two ends (`10.0.0.1:51234->10.0.0.2:443`), of a Unix socket its path. Empty for a call on a descriptor that is not known.",
        "/etc/nginx/nginx.conf",
        |view, _| name(view)
    ),
    row!(
        "fd.realpath",
        Path,
        Stable,
        Files,
        "The path as the kernel resolved it, in every pass; of a file that a bind mount shows under another name, the one it has in the file system of the root. Missing where the call has no open file.",
        "/data/nginx.conf",
        |view, _| Extracted::text(view.event.file().and_then(|_| {
            let paths = &view.event.paths;
            paths.underlying.as_ref().or(paths.real.as_ref())
        }))
    ),
    row!(
        "fd.nameraw",
        Path,
        Stable,
        Paths,
        "The path as the program gave it, not made absolute; of several slashes in a row one is left.",
        "../nginx.conf",
        |view, _| raw_path(view)
    ),
    row!(
        "fd.directory",
        Path,
        Stable,
        Paths,
        "The directory of `fd.name`; `fd.name` itself for a directory.",
        "/etc/nginx",
        |view, _| Extracted::text(directory(view))
    ),
    row!(
        "fd.filename",
        Text,
        Stable,
        Paths,
        "The last component of `fd.name`. Missing for directories and failed opens.",
        "nginx.conf",
        |view, _| Extracted::text(file_name(view))
    ),
    row!(
        "fd.path.top",
        Path,
        Stable,
        Paths,
        "The first two components of `fd.name`: what repeats of the same write attempt are counted by.",
        "/etc/nginx",
        |view, _| Extracted::text(file_path(view).map(first_two_components))
    ),
    row!(
        "fd.num",
        Int,
        Volatile,
        Descriptors,
        "The descriptor's number: the new one of a call that makes one, -1 where it failed.",
        "3",
        |view, _| Extracted::from_option(view.event.descriptor_number().map(Value::Int))
    ),
    row!(
        "fd.type",
        Text,
        Stable,
        Descriptors,
        "`file`, `directory`, `ipv4`, `ipv6`, `unix`, `netlink`, `pipe`, `event`, `signalfd`, `eventpoll`, `inotify`, `timerfd`, `bpf`, `userfaultfd`, `io_uring`, `memfd` or `pidfd`; `<NA>` for any other. Missing where the descriptor is not known, as after a failed open.",
        "file",
        |view, _| Extracted::text(type_name(view.event))
    ),
    row!(
        "fd.typechar",
        Text,
        Stable,
        Descriptors,
        "One letter for `fd.type`: `f` file (also of a failed open), `d` directory, `4` `6` internet, `u` Unix (and userfaultfd), `n` netlink, `p` pipe, `e` event, `s` signalfd, `l` eventpoll, `i` inotify, `t` timerfd, `b` bpf, `r` io_uring, `m` memfd, `P` pidfd, `o` not known, `X` any other.",
        "f",
        |view, _| Extracted::text(type_character(view.event))
    ),
    row!(
        "fd.uid",
        Text,
        Volatile,
        Descriptors,
        "Thread id and descriptor number, one behind the other.",
        "47113",
        |view, _| Extracted::from_option(view.event.descriptor_number().map(|number| {
            let tid = view.event.captured.task.tid;
            Value::made(format!("{tid}{number}").into_bytes())
        }))
    ),
    row!(
        "fd.containername",
        Text,
        Stable,
        Descriptors,
        "`container.id` and `fd.name`, with a colon between them.",
        "3ad7b26ded6d:/etc/hosts",
        |view, _| in_container(view, name(view))
    ),
    row!(
        "fd.containerdirectory",
        Text,
        Stable,
        Descriptors,
        "`container.id` and `fd.directory`, with a colon between them.",
        "3ad7b26ded6d:/etc",
        |view, _| in_container(view, Extracted::text(directory(view)))
    ),
    row!(
        "fd.dev",
        Uint,
        Stable,
        Files,
        "Device number of the file system.",
        "2a",
        |view, _| Extracted::from_option(
            view.event.file().map(|file| Value::Uint(file.dev.into()))
        )
    ),
    row!(
        "fd.dev.major",
        Uint,
        Stable,
        Files,
        "Major part of the device number.",
        "0",
        |view, _| Extracted::from_option(
            view.event
                .file()
                .map(|file| Value::Uint((file.dev >> 20).into()))
        )
    ),
    row!(
        "fd.dev.minor",
        Uint,
        Stable,
        Files,
        "Minor part of the device number.",
        "42",
        |view, _| Extracted::from_option(
            view.event
                .file()
                .map(|file| Value::Uint((file.dev & 0xf_ffff).into()))
        )
    ),
    row!(
        "fd.ino",
        Uint,
        Stable,
        Files,
        "Inode number.",
        "131077",
        |view, _| Extracted::from_option(view.event.file().map(|file| Value::Uint(file.ino)))
    ),
    row!(
        "fd.is_upper_layer",
        Bool,
        Stable,
        Always,
        "Whether the file lies in the container's writable layer.",
        "true",
        |view, _| Value::Bool(
            view.event
                .file()
                .is_some_and(|file| file.layer == crate::file::Layer::Upper)
        )
        .into()
    ),
    row!(
        "fd.is_lower_layer",
        Bool,
        Stable,
        Always,
        "Whether the file lies in a layer of the image.",
        "true",
        |view, _| Value::Bool(
            view.event
                .file()
                .is_some_and(|file| file.layer == crate::file::Layer::Lower)
        )
        .into()
    ),
    row!(
        "fd.mount.type",
        Text,
        Stable,
        Paths,
        "The file system type of the mount the path lies on, as the container's mount table has it.",
        "overlay",
        |view, _| of_mount(view, |mount| Value::text(&mount.fs_type))
    ),
    row!(
        "fd.mount.point",
        Path,
        Stable,
        Paths,
        "Where that mount stands.",
        "/run/secrets/db",
        |view, _| of_mount(view, |mount| Value::text(&mount.point))
    ),
    row!(
        "fd.mount.read_only",
        Bool,
        Stable,
        Paths,
        "Whether that mount is read-only.",
        "true",
        |view, _| of_mount(view, |mount| Value::Bool(mount.read_only))
    ),
    row!(
        "fd.mount.kind",
        Text,
        Stable,
        Paths,
        "What that mount is to the container: `root`, `volume`, `tmpfs`, `secret`, `engine` (hosts, hostname, resolv.conf), `kernel` (proc, sys, masked paths), or `other`.",
        "root",
        |view, _| of_mount(view, |mount| Value::text(mount.kind.name()))
    ),
    row!(
        "fd.is_secret",
        Bool,
        Stable,
        Always,
        "Whether the file is a secret, whatever its path. False for configurations.",
        "true",
        |view, _| Value::Bool(
            secret(view).is_some_and(|access| access.secret.kind != SecretKind::Config)
        )
        .into()
    ),
    row!(
        "fd.secret.name",
        Text,
        Stable,
        Secrets,
        "The secret's name.",
        "db_password",
        |view, _| Extracted::text(secret(view).map(|access| &access.secret.name))
    ),
    row!(
        "fd.secret.path",
        Path,
        Stable,
        Secrets,
        "Where the container that was granted it finds the secret.",
        "/run/secrets/db_password",
        |view, _| Extracted::text(secret(view).map(|access| &access.secret.path))
    ),
    row!(
        "fd.secret.kind",
        Text,
        Stable,
        Secrets,
        "`secret`, `config`, or `unknown` (one of the two).",
        "secret",
        |view, _| Extracted::text(secret(view).map(|access| access.secret.kind.name()))
    ),
    row!(
        "fd.secret.source",
        Text,
        Stable,
        Secrets,
        "Who provides it: `swarm`, `compose`, `podman`, `kubernetes`, `csi`, `vault`, `environment` (of a process), `declared`, or `unknown`.",
        "swarm",
        |view, _| Extracted::text(secret(view).map(|access| access.secret.source.name()))
    ),
    row!(
        "fd.secret.reader",
        Text,
        Volatile,
        Secrets,
        "Who opens it: `engine`, `host`, `foreign`, `probe`, `entered`, `dropped`, `declared`, `main`, `startup`, `lineage`, `late`, or `unknown`.",
        "entered",
        |view, _| Extracted::text(secret(view).map(|access| access.reader.name()))
    ),
    row!(
        "fd.secret.reason",
        Text,
        Volatile,
        Secrets,
        "Why the reader is judged so, with the chain of programs.",
        "sh was started inside the container from outside",
        |view, _| Extracted::text(secret(view).map(|access| access.reason.as_str()))
    ),
    row!(
        "fd.secret.by_container_mount",
        Bool,
        Stable,
        Secrets,
        "Whether a mount of a container led to the file, by whatever path and whoever reads, rather than one of the host.",
        "true",
        |view, _| Extracted::from_option(
            secret(view).map(|access| Value::Bool(access.by_container_mount))
        )
    ),
];

pub(super) static PATHS: &[FieldRow] = &[
    row!(
        "fs.path.name",
        Path,
        Stable,
        Paths,
        "The path of a call that works on a path, made absolute; as `fd.name`, but also for calls without a descriptor (unlink, mkdir, chmod, ...). For a rename or link the old one, for `move_mount` the new one.",
        "/etc/cron.d/x",
        |view, _| Extracted::text(view.path())
    ),
    row!(
        "fs.path.nameraw",
        Path,
        Stable,
        Paths,
        "That path as `fd.nameraw` has it.",
        "../cron.d/x",
        |view, _| raw_path(view)
    ),
    row!(
        "fs.path.source",
        Path,
        Stable,
        TwoPaths,
        "The first path of a call with two, made absolute.",
        "/etc/passwd",
        |view, _| Extracted::from_option(
            two_paths(view.event)
                .and_then(|_| view.absolute(0))
                .map(Value::Bytes)
        )
    ),
    row!(
        "fs.path.sourceraw",
        Path,
        Stable,
        TwoPaths,
        "The first path of a call with two, as given.",
        "passwd",
        |view, _| Extracted::text(two_paths(view.event).map(|paths| &paths[0].given))
    ),
    row!(
        "fs.path.target",
        Path,
        Stable,
        TwoPaths,
        "The second path of a call with two, made absolute.",
        "/tmp/p",
        |view, _| Extracted::from_option(
            two_paths(view.event)
                .and_then(|_| view.absolute(1))
                .map(Value::Bytes)
        )
    ),
    row!(
        "fs.path.targetraw",
        Path,
        Stable,
        TwoPaths,
        "The second path of a call with two, as given.",
        "p",
        |view, _| Extracted::text(two_paths(view.event).map(|paths| &paths[1].given))
    ),
];

/// Something of the mount that the path lies on.
fn of_mount<'e>(view: View<'e>, read: impl Fn(&'e Mount) -> Value<'e>) -> Extracted<'e> {
    match view.mount() {
        Some(mount) => read(mount).into(),
        None if view.awaits_mounts() => Extracted::Unknown,
        None => Extracted::Missing,
    }
}

/// Calls that Falco does not count as descriptor events keep `fd.*` missing, except for what ours add: a path is a
/// path whichever call it came through, so `fd.name` answers for all of them.
fn file_path(view: View<'_>) -> Option<&BStr> {
    view.path()
}

fn given<'e>(view: View<'e>) -> Option<&'e GivenPath> {
    let call = view.event.call()?;
    call.paths.get(call.subject())
}

/// The path as given, with one slash for several.
fn raw_path(view: View<'_>) -> Extracted<'_> {
    let Some(path) = given(view) else {
        return Extracted::Missing;
    };
    if path.given.find(b"//").is_none() {
        return Value::text(&path.given).into();
    }
    let mut bytes = path.given.to_vec();
    bytes.dedup_by(|next, previous| *next == b'/' && *previous == b'/');
    Value::made(bytes).into()
}

fn two_paths(event: &Event) -> Option<&[GivenPath]> {
    event
        .call()
        .map(|call| call.paths.as_slice())
        .filter(|paths| paths.len() == 2)
}

fn secret(view: View<'_>) -> Option<&SecretAccess> {
    view.event.secret.as_deref()
}

fn is_directory(event: &Event) -> bool {
    event.file().is_some_and(crate::file::File::is_directory)
}

fn directory(view: View<'_>) -> Option<&BStr> {
    let path = file_path(view)?;
    if is_directory(view.event) {
        return Some(path);
    }
    match path.rfind_byte(b'/') {
        None => Some(BStr::new("")),
        Some(0) => Some(BStr::new("/")),
        Some(slash) => Some(path[..slash].as_bstr()),
    }
}

fn file_name(view: View<'_>) -> Option<&BStr> {
    let makes = view.event.event_type.descriptor_number() == Some(DescriptorNumber::Result);
    let failed = makes && view.event.result().is_some_and(|result| result < 0);
    if failed || is_directory(view.event) {
        return None;
    }
    let path = file_path(view)?;
    let start = path.rfind_byte(b'/').map_or(0, |slash| slash + 1);
    Some(path[start..].as_bstr())
}

fn first_two_components(path: &BStr) -> &BStr {
    let mut slashes = path
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, byte)| **byte == b'/')
        .map(|(index, _)| index);
    match slashes.nth(1) {
        Some(end) => path[..end].as_bstr(),
        None => path,
    }
}

/// A path, the name of a socket or object, or nothing.
fn name(view: View<'_>) -> Extracted<'_> {
    if let Some(path) = file_path(view) {
        return Value::text(path).into();
    }
    let event = view.event;
    match event.call().and_then(|call| call.descriptor.as_ref()) {
        Some(descriptor) => Value::made(descriptor.name().into_owned().into_bytes()).into(),
        None if event.event_type.descriptor_number().is_some() => Value::text("").into(),
        None => Extracted::Missing,
    }
}

fn in_container<'e>(view: View<'e>, value: Extracted<'e>) -> Extracted<'e> {
    let Extracted::One(Value::Bytes(value)) = value else {
        return Extracted::Missing;
    };
    let container = view.event.container.as_deref();
    let id = container.map_or("host", Container::short_id);
    Value::made([id.as_bytes(), b":", &value].concat()).into()
}

fn type_name(event: &Event) -> Option<&'static str> {
    if let Some(file) = event.file() {
        return Some(if file.is_directory() {
            "directory"
        } else {
            "file"
        });
    }
    let descriptor = event.call()?.descriptor.as_ref()?;
    Some(descriptor.type_name().unwrap_or("<NA>"))
}

/// Where nothing is known of the descriptor, the call still tells what it would be.
fn type_character(event: &Event) -> Option<&'static str> {
    if let Some(file) = event.file() {
        return Some(if file.is_directory() { "d" } else { "f" });
    }
    if let Some(descriptor) = event.call().and_then(|call| call.descriptor.as_ref()) {
        return Some(descriptor.type_letter());
    }
    event.event_type.descriptor_number()?;
    Some(match event.event_type.name() {
        "open" | "openat" | "openat2" | "open_by_handle_at" | "creat" => "f",
        "socket" | "accept" | "accept4" => "4",
        "pipe" | "pipe2" => "p",
        "eventfd" | "eventfd2" => "e",
        "signalfd" | "signalfd4" => "s",
        "timerfd_create" => "t",
        "inotify_init" | "inotify_init1" => "i",
        _ => "o",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_that_is_moved_is_about_where_it_goes() {
        let mut event = crate::testing::call("move_mount", [0; 6], 0);
        if let crate::captured::What::Call(call) = &mut event.captured.what {
            call.paths = ["", "/etc"]
                .map(|given| GivenPath {
                    given: given.into(),
                    ..GivenPath::default()
                })
                .to_vec();
        }
        event.prepare();
        let view = View {
            event: &event,
            spelling: crate::Spelling::Given,
        };
        assert_eq!(file_path(view), Some(BStr::new("/etc")));
        assert_eq!(given(view).expect("a path").given, "/etc");
    }

    #[test]
    fn slashes_in_a_row_are_one_in_the_raw_path() {
        for (given, raw) in [
            ("/etc//x/../shadow", "/etc/x/../shadow"),
            ("//etc///x//", "/etc/x/"),
            ("x/y", "x/y"),
            ("", ""),
        ] {
            let mut event = crate::testing::call("openat", [0; 6], 3);
            if let crate::captured::What::Call(call) = &mut event.captured.what {
                call.paths = vec![GivenPath {
                    given: given.into(),
                    ..GivenPath::default()
                }];
            }
            event.prepare();
            let view = View {
                event: &event,
                spelling: crate::Spelling::Given,
            };
            assert_eq!(raw_path(view), Value::text(raw).into(), "{given}");
        }
    }

    #[test]
    fn a_failed_open_has_a_directory_and_no_file_name() {
        for (call, result, name) in [
            ("openat", 3, Some("b")),
            ("openat", -2, None),
            ("creat", -13, None),
            ("unlink", -30, Some("b")),
        ] {
            let mut event = crate::testing::call(call, [0; 6], result);
            event.paths.given = Some("/a/b".into());
            let view = View {
                event: &event,
                spelling: crate::Spelling::Given,
            };
            assert_eq!(file_name(view), name.map(BStr::new), "{call} {result}");
            assert_eq!(directory(view), Some(BStr::new("/a")));
        }
    }

    #[test]
    fn two_components_are_what_repeats_are_counted_by() {
        for (path, top) in [
            ("/etc/nginx/conf.d/x", "/etc/nginx"),
            ("/x", "/x"),
            ("/a/b", "/a/b"),
            ("/", "/"),
        ] {
            assert_eq!(first_two_components(BStr::new(path)), top, "{path}");
        }
    }
}
