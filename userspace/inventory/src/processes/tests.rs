use super::*;
use crate::fixture::{
    HOST_MNT, SECOND, captured, exec, exit, fork, image, rename, sign_of_life, task,
};
use vigia_event::EventType;
use vigia_event::captured::{Call, Task, What};
use vigia_event::file::{Layer, Origin};
use vigia_event::process::TICK_NS;

fn table() -> ProcessTable {
    ProcessTable::new(Options {
        host_mnt_ns: HOST_MNT,
        ..Options::default()
    })
}

fn names(ancestors: &Ancestors) -> Vec<String> {
    ancestors
        .iter()
        .map(|process| process.task.comm.to_string())
        .collect()
}

#[test]
fn an_execution_gives_a_process_its_image_and_its_children_inherit_it() {
    let mut table = table();
    let mut parent = task(100);
    let program = image("/usr/sbin/nginx", Layer::None, "nginx -g x");
    let process = table.observe(&exec(SECOND, &mut parent, program), 10 * SECOND);
    assert_eq!(
        (process.exe.as_slice(), process.exe_path.as_slice()),
        (&b"nginx"[..], &b"/usr/sbin/nginx"[..])
    );
    assert_eq!(process.args.len(), 2);
    assert_eq!(process.exe_origin, Origin::Image);
    assert_eq!(process.start_time_ns, 9 * SECOND + parent.start_boottime_ns);

    let child = Task {
        parent_pid: 100,
        exec_id: 2,
        comm: "nginx".into(),
        ..task(101)
    };
    table.observe(&fork(2 * SECOND, &parent, &child), 0);
    let child = table.observe(&sign_of_life(2 * SECOND, &child), 0);
    assert_eq!(child.exe_path, "/usr/sbin/nginx");
    assert!(child.observed);
    assert_eq!(names(&table.ancestors(&child)), ["nginx"]);
}

#[test]
fn a_snapshot_is_kept_until_something_visible_changes() {
    let mut table = table();
    let one = task(100);
    let first = table.observe(&sign_of_life(1, &one), 0);
    let again = table.observe(&sign_of_life(2, &one), 0);
    assert!(Arc::ptr_eq(&first, &again));

    let thread = Task {
        tid: 105,
        vtid: 105,
        comm: "worker".into(),
        ..one.clone()
    };
    assert!(
        Arc::ptr_eq(&first, &table.observe(&sign_of_life(3, &thread), 0)),
        "a thread's name is its own"
    );

    let mut root = one.clone();
    root.credentials.uid = 0;
    root.credentials.euid = 5;
    let changed = table.observe(&sign_of_life(4, &root), 0);
    assert_eq!(changed.task.credentials.euid, 5);
    assert_eq!(first.task.credentials.euid, 0, "snapshots do not change");

    assert_eq!(table.observe(&rename(5, &root, "new"), 0).task.comm, "new");
    let thread = Task {
        comm: "new".into(),
        ..thread
    };
    assert_eq!(
        table.observe(&rename(6, &thread, "other"), 0).task.comm,
        "new"
    );
}

#[test]
fn a_task_that_is_about_to_end_keeps_the_namespaces_it_had() {
    let mut table = table();
    let mut one = task(100);
    let before = table.observe(&sign_of_life(1, &one), 0);
    one.namespaces = vigia_event::captured::Namespaces::default();
    assert!(Arc::ptr_eq(&before, &table.observe(&exit(2, &one), 0)));
}

#[test]
fn the_mark_of_an_engine_is_not_that_of_the_container_it_made() {
    const INNER_MNT: u32 = 77;
    let mut table = table();
    let marked = |pid: u32, mnt: u32| {
        let mut task = task(pid);
        task.entered = Some(true);
        task.namespaces.mnt = mnt;
        task
    };
    let init = marked(100, INNER_MNT);
    let seen = table.observe(&sign_of_life(1, &init), 0);
    assert_eq!(seen.task.entered, Some(true));
    assert_eq!(table.begins_container(&seen).task.entered, Some(false));

    let mut entered = |child: &Task, parent: &Task| {
        table.observe(&fork(2, parent, child), 0);
        table.observe(&sign_of_life(3, child), 0).task.entered
    };
    let child = marked(101, INNER_MNT);
    assert_eq!(entered(&child, &init), Some(false));
    assert_eq!(entered(&marked(102, INNER_MNT), &child), Some(false));
    // It has joined another one since.
    assert_eq!(entered(&marked(103, INNER_MNT + 1), &child), Some(true));
    // It has come from outside.
    let outside = marked(200, HOST_MNT);
    assert_eq!(entered(&marked(201, INNER_MNT), &outside), Some(true));
    assert_eq!(
        table.observe(&sign_of_life(4, &init), 0).task.entered,
        Some(false)
    );
}

#[test]
fn a_record_made_before_an_execution_and_read_after_it_belongs_to_the_old_image() {
    let mut table = table();
    let mut one = task(100);
    table.observe(&exec(1, &mut one, image("/bin/a", Layer::None, "a")), 0);
    let before = one.clone();
    table.observe(&exec(3, &mut one, image("/bin/b", Layer::None, "b")), 0);
    assert_eq!(
        table.observe(&sign_of_life(2, &before), 0).exe_path,
        "/bin/a"
    );
    assert_eq!(table.observe(&sign_of_life(4, &one), 0).exe_path, "/bin/b");
}

#[test]
fn a_lost_execution_leaves_no_stale_image_behind() {
    let mut table = table();
    let mut one = task(100);
    table.observe(&exec(1, &mut one, image("/bin/a", Layer::None, "a")), 0);
    one.exec_id += 1;
    let process = table.observe(&sign_of_life(2, &one), 0);
    assert_eq!(process.exe_path, "");
    assert_eq!(table.counts().missed_execs, 1);
    assert!(Arc::ptr_eq(
        &process,
        &table.observe(&sign_of_life(3, &one), 0)
    ));
}

#[test]
fn orphans_keep_the_ancestors_they_were_seen_to_have() {
    let mut table = table();
    let (mut shell, mut middle) = (
        Task {
            comm: "init".into(),
            ..task(100)
        },
        task(101),
    );
    table.observe(
        &exec(1, &mut shell, image("/bin/webapp", Layer::None, "webapp")),
        0,
    );
    table.observe(&fork(2, &shell, &middle), 0);
    table.observe(
        &exec(3, &mut middle, image("/bin/sh", Layer::None, "sh")),
        0,
    );
    let orphan = Task {
        parent_pid: 101,
        ..task(102)
    };
    table.observe(&fork(4, &middle, &orphan), 0);
    table.observe(&exit(5, &middle), 0);
    let mut orphan = Task {
        parent_pid: 1,
        ..orphan
    };
    let process = table.observe(
        &exec(6, &mut orphan, image("/bin/miner", Layer::None, "miner")),
        0,
    );
    assert_eq!(process.task.parent_pid, 1);
    assert_eq!(names(&table.ancestors(&process)), ["sh", "webapp"]);
    // Long after its end, for it still has a child.
    let process = table.observe(&sign_of_life(1000 * SECOND, &orphan), 0);
    assert_eq!(names(&table.ancestors(&process)), ["sh", "webapp"]);
    table.observe(&exit(1000 * SECOND, &orphan), 0);
    table.observe(&sign_of_life(2000 * SECOND, &shell), 0);
    assert_eq!(table.len(), 1, "nothing needs the exited ones any more");
}

#[test]
fn ancestors_are_kept_until_one_of_them_changes() {
    let mut table = table();
    let mut parent = task(100);
    table.observe(&exec(1, &mut parent, image("/bin/a", Layer::None, "a")), 0);
    let child = Task {
        parent_pid: 100,
        ..task(101)
    };
    table.observe(&fork(2, &parent, &child), 0);
    let process = table.observe(&sign_of_life(3, &child), 0);
    let first = table.ancestors(&process);
    table.observe(&sign_of_life(4, &task(300)), 0);
    table.observe(
        &fork(
            4,
            &child,
            &Task {
                parent_pid: 101,
                ..task(301)
            },
        ),
        0,
    );
    assert_eq!(names(&table.ancestors(&process)), ["a"]);
    table.observe(&exec(5, &mut parent, image("/bin/b", Layer::None, "b")), 0);
    assert_eq!(names(&table.ancestors(&process)), ["b"]);
    assert_eq!(names(&first), ["a"]);
}

#[test]
fn a_session_leader_is_found_by_its_pid_or_as_the_oldest_ancestor() {
    let mut table = table();
    let leader = Task {
        sid: 100,
        comm: "leader".into(),
        ..task(100)
    };
    let child = Task {
        sid: 100,
        comm: "child".into(),
        parent_pid: 100,
        ..task(101)
    };
    table.observe(&fork(1, &task(50), &leader), 0);
    table.observe(&fork(1, &leader, &child), 0);
    let process = table.observe(&sign_of_life(2, &child), 0);
    assert_eq!(
        table.session_leader(&process).expect("a leader").task.comm,
        "leader"
    );

    let orphan = Task {
        sid: 7,
        comm: "b".into(),
        parent_pid: 100,
        ..task(102)
    };
    let grandchild = Task {
        sid: 7,
        comm: "c".into(),
        parent_pid: 102,
        ..task(103)
    };
    table.observe(&fork(3, &leader, &orphan), 0);
    table.observe(&fork(3, &orphan, &grandchild), 0);
    let process = table.observe(&sign_of_life(4, &grandchild), 0);
    assert_eq!(
        table
            .session_leader(&process)
            .expect("an ancestor")
            .task
            .comm,
        "b"
    );
    let process = table.observe(&sign_of_life(4, &task(50)), 0);
    assert!(table.session_leader(&process).is_none());
}

#[test]
fn a_pid_given_away_again_is_another_process() {
    let mut table = table();
    let mut old = task(100);
    table.observe(&exec(1, &mut old, image("/bin/old", Layer::None, "old")), 0);
    let new = Task {
        start_boottime_ns: old.start_boottime_ns + TICK_NS,
        ..task(100)
    };
    let process = table.observe(&sign_of_life(2, &new), 0);
    assert_eq!(process.exe_path, "");
    assert_eq!(table.counts().missed_exits, 1);
    assert_eq!(table.latest(100).expect("known").key(), process.key());
    assert_eq!(
        table.observe(&sign_of_life(3, &old), 0).exe_path,
        "/bin/old",
        "late records still resolve"
    );
}

#[test]
fn the_table_is_bounded_and_forgets_the_exited_first() {
    let mut table = ProcessTable::new(Options {
        max_processes: 3,
        ..Options::default()
    });
    for pid in [100, 101, 102] {
        table.observe(&sign_of_life(1, &task(pid)), 0);
    }
    table.observe(&exit(2, &task(101)), 0);
    table.observe(&sign_of_life(3, &task(103)), 0);
    assert!(table.latest(101).is_none() && table.latest(103).is_some());
    let process = table.observe(&sign_of_life(4, &task(104)), 0);
    assert_eq!(process.task.pid, 104, "still described by its own record");
    assert_eq!(table.len(), 3);
    assert_eq!((table.counts().evicted, table.counts().untracked), (1, 1));
}

#[test]
fn a_chain_of_orphans_does_not_fill_the_table() {
    let mut table = ProcessTable::new(Options {
        max_processes: 40,
        grace_ns: 1,
        ..Options::default()
    });
    let mut last = task(100);
    table.observe(&sign_of_life(1, &last), 0);
    for step in 1..200 {
        let next = task(100 + step);
        let at = u64::from(step) * 10;
        table.observe(&fork(at, &last, &next), 0);
        table.observe(&exit(at, &last), 0);
        last = next;
    }
    assert!(table.len() <= 15, "{} kept", table.len());
}

#[test]
fn what_has_ended_is_forgotten_though_nothing_happens_any_more() {
    let mut table = ProcessTable::new(Options {
        grace_ns: 10,
        ..Options::default()
    });
    let (parent, child) = (task(100), task(101));
    table.observe(&sign_of_life(1, &parent), 0);
    table.observe(&fork(2, &parent, &child), 0);
    table.observe(&exit(3, &child), 0);
    let before = table.len();
    table.expire(12);
    assert_eq!(table.len(), before, "within its grace period");
    table.expire(13);
    assert_eq!(table.len(), before - 1);
}

fn scanned(task: Task, path: &str) -> Scanned {
    let start_boottime_ns = task.start_boottime_ns / TICK_NS * TICK_NS;
    let task = Task {
        start_boottime_ns,
        exec_id: 0,
        entered: None,
        ..task
    };
    let process = Process {
        task,
        exe: "scanned".into(),
        exe_path: path.into(),
        ..Process::default()
    };
    Scanned {
        process,
        cgroups: "0::/\n".into(),
    }
}

#[test]
fn a_record_never_loses_to_a_scan() {
    let mut table = table();
    let mut executed = task(100);
    table.observe(
        &exec(5, &mut executed, image("/bin/new", Layer::None, "new")),
        0,
    );
    let blank = task(101);
    table.observe(&sign_of_life(5, &blank), 0);
    let inherited = Task {
        parent_pid: 101,
        ..task(102)
    };
    table.observe(&fork(6, &blank, &inherited), 0);
    let scan = [
        scanned(task(100), "/bin/old"),
        scanned(blank.clone(), "/bin/x"),
        scanned(inherited, "/bin/y"),
        scanned(task(103), "/bin/z"),
    ];
    table.merge(&scan, 4, 20 * SECOND);
    for (pid, path, observed) in [
        (100, "/bin/new", true),
        (101, "/bin/x", false),
        (102, "/bin/y", true),
        (103, "/bin/z", false),
    ] {
        let process = table.latest(pid).expect("known");
        assert_eq!(
            (process.exe_path.as_slice(), process.observed || pid == 100),
            (path.as_bytes(), observed),
            "{pid}"
        );
    }
    let process = table.observe(
        &sign_of_life(
            9,
            &Task {
                exec_id: 9,
                ..task(103)
            },
        ),
        0,
    );
    assert_eq!(
        process.exe_path, "/bin/z",
        "/proc does not tell how often a process executed"
    );
    assert_eq!(
        process.task.start_boottime_ns,
        task(103).start_boottime_ns,
        "the record knows it better"
    );
    assert_eq!(table.counts().missed_execs, 0);
}

#[test]
fn what_a_scan_does_not_find_has_ended() {
    let mut table = table();
    table.observe(&sign_of_life(5, &task(100)), 0);
    table.observe(&sign_of_life(15, &task(101)), 0);
    table.merge(&[], 10, 0);
    assert_eq!(
        table.running().count(),
        2,
        "an unreadable /proc says nothing"
    );
    table.merge(&[scanned(task(1), "/sbin/init")], 10, 0);
    let mut running: Vec<u32> = table.running().map(|process| process.task.pid).collect();
    running.sort_unstable();
    assert_eq!(running, [1, 101]);
    assert_eq!(table.counts().missed_exits, 1);
}

#[test]
fn an_unknown_process_is_looked_up_in_proc() {
    let scan = ScanOptions::default();
    let own = read_process("/proc".as_ref(), std::process::id(), &scan).expect("this process");
    let mut table = ProcessTable::new(Options {
        proc_root: Some("/proc".into()),
        ..Options::default()
    });
    let header = Task {
        start_boottime_ns: own.process.task.start_boottime_ns + 5,
        exec_id: 3,
        ..own.process.task.clone()
    };
    let process = table.observe(&sign_of_life(SECOND, &header), 0);
    assert_eq!(process.exe_path, own.process.exe_path);
    assert_eq!(process.task.exec_id, 3);
    assert!(
        !table.ancestors(&process).is_empty(),
        "its parents were looked up, too"
    );
    table.observe(&sign_of_life(SECOND, &task(u32::MAX)), 0);
    assert_eq!(table.counts().lookups_failed, 1);
}

#[test]
fn the_origin_is_judged_again_when_the_mounts_are_known() {
    use vigia_event::mount::{Mount, MountKind};
    let mut table = table();
    let mut one = task(100);
    one.namespaces.mnt = 9;
    let process = table.observe(&exec(1, &mut one, image("/srv/x", Layer::None, "x")), 0);
    assert_eq!(process.exe_origin, Origin::Unknown);
    let mount = Mount {
        point: "/srv".into(),
        kind: MountKind::Volume,
        ..Mount::default()
    };
    let mounts = MountTable {
        mounts: vec![mount],
        ..MountTable::default()
    };
    let process = table.refine_origin(&process, Some(&mounts));
    assert_eq!(process.exe_origin, Origin::Volume);
    assert!(Arc::ptr_eq(&process, table.latest(100).expect("known")));
    assert!(Arc::ptr_eq(
        &process,
        &table.refine_origin(&process, Some(&mounts))
    ));
}

#[test]
fn a_record_without_a_process_is_not_remembered() {
    let mut table = table();
    let budget = captured(1, &Task::default(), What::BudgetExceeded { count: 1 });
    table.observe(&budget, 0);
    assert!(table.is_empty());
}

#[test]
fn a_folder_that_lies_too_deep_takes_the_place_of_the_last_one() {
    let mut table = table();
    let acting = task(100);
    let mut chdir = |time, cwd: &str| {
        let mut call = Call::new(EventType::from_name("chdir").unwrap(), 0);
        call.cwd = Some(cwd.into());
        let mut record = sign_of_life(time, &acting);
        record.what = What::Call(Box::new(call));
        table.observe(&record, 0)
    };
    let process = chdir(1, "/srv");
    assert_eq!(
        (process.cwd.as_slice(), process.truncated.cwd),
        (&b"/srv"[..], false)
    );
    let process = chdir(2, "");
    assert_eq!(
        (process.cwd.as_slice(), process.truncated.cwd),
        (&b""[..], true)
    );
    let process = chdir(3, "/");
    assert_eq!(
        (process.cwd.as_slice(), process.truncated.cwd),
        (&b"/"[..], false)
    );
}
