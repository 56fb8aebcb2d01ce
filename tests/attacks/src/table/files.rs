//! Files that are planted, changed, removed and read.

use crate::row::Effect::{Empty, Exists, Gone, Holds, Mode, Prints};
use crate::row::{Place, Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "adding-ssh-keys-to-authorized-keys",
        &["attack", "create", "/root/.ssh/authorized_keys"],
    )
    .upstream(
        "Adding ssh keys to authorized_keys",
        "AddingSshKeysToAuthorizedKeys",
    )
    .effects(&[Holds("/root/.ssh/authorized_keys", "planted")])
    .file("/root/.ssh/authorized_keys"),
    row("clear-log-activities", &["attack", "empty", "/srv/syslog"])
        .upstream("Clear Log Activities", "ClearLogActivities")
        .effects(&[Empty("/srv/syslog")])
        .file("/srv/syslog"),
    row(
        "container-drift-detected-chmod",
        &["attack", "chmod", "755", "/srv/script"],
    )
    .suite(
        "File Made Executable in Container",
        "ContainerDriftDetectedChmod",
    )
    .effects(&[Mode("/srv/script", 0o755)])
    .fields(&[("evt.arg.filename", "/srv/script")]),
    row(
        "container-drift-detected-open-create",
        &["attack", "create", "/srv/drift", "755"],
    )
    .suite(
        "Executable File Created in Container",
        "ContainerDriftDetectedOpenCreate",
    )
    .effects(&[Mode("/srv/drift", 0o755)])
    .file("/srv/drift"),
    row(
        "create-files-below-dev",
        &["attack", "create", "/dev/planted"],
    )
    .upstream("Create files below dev", "CreateFilesBelowDev")
    .effects(&[Exists("/dev/planted")])
    .file("/dev/planted"),
    row(
        "create-hardlink-over-sensitive-files",
        &["ln", "/etc/shadow", "/srv/hard"],
    )
    .upstream(
        "Create Hardlink Over Sensitive Files",
        "CreateHardlinkOverSensitiveFiles",
    )
    .effects(&[Holds("/srv/hard", "root:")])
    .fields(&[
        ("evt.arg.oldpath", "/etc/shadow"),
        ("evt.arg.newpath", "/srv/hard"),
    ]),
    row(
        "create-hidden-files-or-directories",
        &["mkdir", "/srv/.hidden"],
    )
    .suite("Hidden Folder Made", "CreateHiddenFilesOrDirectories")
    .effects(&[Exists("/srv/.hidden")])
    .fields(&[("evt.arg.path", "/srv/.hidden")]),
    row(
        "create-symlink-over-sensitive-files",
        &["ln", "-s", "/etc", "/srv/link"],
    )
    .upstream(
        "Create Symlink Over Sensitive Files",
        "CreateSymlinkOverSensitiveFiles",
    )
    .effects(&[Exists("/srv/link")])
    .fields(&[
        ("evt.arg.target", "/etc"),
        ("evt.arg.linkpath", "/srv/link"),
    ]),
    row(
        "delete-or-rename-shell-history",
        &["attack", "remove", "/root/.ash_history"],
    )
    .upstream(
        "Delete or rename shell history",
        "DeleteOrRenameShellHistory",
    )
    .effects(&[Gone("/root/.ash_history")])
    .fields(&[("evt.arg.path", "/root/.ash_history")]),
    row(
        "detect-release-agent-file-container-escapes",
        &["sh", "-c", "echo /srv/payload > /srv/release_agent"],
    )
    .upstream(
        "Detect release_agent File Container Escapes",
        "DetectReleaseAgentFileContainerEscapes",
    )
    .at(Place::Privileged)
    .effects(&[Holds("/srv/release_agent", "payload")])
    .file("/srv/release_agent")
    .fields(&[("thread.cap_effective", "*CAP_SYS_ADMIN*")]),
    row(
        "directory-traversal-monitored-file-read",
        &["attack", "read", "/etc/../etc/../etc/shadow"],
    )
    .upstream(
        "Directory traversal monitored file read",
        "DirectoryTraversalMonitoredFileRead",
    )
    .effects(&[Prints("root:")])
    .file("/etc/shadow")
    .fields(&[("fd.nameraw", "/etc/../etc/../etc/shadow")]),
    row("mkdir-binary-dirs", &["attack", "mkdir", "/bin/folder"])
        .suite("Folder Made Among Programs", "MkdirBinaryDirs")
        .effects(&[Exists("/bin/folder")])
        .fields(&[("evt.arg.path", "/bin/folder")]),
    row(
        "modify-binary-dirs",
        &["attack", "rename", "/bin/true", "/bin/true.away"],
    )
    .suite("Program Renamed or Removed", "ModifyBinaryDirs")
    .effects(&[Prints("/bin/true was /bin/true.away"), Exists("/bin/true")])
    .fields(&[("evt.arg.oldpath", "/bin/true")]),
    row(
        "modify-container-entrypoint",
        &["sh", "-c", "echo rewritten > /proc/self/fd/1"],
    )
    .suite(
        "Own Descriptor Opened for Writing",
        "ModifyContainerEntrypoint",
    )
    .effects(&[Prints("rewritten")])
    .file("/proc/self/fd/1"),
    row(
        "modify-shell-configuration-file",
        &["attack", "update", "/srv/.bashrc"],
    )
    .upstream(
        "Modify Shell Configuration File",
        "ModifyShellConfigurationFile",
    )
    .effects(&[Holds("/srv/.bashrc", "planted")])
    .file("/srv/.bashrc"),
    row(
        "read-environment-variable-from-proc-files",
        &["cat", "/proc/self/environ"],
    )
    .upstream(
        "Read environment variable from /proc files",
        "ReadEnvironmentVariableFromProcFiles",
    )
    .effects(&[Prints("PATH=")])
    .file("/proc/self/environ"),
    row(
        "read-sensitive-file-trusted-after-startup",
        &["httpd", "read-late", "/etc/shadow"],
    )
    .upstream(
        "Read sensitive file trusted after startup",
        "ReadSensitiveFileTrustedAfterStartup",
    )
    .effects(&[Prints("root:")])
    .file("/etc/shadow"),
    row(
        "read-sensitive-file-untrusted",
        &["attack", "read", "/etc/shadow"],
    )
    .upstream(
        "Read sensitive file untrusted",
        "ReadSensitiveFileUntrusted",
    )
    .effects(&[Prints("root:")])
    .file("/etc/shadow"),
    row(
        "read-shell-configuration-file",
        &["attack", "read", "/root/.profile"],
    )
    .suite(
        "Shell Configuration Read by Another Program",
        "ReadShellConfigurationFile",
    )
    .effects(&[Prints("PATH")])
    .file("/root/.profile"),
    row(
        "read-ssh-information",
        &["attack", "update", "/root/.ssh/known_hosts"],
    )
    .upstream("Read ssh information", "ReadSshInformation")
    .effects(&[Exists("/root/.ssh/known_hosts")])
    .file("/root/.ssh/known_hosts"),
    row("set-setuid-or-setgid-bit", &["chmod", "4755", "/srv/tool"])
        .upstream("Set Setuid or Setgid bit", "SetSetuidOrSetgidBit")
        .effects(&[Mode("/srv/tool", 0o4755)])
        .fields(&[("evt.arg.mode", "*S_ISUID*")]),
    row(
        "write-below-binary-dir",
        &["attack", "create", "/bin/planted"],
    )
    .suite("File Written Among Programs", "WriteBelowBinaryDir")
    .effects(&[Exists("/bin/planted")])
    .file("/bin/planted"),
    row("write-below-etc", &["attack", "create", "/etc/planted"])
        .suite("File Written Below etc", "WriteBelowEtc")
        .effects(&[Exists("/etc/planted")])
        .file("/etc/planted"),
    row(
        "write-below-monitored-dir",
        &["attack", "create", "/lib/planted"],
    )
    .suite("File Written Among Libraries", "WriteBelowMonitoredDir")
    .effects(&[Exists("/lib/planted")])
    .file("/lib/planted"),
    row("write-below-root", &["attack", "create", "/root/planted"])
        .suite("File Written Below root", "WriteBelowRoot")
        .effects(&[Exists("/root/planted")])
        .file("/root/planted"),
    row(
        "write-below-rpm-database",
        &["attack", "create", "/var/lib/rpm/planted"],
    )
    .suite("Package Database Written", "WriteBelowRpmDatabase")
    .effects(&[Exists("/var/lib/rpm/planted")])
    .file("/var/lib/rpm/planted"),
    row(
        "backdoored-library-loaded-into-sshd",
        &["sshd", "read", "/srv/liblzma.so.5.6.1"],
    )
    .upstream("Backdoored library loaded into SSHD (CVE-2024-3094)", "")
    .effects(&[Prints("library")])
    .file("/srv/liblzma.so.5.6.1"),
    row(
        "exfiltrating-artifacts-via-kubernetes-control-plane",
        &["tar", "-cf", "-", "/srv/data.txt"],
    )
    .upstream("Exfiltrating Artifacts via Kubernetes Control Plane", "")
    .at(Place::Own(&[]))
    .below_engine()
    .effects(&[Prints("srv/data.txt")])
    .file("/srv/data.txt"),
];
