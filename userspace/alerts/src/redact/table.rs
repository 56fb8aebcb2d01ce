//! *The* redaction table: which names announce a secret, which programs take one on the command line, and what
//! secrets look like by themselves.

/// A word of a name that announces a secret. Names are split at `_`, `-`, `.` and where lower case meets upper case.
pub(super) const WORDS: &[&str] = &[
    "credential",
    "credentials",
    "dbpass",
    "keypass",
    "pass",
    "passin",
    "passout",
    "pwd",
    "storepass",
    "sshpass",
    "userpass",
];

/// Endings of such a word: they also catch names that are written together (`PGPASSWORD`, `authtoken`).
pub(super) const ENDINGS: &[&str] = &[
    "apikey",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwort",
    "secret",
    "secretkey",
    "token",
];

/// Announces a secret when it is the last of several words, as in `SIGNING_KEY`.
pub(super) const LAST_WORDS: &[&str] = &["key", "keys", "passwords", "secrets"];

/// As the last word of a name they tell that the value is not the secret itself but something about it.
pub(super) const ABOUT: &[&str] = &[
    "algorithm",
    "command",
    "count",
    "dir",
    "directory",
    "enabled",
    "endpoint",
    "expiry",
    "file",
    "files",
    "header",
    "helper",
    "id",
    "kind",
    "length",
    "mode",
    "name",
    "names",
    "path",
    "policy",
    "prompt",
    "provider",
    "reader",
    "reason",
    "required",
    "source",
    "stdin",
    "ttl",
    "type",
];

/// Names that look like one of the above and are none.
pub(super) const HARMLESS: &[&str] = &[
    "PWD",
    "OLDPWD",
    "PUBLIC_KEY",
    "public_key",
    "public-key",
    // Labels that Vigía itself reads: they hold paths.
    "vigia.secrets",
    "vigia.secret-readers",
];

/// A program's own way to take a secret on its command line.
pub(super) struct ProgramFlags {
    /// Names of the programs, without a folder.
    pub(super) programs: &'static [&'static str],
    /// A word that must have been seen after the program, as in `docker login`; empty for none.
    pub(super) subcommand: &'static str,
    /// The flags.
    pub(super) flags: &'static [Flag],
}

/// One flag of [`ProgramFlags`].
pub(super) struct Flag {
    /// With its dashes.
    pub(super) name: &'static str,
    /// Whether the value may be written to it: `-pVALUE`.
    pub(super) attached: bool,
    /// Whether the value may be the next word: `-p VALUE`.
    pub(super) separate: bool,
}

const fn attached(name: &'static str) -> Flag {
    Flag {
        name,
        attached: true,
        separate: false,
    }
}
const fn separate(name: &'static str) -> Flag {
    Flag {
        name,
        attached: false,
        separate: true,
    }
}
const fn either(name: &'static str) -> Flag {
    Flag {
        name,
        attached: true,
        separate: true,
    }
}

pub(super) const PROGRAM_FLAGS: &[ProgramFlags] = &[
    ProgramFlags {
        programs: &[
            "mysql",
            "mysqladmin",
            "mysqlcheck",
            "mysqldump",
            "mysqlimport",
            "mysqlshow",
            "mysqlslap",
            "mysqlbinlog",
            "mariadb",
            "mariadb-admin",
            "mariadb-check",
            "mariadb-dump",
            "mariadb-import",
            "mariadb-show",
        ],
        subcommand: "",
        flags: &[attached("-p")],
    },
    ProgramFlags {
        programs: &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "cqlsh",
            "sshpass",
        ],
        subcommand: "",
        flags: &[either("-p")],
    },
    ProgramFlags {
        programs: &["redis-cli", "valkey-cli"],
        subcommand: "",
        flags: &[separate("-a"), separate("--pass")],
    },
    ProgramFlags {
        programs: &["curl"],
        subcommand: "",
        flags: &[
            either("-u"),
            separate("--user"),
            either("-U"),
            separate("--proxy-user"),
        ],
    },
    ProgramFlags {
        programs: &[
            "ldapsearch",
            "ldapadd",
            "ldapmodify",
            "ldapdelete",
            "ldappasswd",
            "ldapwhoami",
        ],
        subcommand: "",
        flags: &[either("-w")],
    },
    ProgramFlags {
        programs: &[
            "docker", "podman", "nerdctl", "helm", "skopeo", "buildah", "az", "oc",
        ],
        subcommand: "login",
        flags: &[either("-p")],
    },
    ProgramFlags {
        programs: &["useradd", "usermod"],
        subcommand: "",
        flags: &[separate("-p")],
    },
    ProgramFlags {
        programs: &["zip", "unzip", "sqlcmd", "mosquitto_pub", "mosquitto_sub"],
        subcommand: "",
        flags: &[either("-P")],
    },
    ProgramFlags {
        programs: &["7z", "7za", "7zr", "7zz", "rar", "unrar"],
        subcommand: "",
        flags: &[attached("-p")],
    },
    ProgramFlags {
        programs: &["smbclient", "rpcclient", "smbget"],
        subcommand: "",
        flags: &[either("-U"), separate("--user")],
    },
    ProgramFlags {
        programs: &["snmpget", "snmpwalk", "snmpset", "snmpbulkwalk"],
        subcommand: "",
        flags: &[separate("-c"), separate("-A"), separate("-X")],
    },
];

/// Secrets that show by their form. The first group is hidden, or the whole match where there is none.
///
/// The `regex` crate matches in linear time, whatever the text.
pub(super) const SHAPES: &[&str] = &[
    // Private keys in PEM form, also without their end.
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----((?s:.*?))(?:-----END|\z)",
    // JSON Web Tokens.
    r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?",
    // Passwords in URLs, up to the last @ before the path.
    r"\b[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:([^/\s]+)@",
    // HTTP headers.
    r#"(?i)\bauthorization["']?\s*[:=]\s*["']?(?:(?:basic|bearer|token|digest|negotiate)\s+)?([^\s"']+)"#,
    r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{8,})",
    r#"(?i)\b(?:set-)?cookie\s*:\s*([^\r\n"']+)"#,
    // Keys and tokens with a prefix of their own: AWS, GitHub, GitLab, Slack, Stripe, Google, npm, Docker, Swarm,
    // Vault, SendGrid, age, and the `sk-` family.
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\b[srp]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bdckr_pat_[A-Za-z0-9_-]{20,}",
    r"\bSWMTKN-[0-9]-[a-z0-9-]{20,}",
    r"\bhv[bs]\.[A-Za-z0-9_-]{20,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\bAGE-SECRET-KEY-1[A-Z0-9]{20,}",
    r"\bsk-[A-Za-z0-9_-]{20,}",
];
