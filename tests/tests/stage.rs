//! The stage itself: what the other tests stand on does what it says, without an agent.

use anyhow::Result;
use vigia_tests::docker::{Configuration, Daemon, Docker, Network, Secret, Service, Swarm};
use vigia_tests::image::{Image, ROOT_FILE};
use vigia_tests::orders::Orders;
use vigia_tests::scene::{Programs, Turn};

#[test]
fn containers_of_the_image_obey_and_vanish() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let _turn = Turn::take()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let image = Image::make(&docker, Some(&programs.actor))?;
    let (container, output) = docker.run(
        &["--read-only", "--user=1000"],
        &image.name,
        &["sh", "-c", "id -u; touch /x"],
    )?;
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "1000",
        "{output:?}"
    );
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("Read-only file system"),
        "{output:?}"
    );
    drop(container);

    let orders = Orders::prepare()?;
    let command = Orders::command(&[ROOT_FILE]);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let running = docker.start(&[&orders.mount()], &image.name, &command)?;
    orders.ready()?;
    orders.read(ROOT_FILE)?;
    orders.run(&["touch", "/tmp/x"])?;
    assert!(orders.read("/absent").is_err());
    let (name, listed) = (
        running.name.clone(),
        docker.output(&["ps", "-q", "--filter", "label=org.vigia.tests"])?,
    );
    assert_eq!(listed.lines().count(), 1);
    drop(running);
    assert!(docker.output(&["inspect", &name]).is_err());
    Ok(())
}

#[test]
fn a_service_gets_its_secret_and_its_config() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let _turn = Turn::take()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let _swarm = Swarm::join_or_make(&docker)?;
    let image = Image::make(&docker, Some(&programs.actor))?;
    let secret = Secret::create(&docker, "secret", "hush")?;
    let config = Configuration::create(&docker, "config", "hello")?;
    let orders = Orders::prepare()?;
    let path = format!("/run/secrets/{}", secret.name);
    let command = Orders::command(&[&path, "/etc/hello"]);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let options = [
        "--read-only".to_owned(),
        orders.mount(),
        format!("--secret={}", secret.name),
        format!("--config=source={},target=/etc/hello", config.name),
    ];
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let service = Service::create(&docker, &options, &image.name, &command)?;
    orders.ready()?;
    assert_eq!(service.container()?.len(), 64);
    Ok(())
}

#[test]
fn a_daemon_of_our_own_can_crash_and_come_back() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let _turn = Turn::take()?;
    let mut daemon = Daemon::start(Network::None)?;
    let docker = Docker::connect(daemon.socket())?;
    let image = Image::make(&docker, Some(&programs.actor))?;
    let running = docker.start(&["--network=none"], &image.name, &["sleep", "600"])?;
    let pid = running.pid()?;
    daemon.kill()?;
    assert!(Docker::connect(daemon.socket()).is_err());
    assert!(
        std::path::Path::new(&format!("/proc/{pid}")).exists(),
        "the container outlives its daemon"
    );
    daemon.resume()?;
    assert_eq!(running.pid()?, pid);
    Ok(())
}
