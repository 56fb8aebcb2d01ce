//! The counters add up, and to what was really done.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use vigia_tests::docker::{Docker, unique};
use vigia_tests::image::{ACTOR_PATH, ROOT_FILE};
use vigia_tests::metrics::Metrics;
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::scene::{self, Programs, Turn};
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Scene, sums};

/// How often the generator opens and closes.
const COUNT: u32 = 200_000;

/// How many opens the start of one container may differ from that of another.
const TOLERANCE: f64 = 200.0;

/// A cgroup in every hierarchy, so that nothing else on the machine is counted; removed when dropped.
struct Cgroup {
    name: String,
}

impl Cgroup {
    fn make() -> Result<Self> {
        let cgroup = Self {
            name: unique("counters"),
        };
        for folder in cgroup.folders()? {
            fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        }
        Ok(cgroup)
    }

    fn folders(&self) -> Result<Vec<PathBuf>> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let hierarchies = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, kind) = (words.next()?, words.next()?);
            matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(point))
        });
        Ok(hierarchies.map(|point| point.join(&self.name)).collect())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for folder in self.folders().unwrap_or_default() {
            // The engine removes its own groups below a moment after the container.
            wait::poll(seconds(5), || fs::remove_dir(&folder).is_ok().then_some(()));
        }
    }
}

#[test]
fn two_hundred_thousand_opens_are_all_accounted_for() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let cgroup = Cgroup::make()?;
    let scene = scene_on(docker, turn, &programs, &cgroup)?;
    let parent = format!("--cgroup-parent=/{}", cgroup.name);
    // The same container once without the generator's work: what its start alone opens.
    let idle = opens_of(&scene, &parent, 0)?;
    let busy = opens_of(&scene, &parent, COUNT)?;
    let (seen, missed) = (busy.seen - idle.seen, busy.missed);
    ensure!(
        seen + missed >= f64::from(COUNT) - TOLERANCE && seen <= f64::from(COUNT) + TOLERANCE,
        "the generator opened {COUNT} times, the probes saw {seen} and missed {missed}"
    );
    let metrics = balanced(&scene)?;
    ensure!(
        metrics.sum("vigia_events_malformed_total", &[]) == 0.0,
        "malformed records"
    );
    Ok(())
}

#[test]
fn records_that_vanish_break_the_sums() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let cgroup = Cgroup::make()?;
    let scene = scene_on(docker, turn, &programs.losing()?, &cgroup)?;
    let parent = format!("--cgroup-parent=/{}", cgroup.name);
    let command = [ACTOR_PATH, "open-close", ROOT_FILE, "3000"];
    let container = scene.run(&["--network=none", &parent], &command)?;
    ensure!(container.wait()? == 0, "{}", container.logs()?);
    // Behind enough records that no scrape can find the sums equal by chance.
    let read = wait::poll(seconds(30), || {
        let metrics = scene.agent.metrics().ok()?;
        (metrics.sum("vigia_events_decoded_total", &[]) > 2000.0).then_some(())
    });
    ensure!(read.is_some(), "the records of the generator never came");
    let broken = sums::never_held(seconds(5), || scene.agent.metrics().ok());
    ensure!(
        broken
            .iter()
            .any(|sum| sum.contains("vigia_events_tracked_total")),
        "lost records went unnoticed: {broken:#?}"
    );
    Ok(())
}

/// On one cgroup, with rules for which every open is an event.
fn scene_on(docker: Docker, turn: Turn, programs: &Programs, cgroup: &Cgroup) -> Result<Scene> {
    let scope = format!("--scope=cgroup:/{}", cgroup.name);
    let every_open = scene::repository().join("tests/data/every-open.yaml");
    let rules =
        [scene::default_rules(), every_open].map(|path| format!("--rules={}", path.display()));
    let arguments = [&scope, &rules[0], &rules[1]].map(String::as_str);
    Scene::on(docker, turn, programs, &[], &arguments)
}

#[derive(Debug)]
struct Opens {
    seen: f64,
    missed: f64,
}

/// What one run of the generator adds to the counters.
fn opens_of(scene: &Scene, parent: &str, count: u32) -> Result<Opens> {
    let before = balanced(scene)?;
    let command = [ACTOR_PATH, "open-close", ROOT_FILE, &count.to_string()];
    let container = scene.run(&["--network=none", parent], &command)?;
    ensure!(container.wait()? == 0, "{}", container.logs()?);
    let done: u32 = container.logs()?.trim().parse()?;
    ensure!(done == count, "the generator opened {done} times");
    // What a container behind it does is reported only when everything before it has been judged.
    let marker = scene.run(
        &["--read-only", "--network=none", parent],
        &["touch", "/marker"],
    )?;
    scene
        .agent
        .expect_within(seconds(60), "the marker misdeed", |alert| {
            alert.rule() == READ_ONLY_WRITE && alert.is_about(&marker.id)
        })?;
    let after = balanced(scene)?;
    let missed = "vigia_kernel_recursion_misses_total";
    Ok(Opens {
        seen: in_scope(&after) - in_scope(&before),
        missed: after.sum(missed, &[]) - before.sum(missed, &[]),
    })
}

/// Opens by tasks that are watched.
fn in_scope(metrics: &Metrics) -> f64 {
    let of = |cause| {
        metrics.sum(
            "vigia_kernel_events_filtered_total",
            &[("class", "open"), ("cause", cause)],
        )
    };
    metrics.sum("vigia_kernel_events_seen_total", &[("class", "open")])
        - of("out_of_scope")
        - of("agent")
}

/// Waits until every sum has held, then for a scrape.
fn balanced(scene: &Scene) -> Result<Metrics> {
    let broken = sums::never_held(seconds(60), || scene.agent.metrics().ok());
    ensure!(broken.is_empty(), "sums that never hold: {broken:#?}");
    scene.agent.metrics()
}
