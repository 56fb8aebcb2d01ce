//! Alerts reach a receiver that was away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::wait::{self, seconds};
use vigia_tests::webhook::Receiver;
use vigia_tests::{Alert, Scene};

/// How long the receiver is away.
const AWAY: Duration = seconds(20);

#[test]
fn a_receiver_that_was_down_for_twenty_seconds_gets_every_alert_once() -> Result<()> {
    let mut receiver = Receiver::start()?;
    let webhook = json!([{ "name": "test", "url": receiver.url() }]);
    let Some(scene) = Scene::set_with(&[("/outputs/webhooks", webhook)])? else {
        return Ok(());
    };
    let misbehave = |count: usize| -> Result<Vec<_>> {
        (0..count)
            .map(|_| scene.run(&["--read-only", "--network=none"], &["touch", "/new"]))
            .collect()
    };
    let mut containers = misbehave(2)?;
    wait::until("the first alerts", seconds(15), || {
        (receiver.alerts().len() >= 2).then_some(())
    })?;

    receiver.down();
    let down = Instant::now();
    containers.extend(misbehave(5)?);
    wait::until("the receiver's time away", AWAY + seconds(1), || {
        (down.elapsed() > AWAY).then_some(())
    })?;
    receiver.up()?;
    containers.extend(misbehave(2)?);
    scene.settle()?;

    let printed: Vec<_> = scene.agent.alerts();
    wait::until("every alert at the receiver", seconds(60), || {
        (receiver.alerts().len() >= printed.len()).then_some(())
    })?;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for alert in receiver.alerts() {
        *times.entry(alert.text("/id").to_owned()).or_default() += 1;
    }
    ensure!(
        times.values().all(|&count| count == 1),
        "some came more than once: {times:?}"
    );
    ensure!(!times.contains_key(""), "an alert has no id");
    for container in &containers {
        let count = receiver
            .alerts()
            .iter()
            .filter(|alert| is_write(alert, &container.id))
            .count();
        ensure!(count == 1, "{count} alerts for {}", container.name);
    }
    let metrics = scene.agent.metrics()?;
    let of = |name: &str| metrics.sum(name, &[("output", "test")]);
    let (queued, delivered) = (
        of("vigia_output_queued_total"),
        of("vigia_output_delivered_total"),
    );
    let rest = of("vigia_output_pending")
        + of("vigia_output_dropped_total")
        + of("vigia_output_dead_lettered_total");
    ensure!(
        queued == delivered + rest,
        "queued {queued}, delivered {delivered}, the rest {rest}"
    );
    ensure!(
        of("vigia_output_retried_total") > 0.0,
        "nothing was tried again"
    );
    Ok(())
}

fn is_write(alert: &Alert, id: &str) -> bool {
    alert.rule() == READ_ONLY_WRITE && alert.is_about(id)
}
