//! The domain names that rules compare with, resolved beside the pipeline: it judges with the latest answers and
//! never asks.
//!
//! The system's own resolver is asked, so that /etc/hosts and search domains count as they do for programs. A name
//! that could never be resolved is unknown at first, and taken for a name without addresses after a few attempts:
//! otherwise a rule with a misspelt name would stay undecided for ever.

use std::collections::BTreeSet;
use std::future::Future;
use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHasher;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use vigia_event::names::DomainNames;

use crate::metrics::{Lookup, Metrics};

/// More names are not resolved.
pub const MAX_NAMES: usize = 256;
/// Addresses of one name that are kept.
const MAX_ADDRESSES: usize = 256;
/// Lookups under way at once; each may block a thread.
const CONCURRENT: usize = 4;
/// How long one lookup may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long after a failure the next attempt is made; twice as long after each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Failures after which a name that was never resolved counts as one without addresses.
const ATTEMPTS: u32 = 4;

/// Asks the system's resolver.
///
/// # Errors
/// There is no such name, or nobody answers; the system does not say which.
pub async fn system(name: String) -> io::Result<Vec<IpAddr>> {
    let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
    Ok(addresses.map(|address| address.ip()).collect())
}

/// The names to resolve, without those beyond [`MAX_NAMES`]; the table to begin with.
#[must_use]
pub fn table(names: &BTreeSet<String>) -> DomainNames {
    if names.len() > MAX_NAMES {
        tracing::warn!(
            names = names.len(),
            most = MAX_NAMES,
            "rules compare with too many domain names; the last ones are not resolved"
        );
    }
    DomainNames::pending(names.iter().take(MAX_NAMES).cloned())
}

/// Resolves the names of a table for ever, each anew after about `refresh`; sends the table when an answer changes
/// it. Ends when nobody receives any more.
pub async fn keep<F>(
    mut table: DomainNames,
    refresh: Duration,
    lookup: impl Fn(String) -> F,
    sender: watch::Sender<Arc<DomainNames>>,
    metrics: Arc<Metrics>,
) where
    F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
{
    let mut names: Vec<Name> = table.iter().map(|(name, _)| Name::new(name)).collect();
    let mut lookups: JoinSet<(usize, Result<Vec<IpAddr>, String>)> = JoinSet::new();
    loop {
        metrics
            .domain_names_pending
            .set(i64::try_from(unanswered(&table)).unwrap_or(i64::MAX));
        let now = Instant::now();
        for (index, name) in names.iter_mut().enumerate() {
            if lookups.len() == CONCURRENT {
                break;
            }
            if name.due.is_some_and(|due| due <= now) {
                name.due = None;
                let asked = lookup(name.text.clone());
                lookups.spawn(async move { (index, answered(asked).await) });
            }
        }
        // Without room for another lookup, the next thing that happens is that one ends.
        let next = names
            .iter()
            .filter_map(|name| name.due)
            .filter(|_| lookups.len() < CONCURRENT)
            .min();
        tokio::select! {
            () = sender.closed() => return,
            Some(ended) = lookups.join_next() => {
                let Ok((index, result)) = ended else { continue };
                let before = table.clone();
                names[index].take(result, refresh, &mut table, &metrics);
                // The same table stays the same: events of a recording share it.
                if table != before {
                    sender.send_replace(Arc::new(table.clone()));
                }
            }
            () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
        }
    }
}

async fn answered(
    asked: impl Future<Output = io::Result<Vec<IpAddr>>>,
) -> Result<Vec<IpAddr>, String> {
    match timeout(PATIENCE, asked).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

fn unanswered(table: &DomainNames) -> usize {
    table
        .iter()
        .filter(|(_, addresses)| addresses.is_none())
        .count()
}

/// A name and when it is asked for next.
struct Name {
    text: String,
    /// `None` while it is being looked up.
    due: Option<Instant>,
    /// In a row.
    failures: u32,
    was_answered: bool,
}

impl Name {
    fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            due: Some(Instant::now()),
            failures: 0,
            was_answered: false,
        }
    }

    fn take(
        &mut self,
        result: Result<Vec<IpAddr>, String>,
        refresh: Duration,
        table: &mut DomainNames,
        metrics: &Metrics,
    ) {
        let wait = match result {
            Ok(mut addresses) => {
                metrics.domain_lookups.inc(Lookup::Answered);
                addresses.sort_unstable();
                addresses.truncate(MAX_ADDRESSES);
                table.answer(&self.text, addresses);
                self.failures = 0;
                self.was_answered = true;
                refresh
            }
            Err(reason) => {
                metrics.domain_lookups.inc(Lookup::Failed);
                self.failures = self.failures.saturating_add(1);
                if self.failures == ATTEMPTS {
                    tracing::warn!(
                        name = self.text,
                        reason,
                        "a domain name that rules compare with cannot be resolved"
                    );
                    if !self.was_answered {
                        table.answer(&self.text, []);
                    }
                }
                // What was known stays known.
                let doubled = FIRST_RETRY.saturating_mul(1 << (self.failures - 1).min(16));
                doubled.min(refresh)
            }
        };
        self.due = Some(Instant::now() + self.spread(wait));
    }

    /// A duration of its own for each name, so that not all of them are asked for at once for ever: up to a tenth
    /// less.
    fn spread(&self, wait: Duration) -> Duration {
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(&self.text);
        let tenth = wait / 10;
        wait - tenth.mul_f64((hash >> 40) as f64 / (1_u64 << 24) as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    type Answers = Arc<Mutex<Vec<io::Result<Vec<IpAddr>>>>>;

    /// Answers in order, the last one for ever.
    fn scripted(answers: Vec<io::Result<Vec<IpAddr>>>) -> (Answers, impl Fn(String) -> Answer) {
        let answers: Answers = Arc::new(Mutex::new(answers));
        let given = Arc::clone(&answers);
        let lookup = move |_: String| {
            let mut left = given.lock().unwrap();
            let answer = if left.len() > 1 {
                left.remove(0)
            } else {
                match &left[0] {
                    Ok(addresses) => Ok(addresses.clone()),
                    Err(_) => Err(io::Error::other("down")),
                }
            };
            std::future::ready(answer)
        };
        (answers, lookup)
    }

    type Answer = std::future::Ready<io::Result<Vec<IpAddr>>>;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn failure() -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other("down"))
    }

    fn start(
        names: &[&str],
        lookup: impl Fn(String) -> Answer + Send + 'static,
    ) -> (watch::Receiver<Arc<DomainNames>>, Arc<Metrics>) {
        let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        let first = table(&names);
        let (sender, receiver) = watch::channel(Arc::new(first.clone()));
        let metrics = Arc::new(Metrics::new());
        let counted = Arc::clone(&metrics);
        tokio::spawn(
            async move { keep(first, Duration::from_secs(60), lookup, sender, counted).await },
        );
        (receiver, metrics)
    }

    fn names_of(receiver: &watch::Receiver<Arc<DomainNames>>, last: u8) -> Vec<String> {
        let table = receiver.borrow();
        table.of(address(last)).map(str::to_owned).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_come_are_refreshed_and_outlive_failures() {
        let (_, lookup) = scripted(vec![Ok(vec![address(1)]), Ok(vec![address(2)]), failure()]);
        let (mut receiver, metrics) = start(&["a.test"], lookup);
        assert!(receiver.borrow().is_pending());
        receiver.changed().await.unwrap();
        assert_eq!(names_of(&receiver, 1), ["a.test"]);
        let since = Instant::now();
        receiver.changed().await.unwrap();
        let waited = since.elapsed().as_secs();
        assert!((54..=60).contains(&waited), "{waited}");
        assert_eq!(names_of(&receiver, 2), ["a.test"]);
        // From now on it fails, and the last answer stays.
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(names_of(&receiver, 2), ["a.test"]);
        assert_eq!(metrics.domain_lookups.get(Lookup::Answered), 2);
        let failed = metrics.domain_lookups.get(Lookup::Failed);
        assert!((8..=20).contains(&failed), "{failed}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_cannot_be_resolved_is_undecided_only_for_a_while() {
        let (_, lookup) = scripted(vec![failure()]);
        let (mut receiver, metrics) = start(&["misspelt.test"], lookup);
        let since = Instant::now();
        receiver.changed().await.unwrap();
        assert!(!receiver.borrow().is_pending());
        assert!(
            since.elapsed() >= Duration::from_secs(5),
            "{:?}",
            since.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(metrics.domain_names_pending.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_changes_nothing_sends_nothing() {
        let (_, lookup) = scripted(vec![
            Ok(vec![address(2), address(1)]),
            Ok(vec![address(1), address(2)]),
        ]);
        let (mut receiver, metrics) = start(&["a.test", "b.test"], lookup);
        while receiver.borrow().is_pending() {
            receiver.changed().await.unwrap();
        }
        receiver.mark_unchanged();
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert!(!receiver.has_changed().unwrap());
        assert!(metrics.domain_lookups.get(Lookup::Answered) >= 8);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_its_receiver() {
        let (_, lookup) = scripted(vec![Ok(vec![address(1)])]);
        let (sender, receiver) = watch::channel(Arc::default());
        let task = tokio::spawn(keep(
            table(&BTreeSet::from(["a.test".to_owned()])),
            Duration::from_secs(60),
            lookup,
            sender,
            Arc::new(Metrics::new()),
        ));
        drop(receiver);
        task.await.unwrap();
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let many: BTreeSet<String> = (0..1000).map(|number| format!("{number}.test")).collect();
        assert_eq!(table(&many).iter().count(), MAX_NAMES);
    }
}
