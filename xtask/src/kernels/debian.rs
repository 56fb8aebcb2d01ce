//! Debian's kernels: fetched by package name with apt, unpacked, and kept outside of the tree.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// The package whose dependencies lead to the newest kernel of a suite.
const NEWEST: &str = "linux-image-amd64";
/// What a kernel is made of; newer ones are split into several packages.
const PARTS: [&str; 4] = [
    "linux-image-",
    "linux-binary-",
    "linux-modules-",
    "linux-base-",
];
/// Modules that tests use and Debian does not build in, after what they depend on.
const MODULES: [&str; 4] = ["overlay", "af_alg", "algif_hash", "algif_skcipher"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A line of Debian's kernels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// Where it is; the highest version wins.
    suites: &'static [&'static str],
    /// What its release begins with, of several in the suites; such a line is run only by name.
    pub(crate) release: Option<&'static str>,
}

/// A line of which the suites have nothing but the newest kernel.
const fn newest_of(name: &'static str, suites: &'static [&'static str]) -> Line {
    Line {
        name,
        suites,
        release: None,
    }
}

/// A line of which backports have the last kernel they had.
const fn last_of(name: &'static str, release: &'static str) -> Line {
    Line {
        name,
        suites: &["trixie-backports"],
        release: Some(release),
    }
}

pub(crate) const LINES: [Line; 8] = [
    newest_of("5.10", &["bullseye", "bullseye-security"]),
    newest_of("6.1", &["bookworm", "bookworm-security"]),
    newest_of("6.12", &["trixie", "trixie-security"]),
    last_of("6.18", "6.18."),
    last_of("7.0", "7.0."),
    last_of("7.1", "7.1."),
    last_of("7.2", "7.2."),
    newest_of("newest", &["trixie-backports", "forky", "sid"]),
];

/// A kernel in the cache.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// The package's version.
    pub(crate) version: String,
    folder: PathBuf,
}

impl Kernel {
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The files of it that belong into a guest, each with its path there: the configuration where the packages put
    /// it, and modules, numbered in the order in which they can be loaded.
    pub(crate) fn files(&self) -> Result<Vec<(String, PathBuf)>> {
        let root = self.folder.join("root");
        let mut files = Vec::new();
        for path in files_below(&root)? {
            let inside = path.strip_prefix(&root)?.display().to_string();
            files.push((inside, path));
        }
        files.sort();
        Ok(files)
    }
}

/// The kernel of a line: the one in the cache, or with `update` (or none there) the one that the mirror has now.
pub(crate) fn kernel(line: &Line, update: bool) -> Result<Kernel> {
    let cache = cache()?;
    let current = cache.join(line.name);
    if let (false, Ok(version)) = (update, fs::read_to_string(current.join("version"))) {
        return Ok(Kernel {
            version,
            folder: current,
        });
    }
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    let new = tempfile::Builder::new()
        .prefix("new-")
        .tempdir_in(&cache)
        .context("making room for a kernel")?;
    let apt = Apt::over(new.path(), line)?;
    let (package, version) = apt.highest(line)?;
    eprintln!("    fetching Debian's kernel {version}");
    let packages = apt.parts(package, &version)?;
    apt.download(&packages)?;
    let folder = new.path().join("kernel");
    keep(&new.path().join("debs"), &folder)?;
    fs::write(folder.join("version"), &version)?;
    if current.exists() {
        fs::remove_dir_all(&current)?;
    }
    fs::rename(&folder, &current).with_context(|| format!("keeping {}", current.display()))?;
    Ok(Kernel {
        version,
        folder: current,
    })
}

fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from(env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    Ok(base.join("vigia/kernels"))
}

/// apt with lists and sources of its own: the machine's are left as they are.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn over(folder: &Path, line: &Line) -> Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial", "debs"] {
            fs::create_dir_all(folder.join(part))?;
        }
        fs::write(folder.join("sources.list"), sources(&mirrors()?, line))?;
        let apt = Self {
            folder: folder.to_owned(),
        };
        workspace::run(
            apt.command("apt-get")
                .args(["--quiet", "--quiet", "update"])
                .stdout(Stdio::from(std::io::stderr())),
        )?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = self.folder.display();
        for option in [
            format!("Dir::State={folder}/state"),
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Cache={folder}/cache"),
            format!("Dir::Etc::SourceList={folder}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            // The lists are of no use to the unprivileged user that apt fetches as, in a folder he cannot enter.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.stdin(Stdio::null());
        command
    }

    /// The package of the line's highest version, and that version.
    fn highest(&self, line: &Line) -> Result<(String, String)> {
        let names = match line.release {
            None => NEWEST.to_owned(),
            Some(release) => output(
                self.command("apt-cache")
                    .args(["pkgnames", &format!("linux-image-{release}")]),
            )?,
        };
        let names = names.lines().filter(|name| is_plain(name));
        let listed = output(self.command("apt-cache").arg("madison").args(names))?;
        let mut highest = (String::new(), String::new());
        for line in listed.lines() {
            let mut words = line.split('|').map(str::trim);
            let (Some(name), Some(version)) = (words.next(), words.next()) else {
                continue;
            };
            let is_higher = highest.1.is_empty()
                || Command::new("dpkg")
                    .args(["--compare-versions", version, "gt", &highest.1])
                    .status()
                    .context("starting dpkg")?
                    .success();
            if is_higher {
                highest = (name.to_owned(), version.to_owned());
            }
        }
        ensure!(
            !highest.0.is_empty(),
            "the mirror has no kernel of the line {}",
            line.name
        );
        Ok(highest)
    }

    /// The packages of a kernel, each as apt wants it: `name=version`. Of a kernel that was superseded the mirror may
    /// have the image only; then its modules are missing.
    fn parts(&self, package: String, version: &str) -> Result<Vec<String>> {
        let mut names = vec![package];
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            next += 1;
            let part = format!("{name}={version}");
            let shown = self
                .command("apt-cache")
                .args(["show", &part])
                .output()
                .context("starting apt-cache")?;
            // Of a package that others only name it shows nothing, and succeeds.
            if shown.stdout.is_empty() {
                eprintln!("    the mirror no longer has {part}");
                continue;
            }
            found.push(part);
            for part in parts_among_dependencies(&String::from_utf8_lossy(&shown.stdout)) {
                if !names.contains(&part) {
                    names.push(part);
                }
            }
        }
        Ok(found)
    }

    fn download(&self, packages: &[String]) -> Result<()> {
        workspace::run(
            self.command("apt-get")
                .args(["--quiet", "--quiet", "download"])
                .args(packages)
                .current_dir(self.folder.join("debs"))
                .stdout(Stdio::from(std::io::stderr())),
        )
    }
}

/// Where this machine gets its packages from.
#[derive(Debug, PartialEq, Eq)]
struct Mirrors {
    main: String,
    /// Security updates; a mirror may lack them.
    security: Option<String>,
}

fn mirrors() -> Result<Mirrors> {
    let listed = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE)",
        "Created-By: Packages",
    ]))?;
    parse_mirrors(&listed).context(
        "apt knows no mirror of Debian: its lists are empty (`apt-get update`), or this is no Debian",
    )
}

/// From lines of `URI RELEASE`.
fn parse_mirrors(listed: &str) -> Option<Mirrors> {
    let mut main = None;
    let mut security = None;
    for line in listed.lines() {
        let Some((uri, release)) = line.split_once(' ') else {
            continue;
        };
        if release.ends_with("-security") {
            security.get_or_insert_with(|| uri.to_owned());
        } else if !release.contains('-') && uri.trim_end_matches('/').ends_with("/debian") {
            main.get_or_insert_with(|| uri.to_owned());
        }
    }
    Some(Mirrors {
        main: main?,
        security,
    })
}

fn sources(mirrors: &Mirrors, line: &Line) -> String {
    let signed = if Path::new(KEYRING).exists() {
        format!("[signed-by={KEYRING}] ")
    } else {
        String::new()
    };
    line.suites
        .iter()
        .filter_map(|suite| {
            let mirror = if suite.ends_with("-security") {
                mirrors.security.as_ref()?
            } else {
                &mirrors.main
            };
            Some(format!("deb {signed}{mirror} {suite} main\n"))
        })
        .collect()
}

/// Whether a package is a kernel for ordinary machines, signed and without debugging information.
fn is_plain(name: &str) -> bool {
    name.ends_with("-amd64")
        && !["-rt-", "-cloud-", "-unsigned-"]
            .iter()
            .any(|word| name.contains(word))
}

/// From what `apt-cache show` prints.
fn parts_among_dependencies(shown: &str) -> Vec<String> {
    shown
        .lines()
        .filter_map(|line| line.strip_prefix("Depends: "))
        .flat_map(|depends| depends.split(','))
        .filter_map(|dependency| dependency.split_whitespace().next())
        .filter(|name| PARTS.iter().any(|part| name.starts_with(part)))
        .map(str::to_owned)
        .collect()
}

/// Unpacks packages and keeps what a guest needs of them.
fn keep(debs: &Path, folder: &Path) -> Result<()> {
    let unpacked = debs.join("unpacked");
    for deb in files_below(debs)? {
        workspace::run(Command::new("dpkg-deb").arg("-x").args([&deb, &unpacked]))?;
    }
    let files = files_below(&unpacked)?;
    let image = files
        .iter()
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
        })
        .context("the packages hold no vmlinuz")?;
    let root = folder.join("root");
    fs::create_dir_all(root.join("modules"))?;
    fs::copy(image, folder.join("vmlinuz"))?;
    for file in &files {
        let inside = file.strip_prefix(&unpacked)?;
        let inside = inside.strip_prefix("usr").unwrap_or(inside);
        if is_configuration(inside) {
            let kept = root.join(inside);
            fs::create_dir_all(kept.parent().context("a file in a folder")?)?;
            fs::copy(file, kept)?;
        }
    }
    let mut order = Vec::new();
    for module in MODULES {
        add_module(module, &files, &mut order)?;
    }
    for (number, (name, content)) in order.iter().enumerate() {
        fs::write(root.join(format!("modules/{number:02}-{name}.ko")), content)?;
    }
    Ok(())
}

/// The kernel's configuration: `boot/config-RELEASE`, or `lib/modules/RELEASE/config`.
fn is_configuration(inside: &Path) -> bool {
    let name = inside.file_name().unwrap_or_default().to_string_lossy();
    match inside.parent() {
        Some(folder) if folder == Path::new("boot") => name.starts_with("config-"),
        Some(folder) => name == "config" && folder.parent() == Some(Path::new("lib/modules")),
        None => false,
    }
}

/// Adds a module after those it depends on. One that the kernel does not have as a module is built in, or absent.
fn add_module(name: &str, files: &[PathBuf], order: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    if order.iter().any(|(known, _)| known == name) {
        return Ok(());
    }
    let is_it = |path: &&PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.split_once(".ko")
            .is_some_and(|(stem, _)| stem.replace('-', "_") == name)
    };
    let Some(path) = files.iter().find(is_it) else {
        return Ok(());
    };
    let content = if path.extension().is_some_and(|extension| extension == "xz") {
        let unpacked = Command::new("xz").args(["-dc"]).arg(path).output()?;
        ensure!(
            unpacked.status.success(),
            "xz cannot read {}",
            path.display()
        );
        unpacked.stdout
    } else {
        fs::read(path)?
    };
    for dependency in dependencies(&content) {
        add_module(&dependency, files, order)?;
    }
    order.push((name.to_owned(), content));
    Ok(())
}

/// What a module says of itself: `depends=a,b`, between NULs.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = module.get(at + KEY.len()..).unwrap_or_default();
    let value = value.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn output(command: &mut Command) -> Result<String> {
    let line = workspace::line(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {line}"))?;
    ensure!(output.status.success(), "{line}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_this_machine_uses() {
        let listed = "http://a/debian/ bookworm-updates\nhttp://b/debian/ bookworm\nhttp://b/sec/ bookworm-security\n";
        let mirrors = parse_mirrors(listed).unwrap();
        assert_eq!(
            sources(&mirrors, &LINES[1]).replace(&format!("[signed-by={KEYRING}] "), ""),
            "deb http://b/debian/ bookworm main\ndeb http://b/sec/ bookworm-security main\n"
        );
        assert_eq!(parse_mirrors("http://x/nodesource/ nodistro\n"), None);
        let bare = Mirrors {
            security: None,
            ..mirrors
        };
        assert_eq!(sources(&bare, &LINES[1]).lines().count(), 1);
    }

    #[test]
    fn only_kernels_for_ordinary_machines_are_taken() {
        assert!(is_plain("linux-image-6.18.15+deb13-amd64") && is_plain(NEWEST));
        for other in [
            "linux-image-6.18.15+deb13-rt-amd64",
            "linux-image-6.18.15+deb13-cloud-amd64",
            "linux-image-6.18.15+deb13-amd64-unsigned",
            "linux-image-6.18.15+deb13-amd64-dbg",
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn a_kernel_is_followed_through_its_packages() {
        let shown = "Package: x\nDepends: dracut | initramfs-tools (>= 0.120), linux-base (>= 4), \
                     linux-base-7 (= 1), linux-binary-7 (= 1), linux-modules-7 (= 1)\nSize: 1\n";
        assert_eq!(
            parts_among_dependencies(shown),
            ["linux-base-7", "linux-binary-7", "linux-modules-7"]
        );
    }

    #[test]
    fn a_module_names_what_must_be_loaded_before_it() {
        assert_eq!(
            dependencies(b"\0license=GPL\0depends=af-alg,crypto\0name=x\0"),
            ["af_alg", "crypto"]
        );
        assert!(dependencies(b"\0license=GPL\0depends=\0").is_empty());
        assert!(dependencies(b"no module").is_empty());
    }
}
