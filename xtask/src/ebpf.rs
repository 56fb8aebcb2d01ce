//! Builds the probes into the committed object, or proves that the committed object is what the source builds to.
//!
//! Nobody who runs Vigía needs this: the object is committed. What it takes is the pinned compiler with its own
//! standard library's source, and a linker for eBPF that uses the same LLVM as the compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::{Workspace, run as run_command};

/// The object, from the root of the workspace.
const OBJECT: &str = "ebpf/vigia.bpf.o";
const MANIFEST: &str = "ebpf/probes/Cargo.toml";
const TARGET: &str = "bpfel-unknown-none";
/// The version whose code generation the committed object has.
const LINKER_VERSION: &str = "0.13.0";
/// What every mangled name of the probes contains.
const MANGLED: &[u8] = b"12vigia_probes";
/// Beside the workspace: where the standard library's source may lie for machines without access to rustup's servers.
const RUST_SRC_ARCHIVES: &str = "../shared/toolchain";

/// Builds the committed object; with `check` only compares.
///
/// # Errors
/// The toolchain is incomplete and cannot be completed, the source does not build, or (with `check`) the
/// committed object is another.
pub(crate) fn run(check: bool) -> Result<()> {
    let workspace = Workspace::find()?;
    let toolchain = Toolchain::find(&workspace)?;
    toolchain.ensure_rust_src(&workspace)?;
    let linker = toolchain.ensure_linker(&workspace)?;
    let built = toolchain.build(&workspace, &linker)?;
    let object = workspace.root.join(OBJECT);
    if !check {
        fs::write(&object, &built).with_context(|| format!("writing {OBJECT}"))?;
        eprintln!("    {OBJECT}: {} bytes", built.len());
        return Ok(());
    }
    let committed = fs::read(&object).with_context(|| format!("reading {OBJECT}"))?;
    let at = committed
        .iter()
        .zip(&built)
        .position(|(one, other)| one != other);
    ensure!(
        committed == built,
        "{OBJECT} is not what the source builds to ({} bytes, built {}; first difference at byte {}): run `cargo xtask ebpf`",
        committed.len(),
        built.len(),
        at.unwrap_or(committed.len().min(built.len())),
    );
    eprintln!("    {OBJECT} is what the source builds to");
    Ok(())
}

/// The compiler that builds everything else, too.
struct Toolchain {
    sysroot: PathBuf,
    /// As in `1.95.0`.
    release: String,
    host: String,
    cargo_home: PathBuf,
}

impl Toolchain {
    fn find(workspace: &Workspace) -> Result<Self> {
        let sysroot = output(workspace.command("rustc").args(["--print", "sysroot"]))?;
        let version = output(workspace.command("rustc").arg("-vV"))?;
        let value = |key: &str| {
            version
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .map(str::trim)
                .map(str::to_owned)
        };
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
        Ok(Self {
            sysroot: sysroot.into(),
            release: value("release:").context("rustc's release")?,
            host: value("host:").context("rustc's host")?,
            cargo_home: home.context("neither CARGO_HOME nor HOME is set")?,
        })
    }

    /// The source of `core`, which is built for the probes' target.
    fn ensure_rust_src(&self, workspace: &Workspace) -> Result<()> {
        let folder = self.sysroot.join("lib/rustlib/src/rust");
        if folder.join("library/core/src/lib.rs").is_file() {
            return Ok(());
        }
        eprintln!("    the standard library's source is missing: adding the component rust-src");
        let by_rustup =
            run_command(
                workspace
                    .command("rustup")
                    .args(["component", "add", "rust-src"]),
            );
        let Err(error) = by_rustup else { return Ok(()) };
        let archive = workspace
            .root
            .join(RUST_SRC_ARCHIVES)
            .join(format!("rust-src-{}.tar.xz", self.release));
        if !archive.is_file() {
            return Err(error.context(format!(
                "the probes need the component rust-src of Rust {}: add it with `rustup component add rust-src`",
                self.release,
            )));
        }
        eprintln!("    rustup cannot add it; unpacking {}", archive.display());
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        run_command(
            workspace
                .command("tar")
                .arg("-xJf")
                .arg(&archive)
                .arg("-C")
                .arg(&folder),
        )
    }

    /// The linker for eBPF; installed where it is missing.
    fn ensure_linker(&self, workspace: &Workspace) -> Result<PathBuf> {
        let linker = self.cargo_home.join("bin/bpf-linker");
        let found = if linker.is_file() {
            output(
                workspace
                    .command(&linker.to_string_lossy())
                    .arg("--version"),
            )
            .ok()
        } else {
            None
        };
        if found
            .as_deref()
            .is_some_and(|version| version.split_whitespace().last() == Some(LINKER_VERSION))
        {
            return Ok(linker);
        }
        eprintln!(
            "    installing bpf-linker {LINKER_VERSION} into {} (about a minute)",
            self.cargo_home.display()
        );
        // It must use the compiler's own LLVM, or it cannot read what the compiler made. Its build looks for one
        // under a prefix, by the plain name.
        let lib = self.sysroot.join("lib");
        let llvm = find_llvm(&lib)?;
        let prefix = workspace.target.join("llvm-prefix");
        let link = prefix.join("lib/libLLVM.so");
        fs::create_dir_all(prefix.join("lib"))
            .with_context(|| format!("making {}", prefix.display()))?;
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&llvm, &link)
            .with_context(|| format!("linking {}", link.display()))?;
        run_command(
            workspace
                .cargo()
                .args([
                    "install",
                    "bpf-linker",
                    "--locked",
                    "--force",
                    "--version",
                    LINKER_VERSION,
                ])
                .args(["--no-default-features", "--features", "llvm-22"])
                .env("LLVM_PREFIX", &prefix)
                .env(
                    "RUSTFLAGS",
                    format!("-C link-arg=-Wl,-rpath,{}", lib.display()),
                )
                .env_remove("CARGO_ENCODED_RUSTFLAGS"),
        )
        .context("the probes need bpf-linker, and it cannot be installed")?;
        Ok(linker)
    }

    /// Builds the object and strips all debugging information but BTF.
    fn build(&self, workspace: &Workspace, linker: &Path) -> Result<Vec<u8>> {
        let target = workspace.target.join("ebpf");
        let root = fs::canonicalize(&workspace.root)?;
        // Paths end up in line information: with them the bytes would depend on where the source lies.
        let mut flags = vec![
            format!("-Clinker={}", linker.display()),
            "-Cdebuginfo=2".to_owned(),
            "-Clink-arg=--btf".to_owned(),
            "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
            format!("--remap-path-prefix={}=/rust", self.sysroot.display()),
            format!("--remap-path-prefix={}=/cargo", self.cargo_home.display()),
            format!("--remap-path-prefix={}=/vigia", root.display()),
        ];
        // The registry's own folder is named after where the crates were downloaded from; of two that match a
        // path the compiler takes the later flag.
        for folder in self.registry_folders(workspace)? {
            flags.push(format!("--remap-path-prefix={}=/crates", folder.display()));
        }
        run_command(
            workspace
                .cargo()
                .current_dir(root.join("ebpf/probes"))
                .args([
                    "build",
                    "--release",
                    "--locked",
                    "-Zbuild-std=core",
                    "--target",
                    TARGET,
                ])
                .arg("--manifest-path")
                .arg(root.join(MANIFEST))
                .arg("--target-dir")
                .arg(&target)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
                .env_remove("RUSTFLAGS"),
        )
        .context("building the probes")?;
        let linked = target.join(TARGET).join("release/vigia-probes");
        let stripped = target.join("vigia.bpf.o");
        let objcopy = self
            .sysroot
            .join("lib/rustlib")
            .join(&self.host)
            .join("bin/rust-objcopy");
        run_command(
            workspace
                .command(&objcopy.to_string_lossy())
                .arg("--strip-debug")
                .arg(&linked)
                .arg(&stripped)
                .env("LD_LIBRARY_PATH", self.sysroot.join("lib")),
        )
        .context("stripping the object")?;
        let object =
            fs::read(&stripped).with_context(|| format!("reading {}", stripped.display()))?;
        ensure!(
            !object.windows(MANGLED.len()).any(|bytes| bytes == MANGLED),
            "a static of the probes has a mangled name, which depends on where the source lies: \
             give each `#[unsafe(no_mangle)]`",
        );
        Ok(object)
    }

    /// Where cargo keeps the sources of the crates the probes use, which it downloads first where they are missing.
    fn registry_folders(&self, workspace: &Workspace) -> Result<Vec<PathBuf>> {
        run_command(
            workspace
                .cargo()
                .args(["fetch", "--locked", "--manifest-path", MANIFEST]),
        )
        .context("downloading what the probes depend on")?;
        let sources = self.cargo_home.join("registry/src");
        let mut folders = Vec::new();
        // With vendored crates there is no such folder.
        for entry in fs::read_dir(sources).into_iter().flatten() {
            folders.push(entry?.path());
        }
        Ok(folders)
    }
}

/// The compiler's LLVM, as in `libLLVM.so.22.1-rust-1.95.0-stable`.
fn find_llvm(lib: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(lib).with_context(|| format!("listing {}", lib.display()))? {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("libLLVM.so.22")
        {
            return Ok(entry.path());
        }
    }
    bail!(
        "{} holds no LLVM 22: the compiler is not the pinned one",
        lib.display()
    )
}

/// What a command prints, trimmed.
fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdout(std::process::Stdio::piped())
        .output()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        output.status
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
