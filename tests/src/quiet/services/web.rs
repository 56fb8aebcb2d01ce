//! A Python web application behind gunicorn: templates, a database file, uploads, a child process.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Place, Service, nginx};

pub(super) const SERVICE: Service = Service {
    name: "web",
    user: "www-data",
    environment: &[],
    secrets: &["session-key"],
    volumes: &["/data"],
    tmpfs: &["/run", "/tmp", "/var/log/web"],
    read_only_command: &[],
    port: Some(8000),
    ready: "",
    unit: "requests",
    least_per_second: 10,
    load,
    reload,
    rotate,
    stopped: "0",
};

const CONNECTIONS: u32 = 8;

fn load(place: &Place<'_>, time: Duration) -> Result<u64> {
    let said = place.load(&format!(
        r#"
        cat > /tmp/mix.lua <<'LUA'
        local count = 0
        local paths = {{"/", "/", "/", "/", "/", "/", "/order", "/report"}}
        function request()
            count = count + 1
            if count % 9 == 0 then
                return wrk.format("POST", "/upload", nil, string.rep("x", 20000))
            end
            return wrk.format("GET", paths[count % 9])
        end
LUA
        wrk --threads 1 --connections {CONNECTIONS} --duration {seconds}s --script /tmp/mix.lua http://127.0.0.1:8000
        ab -q -n 20 -c 2 http://127.0.0.1:8000/ | grep -q 'Failed requests: *0'
        "#,
        seconds = time.as_secs()
    ))?;
    nginx::requests(&said).with_context(|| format!("no count of requests in {said}"))
}

fn reload(place: &Place<'_>) -> Result<()> {
    const DONE: &str = "Handling signal: hup";
    let before = place.count_said(DONE);
    place.signal("HUP")?;
    place.said(DONE, before)?;
    place.exec(&["sh", "-c", "kill -HUP $(cat /run/web.pid)"])?;
    place.said(DONE, before + 1)
}

fn rotate(place: &Place<'_>) -> Result<()> {
    const LOG: &str = "/var/log/web/access.log";
    place.exec(&["mv", LOG, "/var/log/web/access.log.1"])?;
    place.signal("USR1")?;
    place.holds("a new log", &["test", "-e", LOG])
}
