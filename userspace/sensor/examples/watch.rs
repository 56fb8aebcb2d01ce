//! Prints what the probes report, record by record: `cargo run --example watch [-- --host | --cgroup PATH]`.
//!
//! For people who work on the probes. Needs root.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use vigia_sensor::{Interest, Options, Scope, Sensor, StartError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let scope = match (args.next().as_deref(), args.next()) {
        (Some("--host"), _) => Scope::Host,
        (Some("--cgroup"), Some(path)) => Scope::Cgroup(path.into()),
        _ => Scope::Containers,
    };
    match watch(&Options {
        scope,
        ..Options::default()
    })
    .await
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  because {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn watch(options: &Options) -> Result<(), StartError> {
    let mut sensor = Sensor::start(options)?;
    for program in sensor.programs() {
        if let Some(reason) = &program.refused {
            eprintln!("{} was refused: {reason}", program.program);
        }
    }
    sensor.set_interest(&Interest::everything())?;
    eprintln!(
        "watching, hierarchy {:?}, typed loads: {}",
        sensor.hierarchy(),
        sensor.has_typed_loads()
    );
    let mut told = Instant::now();
    loop {
        let wait = tokio::time::timeout(Duration::from_secs(1), sensor.readable()).await;
        if let Ok(Err(error)) = wait {
            return Err(StartError::Ring(error));
        }
        sensor.read(1024, |record| match record {
            Ok(captured) => println!("{captured:?}"),
            Err(malformed) => println!("malformed: {malformed}"),
        });
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let counters = sensor.counters()?;
            for (class, cause, value) in counters.by_class().filter(|row| row.2 > 0) {
                eprint!("{}.{}={value} ", class.name(), cause.name());
            }
            eprintln!(
                "ring={:?} misses={:?}",
                counters.ring, counters.recursion_misses
            );
        }
    }
}
