//! `cargo xtask demo`: the agent at work on a real Swarm service.
//!
//! Four acts: a service starts and reads the secret it was given; somebody writes to its read-only file
//! system; a container without the grant reads the secret; somebody opens a shell. The last three must be
//! reported, each once and by the rule meant for it, and the first not at all.

mod acts;
mod show;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use vigia_tests::agent::Settings;
use vigia_tests::docker::{Docker, Secret, Service, Swarm};
use vigia_tests::image::Image;
use vigia_tests::scene::{self, Turn};
use vigia_tests::{Agent, Alert};

use crate::engine::Engine;
use crate::report::Report;
use crate::workspace::Workspace;
use crate::{packages, programs};
use acts::ACTS;
use show::Show;

/// How long an alert may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Where the service finds its secret.
const SECRET_PATH: &str = "/run/secrets/database-password";

/// The stage of the demo. Fields are dropped from top to bottom: the watcher first, the ground last.
#[derive(Debug)]
struct Stage {
    agent: Agent,
    service: Service,
    secret: Secret,
    image: Image,
    docker: Docker,
    _swarm: Swarm,
    _engine: Engine,
    _turn: Turn,
}

pub(crate) fn run(workspace: &Workspace, json: bool) -> Result<Report> {
    ensure!(
        scene::is_root(),
        "the agent loads eBPF programs and the demo drives containers: run it as root"
    );
    packages::ensure(&[packages::BUSYBOX, packages::TERMINAL])?;
    let mut report = Report::new("demo");
    let Some(program) = report.act("building the agent", || programs::agent(workspace)) else {
        return Ok(report);
    };
    let show = Show::new(json);
    let start = Instant::now();
    let Some(stage) = report.act("normal start of a read-only service with a secret", || {
        Stage::set(&program, &show)
    }) else {
        return Ok(report);
    };
    let mut expected = Vec::new();
    for act in ACTS {
        show.caption(act.caption);
        report.act(act.name, || {
            (act.play)(&stage)?;
            let alert = stage.agent.expect_within(LIMIT, act.rule, |alert| {
                alert.rule() == act.rule && !expected.contains(alert)
            })?;
            show.alert(&alert);
            (act.judge)(&stage, &alert)?;
            expected.push(alert);
            Ok(())
        });
    }
    report.act("nothing else was reported", || {
        let others: Vec<_> = stage
            .agent
            .alerts()
            .into_iter()
            .filter(|alert| !expected.contains(alert))
            .collect();
        others.iter().for_each(|alert| show.alert(alert));
        let briefs: Vec<_> = others.iter().map(Alert::brief).collect();
        ensure!(others.is_empty(), "{}", briefs.join("\n"));
        Ok(())
    });
    report.act("everything is removed again", || {
        drop(stage);
        Ok(())
    });
    report.act("within a minute", || {
        ensure!(
            start.elapsed() < Duration::from_secs(60),
            "it took {:.0} s",
            start.elapsed().as_secs_f64()
        );
        Ok(())
    });
    Ok(report)
}

impl Stage {
    /// Starts the agent, then the service, and waits until the service has read its secret.
    fn set(program: &std::path::Path, show: &Show) -> Result<Self> {
        let turn = Turn::take()?;
        let engine = Engine::ensure()?;
        let docker = engine.docker.clone();
        docker.sweep()?;
        let swarm = Swarm::join_or_make(&docker)?;
        let image = Image::make(&docker, None)?;
        let secret = Secret::create(&docker, "secret", "correct horse battery staple")?;
        let agent = Agent::start(&Settings {
            program: program.to_owned(),
            socket: docker.socket().to_owned(),
            rules: vec![scene::default_rules()],
            overrides: Vec::new(),
            arguments: Vec::new(),
        })?;
        show.caption(
            "A read-only Swarm service starts. Its entry script reads the secret it was given, as images do.\n\
             That is normal life: nothing may be reported.",
        );
        let grant = format!("--secret=source={},target=database-password", secret.name);
        let script = format!("cat {SECRET_PATH} > /dev/null && echo ready && exec sleep 3600");
        let service = Service::create(
            &docker,
            &["--read-only", "--hostname=shop", &grant],
            &image.name,
            &["/bin/sh", "-c", &script],
        )?;
        vigia_tests::wait::until("the service to have read its secret", LIMIT * 3, || {
            service.logs().ok().filter(|logs| logs.contains("ready"))
        })?;
        Ok(Self {
            agent,
            service,
            secret,
            image,
            docker,
            _swarm: swarm,
            _engine: engine,
            _turn: turn,
        })
    }
}
