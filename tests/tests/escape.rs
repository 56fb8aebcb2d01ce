//! A process that leaves its container stays the container's.

use anyhow::{Result, ensure};
use vigia_tests::Scene;
use vigia_tests::docker::privileged;
use vigia_tests::rules::CREDENTIALS_READ;

#[test]
fn deeds_in_the_hosts_mount_namespace_bear_the_containers_name() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    // Any process of the host will do; its init is out of reach on some machines.
    let target = std::process::id();
    let script =
        format!("exec nsenter -t {target} -m -- /bin/sh -c 'cat /etc/shadow > /dev/null; true'");
    let options = [privileged()?, vec!["--pid=host", "--network=none"]].concat();
    let container = scene.run(&options, &["sh", "-c", &script])?;
    ensure!(container.wait()? == 0, "{}", container.logs()?);
    let alert = scene
        .agent
        .expect("the read of the host's password hashes", |alert| {
            alert.rule() == CREDENTIALS_READ && alert.text("/evidence/file/path") == "/etc/shadow"
        })?;
    ensure!(alert.container_name() == container.name, "{}", alert.json());
    ensure!(
        alert.text("/container/image") == scene.image.name,
        "{}",
        alert.json()
    );
    Ok(())
}
