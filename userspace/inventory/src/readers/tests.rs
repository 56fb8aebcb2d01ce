use super::*;
use crate::ProcessTable;
use crate::fixture::{HOST_MNT, SECOND, exec, exit, fork, image, task};
use crate::processes;
use std::collections::BTreeMap;
use vigia_event::captured::{Captured, Task};
use vigia_event::container::{Inspected, Metadata};
use vigia_event::file::{Layer, PathNotes};
use vigia_event::mount::MountTable;
use vigia_event::secret::{Reader, SecretSource};

mod engines;

const CONTAINER_MNT: u32 = 50;

/// A host with one container, driven by the records its processes would make.
struct Scene {
    now: u64,
    next_pid: u32,
    processes: ProcessTable,
    readers: Readers,
    container: Container,
    source: SecretSource,
    serves_volumes: bool,
    holders: Vec<BString>,
}

fn read_mounts() -> MountTable {
    MountTable {
        read_ns: 1,
        ..MountTable::default()
    }
}

impl Scene {
    fn new() -> Self {
        Self::with(
            Readers::new(Options {
                host_mnt_ns: HOST_MNT,
                ..Options::default()
            }),
            "1",
        )
    }

    fn with(readers: Readers, id: &str) -> Self {
        let table = processes::Options {
            host_mnt_ns: HOST_MNT,
            ..processes::Options::default()
        };
        let inspected = Inspected {
            name: id.into(),
            image_repository: "nginx".into(),
            health_check: ["/bin/sh", "-c", "check"].map(BString::from).to_vec(),
            labels: BTreeMap::from([
                (LABEL.to_owned(), "/usr/bin/declared,/app/*.py".into()),
                ("com.docker.swarm.service.name".to_owned(), "web".into()),
            ]),
            ..Inspected::default()
        };
        let container = Container {
            id: id.repeat(64),
            mnt_ns: CONTAINER_MNT,
            observed: true,
            mounts: Some(Arc::new(read_mounts())),
            metadata: Metadata::Known(Arc::new(inspected)),
            ..Container::default()
        };
        Self {
            now: 100 * SECOND,
            next_pid: 1000,
            processes: ProcessTable::new(table),
            readers,
            container,
            source: SecretSource::Swarm,
            serves_volumes: false,
            holders: Vec::new(),
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds * SECOND;
    }

    fn see(&mut self, captured: &Captured) -> Arc<Process> {
        let process = self.processes.observe(captured, captured.boot_time_ns);
        let inside =
            captured.task.namespaces.mnt == CONTAINER_MNT || captured.task.origin_cgroup_id != 0;
        self.readers
            .observe(captured, &process, inside.then_some(&self.container));
        self.now += 1000;
        process
    }

    fn fork(&mut self, parent: &Task) -> Task {
        self.next_pid += 1;
        let ids = task(self.next_pid);
        let child = Task {
            pid: ids.pid,
            tid: ids.tid,
            vpid: ids.vpid,
            vtid: ids.vtid,
            parent_pid: parent.pid,
            start_boottime_ns: ids.start_boottime_ns,
            ..parent.clone()
        };
        self.see(&fork(self.now, parent, &child));
        child
    }

    fn exec(&mut self, task: &mut Task, command: &str) {
        self.exec_from(task, command, Layer::Lower);
    }

    fn exec_from(&mut self, task: &mut Task, command: &str, layer: Layer) {
        let path = command.split(' ').next().unwrap_or_default().to_owned();
        let captured = exec(self.now, task, image(&path, layer, command));
        self.see(&captured);
    }

    /// A script run by its `#!` line: the interpreter runs, the script is its argument.
    fn exec_script(&mut self, task: &mut Task, script: &str) {
        let mut image = image("/bin/dash", Layer::Lower, &format!("/bin/sh {script}"));
        image.filename = script.into();
        let captured = exec(self.now, task, image);
        self.see(&captured);
    }

    fn busybox(&mut self, task: &mut Task, command: &str) {
        let mut image = image("/bin/busybox", Layer::Lower, command);
        image.filename = format!("/bin/{}", command.split(' ').next().unwrap_or_default()).into();
        let captured = exec(self.now, task, image);
        self.see(&captured);
    }

    fn host_process(&mut self, command: &str) -> Task {
        let mut process = self.fork(&task(1));
        self.exec(&mut process, command);
        process
    }

    /// What runc does until it executes something of the container: the process is in the container's cgroup
    /// and mount namespace, and still runs runc.
    fn runc_stage(&mut self, entered: bool) -> Task {
        let runc = self.host_process("/usr/bin/runc init");
        let mut stage = self.fork(&runc);
        stage.namespaces.mnt = CONTAINER_MNT;
        stage.origin_cgroup_id = 7;
        stage.cgroup_id = 7;
        stage.entered = Some(entered);
        stage
    }

    /// Starts the container with a first process that has not executed anything yet.
    fn start(&mut self) -> Task {
        let init = self.runc_stage(false);
        self.container.init = Some(ProcessKey::new(init.pid, init.start_boottime_ns));
        init
    }

    /// `docker exec`
    fn enter(&mut self, command: &str) -> Task {
        let mut process = self.runc_stage(true);
        self.exec(&mut process, command);
        process
    }

    fn read(&mut self, task: &Task) -> SecretAccess {
        self.read_as(task, true)
    }

    fn read_as(&mut self, task: &Task, granted: bool) -> SecretAccess {
        let process = Arc::clone(
            self.processes
                .get(ProcessKey::new(task.pid, task.start_boottime_ns))
                .expect("known"),
        );
        let process = Process {
            task: task.clone(),
            ..Process::clone(&process)
        };
        let ancestors = self.processes.ancestors(&process);
        let inside = task.namespaces.mnt == CONTAINER_MNT || task.origin_cgroup_id != 0;
        let container = inside.then_some(&self.container);
        let secret = SecretRef {
            name: "dbpw".into(),
            path: "/run/secrets/dbpw".into(),
            source: self.source,
            ..SecretRef::default()
        };
        let reading = Reading {
            process: &process,
            ancestors: &ancestors,
            container,
            secret: &secret,
            granted,
            holders: &self.holders,
            serves_volumes: self.serves_volumes,
            boot_time_ns: self.now,
        };
        let access = self.readers.judge(&reading);
        let again = self.readers.judge(&reading);
        assert_eq!(access, again, "judging twice changes nothing");
        access
    }

    /// A container whose entry script reads the secret with `cat` and then becomes nginx.
    fn started() -> (Self, Task) {
        let mut scene = Self::new();
        let mut main = scene.start();
        scene.exec_script(&mut main, "/entry.sh");
        let mut cat = scene.fork(&main);
        scene.exec(&mut cat, "/usr/bin/cat /run/secrets/dbpw");
        scene.expect(&cat, Reader::Startup);
        scene.see(&exit(scene.now, &cat));
        scene.exec(&mut main, "/usr/sbin/nginx");
        (scene, main)
    }

    #[track_caller]
    fn expect(&mut self, task: &Task, reader: Reader) -> String {
        let access = self.read(task);
        assert_eq!(access.reader, reader, "{}", access.reason);
        access.reason
    }
}

#[test]
fn an_entry_script_may_read_with_cat_and_the_main_process_may_read_again() {
    let (mut scene, main) = Scene::started();
    assert_eq!(
        scene.expect(&main, Reader::Main),
        "the container's main process reads it (entry.sh -> nginx)"
    );
    scene.wait(3600);
    scene.expect(&main, Reader::Main);
    let worker = scene.fork(&main);
    scene.expect(&worker, Reader::Main);
    let second = scene.fork(&worker);
    scene.expect(&second, Reader::Main);
}

#[test]
fn a_shell_below_the_main_process_after_the_start_is_late_and_the_reason_says_what_to_do() {
    let (mut scene, main) = Scene::started();
    scene.wait(61);
    let mut shell = scene.fork(&main);
    scene.exec(&mut shell, "/usr/bin/sh -c x");
    scene.expect(&shell, Reader::Late);
    let mut cat = scene.fork(&shell);
    scene.exec(&mut cat, "/usr/bin/cat /run/secrets/dbpw");
    let reason = scene.expect(&cat, Reader::Late);
    assert!(
        reason.contains("entry.sh -> nginx -> sh -> cat"),
        "{reason}"
    );
    assert!(
        reason.contains("the label vigia.secret-readers=/usr/bin/declared,/app/*.py,/usr/bin/cat"),
        "{reason}"
    );
    // The shell replaces itself: its part in the chain stays.
    scene.exec(&mut shell, "/usr/bin/cat /run/secrets/dbpw");
    assert!(
        scene
            .expect(&shell, Reader::Late)
            .contains("nginx -> sh -> cat")
    );
}

#[test]
fn orphans_of_a_late_shell_stay_late() {
    let (mut scene, main) = Scene::started();
    scene.wait(61);
    let mut shell = scene.fork(&main);
    scene.exec(&mut shell, "/usr/bin/sh");
    let mut orphan = scene.fork(&shell);
    scene.see(&exit(scene.now, &shell));
    orphan.parent_pid = main.pid;
    scene.exec(&mut orphan, "/usr/sbin/nginx");
    scene.expect(&orphan, Reader::Late);
}

#[test]
fn a_process_that_enters_is_entered_unless_it_is_the_health_check() {
    let (mut scene, _) = Scene::started();
    let cat = scene.enter("/usr/bin/cat /run/secrets/dbpw");
    scene.expect(&cat, Reader::Entered);
    let shell = scene.enter("/usr/bin/sh");
    let mut below = scene.fork(&shell);
    scene.exec(&mut below, "/usr/bin/cat x");
    let reason = scene.expect(&below, Reader::Entered);
    assert!(reason.ends_with("sh -> cat)"), "{reason}");

    let check = scene.enter("/bin/sh -c check");
    let mut below = scene.fork(&check);
    scene.exec(&mut below, "/usr/bin/cat x");
    scene.expect(&below, Reader::Probe);
    let other = scene.enter("/bin/sh -c check;id");
    scene.expect(&other, Reader::Entered);
}

#[test]
fn a_health_check_is_recognised_when_the_metadata_comes_later() {
    let (mut scene, _) = Scene::started();
    let known = std::mem::take(&mut scene.container.metadata);
    let check = scene.enter("/bin/sh -c check");
    scene.expect(&check, Reader::Entered);
    scene.see(&exit(scene.now, &check));
    scene.container.metadata = known;
    scene.expect(&check, Reader::Probe);
}

#[test]
fn a_health_check_whose_program_was_replaced_is_none() {
    let (mut scene, _) = Scene::started();
    let mut check = scene.runc_stage(true);
    scene.exec_from(&mut check, "/bin/sh -c check", Layer::Upper);
    scene.expect(&check, Reader::Entered);

    let check = scene.enter("/bin/sh -c check");
    let mut below = scene.fork(&check);
    scene.exec_from(&mut below, "/usr/bin/check", Layer::Upper);
    scene.expect(&below, Reader::Entered);
}

#[test]
fn a_command_that_enters_at_a_steady_period_becomes_a_probe() {
    let (mut scene, _) = Scene::started();
    for round in 0..6 {
        let probe = scene.enter("/usr/bin/probe --deep");
        scene.expect(
            &probe,
            if round < 3 {
                Reader::Entered
            } else {
                Reader::Probe
            },
        );
        scene.wait(10);
    }
    let other = scene.enter("/usr/bin/probe --other");
    scene.expect(&other, Reader::Entered);
}

#[test]
fn a_copied_binary_is_dropped_and_so_is_what_it_starts() {
    let (mut scene, main) = Scene::started();
    let mut copy = scene.fork(&main);
    scene.exec_from(&mut copy, "/tmp/cat /run/secrets/dbpw", Layer::Upper);
    let reason = scene.expect(&copy, Reader::Dropped);
    assert!(
        reason
            .starts_with("/tmp/cat is not from the image but from the container's writable layer"),
        "{reason}"
    );
    let mut cat = scene.fork(&copy);
    scene.exec(&mut cat, "/usr/bin/cat x");
    scene.expect(&cat, Reader::Dropped);

    let mut hidden = scene.fork(&main);
    let mut from_memory = image("memfd:x", Layer::None, "x");
    from_memory.file.path_notes = PathNotes {
        detached: true,
        ..PathNotes::default()
    };
    let captured = exec(scene.now, &mut hidden, from_memory);
    scene.see(&captured);
    scene.expect(&hidden, Reader::Dropped);
}

#[test]
fn a_mounted_program_is_expected_during_the_start_only() {
    use vigia_event::mount::{Mount, MountKind};
    let mount = Mount {
        point: "/srv".into(),
        kind: MountKind::Volume,
        ..Mount::default()
    };
    let mounts = MountTable {
        mounts: vec![mount],
        ..MountTable::default()
    };
    let mut scene = Scene::new();
    let mut main = scene.start();
    for (after, reader) in [(0, Reader::Main), (100, Reader::Dropped)] {
        scene.wait(after);
        let mut process = if after == 0 {
            main.clone()
        } else {
            scene.fork(&main)
        };
        let captured = exec(
            scene.now,
            &mut process,
            image(&format!("/srv/{after}"), Layer::None, "x"),
        );
        let snapshot = scene.processes.observe(&captured, 0);
        let snapshot = scene.processes.refine_origin(&snapshot, Some(&mounts));
        scene
            .readers
            .observe(&captured, &snapshot, Some(&scene.container));
        scene.expect(&process, reader);
        main = if after == 0 { process } else { main };
    }
}

#[test]
fn the_host_the_engine_and_the_runtime_are_told_apart() {
    let (mut scene, _) = Scene::started();
    let cat = scene.host_process("/usr/bin/cat /var/lib/docker/x");
    scene.expect(&cat, Reader::Host);
    let dockerd = scene.host_process("/usr/bin/dockerd");
    scene.expect(&dockerd, Reader::Engine);
    let mut worker = scene.fork(&dockerd);
    scene.expect(&worker, Reader::Engine);
    scene.exec(&mut worker, "/usr/bin/iptables -L");
    scene.expect(&worker, Reader::Host);
    let fake = scene.host_process("/tmp/dockerd");
    scene.expect(&fake, Reader::Host);

    let stage = scene.runc_stage(false);
    scene.expect(&stage, Reader::Engine);
    let entering = scene.runc_stage(true);
    scene.expect(&entering, Reader::Engine);
    let mut inside = scene.enter("/usr/bin/runc");
    scene.expect(&inside, Reader::Entered);
    scene.exec(&mut inside, "/usr/bin/dockerd");
    scene.expect(&inside, Reader::Entered);
}

#[test]
fn runc_running_a_copy_of_itself_is_still_the_engine() {
    let detached = PathNotes {
        detached: true,
        ..PathNotes::default()
    };
    for (path, path_notes) in [
        ("memfd:runc_cloned:/proc/self/exe", detached),
        ("/", PathNotes::default()),
    ] {
        let mut copy = image(path, Layer::None, "runc init");
        copy.file.path_notes = path_notes;
        let mut scene = Scene::new();
        let mut runc = scene.host_process("/usr/bin/runc init");
        let captured = exec(scene.now, &mut runc, copy.clone());
        scene.see(&captured);
        scene.expect(&runc, Reader::Engine);
        let mut other = scene.host_process("/usr/bin/python3 x.py");
        let captured = exec(scene.now, &mut other, copy);
        scene.see(&captured);
        scene.expect(&other, Reader::Host);
    }
}

#[test]
fn a_container_without_the_grant_is_foreign_by_whatever_path() {
    let (mut scene, main) = Scene::started();
    assert_eq!(scene.read_as(&main, false).reader, Reader::Foreign);
    let entered = scene.enter("/usr/bin/cat /proc/77/root/run/secrets/dbpw");
    assert_eq!(scene.read_as(&entered, false).reader, Reader::Foreign);
    scene.expect(&entered, Reader::Entered);

    let mut escaped = scene.fork(&main);
    escaped.namespaces.mnt = HOST_MNT;
    let reason = scene.expect(&escaped, Reader::Foreign);
    assert!(reason.contains("host's mount namespace"), "{reason}");

    // Only made up of what the engine declares, which lists no secrets of a Swarm.
    scene.container.mounts = Some(Arc::new(MountTable::default()));
    assert_eq!(scene.read_as(&main, false).reader, Reader::Unknown);
    scene.container.mounts = None;
    assert_eq!(scene.read_as(&main, false).reader, Reader::Unknown);
}

#[test]
fn whose_a_secret_is_that_a_stranger_reads_is_told() {
    let (mut scene, main) = Scene::started();
    for (holders, expected) in [
        (&[][..], None),
        (&["shop.1"], Some("; it was given to shop.1")),
        (
            &["a", "b\u{1b}", "c", "d"],
            Some("; it was given to a, b\\x1B, c and others"),
        ),
    ] {
        scene.holders = holders.iter().map(|&name| name.into()).collect();
        let reason = scene.read_as(&main, false).reason;
        let told = reason.find("; it was given").map(|at| &reason[at..]);
        assert_eq!(told, expected, "{reason}");
        assert!(!scene.read(&main).reason.contains("was given"));
    }
}

#[test]
fn declared_readers_are_named_by_label_or_configuration() {
    let options = Options {
        host_mnt_ns: HOST_MNT,
        declared: vec!["/opt/**".into()],
        ..Options::default()
    };
    let mut scene = Scene::with(Readers::new(options), "1");
    let mut main = scene.start();
    scene.exec(&mut main, "/usr/sbin/nginx");
    scene.wait(100);
    for (command, reader) in [
        ("/usr/bin/declared", Reader::Declared),
        ("/opt/a/b", Reader::Declared),
        ("/usr/bin/python3 /app/x.py", Reader::Declared),
        ("/usr/bin/python3 /tmp/x.py", Reader::Late),
        ("/usr/bin/declared2", Reader::Late),
    ] {
        let mut child = scene.fork(&main);
        scene.exec(&mut child, command);
        scene.expect(&child, reader);
    }
}

#[test]
fn a_container_that_ran_before_the_agent_is_unknown_but_entering_it_is_not() {
    let mut scene = Scene::new();
    scene.container.observed = false;
    let main = Task {
        namespaces: vigia_event::captured::Namespaces {
            mnt: CONTAINER_MNT,
            ..task(1).namespaces
        },
        cgroup_id: 7,
        origin_cgroup_id: 7,
        entered: None,
        ..task(500)
    };
    scene.container.init = Some(ProcessKey::new(main.pid, main.start_boottime_ns));
    scene.see(&crate::fixture::sign_of_life(scene.now, &main));
    scene.expect(&main, Reader::Unknown);
    let mut shell = scene.fork(&main);
    scene.exec(&mut shell, "/usr/bin/sh");
    scene.expect(&shell, Reader::Unknown);
    let entered = scene.enter("/usr/bin/cat x");
    scene.expect(&entered, Reader::Entered);
    let mut dropped = scene.fork(&main);
    scene.exec_from(&mut dropped, "/tmp/x", Layer::Upper);
    scene.expect(&dropped, Reader::Dropped);
}

#[test]
fn behind_an_init_wrapper_the_program_it_runs_is_the_main_process() {
    for wrapper in [
        "/sbin/tini -- app",
        "/sbin/docker-init -- app",
        "/usr/bin/dumb-init app",
    ] {
        let mut scene = Scene::new();
        let mut init = scene.start();
        scene.exec(&mut init, wrapper);
        let mut main = scene.fork(&init);
        scene.exec_script(&mut main, "/entry.sh");
        scene.expect(&main, Reader::Main);
        scene.wait(600);
        scene.exec(&mut main, "/usr/bin/app");
        scene.expect(&main, Reader::Main);
        scene.wait(600);
        scene.expect(&main, Reader::Main);
        let mut second = scene.fork(&init);
        scene.exec(&mut second, "/usr/bin/other");
        scene.expect(&second, Reader::Late);
    }
}

#[test]
fn a_supervisor_may_start_its_services_again() {
    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.exec(&mut main, "/sbin/s6-svscan /run/service");
    let mut supervisor = scene.fork(&main);
    scene.exec(&mut supervisor, "/sbin/s6-supervise app");
    for (wait, reader) in [
        (0, Reader::Startup),
        (3600, Reader::Lineage),
        (3600, Reader::Lineage),
    ] {
        scene.wait(wait);
        let mut app = scene.fork(&supervisor);
        scene.exec_script(&mut app, "/etc/services.d/app/run");
        let mut cat = scene.fork(&app);
        scene.exec(&mut cat, "/usr/bin/cat /run/secrets/dbpw");
        scene.expect(&cat, reader);
        scene.exec(&mut app, "/usr/bin/app");
        scene.expect(&app, reader);
        scene.see(&exit(scene.now, &app));
    }
    let mut other = scene.fork(&supervisor);
    scene.exec_script(&mut other, "/etc/services.d/other/run");
    scene.expect(&other, Reader::Late);
}

#[test]
fn a_server_may_replace_itself_by_its_own_program() {
    let (mut scene, main) = Scene::started();
    scene.wait(3600);
    let mut successor = scene.fork(&main);
    scene.exec(&mut successor, "/usr/sbin/nginx -g daemon");
    scene.expect(&successor, Reader::Main);
    scene.see(&exit(scene.now, &main));
    let worker = scene.fork(&successor);
    scene.expect(&worker, Reader::Main);
    // A newer program that was put into the container is not the image's.
    scene.exec_from(&mut successor, "/usr/sbin/nginx", Layer::Upper);
    scene.expect(&successor, Reader::Dropped);
}

#[test]
fn a_worker_executed_during_the_start_may_read_later_and_so_may_its_successors() {
    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.exec(&mut main, "/usr/bin/master");
    let mut worker = scene.fork(&main);
    scene.exec(&mut worker, "/usr/libexec/worker --one");
    scene.wait(3600);
    scene.expect(&worker, Reader::Main);
    let mut successor = scene.fork(&main);
    scene.exec(&mut successor, "/usr/libexec/worker --two");
    scene.expect(&successor, Reader::Main);
    let mut other = scene.fork(&successor);
    scene.exec(&mut other, "/usr/libexec/other");
    scene.expect(&other, Reader::Late);
}

#[test]
fn another_applet_or_script_of_the_main_program_is_another_program() {
    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.busybox(&mut main, "httpd -f");
    scene.wait(100);
    scene.expect(&main, Reader::Main);
    let mut cat = scene.fork(&main);
    scene.busybox(&mut cat, "cat /run/secrets/dbpw");
    let reason = scene.expect(&cat, Reader::Late);
    assert!(
        reason.contains("httpd -> cat")
            && reason
                .contains("the label vigia.secret-readers=/usr/bin/declared,/app/*.py,/bin/cat"),
        "{reason}"
    );

    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.exec(&mut main, "/usr/bin/python3 /app/main.txt");
    scene.wait(100);
    scene.expect(&main, Reader::Main);
    for (command, reader) in [
        ("/usr/bin/python3 /app/main.txt", Reader::Main),
        ("/usr/bin/python3 -c x", Reader::Late),
        ("/usr/bin/python3 y", Reader::Late),
    ] {
        let mut child = scene.fork(&main);
        scene.exec(&mut child, command);
        scene.expect(&child, reader);
    }
}

#[test]
fn a_chain_that_read_a_secret_at_the_start_may_do_so_later_and_in_other_containers_of_the_service()
{
    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.exec_script(&mut main, "/loop.sh");
    for (wait, reader) in [(0, Reader::Startup), (3600, Reader::Lineage)] {
        scene.wait(wait);
        let mut cat = scene.fork(&main);
        scene.exec(&mut cat, "/usr/bin/cat x");
        scene.expect(&cat, reader);
    }

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("readers.json");
    assert!(scene.readers.is_unsaved());
    scene.readers.save(&path).expect("saved");
    let options = Options {
        host_mnt_ns: HOST_MNT,
        ..Options::default()
    };
    let mut scene = Scene::with(Readers::load(options, &path), "2");
    let mut main = scene.start();
    scene.exec_script(&mut main, "/loop.sh");
    scene.wait(3600);
    let mut cat = scene.fork(&main);
    scene.exec(&mut cat, "/usr/bin/cat x");
    scene.expect(&cat, Reader::Lineage);
    let mut head = scene.fork(&main);
    scene.exec(&mut head, "/usr/bin/head x");
    scene.expect(&head, Reader::Late);
}

#[test]
fn a_crash_loop_teaches_nothing() {
    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.exec(&mut main, "/usr/bin/app");
    scene.see(&exit(scene.now, &main));
    for _ in 0..3 {
        scene.wait(1);
        let mut main = scene.start();
        scene.exec(&mut main, "/usr/bin/app");
        let mut cat = scene.fork(&main);
        scene.exec(&mut cat, "/usr/bin/cat x");
        scene.expect(&cat, Reader::Startup);
        scene.see(&exit(scene.now, &main));
    }
    let mut main = scene.start();
    scene.exec(&mut main, "/usr/bin/app");
    scene.expect(&main, Reader::Main);
    scene.wait(100);
    scene.expect(&main, Reader::Main);
    let mut cat = scene.fork(&main);
    scene.exec(&mut cat, "/usr/bin/cat x");
    scene.expect(&cat, Reader::Late);
}

#[test]
fn a_slow_entry_script_may_execute_its_program_late_but_a_program_may_not_become_another_one() {
    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.exec_script(&mut main, "/wait-for-database.sh");
    scene.wait(900);
    scene.exec(&mut main, "/usr/bin/app");
    scene.expect(&main, Reader::Main);
    scene.wait(900);
    scene.exec(&mut main, "/usr/bin/sh");
    scene.expect(&main, Reader::Late);
    let child = scene.fork(&main);
    scene.expect(&child, Reader::Late);
}

#[test]
fn the_descent_of_processes_is_bounded() {
    let mut scene = Scene::with(
        Readers::new(Options {
            host_mnt_ns: HOST_MNT,
            max_processes: 10,
            max_containers: 1,
            ..Options::default()
        }),
        "1",
    );
    let mut main = scene.start();
    scene.exec(&mut main, "/usr/bin/app");
    for _ in 0..20 {
        scene.fork(&main);
    }
    assert!(scene.readers.counts().untracked >= 10);
    scene.readers.reconcile(|key| key.pid == main.pid);
    scene.expect(&main, Reader::Main);
    let worker = scene.fork(&main);
    scene.expect(&worker, Reader::Main);
    scene.container.id = "2".repeat(64);
    let mut other = scene.start();
    scene.exec(&mut other, "/usr/bin/app");
    assert_eq!(scene.readers.counts().forgotten_starts, 1);
}
