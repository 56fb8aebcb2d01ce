//! What a container may do, and within which limits, from the verbose part of its status.

use bstr::BString;
use vigia_event::container::{DEFAULT_CAPABILITIES, HostNamespaces, Promises};
use vigia_event::text::{capability_bits, capability_names};

use super::info::{Config, Info, SecurityContext, Spec, SpecMount, SpecNamespace};
use super::messages::{NamespaceOption, namespace_mode};
use crate::engines::declared::{MAX_NAMES, capabilities, cpu_millis, limit, secret_variables};
use crate::engines::limits;

/// A profile that the container's creator brought along.
const LOCAL_PROFILE: i32 = 2;

/// What a container was started with.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) privileged: bool,
    pub(super) read_only: bool,
    pub(super) host_namespaces: HostNamespaces,
    pub(super) promises: Promises,
}

/// Puts it together; `of_pod` are the namespaces that its pod asked for.
pub(super) fn of(info: Info, of_pod: NamespaceOption) -> Declared {
    let Info { config, .. } = info;
    let privileged = info.privileged || config.linux.security_context.privileged;
    // Nothing is known of the rights: nothing is promised either.
    let Some(spec) = info.runtime_spec else {
        return Declared {
            privileged,
            promises: Promises {
                seccomp: "unconfined".into(),
                joined_namespaces: ALL,
                ..Promises::default()
            },
            ..Declared::default()
        };
    };
    let context = &config.linux.security_context;
    let asked = context
        .namespace_options
        .map_or(of_pod, NamespaceOption::from);
    let (capabilities_added, capabilities_dropped) = rights(context, &spec);
    let resources = &spec.linux.resources;
    let user = &spec.process.user;
    let promises = Promises {
        user: match (user.uid, user.gid) {
            (0, _) => BString::default(),
            (uid, gid) => format!("{uid}:{gid}").into(),
        },
        capabilities_added,
        capabilities_dropped,
        no_new_privileges: spec.process.no_new_privileges,
        seccomp: match (&spec.linux.seccomp, context.seccomp.profile_type) {
            (None, _) => "unconfined",
            (Some(_), LOCAL_PROFILE) => "custom",
            (Some(_), _) => "",
        }
        .into(),
        memory_limit_bytes: limit(resources.memory.limit),
        pids_limit: limit(resources.pids.limit),
        cpu_limit_millis: cpu_millis(0, resources.cpu.quota, resources.cpu.period),
        // What leads into it is set up for the pod, by a plugin that nobody asks.
        ports: Vec::new(),
        devices: devices(&config, &spec, privileged),
        joined_namespaces: joined(&spec),
        // Restarts are the kubelet's.
        restart_policy: BString::default(),
        tmpfs: spec
            .mounts
            .into_iter()
            .filter(is_scratch)
            .take(MAX_NAMES)
            .map(|mount| limits::text(mount.destination))
            .collect(),
        secret_variables: secret_variables(spec.process.env),
        apparmor: limits::text(spec.process.apparmor_profile),
        selinux: limits::text(spec.process.selinux_label),
    };
    Declared {
        privileged,
        read_only: spec.root.readonly,
        host_namespaces: of_host(&spec.linux.namespaces, asked),
        promises,
    }
}

/// Capabilities added and dropped: as asked for, where the engine repeats that, else by what the runtime was told, compared
/// with what engines give by default.
fn rights(context: &SecurityContext, spec: &Spec) -> (Vec<BString>, Vec<BString>) {
    if let Some(asked) = &context.capabilities {
        return (
            capabilities(asked.add_capabilities.clone()),
            capabilities(asked.drop_capabilities.clone()),
        );
    }
    let held = capabilities(spec.process.capabilities.bounding.clone());
    let is_default =
        |name: &BString| capability_bits(name).is_some_and(|bit| bit & DEFAULT_CAPABILITIES != 0);
    let kept = held
        .iter()
        .filter_map(|name| capability_bits(name))
        .fold(0, |all, bit| all | bit);
    let dropped = match DEFAULT_CAPABILITIES & !kept {
        DEFAULT_CAPABILITIES => vec!["ALL".into()],
        dropped => capability_names(dropped).map(BString::from).collect(),
    };
    let added = held.into_iter().filter(|name| !is_default(name)).collect();
    (added, dropped)
}

/// Paths of devices on the host; CRI-O only tells where the container finds them, which mostly is the same.
fn devices(config: &Config, spec: &Spec, privileged: bool) -> Vec<BString> {
    let asked = config.devices.iter().map(|device| &device.host_path);
    // A privileged one has all there are.
    let told = spec.linux.devices.iter().map(|device| &device.path);
    let told = told.filter(|_| !privileged && config.devices.is_empty());
    asked
        .chain(told)
        .take(MAX_NAMES)
        .map(|path| limits::text(path.clone()))
        .collect()
}

/// Whether this is a file system in memory that can be written to, beyond those of every container.
fn is_scratch(mount: &SpecMount) -> bool {
    let is_own = mount.destination == "/dev" || mount.destination.starts_with("/dev/");
    mount.kind == "tmpfs" && !is_own && !mount.options.iter().any(|option| option == "ro")
}

const ALL: HostNamespaces = HostNamespaces {
    pid: true,
    network: true,
    ipc: true,
    uts: true,
    user: true,
    cgroup: true,
};

/// The namespaces of the host: those asked for, and those of which the runtime is to make none. A container without a
/// user namespace of its own is nothing special.
fn of_host(namespaces: &[SpecNamespace], asked: NamespaceOption) -> HostNamespaces {
    let is_absent = |kind: &str| namespaces.iter().all(|namespace| namespace.kind != kind);
    let is_asked = |mode: i32| mode == namespace_mode::NODE;
    HostNamespaces {
        pid: is_asked(asked.pid) || is_absent("pid"),
        network: is_asked(asked.network) || is_absent("network"),
        ipc: is_asked(asked.ipc) || is_absent("ipc"),
        uts: is_absent("uts"),
        user: false,
        cgroup: is_absent("cgroup"),
    }
}

/// Those that the runtime takes from elsewhere: the pod's, mostly.
fn joined(spec: &Spec) -> HostNamespaces {
    let is_joined = |kind: &str| {
        let mut namespaces = spec.linux.namespaces.iter();
        namespaces.any(|namespace| namespace.kind == kind && !namespace.path.is_empty())
    };
    HostNamespaces {
        pid: is_joined("pid"),
        network: is_joined("network"),
        ipc: is_joined("ipc"),
        uts: is_joined("uts"),
        user: is_joined("user"),
        cgroup: is_joined("cgroup"),
    }
}
