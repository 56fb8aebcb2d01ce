//! nginx with TLS, static files and uploads.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Place, Service};

pub(super) const SERVICE: Service = Service {
    name: "nginx",
    user: "www-data",
    environment: &[],
    secrets: &["tls-key", "tls-certificate"],
    volumes: &[],
    tmpfs: &["/run/nginx", "/var/lib/nginx", "/var/log/nginx"],
    read_only_command: &[],
    port: Some(8443),
    ready: "",
    unit: "requests",
    least_per_second: 100,
    load,
    reload,
    rotate,
    stopped: "0",
};

const CONNECTIONS: u32 = 16;

fn load(place: &Place<'_>, time: Duration) -> Result<u64> {
    let script = format!(
        r#"
        cat > /tmp/mix.lua <<'LUA'
        local count = 0
        function request()
            count = count + 1
            return wrk.format("GET", count % 10 == 0 and "/" or "/" .. (count % 100 + 1) .. ".bin")
        end
LUA
        wrk --threads 2 --connections {CONNECTIONS} --duration {seconds}s --script /tmp/mix.lua https://127.0.0.1:8443
        head -c 1000000 /dev/zero > /tmp/body
        ab -q -n 50 -c 4 -p /tmp/body http://127.0.0.1:8080/upload | tee /tmp/uploads
        grep -q '^Complete requests: *50$' /tmp/uploads
        "#,
        seconds = time.as_secs()
    );
    let said = place.load(&script)?;
    requests(&said).with_context(|| format!("no count of requests in {said}"))
}

/// `12345 requests in 10.00s, 90.00MB read`; nothing where some were refused.
pub(super) fn requests(said: &str) -> Option<u64> {
    if said.contains("Non-2xx") {
        return None;
    }
    let (count, _) = said
        .lines()
        .find_map(|line| line.split_once(" requests in "))?;
    count.trim().parse().ok()
}

/// From outside, and as its manual says from inside.
fn reload(place: &Place<'_>) -> Result<()> {
    const DONE: &str = "reconfiguring";
    let before = place.count_said(DONE);
    place.signal("HUP")?;
    place.said(DONE, before)?;
    let before = place.count_said(DONE);
    place.exec(&["nginx", "-s", "reload"])?;
    place.said(DONE, before)
}

fn rotate(place: &Place<'_>) -> Result<()> {
    const DONE: &str = "reopening logs";
    const LOG: &str = "/var/log/nginx/access.log";
    place.exec(&["mv", LOG, "/var/log/nginx/access.log.1"])?;
    let before = place.count_said(DONE);
    place.signal("USR1")?;
    place.said(DONE, before)?;
    place.holds("a new log", &["test", "-e", LOG])?;
    place.exec(&["mv", LOG, "/var/log/nginx/access.log.2"])?;
    place.exec(&["sh", "-c", "kill -USR1 1"])?;
    place.holds("another log", &["test", "-e", LOG])
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_count_of_a_load_is_read() {
        for (said, expected) in [
            (
                "Running 8s test\n  12345 requests in 8.00s, 90MB read\n",
                Some(12345),
            ),
            (
                "12345 requests in 8.00s\nNon-2xx or 3xx responses: 5\n",
                None,
            ),
            ("nothing", None),
        ] {
            assert_eq!(super::requests(said), expected, "{said}");
        }
    }
}
