use std::collections::BTreeSet;
use std::path::Path;

use vigia_tests::scene;

use super::all;
use crate::row::Rule;
use crate::stage::upstream_rules;

/// The actions of Falco's event generator.
const GENERATOR: &[&str] = &[
    "AddingSshKeysToAuthorizedKeys",
    "ChangeNamespacePrivilegesViaUnshare",
    "ChangeThreadNamespace",
    "ClearLogActivities",
    "ContactEC2InstanceMetadataServiceFromContainer",
    "ContainerDriftDetectedChmod",
    "ContainerDriftDetectedOpenCreate",
    "CreateFilesBelowDev",
    "CreateHardlinkOverSensitiveFiles",
    "CreateHiddenFilesOrDirectories",
    "CreateSymlinkOverSensitiveFiles",
    "DbProgramSpawnedProcess",
    "DebugfsLaunchedInPrivilegedContainer",
    "DecodingPayloadInContainer",
    "DeleteOrRenameShellHistory",
    "DetectCryptoMinersUsingTheStratumProtocol",
    "DetectReleaseAgentFileContainerEscapes",
    "DirectoryTraversalMonitoredFileRead",
    "DisallowedSSHConnectionNonStandardPort",
    "DropAndExecuteNewBinaryInContainer",
    "ExecutionFromDevShm",
    "FilelessExecutionViaMemfdCreate",
    "FindAwsCredentials",
    "InterpretedProcsInboundNetworkActivity",
    "InterpretedProcsOutboundNetworkActivity",
    "JavaProcessClassFileDownload",
    "KubernetesClientToolLaunchedInContainer",
    "LaunchIngressRemoteFileCopyToolsInContainer",
    "LaunchPackageManagementProcessInContainer",
    "LaunchRemoteFileCopyToolsInContainer",
    "LaunchSuspiciousNetworkToolInContainer",
    "LaunchSuspiciousNetworkToolOnHost",
    "MkdirBinaryDirs",
    "ModifyBinaryDirs",
    "ModifyContainerEntrypoint",
    "ModifyShellConfigurationFile",
    "MountLaunchedInPrivilegedContainer",
    "NetcatRemoteCodeExecutionInContainer",
    "NonSudoSetuid",
    "PacketSocketCreatedInContainer",
    "PolkitLocalPrivilegeEscalationVulnerabilityCVE20214034",
    "PotentialLocalPrivilegeEscalationViaEnvironmentVariablesMisuse",
    "ProgramRunWithDisallowedHttpProxyEnv",
    "PtraceAntiDebugAttempt",
    "PtraceAttachedToProcess",
    "ReadEnvironmentVariableFromProcFiles",
    "ReadSensitiveFileTrustedAfterStartup",
    "ReadSensitiveFileUntrusted",
    "ReadShellConfigurationFile",
    "ReadSshInformation",
    "RemoveBulkDataFromDisk",
    "RunShellUntrusted",
    "ScheduleCronJobs",
    "SearchPrivateKeysOrPasswords",
    "SetSetuidOrSetgidBit",
    "SudoPotentialPrivilegeEscalation",
    "SystemProcsNetworkActivity",
    "SystemUserInteractive",
    "UnexpectedUDPTraffic",
    "UnprivilegedDelegationOfPageFaultsHandlingToAUserspaceProcess",
    "UserMgmtBinaries",
    "WriteBelowBinaryDir",
    "WriteBelowEtc",
    "WriteBelowMonitoredDir",
    "WriteBelowRoot",
    "WriteBelowRpmDatabase",
];

#[test]
fn names_are_unique_and_in_kebab_case() {
    let mut seen = BTreeSet::new();
    for row in all() {
        assert!(seen.insert(row.action), "{} twice", row.action);
        assert!(
            row.action
                .bytes()
                .all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-')),
            "{}",
            row.action
        );
    }
}

#[test]
fn every_action_of_the_event_generator_is_performed_once() {
    assert_eq!(GENERATOR.len(), 66);
    let mut performed: Vec<_> = all()
        .map(|row| row.generator)
        .filter(|name| !name.is_empty())
        .collect();
    performed.sort_unstable();
    assert_eq!(performed, GENERATOR);
}

#[test]
fn every_row_has_an_effect_and_says_why_it_expects_no_alert() {
    for row in all() {
        assert!(!row.effects.is_empty(), "{}", row.action);
        assert!(
            row.rule != Rule::Undetected || !row.note.is_empty(),
            "{}",
            row.action
        );
    }
}

#[test]
fn rules_of_the_repository_that_are_expected_exist() {
    let root = scene::repository();
    let default = rules(&root.join("rules"));
    let suite = rules(&root.join("tests/attacks/rules"));
    let mut asked = BTreeSet::new();
    for row in all() {
        match row.rule {
            Rule::Default(name) => assert!(default.contains(name), "{name}"),
            Rule::Suite(name) => {
                assert!(suite.contains(name), "{name}");
                asked.insert(name.to_owned());
            }
            Rule::Upstream(_) | Rule::Undetected => {}
        }
    }
    assert_eq!(
        asked, suite,
        "every rule of the suite is one row's at least"
    );
}

#[test]
fn every_default_rule_about_attacks_is_expected() {
    // One needs a flood, which would drown the suite (tests/tests/flood.rs), one a container that is older than the
    // agent (tests/tests/secrets.rs), one a kernel before Linux 6.1. One is about
    // a server that checks its configuration: no attack. Two are about the host and
    // variables of containers (tests/tests/secret_sources.rs).
    let elsewhere = [
        "Read of a Secret by a Control Command",
        "Ring That Cannot Be Watched",
        "Container Over Its Event Budget",
        "Read of a Secret by a Process of Unknown Start",
        "Source of a Secret Read on the Host",
        "Environment With Secrets Read",
    ];
    let folder = scene::repository().join("rules");
    let expected: BTreeSet<_> = all()
        .filter_map(|row| match row.rule {
            Rule::Default(name) => Some(name),
            _ => None,
        })
        .chain(elsewhere)
        .map(str::to_owned)
        // How containers are started is no attack (tests/tests/promises.rs).
        .chain(rules_of(&folder.join("60-posture.yaml")))
        .collect();
    assert_eq!(expected, rules(&folder));
}

#[test]
fn every_upstream_rule_is_expected() {
    let Some(folder) = upstream_rules() else {
        println!("skipped: no upstream rules in ../shared/upstream-rules");
        return;
    };
    let expected: BTreeSet<_> = all()
        .filter_map(|row| match row.rule {
            Rule::Upstream(name) => Some(name.to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(expected, rules(&folder));
}

/// The names of the rules in a folder's files.
fn rules(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        if !name.ends_with(".yaml") || name.ends_with(".test.yaml") {
            continue;
        }
        names.extend(rules_of(&path));
    }
    names
}

fn rules_of(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("- rule: "))
        .map(|name| name.trim().to_owned())
        .collect()
}
