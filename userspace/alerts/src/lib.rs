//! From a match of a rule to an alert that was delivered.
//!
//! [`Alert::new`] makes the record: bounded, valid UTF-8, without secrets. [`Throttle`] folds repeats.
//! [`Outputs`] renders what is left once and hands it to every output, each with a queue and counters of its own.
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//! use vigia_alerts::{Alert, Context, Outputs, Throttle};
//! # fn example(event: &vigia_event::Event, found: &vigia_engine::Match<'_>, context: &Context,
//! #     throttle: &mut Throttle, outputs: &Outputs) {
//! let now = Instant::now();
//! throttle.expire(now).into_iter().for_each(|summary| outputs.deliver(summary));
//! if !throttle.fold(event, found, context, now)
//!     && let Some(alert) = throttle.admit(Alert::new(event, found, context), now)
//! {
//!     outputs.deliver(alert);
//! }
//! # }
//! ```
//!
//! This crate judges nothing and stores nothing: what waits in a queue when the agent is killed is lost
//! (docs/limitations.md).

mod alert;
mod outputs;
mod redact;
mod render;
#[cfg(test)]
mod sample;
mod text;
mod throttle;

pub use alert::{
    Alert, AlertId, AlertMetadata, ComposeEvidence, ContainerEvidence, Context, Evidence,
    FileEvidence, MountEvidence, PodEvidence, ProcessEvidence, ResultEvidence, SecretEvidence,
    Subject, SwarmEvidence, UserEvidence, VulnerabilityEvidence, shown,
};
pub use outputs::{
    FileOptions, Form, OutputConfig, OutputCounters, OutputError, Outputs, StdoutOptions, Target,
    WebhookOptions,
};
pub use redact::{Phrases, REDACTED, RedactionError, RedactionOptions, Redactor};
pub use render::{JsonProperties, MAX_LINE_BYTES, RenderOptions, Rendered, TimeStyle};
pub use text::is_deceptive;
pub use throttle::{Throttle, ThrottleCounters, ThrottleOptions};
