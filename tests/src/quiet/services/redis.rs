//! Redis with a password and an append-only file, under redis-benchmark.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{Place, Service};

pub(super) const SERVICE: Service = Service {
    name: "redis",
    user: "redis",
    environment: &["REDIS_PASSWORD_FILE=/run/secrets/redis-password"],
    secrets: &["redis-password"],
    volumes: &["/data"],
    tmpfs: &["/var/log/redis"],
    read_only_command: &[],
    port: Some(6379),
    ready: "",
    unit: "commands",
    least_per_second: 500,
    load,
    reload,
    rotate,
    stopped: "0",
};

fn load(place: &Place<'_>, time: Duration) -> Result<u64> {
    let said = place.load(&format!(
        r#"
        end=$((SECONDS + {seconds}))
        while [ $SECONDS -lt $end ]; do
            redis-benchmark -a "$REDISCLI_AUTH" -q -c 20 -n 20000 -r 10000 -t set,get,lpush,lrange_100 > /dev/null
        done
        redis-cli BGSAVE
        redis-cli BGREWRITEAOF
        redis-cli INFO stats | tr -d '\r'
        "#,
        seconds = time.as_secs()
    ))?;
    said.lines()
        .find_map(|line| line.strip_prefix("total_commands_processed:")?.parse().ok())
        .with_context(|| format!("no count of commands in {said}"))
}

/// It has no signal for it: clients change its configuration, and have it written.
fn reload(place: &Place<'_>) -> Result<()> {
    let said = place.load("redis-cli CONFIG SET maxclients 500 && redis-cli CONFIG REWRITE")?;
    ensure!(said.lines().all(|line| line == "OK"), "{said}");
    place.holds(
        "the configuration to be written",
        &["grep", "-q", "^maxclients 500", "/data/redis.conf"],
    )?;
    // What people send all the same; it is ignored.
    place.signal("HUP")
}

/// It opens its log anew for each line.
fn rotate(place: &Place<'_>) -> Result<()> {
    const LOG: &str = "/var/log/redis/redis.log";
    place.exec(&["mv", LOG, "/var/log/redis/redis.log.1"])?;
    place.load("redis-cli BGSAVE")?;
    place.holds("a new log", &["test", "-s", LOG])
}
