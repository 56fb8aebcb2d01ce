//! What happens: the event type with what it is about, and its parameters by name.

use bstr::{BString, ByteSlice};
use vigia_event::EventType;
use vigia_event::call::{EventTypeRow, ParamRow, ParamSource, named};
use vigia_event::captured::{Call, ContainerChange, Exec, Fork, GivenPath, Task, What};
use vigia_event::file::{File, Layer, Origin};
use vigia_event::text::TextStyle;

use super::process::{self, Cast};
use super::{socket, symbols};
use crate::document::{Kind, Node};
use crate::reading::{self, Keys, Result, did_you_mean};

/// The descriptor that an open returns.
const NEW_DESCRIPTOR: i64 = 3;
/// `AT_FDCWD` as a register holds it.
const AT_FDCWD: u64 = 0xffff_ff9c;
/// The flag that tells of a file that was made, as Falco prints it; no bit that a program passes.
const CREATED: &str = "O_F_CREATED";

/// What the kernel captured of the event.
pub(super) fn what(
    case: &Keys<'_>,
    event_type: EventType,
    subject: &Node,
    cast: &mut Cast,
) -> Result<What> {
    let failed = case.get("error").is_some();
    match event_type {
        named::EXECVE | named::EXECVEAT if !failed => execution(subject, cast),
        named::CLONE if matches!(subject.kind, Kind::Null) => Ok(What::Fork(Fork {
            call: None,
            flags: 0,
            child: Task {
                pid: 4343,
                tid: 4343,
                parent_pid: cast.main.task.pid,
                ..cast.main.task.clone()
            },
            is_thread: false,
        })),
        named::PROCEXIT => Ok(What::Exit {
            status: optional(subject)?.unwrap_or(0),
            process_ended: true,
        }),
        named::TASK_RENAME => Ok(What::Rename {
            comm: reading::text(subject)?.into(),
        }),
        named::COMPAT_SYSCALL => Ok(What::CompatCall {
            number: optional(subject)?.unwrap_or(0),
        }),
        named::CONTAINER => Ok(What::Container(match subject.kind {
            Kind::Null => ContainerChange::Started,
            _ => reading::one_of(
                subject,
                &[ContainerChange::Started, ContainerChange::Changed],
                ContainerChange::name,
            )?,
        })),
        named::BUDGET_EXCEEDED => Ok(What::BudgetExceeded {
            count: optional(subject)?.unwrap_or(1),
        }),
        _ => Ok(What::Call(Box::new(call(case, event_type, subject, cast)?))),
    }
}

fn optional<T: std::str::FromStr>(node: &Node) -> Result<Option<T>> {
    match node.kind {
        Kind::Null => Ok(None),
        _ => reading::number(node).map(Some),
    }
}

/// A program that now runs: the process is what it became.
fn execution(subject: &Node, cast: &mut Cast) -> Result<What> {
    let mut words = match subject.kind {
        Kind::Null => Vec::new(),
        _ => reading::words(subject)?,
    }
    .into_iter();
    let main = &mut cast.main;
    if let Some(path) = words.next() {
        let path: BString = path.into();
        if !cast.named {
            let origin = main.exe_origin;
            let at: BString = if path.contains(&b'/') {
                path.clone()
            } else {
                format!("/usr/bin/{path}").into()
            };
            process::runs(
                main,
                &at,
                if origin == Origin::Unknown {
                    Origin::Image
                } else {
                    origin
                },
            );
            main.exe = path;
        }
        let args: Vec<BString> = words.map(BString::from).collect();
        if !args.is_empty() {
            main.args = args.into();
        }
    }
    let mut args = vec![main.exe.clone()];
    args.extend(main.args.iter().cloned());
    Ok(What::Exec(Box::new(Exec {
        filename: main.exe_path.clone(),
        file: main.exe_file.as_deref().cloned().unwrap_or_default(),
        args,
        env: main.env.to_vec(),
        cwd: main.cwd.clone(),
        ..Exec::default()
    })))
}

/// A system call that returned.
fn call(case: &Keys<'_>, event_type: EventType, subject: &Node, cast: &Cast) -> Result<Call> {
    let row = event_type.row();
    let mut call = Call::new(event_type, result(case, row)?);
    for param in row.params {
        // What a call that takes a descriptor or a path usually gets: relative paths start from the working directory.
        if let (TextStyle::Fd, Some(at)) = (param.style, argument(param.source)) {
            call.args[at] = if param.name.contains("dir") {
                AT_FDCWD
            } else {
                NEW_DESCRIPTOR.unsigned_abs()
            };
        }
    }
    let mut created = false;
    match &subject.kind {
        Kind::Null => {}
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                let name = reading::text(key)?;
                let param = row
                    .params
                    .iter()
                    .find(|param| param.name == name)
                    .ok_or_else(|| {
                        let nearest = did_you_mean(name, row.params.iter().map(|param| param.name));
                        key.fault(format!("{} has no parameter `{name}`{nearest}", row.name))
                    })?;
                created |= set(&mut call, param, value, case, cast)?;
            }
        }
        Kind::Scalar(_) => created |= about(&mut call, case, subject, cast)?,
        Kind::Sequence(_) => return Err(subject.fault("parameters are a map of their names")),
    }
    if let Some(flags) = case.get("flags") {
        let param = row
            .params
            .iter()
            .find(|param| param.name == "flags")
            .ok_or_else(|| flags.fault(format!("{} has no parameter `flags`", row.name)))?;
        created |= set(&mut call, param, flags, case, cast)?;
    }
    if let Some(target) = case.get("target") {
        let param = row
            .params
            .iter()
            .find(|param| param.source == ParamSource::Path1)
            .ok_or_else(|| target.fault(format!("{} has no second path", row.name)))?;
        set(&mut call, param, target, case, cast)?;
    }
    if let Some(node) = case.get("fd") {
        socket::attach(&mut call, node, case)?;
    }
    call.data = case.text("data")?.map(BString::from);
    file(case, &mut call, created)?;
    Ok(call)
}

fn result(case: &Keys<'_>, row: &EventTypeRow) -> Result<i64> {
    if let Some(node) = case.get("error") {
        let name = reading::text(node)?;
        return symbols::errno(name)
            .map(|number| -number)
            .ok_or_else(|| node.fault(format!("`{name}` is no error such as EACCES")));
    }
    if let Some(result) = case.number("result")? {
        return Ok(result);
    }
    let makes_descriptor = row
        .params
        .iter()
        .any(|param| param.source == ParamSource::Result && param.style == TextStyle::Fd);
    Ok(if makes_descriptor { NEW_DESCRIPTOR } else { 0 })
}

/// Sets what a call is about, where a case says no more than that: its path; else what its descriptor leads to; else its first
/// parameter.
fn about(call: &mut Call, case: &Keys<'_>, subject: &Node, cast: &Cast) -> Result<bool> {
    let row = call.event_type.row();
    if let Some(path) = row
        .params
        .iter()
        .find(|param| param.source == ParamSource::Path0)
    {
        return set(call, path, subject, case, cast);
    }
    let given = reading::text(subject)?;
    if given.starts_with('/') || socket::is_address(given) || socket::is_about_sockets(row.name) {
        socket::attach(call, subject, case)?;
        return Ok(false);
    }
    let first = row
        .params
        .iter()
        .find(|param| argument(param.source).is_some() && param.style != TextStyle::Fd);
    match first {
        Some(param) => set(call, param, subject, case, cast),
        None => Err(subject.fault(format!(
            "`{given}` says nothing that is known of {}; write `{}: ~`",
            row.name, row.name
        ))),
    }
}

/// Sets one parameter, and tells whether it says that a file was made.
fn set(
    call: &mut Call,
    param: &ParamRow,
    value: &Node,
    case: &Keys<'_>,
    cast: &Cast,
) -> Result<bool> {
    use ParamSource as S;
    let mut given = reading::text(value)?.to_owned();
    let mut created = false;
    if param.style == TextStyle::OpenFlags {
        let mut names: Vec<&str> = given.split('|').collect();
        let before = names.len();
        names.retain(|name| name.trim() != CREATED);
        created = names.len() < before;
        given = if names.is_empty() {
            "O_RDONLY".to_owned()
        } else {
            names.join("|")
        };
    }
    let number = || {
        symbols::number(param.style, &given).ok_or_else(|| {
            value.fault(format!(
                "`{given}` is neither a number nor a name that `{}` can have",
                param.name
            ))
        })
    };
    match param.source {
        S::Path0 | S::Path1 => {
            let at = usize::from(param.source == S::Path1);
            if call.paths.len() <= at {
                call.paths.resize_with(at + 1, GivenPath::default);
            }
            call.paths[at] = GivenPath {
                base: Some(cast.main.cwd.clone())
                    .filter(|cwd| !given.starts_with('/') && !cwd.is_empty()),
                given: given.into(),
                ..GivenPath::default()
            };
        }
        S::Text0 | S::Text1 => {
            let at = usize::from(param.source == S::Text1);
            if call.texts.len() <= at {
                call.texts.resize_with(at + 1, BString::default);
            }
            call.texts[at] = given.into();
        }
        S::OpenHow0 => call.open_how.get_or_insert_default()[0] = number()?,
        S::OpenHow1 => call.open_how.get_or_insert_default()[1] = number()?,
        S::OpenHow2 => call.open_how.get_or_insert_default()[2] = number()?,
        S::Result => call.result = number()?.cast_signed(),
        S::Data => call.data = Some(given.into()),
        S::Address | S::Tuple => socket::attach(call, value, case)?,
        source => match argument(source) {
            Some(at) => call.args[at] = number()?,
            None => {
                let message = format!(
                    "`{}` follows from the rest of the event; it cannot be set",
                    param.name
                );
                return Err(value.fault(message));
            }
        },
    }
    Ok(created)
}

fn argument(source: ParamSource) -> Option<usize> {
    use ParamSource as S;
    [S::Arg0, S::Arg1, S::Arg2, S::Arg3, S::Arg4, S::Arg5]
        .iter()
        .position(|one| *one == source)
}

/// The file of the kernel's: of an open that succeeded, or where the case gives its real path.
fn file(case: &Keys<'_>, call: &mut Call, created: bool) -> Result<()> {
    let opens = matches!(
        call.event_type,
        named::OPEN | named::OPENAT | named::OPENAT2 | named::CREAT | named::OPEN_BY_HANDLE_AT
    );
    let given = call.paths.first().map(GivenPath::absolute);
    let real = match case.text("real_path")? {
        Some(path) => Some(BString::from(path)),
        None => given.filter(|_| opens && call.result >= 0),
    };
    if let Some(path) = real {
        call.file = Some(regular(&path.to_str_lossy()));
    }
    if let Some(file) = &mut call.file {
        file.created = created;
        file.layer = if created { Layer::Upper } else { file.layer };
    }
    Ok(())
}

pub(super) fn regular(path: &str) -> File {
    File {
        path: path.into(),
        mode: 0o100_644,
        ..File::default()
    }
}
