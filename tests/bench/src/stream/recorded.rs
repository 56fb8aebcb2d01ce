//! The mix once more, from real containers: tests/data/mix.vigia, which `cargo xtask record-mix` makes.

use std::path::Path;

use anyhow::{Context, Result};
use vigia_event::Event;
use vigia_recording::{Limits, Reader};

use super::{FAMILIES, family, mix};

/// Where the events of [`recorded`] come from, in a few words.
pub(super) const ORIGIN: &str = "recorded from real containers, network made up: 70 % open, 10 % exec, 10 % network, 10 % other";

/// Of a hundred events, this many of each family.
const SHARES: [usize; FAMILIES.len()] = [70, 10, 10, 10];

/// `count` events in the shares of the mix, repeated where the recording has fewer. The probes deliver no network yet,
/// so those events are made up.
///
/// # Errors
/// The recording cannot be read, or lacks a family.
pub fn recorded(count: usize) -> Result<Vec<Event>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mix.vigia");
    let reader: Reader<_> = vigia_recording::open(&path, Limits::default())?;
    let mut families: [Vec<Event>; FAMILIES.len()] = Default::default();
    for recorded in reader {
        let event = recorded?.event;
        families[family(&event)].push(event);
    }
    let network = 2;
    families[network] = mix(count)
        .into_iter()
        .filter(|event| family(event) == network)
        .collect();
    // One hundred events at a time, so that families alternate as they do on a node.
    let order: Vec<usize> = (0..100).map(|at| of_share(at * 37 % 100)).collect();
    let mut taken = [0; FAMILIES.len()];
    let mut events = Vec::with_capacity(count);
    for &family in order.iter().cycle().take(count) {
        let some = &families[family];
        let event = some.get(taken[family] % some.len().max(1));
        events.push(
            event
                .with_context(|| format!("no {} event", FAMILIES[family]))?
                .clone(),
        );
        taken[family] += 1;
    }
    Ok(events)
}

/// The family of the event at a place among a hundred.
fn of_share(place: usize) -> usize {
    let mut end = 0;
    let ends = SHARES.iter().map(|share| {
        end += share;
        end
    });
    ends.take_while(|&end| end <= place).count()
}
