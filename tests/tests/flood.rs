//! A container that makes as much noise as it can must not hide what another one does.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use vigia_tests::Scene;
use vigia_tests::image::ACTOR_PATH;
use vigia_tests::orders::Orders;
use vigia_tests::rules::{OVER_BUDGET, READ_ONLY_WRITE};
use vigia_tests::wait::seconds;

#[test]
fn a_misdeed_beside_a_flood_is_reported_within_a_second_and_so_is_the_flood() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let orders = Orders::prepare()?;
    let command = Orders::command(&[]);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let quiet = scene.start(
        &["--read-only", "--network=none", &orders.mount()],
        &command,
    )?;
    orders.ready()?;
    scene.settle()?;

    let flooder = scene.start(
        &["--read-only", "--network=none"],
        &[ACTOR_PATH, "flood", "20"],
    )?;
    scene
        .agent
        .expect_within(seconds(20), "the flood", |alert| {
            alert.rule() == OVER_BUDGET && alert.is_about(&flooder.id)
        })?;
    ensure!(flooder.pid()? != 0, "the flood has ended too early");
    for number in 0..5 {
        // Each of a kind of its own, so that none is folded.
        let path = format!("/misdeed-{number}");
        let start = Instant::now();
        ensure!(
            orders.run(&["touch", &path]).is_err(),
            "the write was not refused"
        );
        scene
            .agent
            .expect_within(seconds(10), "the quiet container's misdeed", |alert| {
                alert.rule() == READ_ONLY_WRITE
                    && alert.is_about(&quiet.id)
                    && alert.text("/evidence/file/path") == path
            })?;
        let took = start.elapsed();
        ensure!(took < Duration::from_secs(1), "it took {took:?}");
    }
    Ok(())
}
