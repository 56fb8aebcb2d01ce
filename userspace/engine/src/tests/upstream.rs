//! The rule files people already have: they must be read, and mean what they mean to Falco.

use std::path::PathBuf;

use vigia_event::fields::{ArgumentRule, Availability, FieldRow, Shape, Stability};
use vigia_event::{Extracted, FieldType};

use crate::collection::Collection;
use crate::compile::compile_with;
use crate::diagnostics::Report;
use crate::fields::Catalogue;
use crate::lower::Lowering;
use crate::{Options, Problem, Source};

/// The rule files of Falco, where the checkout has them.
fn sources() -> Vec<Source> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/upstream-rules");
    let sources: Option<Vec<Source>> = ["falco_rules.yaml", "falco-incubating_rules.yaml"]
        .into_iter()
        .map(|name| {
            Some(Source::new(
                name,
                std::fs::read_to_string(folder.join(name)).ok()?,
            ))
        })
        .collect();
    if sources.is_none() {
        eprintln!("skipped: no upstream rules");
    }
    sources.unwrap_or_default()
}

macro_rules! stand_ins {
    ($( $name:literal $field_type:ident $shape:ident )*) => {
        &[ $( FieldRow {
            name: $name,
            field_type: FieldType::$field_type,
            shape: Shape::$shape,
            argument: ArgumentRule::None,
            stability: Stability::Stable,
            availability: Availability::Never,
            doc: "Stands in for a field to come.",
            example: "",
            extract: |_, _| Extracted::Missing,
        } ),* ]
    };
}

/// Fields of subjects that the event model does not have yet; one that it has goes first.
static TO_COME: &[FieldRow] = stand_ins! {
    "fd.cip.name" Text Single
    "fd.connected" Bool Single
    "fd.ip" Ip AnyOf
    "fd.l4proto" Text Single
    "fd.lip.name" Text Single
    "fd.lport" Port Single
    "fd.name_changed" Bool Single
    "fd.net" IpNet AnyOf
    "fd.port" Port AnyOf
    "fd.rip.name" Text Single
    "fd.rnet" IpNet Single
    "fd.rport" Port Single
    "fd.sip" Ip Single
    "fd.sip.name" Text Single
    "fd.snet" IpNet Single
    "fd.sockfamily" Text Single
    "fd.sport" Port Single
};

const CATALOGUE: Catalogue = Catalogue::of(|| Box::new(vigia_event::fields::all().chain(TO_COME)));

#[test]
fn upstream_rule_files_are_accepted() {
    for source in sources() {
        let compiled = compile_with(&[source], &Options::default(), CATALOGUE);
        let refused: Vec<String> = compiled
            .diagnostics
            .iter()
            .filter(|found| found.is_error())
            // Parameters of calls that the event model does not have yet.
            .filter(|found| !matches!(found.problem, Problem::UnknownParameter { .. }))
            .map(ToString::to_string)
            .collect();
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    }
}

#[test]
fn upstream_rules_have_the_event_types_they_have_in_falco() {
    let mut compared = 0;
    for source in sources() {
        let sources = [source];
        let collection = Collection::read(&sources, CATALOGUE, &mut Report::new(&sources));
        let mut lowering = Lowering::new(&collection, CATALOGUE);
        lowering.macros_in_order();
        for definition in &collection.rules {
            let Some(node) = lowering.rule(&definition.condition).node else {
                continue;
            };
            let types = lowering.graph.event_types(node);
            let mut names: Vec<&str> = types.iter().map(|event_type| event_type.name()).collect();
            names.sort_unstable();
            let expected = EVENT_TYPES
                .iter()
                .find(|(_, rules)| rules.contains(&definition.name.as_str()));
            let Some((expected, _)) = expected else {
                panic!("'{}' is not in the table", definition.name)
            };
            assert_eq!(names.join(","), *expected, "{}", definition.name);
            compared += 1;
        }
    }
    assert!(
        compared == 0 || compared >= 54,
        "only {compared} rules were compared"
    );
}

/// Found by an independent implementation of the language.
const EVENT_TYPES: &[(&str, &[&str])] = &[
    (
        "open,openat,openat2",
        &[
            "Directory traversal monitored file read",
            "Read sensitive file trusted after startup",
            "Read sensitive file untrusted",
            "Clear Log Activities",
            "Detect release_agent File Container Escapes",
            "Modify Shell Configuration File",
            "Read ssh information",
            "Read environment variable from /proc files",
            "Exfiltrating Artifacts via Kubernetes Control Plane",
            "Adding ssh keys to authorized_keys",
            "Backdoored library loaded into SSHD (CVE-2024-3094)",
        ],
    ),
    (
        "execve,execveat",
        &[
            "Run shell untrusted",
            "System user interactive",
            "Terminal shell in container",
            "Netcat Remote Code Execution in Container",
            "Search Private Keys or Passwords",
            "Remove Bulk Data from Disk",
            "Debugfs Launched in Privileged Container",
            "Find AWS Credentials",
            "Execution from /dev/shm",
            "Drop and execute new binary in container",
            "Fileless execution via memfd_create",
            "DB program spawned process",
            "Launch Privileged Container",
            "Launch Excessively Capable Container",
            "Program run with disallowed http proxy env",
            "User mgmt binaries",
            "Launch Package Management Process in Container",
            "Launch Suspicious Network Tool in Container",
            "Launch Suspicious Network Tool on Host",
            "Launch Remote File Copy Tools in Container",
            "Mount Launched in Privileged Container",
            "Launch Ingress Remote File Copy Tools in Container",
            "Potential Local Privilege Escalation via Environment Variables Misuse",
        ],
    ),
    ("connect", &["Contact K8S API Server From Container"]),
    (
        "symlink,symlinkat",
        &["Create Symlink Over Sensitive Files"],
    ),
    ("link,linkat", &["Create Hardlink Over Sensitive Files"]),
    ("socket", &["Packet socket created in container"]),
    (
        "dup,dup2,dup3",
        &["Redirect STDOUT/STDIN to Network Connection in Container"],
    ),
    (
        "finit_module,init_module",
        &["Linux Kernel Module Injection Detected"],
    ),
    (
        "ptrace",
        &["PTRACE attached to process", "PTRACE anti-debug attempt"],
    ),
    (
        "connect,sendmsg,sendto",
        &[
            "Disallowed SSH Connection Non Standard Port",
            "Contact EC2 Instance Metadata Service From Container",
            "Contact cloud metadata service from container",
        ],
    ),
    (
        "execve,execveat,open,openat,openat2",
        &["Schedule Cron Jobs"],
    ),
    ("setns", &["Change thread namespace"]),
    ("unshare", &["Change namespace privileges via unshare"]),
    (
        "accept,accept4,connect,listen",
        &[
            "System procs network activity",
            "Unexpected UDP Traffic",
            "Network Connection outside Local Subnet",
        ],
    ),
    ("setuid", &["Non sudo setuid"]),
    ("creat,open,openat,openat2", &["Create files below dev"]),
    (
        "open,openat,openat2,rename,renameat,renameat2,rmdir,unlink,unlinkat",
        &["Delete or rename shell history"],
    ),
    ("chmod,fchmod,fchmodat", &["Set Setuid or Setgid bit"]),
    ("bpf", &["BPF Program Not Profiled"]),
];
