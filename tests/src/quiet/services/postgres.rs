//! PostgreSQL with TLS and a password, under pgbench.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Place, Service};

pub(super) const SERVICE: Service = Service {
    name: "postgres",
    user: "postgres",
    environment: &["POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password"],
    secrets: &["postgres-password", "tls-key", "tls-certificate"],
    volumes: &["/var/lib/postgresql/data"],
    tmpfs: &["/run/postgresql", "/tmp", "/var/log/postgresql"],
    read_only_command: &[],
    port: Some(5432),
    ready: "",
    unit: "transactions",
    least_per_second: 20,
    load,
    reload,
    rotate,
    stopped: "0",
};

/// Where clients find it, with TLS.
const CLIENT: &str = "export PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=shop PGSSLMODE=require";

fn load(place: &Place<'_>, time: Duration) -> Result<u64> {
    let said = place.load(&format!(
        r#"
        {CLIENT}
        psql -qtAc "SELECT 1 FROM pgbench_branches LIMIT 1" 2>/dev/null || pgbench --initialize --quiet --scale=2
        pgbench --client=8 --jobs=2 --time={seconds}
        pgbench --connect --select-only --client=2 --transactions=20
        pg_dump --table=pgbench_tellers > /tmp/dump.sql
        "#,
        seconds = time.as_secs()
    ))?;
    let count = said
        .lines()
        .filter_map(|line| line.strip_prefix("number of transactions actually processed: "))
        .filter_map(|count| count.split('/').next()?.trim().parse::<u64>().ok());
    Some(count.sum())
        .filter(|sum| *sum > 0)
        .with_context(|| format!("no count of transactions in {said}"))
}

/// From outside, and with its own tool from inside.
fn reload(place: &Place<'_>) -> Result<()> {
    place.signal("HUP")?;
    loaded(place, 1)?;
    place.exec_as(&["--user=postgres"], &["pg_ctl", "reload"])?;
    loaded(place, 2)
}

/// Waits until the log tells so many reloads.
fn loaded(place: &Place<'_>, times: u32) -> Result<()> {
    let script =
        format!("test $(grep -c 'received SIGHUP' /var/log/postgresql/postgresql.log) -ge {times}");
    place.holds("the configuration to be read", &["sh", "-c", &script])
}

fn rotate(place: &Place<'_>) -> Result<()> {
    const LOG: &str = "/var/log/postgresql/postgresql.log";
    let script = format!("mv {LOG} {LOG}.1 && pg_ctl logrotate");
    place.exec_as(&["--user=postgres"], &["sh", "-c", &script])?;
    place.holds("a new log", &["test", "-e", LOG])
}
