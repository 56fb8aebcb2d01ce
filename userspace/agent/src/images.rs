//! Keeps what others found out about images up to date: reads the files beside the pipeline, and hands over what is new.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use vigia_inventory::images::{ImageFiles, ImageIndex, ImagesError, Options};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(10);

/// The index as it is now, and as it will be; read once before this returns.
///
/// # Errors
/// The list of trusted digests, or the folder of reports, cannot be used: what was configured does not hold. A report
/// that is not understood is only warned of.
pub(crate) fn keep(options: Options) -> anyhow::Result<watch::Receiver<Arc<ImageIndex>>> {
    let mut files = ImageFiles::new(options);
    if !files.is_configured() {
        return Ok(watch::channel(Arc::default()).1);
    }
    let index = read_at_start(&mut files)?;
    let (sender, receiver) = watch::channel(Arc::new(index));
    tokio::spawn(refresh(files, sender));
    Ok(receiver)
}

/// Reads the files once.
///
/// # Errors
/// As [`keep`].
pub(crate) fn read_at_start(files: &mut ImageFiles) -> anyhow::Result<ImageIndex> {
    let configured = files.options().clone();
    let mut refused = None;
    let index = files
        .refresh(&mut |error| {
            let (ImagesError::Read { path, .. } | ImagesError::Content { path, .. }) = &error;
            let is_named = [&configured.reports, &configured.trusted]
                .into_iter()
                .flatten()
                .any(|named| named == path);
            if is_named {
                refused = Some(error);
            } else {
                warn(&error);
            }
        })
        .unwrap_or_default();
    match refused {
        Some(error) => Err(error.into()),
        None => {
            tracing::info!(reports = index.reports(), "reports about images read");
            Ok(index)
        }
    }
}

fn warn(error: &ImagesError) {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "what is said of images cannot be used; what was known of them before is kept"
    );
}

async fn refresh(mut files: ImageFiles, sender: watch::Sender<Arc<ImageIndex>>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = sender.closed() => return,
        }
        // Large files must not hold up the pipeline.
        let read = tokio::task::spawn_blocking(move || {
            let index = files.refresh(&mut |error| warn(&error));
            (files, index)
        });
        let Ok((again, index)) = read.await else {
            return;
        };
        files = again;
        if let Some(index) = index {
            tracing::info!(reports = index.reports(), "reports about images changed");
            sender.send_replace(Arc::new(index));
        }
    }
}
