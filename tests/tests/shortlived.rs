//! Containers that misbehave at once and are gone.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use vigia_tests::Scene;
use vigia_tests::docker::{LABEL, unique};
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::wait::{self, seconds};

#[test]
fn thirty_in_a_row_are_reported_thirty_times_with_name_and_image() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let label = format!("{LABEL}=1");
    let names: Vec<_> = (0..30).map(|_| unique("brief")).collect();
    for name in &names {
        let fixed = [
            "run",
            "--rm",
            "--read-only",
            "--network=none",
            "--label",
            &label,
            "--name",
            name,
        ];
        let run = scene.docker.attempt(
            &[
                &fixed,
                [scene.image.name.as_str(), "touch", "/new"].as_slice(),
            ]
            .concat(),
        )?;
        ensure!(!run.status.success(), "the write was not refused");
    }
    let reported = || -> Vec<String> {
        let alerts = scene
            .agent
            .alerts()
            .into_iter()
            .filter(|alert| alert.rule() == READ_ONLY_WRITE);
        let ours = alerts.filter(|alert| alert.text("/container/image") == scene.image.name);
        ours.map(|alert| alert.container_name().to_owned())
            .filter(|name| names.contains(name))
            .collect()
    };
    let all = wait::poll(seconds(20), || {
        (reported().len() >= names.len()).then_some(())
    });
    scene.settle()?;
    let reported = reported();
    let distinct: BTreeSet<_> = reported.iter().collect();
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !distinct.contains(name))
        .collect();
    ensure!(
        all.is_some() && missing.is_empty(),
        "of 30, these were not reported: {missing:?}; losses: {}",
        scene.agent.losses()
    );
    ensure!(
        reported.len() == names.len(),
        "{} alerts for 30 containers",
        reported.len()
    );
    Ok(())
}
