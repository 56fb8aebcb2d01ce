//! An encrypted backup of a volume: by cron as root, by a loop in a shell script without.

use std::time::Duration;

use anyhow::Result;

use super::{Place, Service};

pub(super) const SERVICE: Service = Service {
    name: "backup",
    user: "backup",
    environment: &[],
    secrets: &["backup-key"],
    volumes: &["/data", "/backup"],
    tmpfs: &["/tmp", "/var/log/backup"],
    read_only_command: &["backup-loop"],
    port: None,
    ready: DONE,
    unit: "backups",
    least_per_second: 0,
    load,
    reload,
    rotate,
    stopped: "143",
};

/// What it writes after each backup.
const DONE: &str = " done\n";

/// Changes what is saved meanwhile.
fn load(place: &Place<'_>, time: Duration) -> Result<u64> {
    place.load(&format!(
        r#"
        end=$((SECONDS + {seconds}))
        while [ $SECONDS -lt $end ]; do
            head -c 200000 /dev/urandom > /data/file.$((RANDOM % 50))
            chmod 644 /data/file.*
            sleep 0.05
        done
        "#,
        seconds = time.as_secs()
    ))?;
    Ok(u64::try_from(place.count_said(DONE))?)
}

fn reload(place: &Place<'_>) -> Result<()> {
    place.signal("HUP")
}

fn rotate(place: &Place<'_>) -> Result<()> {
    const LOG: &str = "/var/log/backup/backup.log";
    place.exec(&["mv", LOG, "/var/log/backup/backup.log.1"])?;
    place.said(DONE, place.count_said(DONE))?;
    place.holds("a new log", &["test", "-s", LOG])
}
