//! Engines that are no service of the host's: a user's own, and drivers of volumes in containers.

use super::*;

#[test]
fn a_driver_of_volumes_reads_what_it_provides() {
    let mut scene = Scene::new();
    let mut main = scene.start();
    scene.exec(&mut main, "/usr/bin/secrets-store-csi");
    scene.source = SecretSource::Csi;
    let read = |scene: &mut Scene, task: &Task| scene.read_as(task, false).reader;
    assert_eq!(read(&mut scene, &main), Reader::Foreign);
    scene.serves_volumes = true;
    assert_eq!(read(&mut scene, &main), Reader::Engine);
    scene.source = SecretSource::Swarm;
    assert_eq!(
        read(&mut scene, &main),
        Reader::Foreign,
        "not of its making"
    );

    scene.source = SecretSource::Kubernetes;
    let mut shell = scene.fork(&main);
    scene.exec(&mut shell, "/bin/sh");
    assert_eq!(read(&mut scene, &shell), Reader::Foreign, "another program");
    let entered = scene.enter("/usr/bin/secrets-store-csi");
    assert_eq!(read(&mut scene, &entered), Reader::Foreign, "from outside");
    scene.exec_from(&mut shell, "/usr/bin/csi", Layer::Upper);
    assert_eq!(
        read(&mut scene, &shell),
        Reader::Foreign,
        "not from the image"
    );
}

#[test]
fn a_users_own_engine_reads_its_own_store() {
    let mut scene = Scene::new();
    let mut podman = task(400);
    podman.credentials.euid = 1000;
    podman.credentials.loginuid = 1000;
    scene.exec(&mut podman, "/usr/bin/podman");
    scene.expect(&podman, Reader::Host);
    scene.source = SecretSource::Podman;
    scene.expect(&podman, Reader::Engine);
    let mut copy = scene.fork(&podman);
    scene.exec(&mut copy, "/home/u/podman");
    scene.expect(&copy, Reader::Host);
}

#[test]
fn the_administrator_names_readers_of_the_host() {
    let mut scene = Scene::with(
        Readers::new(Options {
            host_mnt_ns: HOST_MNT,
            declared: vec!["/usr/bin/cat".to_owned()],
            declared_on_host: vec![
                "/usr/bin/restic".to_owned(),
                "/usr/local/bin/backup.sh".to_owned(),
            ],
            ..Options::default()
        }),
        "1",
    );
    let mut backup = task(400);
    scene.exec(&mut backup, "/usr/bin/restic");
    scene.expect(&backup, Reader::Declared);
    scene.exec(&mut backup, "/usr/bin/cat");
    let reason = scene.expect(&backup, Reader::Host);
    let entry =
        "; if this is expected, add /usr/bin/cat to secrets.host_readers in the configuration";
    assert!(reason.ends_with(entry), "{reason}");
    scene.exec_script(&mut backup, "/usr/local/bin/backup.sh");
    scene.expect(&backup, Reader::Declared);
    // Whatever calls itself a shell is not the administrator's.
    scene.exec(
        &mut backup,
        "/tmp/sh /usr/local/bin/backup.sh /run/secrets/dbpw",
    );
    scene.expect(&backup, Reader::Host);
    // What was mounted over a program by somebody in a namespace of their own is not the program.
    let mut apart = scene.fork(&backup);
    apart.namespaces.mnt = HOST_MNT + 1;
    scene.exec(&mut apart, "/usr/bin/restic");
    let reason = scene.expect(&apart, Reader::Host);
    assert!(
        !reason.contains("host_readers"),
        "it would not help: {reason}"
    );
}
