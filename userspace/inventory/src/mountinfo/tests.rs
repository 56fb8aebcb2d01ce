use vigia_event::container::{DeclaredMount, Engine, Inspected};
use vigia_event::mount::{MountKind, MountTable};
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::*;

const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";

/// A task of a Swarm service with `--read-only`, two secrets, two configurations, a volume and a tmpfs, as
/// Docker 20.10 made it (shortened to one cgroup).
const SWARM_TASK: &str = "\
135 89 0:41 / / ro,relatime master:3 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/7Y:/var/lib/docker/overlay2/l/RZ,upperdir=/u/diff,workdir=/u/work
136 135 0:53 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
137 135 0:54 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
138 137 0:55 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666
139 135 0:56 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
140 139 0:57 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
141 140 0:29 /docker/cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a /sys/fs/cgroup/cpu ro,nosuid,nodev,noexec,relatime - cgroup cgroup rw,cpu
150 137 0:49 / /dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw
151 137 0:58 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
152 135 254:0 /var/lib/docker/volumes/c-vol/_data /data rw,relatime master:1 - ext4 /dev/vda rw,discard
153 135 0:59 / /scratch rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw
154 135 254:0 /var/lib/docker/containers/cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a/resolv.conf /etc/resolv.conf ro,relatime - ext4 /dev/vda rw,discard
155 135 254:0 /var/lib/docker/containers/cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a/hostname /etc/hostname ro,relatime - ext4 /dev/vda rw,discard
156 135 254:0 /var/lib/docker/containers/cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a/hosts /etc/hosts ro,relatime - ext4 /dev/vda rw,discard
157 135 0:43 /irji60vbbc0f5240ofhh8xld7 /etc/app.conf ro,relatime master:4 - tmpfs tmpfs ro
158 135 0:43 /09qoo4s7kfgxnpp0sh8h5ff85 /etc/tls/key ro,relatime master:4 - tmpfs tmpfs ro
159 135 0:43 /odyhv6fhv9qb76mwjswo3norn /run/secrets/c-db ro,relatime master:4 - tmpfs tmpfs ro
160 135 0:43 /ust47not0um9wy8rffckd8zix /run/secrets/looks-secret ro,relatime master:4 - tmpfs tmpfs ro
90 136 0:53 /bus /proc/bus ro,nosuid,nodev,noexec,relatime - proc proc rw
94 136 0:60 / /proc/acpi ro,relatime - tmpfs tmpfs ro
95 136 0:54 /null /proc/keys rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
";

const HOST: &str = "\
20 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
21 20 0:20 / /proc rw - proc proc rw
22 20 0:24 / /run rw,nosuid - tmpfs tmpfs rw,mode=755
23 20 0:43 / /var/lib/docker/containers/cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a/mounts/secrets ro,relatime shared:4 - tmpfs tmpfs ro
24 20 0:77 / /var/lib/kubelet/pods/11/volumes/kubernetes.io~projected/kube-api-access-x rw shared:9 - tmpfs tmpfs rw
25 20 0:78 / /var/lib/kubelet/pods/11/volumes/kubernetes.io~secret/db rw shared:9 - tmpfs tmpfs rw
26 20 0:79 / /var/lib/kubelet/pods/11/volumes/kubernetes.io~empty-dir/scratch rw shared:9 - tmpfs tmpfs rw
27 20 0:78 /..2026/key /var/lib/kubelet/pods/11/volume-subpaths/db/app/0 rw shared:9 - tmpfs tmpfs rw
28 20 0:80 / /var/lib/kubelet/pods/11/volumes/kubernetes.io~csi/vault-kv/mount rw shared:9 - tmpfs tmpfs rw
29 20 0:81 / /var/lib/kubelet/pods/11/volumes/kubernetes.io~empty-dir/vault-secrets rw shared:9 - tmpfs tmpfs rw
30 20 254:9 / /var/lib/kubelet/pods/11/volumes/kubernetes.io~csi/pvc-7/mount rw shared:9 - ext4 /dev/vdb rw
";

fn host() -> MountTable {
    classify_host(parse(HOST.as_bytes()).mounts)
}

fn table(text: &str, swarm: &SwarmObjects, declared: &[DeclaredMount]) -> MountTable {
    let parsed = parse(text.as_bytes());
    assert_eq!((parsed.malformed, parsed.truncated), (0, false));
    classify(
        parsed.mounts,
        &Surroundings {
            host: &host(),
            swarm,
            declared,
        },
    )
}

fn kind_at(table: &MountTable, path: &str) -> (MountKind, bool) {
    let mount = table.find(path.as_bytes()).expect("a mount");
    (mount.kind, mount.read_only)
}

#[test]
fn every_mount_of_a_swarm_task_has_its_kind() {
    let table = table(SWARM_TASK, &SwarmObjects::default(), &[]);
    for (path, kind, read_only) in [
        ("/", MountKind::Root, true),
        ("/usr/bin", MountKind::Root, true),
        ("/proc/1/status", MountKind::Kernel, false),
        ("/proc/acpi", MountKind::Kernel, true),
        ("/proc/keys", MountKind::Kernel, false),
        ("/dev/null", MountKind::Kernel, false),
        ("/dev/shm/x", MountKind::Tmpfs, false),
        ("/sys/fs/cgroup/cpu", MountKind::Kernel, true),
        ("/data/file", MountKind::Volume, false),
        ("/scratch", MountKind::Tmpfs, false),
        ("/etc/hosts", MountKind::Engine, true),
        ("/etc/app.conf", MountKind::Secret, true),
        ("/run/secrets/c-db", MountKind::Secret, true),
    ] {
        assert_eq!(kind_at(&table, path), (kind, read_only), "{path}");
    }
    assert_eq!(table.root_read_only(), Some(true));
}

#[test]
fn secrets_and_configurations_of_a_swarm_are_told_apart_where_that_is_possible() {
    let known: SwarmObjects = [
        ("irji60vbbc0f5240ofhh8xld7", SecretKind::Config, "c-cfg"),
        ("09qoo4s7kfgxnpp0sh8h5ff85", SecretKind::Secret, "c-tls"),
        ("ust47not0um9wy8rffckd8zix", SecretKind::Config, "c-cfg2"),
    ]
    .map(|(id, kind, name)| {
        (
            id.to_owned(),
            SwarmObject {
                kind,
                name: name.into(),
            },
        )
    })
    .into_iter()
    .collect();
    for (known, expected) in [
        (
            SwarmObjects::default(),
            [
                ("/etc/app.conf", "app.conf", SecretKind::Unknown),
                ("/etc/tls/key", "key", SecretKind::Unknown),
                ("/run/secrets/c-db", "c-db", SecretKind::Secret),
                (
                    "/run/secrets/looks-secret",
                    "looks-secret",
                    SecretKind::Secret,
                ),
            ],
        ),
        (
            known,
            [
                ("/etc/app.conf", "c-cfg", SecretKind::Config),
                ("/etc/tls/key", "c-tls", SecretKind::Secret),
                ("/run/secrets/c-db", "c-db", SecretKind::Secret),
                ("/run/secrets/looks-secret", "c-cfg2", SecretKind::Config),
            ],
        ),
    ] {
        let secrets = table(SWARM_TASK, &known, &[]).secrets;
        let found: Vec<_> = secrets
            .iter()
            .map(|secret| {
                (
                    secret.path.to_str().expect("text"),
                    secret.name.to_str().expect("text"),
                    secret.kind,
                )
            })
            .collect();
        assert_eq!(found, expected);
        assert!(
            secrets
                .iter()
                .all(|secret| secret.source == SecretSource::Swarm && secret.dev == 43)
        );
    }
}

#[test]
fn secrets_of_other_makers_are_found() {
    for (line, name, source) in [
        (
            "134 83 254:0 /srv/db.txt /run/secrets/file_secret ro,relatime - ext4 /dev/vda rw",
            "file_secret",
            SecretSource::Compose,
        ),
        (
            "134 83 254:0 /srv/secrets /run/secrets ro - ext4 /dev/vda rw",
            "secrets",
            SecretSource::Compose,
        ),
        (
            "134 83 0:90 / /run/secrets rw - tmpfs tmpfs rw",
            "secrets",
            SecretSource::Unknown,
        ),
        (
            "134 83 254:0 /var/lib/containers/storage/overlay-containers/cb88/userdata/secrets/db /run/secrets/db rw - ext4 /dev/vda rw",
            "db",
            SecretSource::Podman,
        ),
        (
            "134 83 254:0 /containers/storage/overlay-containers/cb88/userdata/secrets/db /opt/key rw - ext4 /dev/vda rw",
            "key",
            SecretSource::Podman,
        ),
        (
            "9 8 0:77 / /run/secrets/kubernetes.io/serviceaccount ro - tmpfs tmpfs rw",
            "kube-api-access-x",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 0:78 / /etc/db ro - tmpfs tmpfs rw",
            "db",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 0:78 /..2026/key /etc/one ro - tmpfs tmpfs rw",
            "db/key",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 254:0 /var/lib/kubelet/pods/11/volumes/kubernetes.io~secret/disk /etc/disk ro - ext4 /dev/vda rw",
            "disk",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 254:0 /var/lib/kubelet/pods/11/volumes/kubernetes.io~secret/disk/..2026/a/key /etc/disk ro - ext4 /dev/vda rw",
            "disk/a/key",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 0:80 / /app/secrets ro - tmpfs tmpfs rw",
            "vault-kv",
            SecretSource::Csi,
        ),
        (
            "9 8 254:0 /srv/store /mnt/secrets-store ro - ext4 /dev/vda rw",
            "secrets-store",
            SecretSource::Csi,
        ),
        (
            "9 8 0:81 / /vault/secrets rw - tmpfs tmpfs rw",
            "vault",
            SecretSource::Vault,
        ),
        (
            "9 8 0:91 / /var/run/secrets/eks.amazonaws.com/serviceaccount ro - tmpfs tmpfs rw",
            "aws-iam-token",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 0:91 / /run/secrets/azure/tokens ro - tmpfs tmpfs rw",
            "azure-identity-token",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 0:91 / /var/run/secrets/tokens ro - tmpfs tmpfs rw",
            "tokens",
            SecretSource::Kubernetes,
        ),
        (
            "9 8 254:0 /srv/tokens /run/secrets/tokens ro - ext4 /dev/vda rw",
            "tokens",
            SecretSource::Compose,
        ),
    ] {
        let table = table(line, &SwarmObjects::default(), &[]);
        let found: Vec<_> = table
            .secrets
            .iter()
            .map(|secret| (secret.name.to_string(), secret.source, secret.kind))
            .collect();
        assert_eq!(
            found,
            [(name.to_owned(), source, SecretKind::Secret)],
            "{line}"
        );
    }
    let declared = DeclaredMount {
        source: "/var/lib/kubelet/pods/9/volumes/kubernetes.io~secret/tls".into(),
        destination: "/etc/tls".into(),
        ..DeclaredMount::default()
    };
    let table = table(
        "9 8 0:99 / /etc/tls ro - tmpfs tmpfs rw",
        &SwarmObjects::default(),
        &[declared],
    );
    assert_eq!(table.secrets[0].name, "tls");
}

#[test]
fn what_only_looks_like_a_secret_is_none() {
    for (line, kind) in [
        ("9 8 0:79 / /cache rw - tmpfs tmpfs rw", MountKind::Volume),
        (
            "9 8 0:24 /docker.sock /run/docker.sock rw - tmpfs tmpfs rw",
            MountKind::Volume,
        ),
        (
            "9 8 254:0 /odyhv6fhv9qb76mwjswo3norn /x rw - ext4 /dev/vda rw",
            MountKind::Volume,
        ),
        ("9 8 0:98 / /run rw - tmpfs tmpfs rw", MountKind::Tmpfs),
        (
            "9 8 254:0 /srv/x /run/secretsx rw - ext4 /dev/vda rw",
            MountKind::Volume,
        ),
        (
            "9 8 254:0 /srv/hosts /etc/hosts rw - ext4 /dev/vda rw",
            MountKind::Volume,
        ),
        (
            "9 8 254:0 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw - ext4 /dev/vda rw",
            MountKind::Engine,
        ),
        ("9 8 0:20 / /host/proc rw - proc proc rw", MountKind::Kernel),
        // What an agent of the node sees of other containers' secrets was not granted to it.
        (
            "9 8 0:78 / /host/var/lib/kubelet/pods/11/volumes/kubernetes.io~secret/db rw - tmpfs tmpfs rw",
            MountKind::Volume,
        ),
        (
            "9 8 0:78 /..2026/key /var/lib/kubelet/pods/11/volume-subpaths/db/app/0 rw - tmpfs tmpfs rw",
            MountKind::Volume,
        ),
        ("9 8 254:9 / /data rw - ext4 /dev/vdb rw", MountKind::Volume),
    ] {
        let table = table(line, &SwarmObjects::default(), &[]);
        assert_eq!(
            (table.mounts[0].kind, table.secrets.len()),
            (kind, 0),
            "{line}"
        );
    }
    let token = SecretKind::Secret;
    for (source, name, public) in [
        (SecretSource::Kubernetes, "sa/ca.crt", true),
        (SecretSource::Kubernetes, "sa/namespace", true),
        (SecretSource::Kubernetes, "sa/token", false),
        (SecretSource::Kubernetes, "namespace", false),
        (SecretSource::Swarm, "x/ca.crt", false),
    ] {
        let secret = vigia_event::secret::SecretRef {
            name: name.into(),
            source,
            kind: token,
            ..Default::default()
        };
        assert_eq!(is_public_part(&secret), public, "{name}");
    }
}

#[test]
fn a_file_of_a_volume_is_called_by_its_key_in_every_version() {
    let whole = |source| SecretRef {
        name: "db".into(),
        path: "/etc/db".into(),
        source,
        ..SecretRef::default()
    };
    for (source, below, name, path) in [
        (SecretSource::Kubernetes, "", "db", "/etc/db"),
        (
            SecretSource::Kubernetes,
            "/..2026_11_27/key",
            "db/key",
            "/etc/db/key",
        ),
        (
            SecretSource::Kubernetes,
            "/..data/a/key",
            "db/a/key",
            "/etc/db/a/key",
        ),
        (SecretSource::Kubernetes, "/..2026_11_27", "db", "/etc/db"),
        (SecretSource::Csi, "/key", "db/key", "/etc/db/key"),
        (SecretSource::Vault, "/key", "db/key", "/etc/db/key"),
        (SecretSource::Compose, "/key", "key", "/etc/db/key"),
        (SecretSource::Compose, "", "db", "/etc/db"),
    ] {
        let part = part_of(&whole(source), below.as_bytes());
        assert_eq!(
            (part.name.to_string(), part.path.to_string()),
            (name.to_owned(), path.to_owned()),
            "{source:?} {below}"
        );
    }
    for (path, key) in [
        (
            "/var/lib/kubelet/pods/1/volumes/kubernetes.io~secret/db/..2026/key",
            Some("key"),
        ),
        (
            "/x/pods/1/volumes/kubernetes.io~csi/kv/mount/key",
            Some("key"),
        ),
        (
            "/var/lib/kubelet/pods/1/volumes/kubernetes.io~secret/db",
            None,
        ),
        (
            "/var/lib/kubelet/pods/1/volumes/xkubernetes.io~secret/db/key",
            None,
        ),
        ("/etc/db/key", None),
    ] {
        assert_eq!(
            key_on_host(path.as_bytes()),
            key.map(str::as_bytes),
            "{path}"
        );
    }
}

#[test]
fn only_what_is_made_for_secrets_holds_nothing_else() {
    for (line, expected) in [
        (
            "9 8 0:43 /odyhv6fhv9qb76mwjswo3norn /x ro - tmpfs tmpfs ro",
            true,
        ),
        ("9 8 0:78 / /etc/db ro - tmpfs tmpfs rw", true),
        ("9 8 0:78 /..2026/key /etc/one ro - tmpfs tmpfs rw", true),
        ("9 8 0:80 / /app/secrets ro - tmpfs tmpfs rw", true),
        ("9 8 0:90 / /run/secrets rw - tmpfs tmpfs rw", true),
        // The host's own /run, of which Podman binds a folder.
        (
            "9 8 0:24 /containers/secrets /run/secrets ro - tmpfs tmpfs rw",
            false,
        ),
        (
            "9 8 254:0 /srv/db.txt /run/secrets/db ro - ext4 /dev/vda rw",
            false,
        ),
    ] {
        let mount = &parse(line.as_bytes()).mounts[0];
        assert_eq!(holds_only_secrets(mount, &host()), expected, "{line}");
    }
}

#[test]
fn lines_are_read_as_the_kernel_escapes_them() {
    let parsed =
        parse(b"1 0 8:1 /a\\040b\\134 /m\\011\\012x rw,ro - ext4 \\043src ro,lowerdir=/x,rw\n");
    let mount = &parsed.mounts[0];
    assert_eq!(
        (
            mount.root.as_bytes(),
            mount.point.as_bytes(),
            mount.source.as_bytes()
        ),
        (&b"/a b\\"[..], &b"/m\t\nx"[..], &b"#src"[..])
    );
    assert_eq!((mount.dev, mount.read_only), (8 << 20 | 1, true));
    for (root, expected) in [
        ("/..1/key//deleted", "/..1/key"),
        ("/x/deleted", "/x/deleted"),
    ] {
        let line = format!("1 0 0:9 {root} /m ro - tmpfs t rw");
        assert_eq!(parse(line.as_bytes()).mounts[0].root, expected);
    }
    // Only the kernel's own word counts, not what a path among the options spells.
    assert!(
        !parse(b"1 0 8:1 / / rw,relatime - overlay o rw,lowerdir=/x,ro,upperdir=/y\n").mounts[0]
            .read_only
    );
}

#[test]
fn hostile_lines_are_counted_and_never_panic() {
    for (text, malformed) in [
        ("", 0),
        ("\n\n", 0),
        ("x", 1),
        ("1 2 3:4 / / rw", 1),
        ("1 2 3:4 / / rw shared:1 - ", 1),
        ("99999999999 2 3:4 / / rw - t s rw", 1),
        ("1 2 99999:4 / / rw - t s rw", 1),
        ("1 2 3 / / rw - t s rw", 1),
        ("1 2 3:4 / relative rw - t s rw", 1),
        ("1 2 3:4 /\\ /\\0 rw - t s rw", 0),
        ("1 2 3:4 /\\777 /\\99 rw a b c - t s", 0),
    ] {
        assert_eq!(parse(text.as_bytes()).malformed, malformed, "{text}");
    }
    let many = "1 2 3:4 / / rw - t s rw\n".repeat(MAX_MOUNTS + 1);
    let parsed = parse(many.as_bytes());
    assert_eq!((parsed.mounts.len(), parsed.truncated), (MAX_MOUNTS, true));
}

#[test]
fn the_id_is_what_most_binds_of_the_engine_carry() {
    let bind = |id: &str, file: &str| {
        format!("1 2 8:1 /var/lib/docker/containers/{id}/{file} /etc/{file} rw - ext4 d rw\n")
    };
    let podman = format!(
        "1 2 0:9 /containers/storage/overlay-containers/{ID}/userdata/hostname /etc/hostname rw - tmpfs t rw"
    );
    let other = "a".repeat(64);
    for (text, expected) in [
        (SWARM_TASK.to_owned(), Some((ID, Engine::Docker))),
        (podman, Some((ID, Engine::Podman))),
        (HOST.to_owned(), None),
        (
            bind(ID, "hosts") + &bind(ID, "hostname") + &bind(&other, "resolv.conf"),
            Some((ID, Engine::Docker)),
        ),
        (bind(ID, "hosts") + &bind(&other, "hostname"), None),
        (bind("cafe", "hosts"), None),
        (
            format!("1 2 8:1 /run/sandboxes/{ID}/hostname /etc/hostname rw - ext4 d rw"),
            None,
        ),
    ] {
        assert_eq!(
            container_id(&parse(text.as_bytes()).mounts),
            expected,
            "{text}"
        );
    }
}

#[test]
fn the_declaration_stands_in_for_mounts_that_were_never_seen() {
    let declare = |source: &str, destination: &str, read_write| DeclaredMount {
        source: source.into(),
        destination: destination.into(),
        read_write,
        ..DeclaredMount::default()
    };
    let inspected = Inspected {
        declared_read_only: true,
        mounts: vec![
            declare("/srv/db", "/run/secrets/db", false),
            declare("/var/lib/docker/volumes/v/_data", "/data", true),
            declare("", "/scratch", true),
        ],
        ..Inspected::default()
    };
    let (host, swarm) = (host(), SwarmObjects::default());
    let table = table_of_declared(
        &inspected,
        &Surroundings {
            host: &host,
            swarm: &swarm,
            declared: &inspected.mounts,
        },
    );
    for (path, kind, read_only) in [
        ("/bin", MountKind::Root, true),
        ("/run/secrets/db", MountKind::Secret, true),
        ("/data", MountKind::Volume, false),
        ("/scratch", MountKind::Tmpfs, false),
        ("/proc/sys/kernel", MountKind::Kernel, true),
        ("/dev/shm", MountKind::Tmpfs, false),
        ("/etc/hosts", MountKind::Engine, true),
    ] {
        assert_eq!(kind_at(&table, path), (kind, read_only), "{path}");
    }
    assert_eq!(table.secrets.len(), 1);
}
