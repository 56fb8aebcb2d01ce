//! Services that people run, under load: through start, load, reload, log rotation and stop nothing is reported at
//! default priority.
//!
//! Each runs once as official images start it (root, an entry script that drops to the service's user) and once
//! read-only, as that user, as a Swarm service. Silence must be distinguishable from blindness: the load counts what was
//! done, the agent counts what it saw, and at the end of each run somebody reads the service's secret, which must be
//! reported.

mod place;
mod row;
mod services;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::agent::Agent;
use crate::debian::services::Images;
use crate::docker::{Docker, Swarm};
use crate::rules::SECRET_READ;
use crate::scene::{Programs, Scene, Turn};
use crate::wait::{self, seconds};

use place::{Ground, Place};
pub use row::Row;
pub use services::{SERVICES, Service};

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long each service is under load.
    pub load: Duration,
    /// The agent's `secrets.window_s`: shorter than the load, so that reloads come when the start is over.
    pub window_s: u64,
}

impl Pace {
    /// A minute of load and the default configuration.
    pub const FULL: Self = Self {
        load: seconds(60),
        window_s: 60,
    };
    /// For every day.
    pub const SHORT: Self = Self {
        load: seconds(6),
        window_s: 3,
    };
}

/// How a service is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As root, with `docker run`; secrets are files bound below /run/secrets.
    Plain,
    /// `--read-only`, as the service's user, as a Swarm service with Swarm secrets.
    ReadOnly,
}

impl Variant {
    const ALL: [Self; 2] = [Self::Plain, Self::ReadOnly];

    /// As the table calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::ReadOnly => "read-only",
        }
    }
}

/// Plays the services of some names, or all, one after the other.
///
/// # Errors
/// The stage cannot be set. What goes wrong with a service stands in its rows.
pub fn run(
    docker: &Docker,
    programs: &Programs,
    pace: Pace,
    names: &[String],
    mut told: impl FnMut(&Row),
) -> Result<Vec<Row>> {
    let chosen: Vec<_> = SERVICES
        .iter()
        .filter(|service| names.is_empty() || names.iter().any(|name| name == service.name))
        .collect();
    ensure!(!chosen.is_empty(), "no service of these names: {names:?}");
    let turn = Turn::take()?;
    docker.sweep()?;
    let names: Vec<_> = chosen.iter().map(|service| service.name).collect();
    let images = Images::make(docker, &names).context("making the images of the services")?;
    let ground = Ground::lay(&images)?;
    let _swarm = Swarm::join_or_make(docker)?;
    let overrides = [
        ("/secrets/window_s", json!(pace.window_s)),
        // Every alert for itself: none may hide behind another.
        ("/throttle/window_s", json!(0)),
    ];
    let scene = Scene::on(docker.clone(), turn, programs, &overrides, &[])?;
    let mut rows = Vec::new();
    for service in chosen {
        for variant in Variant::ALL {
            let row = play(&scene, &ground, service, variant, pace);
            told(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// One service from its start to its end.
fn play(scene: &Scene, ground: &Ground, service: &Service, variant: Variant, pace: Pace) -> Row {
    let start = Instant::now();
    let mut row = Row::new(service, variant);
    let played = scene
        .settle()
        .and_then(|()| play_through(scene, ground, service, variant, pace, &mut row));
    if let Err(error) = played {
        row.faults.push(format!("{error:#}"));
    }
    row.seconds = start.elapsed().as_secs_f64();
    row
}

fn play_through(
    scene: &Scene,
    ground: &Ground,
    service: &Service,
    variant: Variant,
    pace: Pace,
    row: &mut Row,
) -> Result<()> {
    let before = Sight::of(&scene.agent)?;
    let known = scene.agent.alerts().len();
    let place = Place::open(scene, ground, service, variant).context("start")?;
    let acted = act(&place, service, pace, row).context(row.phase());
    let (ids, secret) = (place.ids(), place.secret_path());
    // Its last events are part of it.
    drop(place);
    scene.settle()?;
    let after = Sight::of(&scene.agent)?;
    row.see(&before, &after);
    let alerts = scene.agent.alerts();
    row.judge(alerts.get(known..).unwrap_or_default(), &secret, &ids);
    if !row.alerts.is_empty() {
        row.losses = scene.agent.losses();
    }
    acted
}

/// What happens to a service, in order.
fn act(place: &Place<'_>, service: &Service, pace: Pace, row: &mut Row) -> Result<()> {
    row.enter("start");
    place.ready()?;
    row.enter("load");
    row.requests = (service.load)(place, pace.load)?;
    let least = (service.least_per_second * pace.load.as_secs()).max(1);
    ensure!(
        row.requests >= least,
        "no load: {} {} in {:.0} s",
        row.requests,
        service.unit,
        pace.load.as_secs_f64()
    );
    row.enter("reload");
    (service.reload)(place)?;
    row.enter("rotate");
    (service.rotate)(place)?;
    (service.load)(place, seconds(1)).context("a second of load afterwards")?;
    row.enter("misdeed");
    let secret = place.secret_path();
    place.exec(&["cat", &secret])?;
    let alert = place
        .scene
        .agent
        .expect("somebody's read of the secret", |alert| {
            row::is_misdeed(alert, &place.id, &secret)
        })?;
    ensure!(alert.rule() == SECRET_READ);
    row.misdeed_seen = true;
    row.enter("stop");
    place.stop()
}

/// What the agent had counted at some time.
#[derive(Clone, Copy, Debug)]
struct Sight {
    /// Times a probe ran for something in a container.
    seen: f64,
    /// Events that rules judged.
    judged: f64,
    processor_s: f64,
    memory_bytes: f64,
}

impl Sight {
    /// The probes' counters are read once a second: waits until they are younger than this call.
    fn of(agent: &Agent) -> Result<Self> {
        let called_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        wait::until("the probes' counters to be read", seconds(10), || {
            let metrics = agent.metrics().ok()?;
            let beat_s = metrics.sum("vigia_heartbeat_timestamp_seconds", &[]);
            (beat_s >= called_s.ceil()).then_some(())?;
            let filtered =
                |cause| metrics.sum("vigia_kernel_events_filtered_total", &[("cause", cause)]);
            let of_containers = metrics.sum("vigia_kernel_events_seen_total", &[])
                - filtered("out_of_scope")
                - filtered("agent");
            Some(Self {
                seen: of_containers,
                judged: metrics.sum("vigia_events_evaluated_total", &[]),
                processor_s: metrics.sum("vigia_process_cpu_seconds_total", &[]),
                memory_bytes: metrics.sum("vigia_process_resident_memory_bytes", &[]),
            })
        })
    }
}
