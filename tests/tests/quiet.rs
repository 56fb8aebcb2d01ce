//! Services that people run: no alert at default priority.

use anyhow::{Result, ensure};
use vigia_tests::Docker;
use vigia_tests::quiet::{self, Pace, SERVICES};
use vigia_tests::scene::{self, Programs};

#[test]
#[allow(clippy::print_stdout, reason = "a table for whoever looks at the test")]
fn services_under_load_raise_no_alert() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let rows = quiet::run(&Docker::find()?, &programs, Pace::SHORT, &[], |row| {
        println!("{}", row.line())
    })?;
    let complaints: Vec<_> = rows
        .iter()
        .filter(|row| !row.holds())
        .map(|row| format!("{}\n  {}", row.line(), row.complaints().join("\n  ")))
        .collect();
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    ensure!(rows.len() == 2 * SERVICES.len());
    Ok(())
}

#[test]
fn the_mounts_of_each_service_are_documented() -> Result<()> {
    let page = std::fs::read_to_string(scene::repository().join("docs/quiet.md"))?;
    for service in SERVICES {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {} ", service.name)))
            .unwrap_or_default();
        for word in service.tmpfs.iter().chain([&service.user]) {
            ensure!(
                row.contains(&format!("`{word}`")),
                "{}: {word}: {row}",
                service.name
            );
        }
    }
    Ok(())
}
