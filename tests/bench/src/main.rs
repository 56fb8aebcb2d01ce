//! Measures how fast rules are judged; `cargo xtask bench engine` builds and runs it.
//!
//! Without arguments a table; with `--json` one JSON document; with `--quick` fewer rounds, and no instructions. `judge N` and `judge-as-written N` judge the stream
//! once by N rules, for a profiler.

#![allow(
    clippy::print_stdout,
    reason = "a command line program talks to its user"
)]

use anyhow::{Context, Result, bail};
use vigia_bench::profiler::Form;
use vigia_bench::results::{EVENTS, Effort, Results};
use vigia_bench::{measure, rules, stream};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (json, quick) = (words.contains(&"--json"), words.contains(&"--quick"));
    let effort = if quick { Effort::Quick } else { Effort::Full };
    let words: Vec<&str> = words
        .into_iter()
        .filter(|word| !matches!(*word, "--json" | "--quick"))
        .collect();
    match words.as_slice() {
        [] if json => println!(
            "{}",
            serde_json::to_string_pretty(&Results::measure(effort)?)?
        ),
        [] => println!("{}", Results::measure(effort)?),
        [form, count] => {
            let count = count.parse().context("a number of rules")?;
            let forms = [Form::Compiled, Form::AsWritten];
            match forms.into_iter().find(|known| known.word() == *form) {
                Some(form) => judge(form, count)?,
                None => bail!("no form '{form}'"),
            }
        }
        _ => bail!("usage: vigia-bench [--json] [--quick] | [judge N | judge-as-written N]"),
    }
    Ok(())
}

fn judge(form: Form, count: usize) -> Result<()> {
    let (rules, _) = rules::best()?;
    let ruleset = rules.sized(count).compile_and_keep()?;
    let (events, _) = stream::best(EVENTS);
    match form {
        Form::Compiled => measure::judge_stream(&ruleset, &events, &mut ruleset.scratch()),
        Form::AsWritten => measure::judge_stream_as_written(&ruleset, &events),
    };
    Ok(())
}
