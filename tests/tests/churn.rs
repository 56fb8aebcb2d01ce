//! Processes and containers that come and go by the thousand: tables and memory return to where they were, what was
//! lost is counted, and nothing is told of the wrong process.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use vigia_tests::Scene;
use vigia_tests::docker::{LABEL, unique};
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::{scene, wait};

/// What is forgotten is kept for a grace period first.
const FORGOTTEN: Duration = Duration::from_secs(150);
/// What a table may hold more than before: the machine has other processes.
const SLACK: f64 = 60.0;
/// How much the agent may have grown by a second round of the same, in KiB: allocators keep some.
const GROWTH_KIB: u64 = 24 * 1024;

/// Entries of one of the agent's tables.
fn entries(scene: &Scene, table: &str) -> Result<f64> {
    let metrics = scene.agent.metrics()?;
    ensure!(metrics.has("vigia_table_entries"), "no table is told of");
    Ok(metrics.sum("vigia_table_entries", &[("table", table)]))
}

fn memory_kib(scene: &Scene) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", scene.agent.pid()))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("the agent's memory")?;
    let number = line.trim().split(' ').next().context("a number")?;
    Ok(number.parse()?)
}

fn shrinks_to(scene: &Scene, table: &str, before: f64) -> Result<()> {
    let mut last = 0.0;
    wait::poll(FORGOTTEN, || {
        last = entries(scene, table).ok()?;
        (last <= before + SLACK).then_some(())
    })
    .with_context(|| format!("{table}: {last} entries are left of what were {before}"))
}

fn run(scene: &Scene, name: &str, command: &[&str]) -> Result<std::process::Output> {
    let label = format!("{LABEL}=1");
    let fixed = [
        "run",
        "--rm",
        "--read-only",
        "--network=none",
        "--label",
        &label,
        "--name",
        name,
        scene.image.name.as_str(),
    ];
    scene.docker.attempt(&[&fixed, command].concat())
}

#[test]
fn ten_thousand_processes_leave_nothing_behind_and_keep_their_names() -> Result<()> {
    const MARKS: usize = 100;
    // Each mark is a kind of its own, and of so many kinds one rule otherwise tells only some apart.
    let unfolded = [("/throttle/window_s", json!(0))];
    let Some(scene) = Scene::set_with(&unfolded)? else {
        return Ok(());
    };
    let before = entries(&scene, "processes")?;
    ensure!(before > 0.0, "the agent is ready and knows of no process");
    let mut after_first = 0;
    for round in 0..2 {
        // One in a hundred does something that is told of, with a name of its own in its arguments. By its path, since the
        // shell otherwise runs its own applet without executing anything.
        let script = format!(
            "i=0; while [ $i -lt {MARKS} ]; do j=0; \
             while [ $j -lt 99 ]; do /bin/true; j=$((j+1)); done; \
             /bin/touch /mark-{round}-$i; i=$((i+1)); done; true"
        );
        let start = Instant::now();
        let ran = run(&scene, &unique("churn"), &["sh", "-c", &script])?;
        ensure!(ran.status.success(), "the loop did not end: {ran:?}");
        eprintln!("10,000 processes in {:.1} s", start.elapsed().as_secs_f64());
        scene.settle()?;
        let prefix = format!("/mark-{round}-");
        let alerts: Vec<_> = scene
            .agent
            .alerts()
            .into_iter()
            .filter(|alert| alert.rule() == READ_ONLY_WRITE)
            .filter(|alert| alert.text("/output_fields/fd.name").starts_with(&prefix))
            .collect();
        for alert in &alerts {
            let path = alert.text("/output_fields/fd.name");
            let command = alert.text("/output_fields/proc.cmdline");
            ensure!(
                command == format!("touch {path}"),
                "{path} is told of another process: {command}"
            );
        }
        let metrics = scene.agent.metrics()?;
        let lost = metrics.sum("vigia_kernel_events_lost_total", &[]);
        // What an engine under load is too slow to say something of is judged without it, and told in one partial alert.
        let late = metrics.sum("vigia_events_released_total", &[("cause", "deadline")]);
        ensure!(
            alerts.len() == MARKS || lost + late > 0.0,
            "{} of {MARKS} were told of, and nothing was lost or late",
            alerts.len()
        );
        ensure!(!alerts.is_empty(), "nothing was told of");
        shrinks_to(&scene, "processes", before)?;
        let memory = memory_kib(&scene)?;
        if round == 0 {
            after_first = memory;
        } else {
            ensure!(
                memory <= after_first + GROWTH_KIB,
                "the agent has grown from {after_first} to {memory} KiB"
            );
        }
    }
    let metrics = scene.agent.metrics()?;
    ensure!(
        metrics.has("vigia_table_evicted_total"),
        "evictions are not counted"
    );
    Ok(())
}

#[test]
fn containers_that_come_and_go_leave_nothing_behind() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let wanted = scene::time(scene::CHURN_S, scene::DEFAULT_CHURN_S)?;
    let before = entries(&scene, "containers")?;
    let first = memory_kib(&scene)?;
    let end = Instant::now() + wanted;
    let made = std::thread::scope(|scope| -> Result<usize> {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| -> Result<usize> {
                    let mut made = 0;
                    while Instant::now() < end {
                        let ran = run(&scene, &unique("coming"), &["true"])?;
                        ensure!(ran.status.success(), "a container did not run: {ran:?}");
                        made += 1;
                    }
                    Ok(made)
                })
            })
            .collect();
        let each = workers.into_iter().map(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a worker died"))?
        });
        each.sum()
    })?;
    eprintln!("{made} containers in {wanted:?}");
    ensure!(made >= 10, "only {made} containers were made");
    scene.settle()?;
    let most = entries(&scene, "containers")?;
    wait::poll(FORGOTTEN, || {
        let left = entries(&scene, "containers").ok()?;
        (left <= before).then_some(())
    })
    .with_context(|| format!("containers are left of {before} and {most}"))?;
    let memory = memory_kib(&scene)?;
    ensure!(
        memory <= first + 2 * GROWTH_KIB,
        "the agent has grown from {first} to {memory} KiB by {made} containers"
    );
    let evicted = scene.agent.metrics()?.sum("vigia_table_evicted_total", &[]);
    ensure!(evicted == 0.0, "{evicted} entries were evicted");
    Ok(())
}
