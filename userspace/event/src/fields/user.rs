//! `user.*` and `group.*`: who the process acts as.

use crate::event::View;
use crate::users::User;
use crate::value::{Extracted, FieldType, Value};

use super::{ArgumentRule, Availability, FieldRow, Shape, Stability};

/// What stands for a name that no file knows.
const NOT_AVAILABLE: &str = "<NA>";
/// The audit login uid of a process that never logged in.
const NO_LOGIN: u32 = u32::MAX;

pub(super) static FIELDS: &[FieldRow] = &[
    row!(
        "user.uid",
        Uint,
        Stable,
        Always,
        "Effective user id, in the initial user namespace.",
        "1000",
        |view, _| Value::Uint(uid(view).into()).into()
    ),
    row!(
        "user.ns_uid",
        Uint,
        Stable,
        Always,
        "Effective user id in the process's own user namespace: 0 for root in a container whose ids are mapped. Missing where that namespace has no such user.",
        "0",
        |view, _| Extracted::from_option(
            view.event
                .captured
                .task
                .credentials
                .ns_uid
                .map(|uid| Value::Uint(uid.into()))
        )
    ),
    row!(
        "user.name",
        Text,
        Stable,
        Always,
        "The user's name in the container's (or the host's) passwd; `root` for an unlisted uid 0, `<NA>` for any other.",
        "postgres",
        |view, _| name(view, own_uid(view))
    ),
    row!(
        "user.homedir",
        Text,
        Stable,
        Always,
        "The user's home directory; `<NA>` where passwd does not list the user.",
        "/root",
        |view, _| of_passwd(view, |user| &user.home)
    ),
    row!(
        "user.shell",
        Text,
        Stable,
        Always,
        "The user's shell; `<NA>` where passwd does not list the user.",
        "/bin/sh",
        |view, _| of_passwd(view, |user| &user.shell)
    ),
    row!(
        "user.loginuid",
        Int,
        Stable,
        Always,
        "Audit login uid; -1 for none.",
        "-1",
        |view, _| {
            let loginuid = view.event.captured.task.credentials.loginuid;
            Value::Int(if loginuid == NO_LOGIN {
                -1
            } else {
                loginuid.into()
            })
            .into()
        }
    ),
    row!(
        "user.loginname",
        Text,
        Stable,
        Always,
        "Name of the audit login uid; `<NA>` for none.",
        "alice",
        |view, _| name(view, view.event.captured.task.credentials.loginuid)
    ),
    row!(
        "group.gid",
        Uint,
        Stable,
        Always,
        "Effective group id, in the initial user namespace.",
        "1000",
        |view, _| Value::Uint(view.event.captured.task.credentials.egid.into()).into()
    ),
    row!(
        "group.name",
        Text,
        Stable,
        Always,
        "The group's name in the container's (or the host's) group file; `root` for an unlisted gid 0, `<NA>` for any other.",
        "www-data",
        |view, _| {
            let gid = view.event.captured.task.credentials.egid;
            match view.event.users.group_outside(gid) {
                Some(name) => Value::text(name).into(),
                None => unlisted(gid),
            }
        }
    ),
];

fn uid(view: View<'_>) -> u32 {
    view.event.captured.task.credentials.euid
}

/// The id that a container's own passwd speaks of.
fn own_uid(view: View<'_>) -> u32 {
    let credentials = &view.event.captured.task.credentials;
    credentials.ns_uid.unwrap_or(credentials.euid)
}

fn name(view: View<'_>, uid: u32) -> Extracted<'_> {
    match view.event.users.user(uid) {
        Some(user) => Value::text(&user.name).into(),
        None => unlisted(uid),
    }
}

fn unlisted<'e>(id: u32) -> Extracted<'e> {
    Value::text(if id == 0 { "root" } else { NOT_AVAILABLE }).into()
}

fn of_passwd<'e>(view: View<'e>, read: impl Fn(&'e User) -> &'e bstr::BString) -> Extracted<'e> {
    match view.event.users.user(own_uid(view)) {
        Some(user) => Value::text(read(user)).into(),
        None => Value::text(NOT_AVAILABLE).into(),
    }
}
