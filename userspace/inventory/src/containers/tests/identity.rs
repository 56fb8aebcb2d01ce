//! How real engines name their containers, and what is made of it: `tests/data/identity.json`.

use serde::Deserialize;

use super::*;
use crate::{cgroup, mountinfo};

/// One sample. `completed`: the source shows less than whole lines, and the rest is filled in after its shape.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    what: String,
    source: String,
    #[serde(default)]
    #[expect(dead_code, reason = "for who reads the table")]
    completed: bool,
    /// The hierarchy that is looked at: a version 1 controller; `None`: the version 2 tree.
    controller: Option<String>,
    /// Lines of `/proc/PID/cgroup`.
    cgroup: Vec<String>,
    /// Lines of `/proc/PID/mountinfo`.
    #[serde(default)]
    mountinfo: Vec<String>,
    by_cgroup: Option<ByCgroup>,
    by_mounts: Option<ByMounts>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByCgroup {
    id: String,
    engine: String,
    own_path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByMounts {
    id: String,
    engine: String,
}

impl Sample {
    fn path(&self) -> String {
        let text = self.cgroup.join("\n");
        let path = cgroup::path_in(text.as_bytes(), self.controller.as_deref());
        String::from_utf8(path.expect("a path").to_vec()).expect("text")
    }

    fn mountinfo(&self) -> String {
        format!("{}\n", self.mountinfo.join("\n"))
    }

    /// The id and the engine of the container that the table is to have, and what it has counted by then: the cgroup
    /// wins, and the mounts are asked only where it says nothing.
    fn expected(&self) -> (Option<(String, String)>, Counts) {
        let mut counts = Counts::default();
        let by_mounts = self.by_mounts.as_ref();
        let expected = match &self.by_cgroup {
            Some(own) => {
                let differs = by_mounts.is_some_and(|mounts| mounts.id != own.id);
                counts.id_mismatches = u64::from(differs);
                Some((own.id.clone(), own.engine.clone()))
            }
            None => {
                counts.adopted = u64::from(by_mounts.is_some());
                by_mounts.map(|mounts| (mounts.id.clone(), mounts.engine.clone()))
            }
        };
        (expected, counts)
    }
}

/// What the table says of its only container, and of its doubts.
fn learned(table: &ContainerTable) -> (Option<(String, String)>, Counts) {
    let counts = table.counts();
    let mut running = table.running();
    let found = running
        .next()
        .map(|container| (container.id.clone(), container.engine.name().to_owned()));
    assert!(running.next().is_none(), "more than one container");
    let doubts = Counts {
        id_mismatches: counts.id_mismatches,
        adopted: counts.adopted,
        impostors: counts.impostors,
        ..Counts::default()
    };
    (found, doubts)
}

fn samples() -> Vec<Sample> {
    let table = include_str!("../../../tests/data/identity.json");
    serde_json::from_str(table).expect("a table of samples")
}

#[test]
fn the_cgroup_and_the_mounts_of_each_engine_are_read_as_they_are_known_to_be() {
    let samples = samples();
    for sample in &samples {
        let path = sample.path();
        let by_cgroup = cgroup::container_of(path.as_bytes()).map(|found| ByCgroup {
            id: found.id.to_owned(),
            engine: found.engine.name().to_owned(),
            own_path: String::from_utf8(found.own_path.to_vec()).expect("text"),
        });
        assert_eq!(by_cgroup, sample.by_cgroup, "{}", sample.what);
        let parsed = mountinfo::parse(sample.mountinfo().as_bytes());
        assert_eq!(parsed.malformed, 0, "{}", sample.what);
        let by_mounts = mountinfo::container_id(&parsed.mounts).map(|(id, engine)| ByMounts {
            id: id.to_owned(),
            engine: engine.name().to_owned(),
        });
        assert_eq!(by_mounts, sample.by_mounts, "{}", sample.what);
        assert!(!sample.source.is_empty(), "{} has no source", sample.what);
    }
    for engine in ["docker", "podman", "containerd", "cri-o", "unknown"] {
        let of_it = |sample: &&Sample| {
            let own = sample.by_cgroup.as_ref();
            own.is_some_and(|own| own.engine == engine)
        };
        assert!(samples.iter().any(|sample| of_it(&sample)), "{engine}");
    }
}

/// A scene in which all processes are of rootless engines: root's make a cgroup for every container.
fn scene_of_a_user() -> Scene {
    Scene::with(Options {
        user_namespace: |_, _| {
            Ok(UserNamespace {
                inode: 1,
                maker: Some(1000),
            })
        },
        ..Options::default()
    })
}

#[test]
fn a_container_is_what_its_cgroup_says_and_else_what_its_mounts_say() {
    for sample in samples() {
        let mut scene = scene_of_a_user();
        let mut task = inside(61);
        match &sample.by_cgroup {
            Some(own) => scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &own.own_path),
            None => {
                scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &sample.path());
                task.cgroup_id = CGROUP;
            }
        }
        scene.mounts_of_pid(61, &sample.mountinfo());
        scene.exec(&task);
        assert_eq!(learned(&scene.table), sample.expected(), "{}", sample.what);
    }
}

#[test]
fn a_container_that_ran_before_is_the_same() {
    for sample in samples() {
        let mut scene = scene_of_a_user();
        scene.mounts_of_pid(61, &sample.mountinfo());
        let task = |pid| ExistingTask {
            process: ProcessKey::new(pid, fixture::task(pid).start_boottime_ns),
            start_time_ns: SECOND,
            mnt_ns: INNER_MNT,
            cgroup_path: sample.path().into(),
        };
        scene.table.add_existing(&[task(61), task(62)], SECOND);
        assert_eq!(learned(&scene.table), sample.expected(), "{}", sample.what);
    }
}

#[test]
fn mounts_never_make_a_process_one_of_a_container_that_is_known() {
    let claim = |folder: &str| {
        format!("102 100 0:9 {folder}/{ID}/userdata/hostname /etc/hostname rw - tmpfs t rw\n")
    };
    for folder in ["/run/overlay-containers", "/var/lib/docker/containers"] {
        let mut scene = Scene::new();
        scene.started(61);
        scene.mounts_of_pid(90, &claim(folder));
        let mut imitator = inside(90);
        (imitator.cgroup_id, imitator.namespaces.mnt) = (3, 99);
        assert_eq!(id_of(scene.exec(&imitator)), None, "{folder}");
        assert_eq!(
            (scene.table.counts().impostors, scene.table.counts().adopted),
            (1, 0)
        );
    }
}
