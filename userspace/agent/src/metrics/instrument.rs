//! Kinds of metrics, each able to register itself from its row.

use prometheus::core::Collector;
use prometheus::{
    Counter, Error, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::Row;

/// Counter or gauge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    /// The word Prometheus uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// A type that a row of the table can have.
pub(super) trait Instrument: Sized {
    const KIND: Kind;

    fn register(row: &Row, registry: &Registry) -> Result<Self, Error>;
}

fn keep<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn options(row: &Row) -> Opts {
    Opts::new(row.name, row.help)
}

macro_rules! instruments {
    ($($type:ident is $kind:ident: |$row:ident| $make:expr;)*) => { $(
        impl Instrument for $type {
            const KIND: Kind = Kind::$kind;

            fn register($row: &Row, registry: &Registry) -> Result<Self, Error> {
                keep(registry, $make?)
            }
        }
    )* };
}

instruments! {
    IntCounter is Counter: |row| Self::with_opts(options(row));
    IntGauge is Gauge: |row| Self::with_opts(options(row));
    Gauge is Gauge: |row| Self::with_opts(options(row));
    IntCounterVec is Counter: |row| Self::new(options(row), row.labels);
    IntGaugeVec is Gauge: |row| Self::new(options(row), row.labels);
}

/// A label whose values are known when compiling.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value, in order of [`Label::index`].
    const ALL: &'static [Self];

    /// The position in [`Label::ALL`].
    fn index(self) -> usize;

    /// The text.
    fn value(self) -> &'static str;
}

/// One counter for each value of a label; all of them are shown from the start.
#[derive(Clone, Debug)]
pub struct CountersBy<L> {
    counters: Vec<IntCounter>,
    label: std::marker::PhantomData<L>,
}

impl<L: Label> CountersBy<L> {
    /// Adds one.
    pub fn inc(&self, label: L) {
        self.counters[label.index()].inc();
    }

    /// Adds some.
    pub fn add(&self, label: L, count: u64) {
        self.counters[label.index()].inc_by(count);
    }

    /// Follows a total that is counted elsewhere.
    pub fn advance(&self, label: L, total: u64) {
        super::advance(&self.counters[label.index()], total);
    }

    /// What was counted.
    #[must_use]
    pub fn get(&self, label: L) -> u64 {
        self.counters[label.index()].get()
    }
}

impl<L: Label> Instrument for CountersBy<L> {
    const KIND: Kind = Kind::Counter;

    fn register(row: &Row, registry: &Registry) -> Result<Self, Error> {
        let family = IntCounterVec::new(options(row), &[L::NAME])?;
        let counters = L::ALL
            .iter()
            .map(|label| family.with_label_values(&[label.value()]))
            .collect();
        keep(registry, family)?;
        Ok(Self {
            counters,
            label: std::marker::PhantomData,
        })
    }
}

/// One gauge for each value of a label; all of them are shown from the start.
#[derive(Clone, Debug)]
pub struct GaugesBy<L> {
    gauges: Vec<IntGauge>,
    label: std::marker::PhantomData<L>,
}

impl<L: Label> GaugesBy<L> {
    /// Sets it to a count of things in memory.
    pub fn set(&self, label: L, count: usize) {
        self.gauges[label.index()].set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

impl<L: Label> Instrument for GaugesBy<L> {
    const KIND: Kind = Kind::Gauge;

    fn register(row: &Row, registry: &Registry) -> Result<Self, Error> {
        let family = IntGaugeVec::new(options(row), &[L::NAME])?;
        let gauges = L::ALL
            .iter()
            .map(|label| family.with_label_values(&[label.value()]))
            .collect();
        keep(registry, family)?;
        Ok(Self {
            gauges,
            label: std::marker::PhantomData,
        })
    }
}

/// A counter of something that comes in fractions, such as seconds.
#[derive(Clone, Debug)]
pub struct Fraction(Counter);

impl Fraction {
    /// Follows a total that is measured elsewhere.
    pub fn advance(&self, total: f64) {
        let more = total - self.0.get();
        if more > 0.0 {
            self.0.inc_by(more);
        }
    }
}

impl Instrument for Fraction {
    const KIND: Kind = Kind::Counter;

    fn register(row: &Row, registry: &Registry) -> Result<Self, Error> {
        keep(registry, Counter::with_opts(options(row))?).map(Self)
    }
}
