//! The command line where something is wrong.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use anyhow::{Result, ensure};
use vigia_tests::command;
use vigia_tests::scene::Programs;
use vigia_tests::wait::seconds;

/// Five mistakes.
const RULES: &str = "\
- list: shells
  items: [sh, bash]

- macro: is_shell
  condition: proc.name in (shells) and proc.nme = sh

- rule: Unbalanced
  desc: a parenthesis is missing
  condition: evt.type = open and (proc.name = sh
  output: opened
  priority: WARNING

- rule: Unknown type
  desc: there is no such event
  condition: evt.type = opne and is_shell
  output: opened
  priority: WARNING

- rule: Unknown priority
  desc: nobody is that loud
  condition: evt.type = open
  output: opened
  priority: LOUD

- rule: Unknown output field
  desc: a typing mistake
  condition: evt.type = open
  output: opened %fd.nam
  priority: WARNING
";

/// Where they are: line and column, from 1.
const PLACES: [(u32, u32); 5] = [(5, 40), (9, 49), (15, 25), (23, 13), (28, 18)];

#[test]
fn five_mistakes_are_five_errors_each_at_its_place() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, RULES)?;
    let output = command::run(
        command::limited(seconds(20), &programs.agent)
            .arg("check")
            .arg(&file),
    )?;
    ensure!(output.status.code() == Some(1), "{output:?}");
    let said = said(&output);
    let places: Vec<_> = said.lines().filter_map(place).collect();
    ensure!(places == PLACES, "{places:?} in:\n{said}");
    Ok(())
}

#[test]
fn good_rules_are_accepted() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let rules = vigia_tests::scene::default_rules();
    let output = command::run(
        command::limited(seconds(20), &programs.agent)
            .arg("check")
            .arg(rules),
    )?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}

#[test]
fn without_root_one_sentence_says_so() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    // Where the program was built, others may not be allowed to look.
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let copy = folder.path().join("vigia");
    std::fs::copy(&programs.agent, &copy)?;
    let mut command = command::limited(seconds(20), "setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .arg("run")
        .current_dir("/");
    one_sentence(&mut command, "root")
}

#[test]
fn without_btf_one_sentence_says_so() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let mut command = command::limited(seconds(20), "unshare");
    let script = "mount -t tmpfs tmpfs /sys/kernel/btf && exec \"$0\" run";
    command
        .args(["--mount", "sh", "-c", script])
        .arg(&programs.agent);
    one_sentence(&mut command, "type information")
}

#[test]
fn a_misspelt_key_is_named_with_its_neighbour() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "metrics:\n  lisen: 127.0.0.1:1\n")?;
    let output = command::run(
        Command::new(&programs.agent)
            .args(["run", "-c"])
            .arg(file.path())
            .stdin(Stdio::null()),
    )?;
    ensure!(!output.status.success(), "{output:?}");
    let said = said(&output);
    ensure!(
        ["lisen", "listen", "2:3"]
            .iter()
            .all(|part| said.contains(part)),
        "{said}"
    );
    Ok(())
}

/// The end of a run that could not begin.
fn one_sentence(command: &mut Command, about: &str) -> Result<()> {
    let output = command::run(command.env("VIGIA_LOG_LEVEL", "error"))?;
    let code = output.status.code();
    ensure!(
        code.is_some_and(|code| code != 0 && code != 124),
        "{output:?}"
    );
    let said = said(&output);
    ensure!(
        said.lines().count() == 1 && said.contains(about),
        "not one sentence about {about}:\n{said}"
    );
    Ok(())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stderr.as_slice(), &output.stdout].concat()).into_owned()
}

/// Reads `... rules.yaml:LINE:COLUMN ...`.
fn place(line: &str) -> Option<(u32, u32)> {
    let (_, rest) = line.split_once("rules.yaml:")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
