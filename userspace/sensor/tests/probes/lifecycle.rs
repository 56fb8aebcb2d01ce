//! Processes: fork, execution, end, name.

use vigia_event::captured::What;

use super::actor::args;
use super::rig::Rig;

#[test]
fn a_child_is_seen_to_come_and_to_go() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let child = actor.fork(7);
    let records = rig.read();
    let fork = records
        .iter()
        .find(|record| matches!(&record.what, What::Fork(fork) if fork.child.pid == child))
        .unwrap();
    assert_eq!(fork.task.pid, actor.pid());
    assert!(fork.in_scope);
    let What::Fork(forked) = &fork.what else {
        unreachable!()
    };
    assert!(!forked.is_thread);
    assert_eq!(
        (forked.child.tid, forked.child.parent_pid),
        (child, actor.pid())
    );
    assert_eq!(forked.child.comm, fork.task.comm);
    assert_eq!(forked.child.cgroup_id, rig.cgroup.id());
    assert_eq!(forked.child.namespaces, fork.task.namespaces);
    assert_eq!(forked.child.entered, Some(false));
    assert!(forked.child.start_boottime_ns >= fork.task.start_boottime_ns);

    let exits: Vec<_> = records
        .iter()
        .filter(|record| record.task.pid == child)
        .collect();
    assert_eq!(exits.len(), 1, "{exits:#?}");
    assert!(
        matches!(exits[0].what, What::Exit { status, process_ended: true } if status == 7 << 8)
    );
    assert_eq!(
        exits[0].task.start_boottime_ns, forked.child.start_boottime_ns,
        "the same process by its key"
    );
}

#[test]
fn an_execution_has_its_file_its_arguments_and_its_environment() {
    let Some(mut rig) = Rig::arm() else { return };
    let actor = rig.actor();
    let pid = actor.pid();
    let program = std::fs::canonicalize("/bin/true").unwrap();
    actor.exec(&["/bin/true", "one", "--two=3"]);

    let records = rig.read_of(pid);
    let execs: Vec<_> = records
        .iter()
        .filter(|record| matches!(record.what, What::Exec(_)))
        .collect();
    assert_eq!(execs.len(), 1, "{records:#?}");
    let What::Exec(exec) = &execs[0].what else {
        unreachable!()
    };
    assert_eq!(execs[0].task.comm, "true");
    assert_eq!(exec.filename, "/bin/true");
    assert_eq!(exec.args, ["/bin/true", "one", "--two=3"]);
    assert!(!exec.truncated.args);
    assert!(
        exec.env.iter().any(|entry| entry.starts_with(b"PATH=")),
        "{:?}",
        exec.env
    );
    assert_eq!(exec.file.path, program.to_str().unwrap());
    assert_eq!(exec.file.mode & 0o111, 0o111);
    assert_eq!(exec.cwd, std::env::current_dir().unwrap().to_str().unwrap());
    assert!(exec.file.ctime_ns > 0 && exec.file.mtime_ns > 0);
    assert!(matches!(
        records.last().unwrap().what,
        What::Exit {
            status: 0,
            process_ended: true
        }
    ));
    let exec_at = records
        .iter()
        .position(|record| matches!(record.what, What::Exec(_)))
        .unwrap();
    assert!(
        exec_at + 1 < records.len(),
        "its own opens, or at least its end, come after it"
    );
}

#[test]
fn a_script_shows_the_interpreter_as_file_and_itself_among_the_arguments() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(mut rig) = Rig::arm() else { return };
    let script = rig.path("script.sh");
    std::fs::write(&script, "#!/bin/sh -e\nexit 3\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let actor = rig.actor();
    let pid = actor.pid();
    actor.exec(&[&script, "x"]);
    let records = rig.read_of(pid);
    let What::Exec(exec) = &records
        .iter()
        .find(|record| matches!(record.what, What::Exec(_)))
        .unwrap()
        .what
    else {
        unreachable!()
    };
    assert_eq!(exec.filename, script.as_str());
    assert_eq!(exec.args, ["/bin/sh", "-e", &script, "x"]);
    assert_eq!(
        exec.file.path,
        std::fs::canonicalize("/bin/sh").unwrap().to_str().unwrap()
    );
}

#[test]
fn long_arguments_are_marked_as_cut() {
    let Some(mut rig) = Rig::arm() else { return };
    let actor = rig.actor();
    let pid = actor.pid();
    let long = "y".repeat(6000);
    actor.exec(&["/bin/true", "x", &long]);
    let records = rig.read_of(pid);
    let What::Exec(exec) = &records
        .iter()
        .find(|record| matches!(record.what, What::Exec(_)))
        .unwrap()
        .what
    else {
        unreachable!()
    };
    assert!(exec.truncated.args);
    assert_eq!(exec.args.len(), 3);
    assert!(exec.args[2].len() > 4000 && long.as_bytes().starts_with(&exec.args[2]));
}

#[test]
fn a_new_name_is_seen() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    assert_eq!(
        actor.call(
            libc::SYS_prctl,
            args![libc::PR_SET_NAME, "kworker/0:1-evil", 0, 0, 0]
        ),
        0
    );
    let records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 2, "{records:#?}");
    assert!(
        matches!(&records[0].what, What::Rename { comm } if comm == "kworker/0:1-evi"),
        "{records:?}"
    );
    let call = super::rig::call(records[1].clone()).unwrap();
    assert_eq!(
        (call.event_type.name(), call.texts.as_slice()),
        ("prctl", &["kworker/0:1-evil".into()][..])
    );
}

#[test]
fn the_process_that_loaded_the_probes_is_never_reported() {
    let Some(mut rig) = Rig::arm() else { return };
    rig.cgroup.add(std::process::id());
    let path = rig.path("own");
    std::fs::write(&path, "x").unwrap();
    let own = rig.read_of(std::process::id());
    // Leaves the cgroup again, or it could not be removed.
    super::rig::Cgroup::root().add(std::process::id());
    assert!(own.is_empty(), "{own:#?}");
}

#[test]
fn a_user_has_an_id_in_each_of_two_namespaces() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    assert!(
        actor.call(
            libc::SYS_openat,
            args![libc::AT_FDCWD, "/dev/null", libc::O_RDONLY, 0]
        ) >= 0
    );
    let Some(child) = actor.fork_as_user(1234) else {
        println!("skipped: no user namespace can be made here");
        return;
    };
    let records = rig.read();
    let ids = |pid: u32, path: &str| {
        let record = records.iter().find(|record| {
            record.task.pid == pid
                && matches!(&record.what, What::Call(call)
                    if call.event_type.name() == "openat" && call.paths[0].given == path)
        });
        let credentials = record.unwrap().task.credentials;
        (credentials.euid, credentials.ns_uid)
    };
    assert_eq!(ids(actor.pid(), "/dev/null"), (0, Some(0)));
    let nobody_yet = ids(child, "/proc/self/uid_map");
    assert_eq!(nobody_yet, (0, None));
    assert_eq!(ids(child, "/dev/null"), (0, Some(1234)));
}
