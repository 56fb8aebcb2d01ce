//! Metrics as Prometheus sees them.

use anyhow::{Result, ensure};
use vigia_tests::Scene;
use vigia_tests::prometheus::{Prometheus, check_exposition};
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::wait::{self, seconds};

#[test]
fn promtool_has_nothing_to_say() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    scene.settle()?;
    let answer = scene.agent.get("/metrics")?;
    ensure!(answer.status() == Some(200), "{}", answer.start);
    check_exposition(&answer.text())
}

#[test]
fn a_real_prometheus_scrapes_what_happened() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let prometheus = Prometheus::start(scene.agent.address())?;
    wait::until("the first scrape", seconds(20), || {
        prometheus
            .query("up{job=\"vigia\"}")
            .filter(|&up| up == 1.0)
    })?;
    scene.settle()?;
    let query = format!("sum(vigia_rule_matches_total{{rule=\"{READ_ONLY_WRITE}\"}})");
    wait::until("the marker misdeed in Prometheus", seconds(10), || {
        prometheus.query(&query).filter(|&matches| matches >= 1.0)
    })?;
    Ok(())
}

#[test]
fn health_and_readiness_answer() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    for path in ["/healthz", "/readyz"] {
        let answer = scene.agent.get(path)?;
        ensure!(
            answer.status() == Some(200),
            "{path}: {} {}",
            answer.start,
            answer.text()
        );
    }
    ensure!(
        scene.agent.get("/nothing")?.status() == Some(404),
        "an unknown path is found"
    );
    Ok(())
}
