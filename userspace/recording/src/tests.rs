//! What was written is what is read; and nothing that can be read makes the reader panic, hang or grow.

mod hostile;
mod sample;

use std::sync::Arc;

use bstr::ByteSlice as _;
use vigia_event::captured::{Captured, What};
use vigia_event::container::Inspected;
use vigia_event::mount::MountTable;
use vigia_event::secret::SecretAccess;
use vigia_event::users::Users;
use vigia_event::{Event, File, Process};

use super::format::HEADER_BYTES;
use super::shared::ENOUGH_SHARED;
use super::*;

fn write(events: &[Event], options: WriterOptions) -> (Vec<u8>, Trailer, Vec<Outcome>) {
    let mut writer =
        Writer::new(Vec::new(), &sample::origin(), Plain, options).expect("a vector takes all");
    let outcomes = events
        .iter()
        .map(|event| writer.write(event, event.time_ns + 7).expect("as above"))
        .collect();
    let (bytes, trailer) = writer
        .finish(
            Ending::Stopped,
            Losses {
                overflow: 3,
                ..Losses::default()
            },
            1_000,
        )
        .expect("a vector takes all");
    (bytes, trailer, outcomes)
}

fn read(bytes: &[u8]) -> (Vec<Event>, Option<ReadError>) {
    let mut reader = match Reader::new(bytes, Limits::default()) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut events = Vec::new();
    for recorded in reader.by_ref() {
        match recorded {
            Ok(recorded) => events.push(recorded.event),
            Err(error) => return (events, Some(error)),
        }
    }
    assert!(reader.trailer().is_some(), "an end without an error");
    (events, None)
}

#[test]
fn what_was_written_is_read_back_whole() {
    let events = sample::events();
    let (bytes, trailer, outcomes) = write(&events, WriterOptions::default());
    assert_eq!(outcomes, vec![Outcome::Written; events.len()]);
    assert_eq!((trailer.events, trailer.lost.overflow), (5, 3));

    let mut reader = Reader::new(bytes.as_slice(), Limits::default()).expect("a recording");
    assert_eq!(reader.origin(), &sample::origin());
    let read: Vec<Recorded> = reader.by_ref().map(|event| event.expect("whole")).collect();
    assert_eq!(reader.trailer(), Some(&trailer));
    for (written, read) in events.iter().zip(&read) {
        assert_eq!(format!("{written:#?}"), format!("{:#?}", read.event));
        assert_eq!(read.judged_ns, written.time_ns + 7);
    }
    assert_eq!(read.len(), events.len());
}

#[test]
fn snapshots_that_were_shared_are_shared_again() {
    let (bytes, ..) = write(&sample::events(), WriterOptions::default());
    let (events, _) = read(&bytes);
    let [first, second, ..] = events.as_slice() else {
        panic!("five events");
    };
    assert!(Arc::ptr_eq(&first.process, &second.process));
    assert!(Arc::ptr_eq(&first.node, &second.node));
    assert!(Arc::ptr_eq(&first.mounts, &second.mounts));
    let container = first.container.as_ref().expect("in a container");
    assert!(Arc::ptr_eq(&container.users, &first.users));
}

#[test]
fn more_snapshots_than_are_kept_make_both_sides_begin_anew() {
    let template = sample::events().remove(0);
    let events: Vec<Event> = (0..ENOUGH_SHARED + 10)
        .map(|number| {
            let mut process = Process::clone(&template.process);
            process.task.vpid = u32::try_from(number).expect("few");
            Event {
                process: Arc::new(process),
                ..template.clone()
            }
        })
        .collect();
    let (bytes, ..) = write(&events, WriterOptions::default());
    let (read, error) = read(&bytes);
    assert!(error.is_none(), "{error:?}");
    let vpid = |event: &Event| event.process.task.vpid;
    assert!(read.iter().map(vpid).eq(events.iter().map(vpid)));
}

#[test]
fn a_recording_never_exceeds_its_size_and_says_what_is_missing() {
    // Hardly compressible: every path is noise.
    let mut noise = hostile::Noise(7);
    let events: Vec<Event> = (0..4000)
        .map(|_| {
            let mut event = sample::events().remove(0);
            if let What::Call(call) = &mut event.captured.what {
                call.paths[0].given = (0..400).map(|_| noise.byte()).collect::<Vec<u8>>().into();
            }
            event
        })
        .collect();
    for max_bytes in [100_000, 300_000, 1_000_000] {
        let options = WriterOptions {
            max_bytes,
            ..WriterOptions::default()
        };
        let (bytes, trailer, outcomes) = write(&events, options);
        let written = outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Written)
            .count() as u64;
        assert!(bytes.len() as u64 <= max_bytes, "{} bytes", bytes.len());
        assert!(
            bytes.len() as u64 > max_bytes / 2,
            "{} of {max_bytes} bytes",
            bytes.len()
        );
        assert_eq!(trailer.ending, Ending::MaxBytes);
        assert_eq!(trailer.events, written);
        assert_eq!(trailer.lost.after_end, 4000 - written);
        let (read, error) = read(&bytes);
        assert_eq!(read.len() as u64, written, "{error:?}");
    }
}

#[test]
fn a_recording_stops_at_its_number_of_events() {
    let options = WriterOptions {
        max_events: 2,
        ..WriterOptions::default()
    };
    let (bytes, trailer, outcomes) = write(&sample::events(), options);
    assert_eq!(outcomes[2], Outcome::Full(Ending::MaxEvents));
    assert_eq!((trailer.events, trailer.lost.after_end), (2, 3));
    assert_eq!(read(&bytes).0.len(), 2);
}

#[test]
fn an_event_that_is_too_large_is_counted_and_the_next_one_is_whole() {
    let mut events = sample::events();
    let mut process = Process::clone(&events[1].process);
    process.args = vec!["x".repeat(MAX_RECORD_BYTES).into()].into();
    events[1].process = Arc::new(process);
    let (bytes, trailer, outcomes) = write(&events, WriterOptions::default());
    assert_eq!(outcomes[1], Outcome::TooLarge);
    assert_eq!((trailer.events, trailer.lost.too_large), (4, 1));
    let (read, error) = read(&bytes);
    assert!(error.is_none(), "{error:?}");
    events.remove(1);
    assert_eq!(format!("{events:?}"), format!("{read:?}"));
}

#[test]
fn what_was_flushed_is_read_although_the_rest_is_missing() {
    let events = sample::events();
    let mut disk = Vec::new();
    let mut writer = Writer::new(
        &mut disk,
        &sample::origin(),
        Plain,
        WriterOptions::default(),
    )
    .expect("a vector takes all");
    for event in &events[..3] {
        writer.write(event, 0).expect("as above");
    }
    writer.flush().expect("as above");
    // As a killed agent leaves it: without the end of the frame.
    std::mem::forget(writer);
    let (read, error) = read(&disk);
    assert_eq!(read.len(), 3);
    assert!(
        matches!(error, Some(ReadError::Cut { events: 3 })),
        "{error:?}"
    );
}

/// Says "gone" wherever the word "canary" stands.
struct Scrub;

fn scrub(text: &mut bstr::BString) {
    *text = text.replace("canary", "gone").into();
}

impl Redact for Scrub {
    fn process(&mut self, process: &mut Process) {
        scrub(&mut process.exe_path);
        process.args = process
            .args
            .iter()
            .map(|arg| arg.replace("canary", "gone").into())
            .collect();
    }
    fn file(&mut self, file: &mut File) {
        scrub(&mut file.path);
    }
    fn mounts(&mut self, mounts: &mut MountTable) {
        for mount in &mut mounts.mounts {
            scrub(&mut mount.source);
        }
    }
    fn users(&mut self, users: &mut Users) {
        for user in &mut users.users {
            scrub(&mut user.home);
        }
    }
    fn inspected(&mut self, inspected: &mut Inspected) {
        inspected.labels.values_mut().for_each(scrub);
    }
    fn captured(&mut self, captured: &mut Captured, _: &Event) {
        if let What::Call(call) = &mut captured.what {
            call.paths
                .iter_mut()
                .for_each(|path| scrub(&mut path.given));
            call.file.iter_mut().for_each(|file| scrub(&mut file.path));
        }
    }
    fn secret(&mut self, secret: &mut SecretAccess, _: &Event) {
        secret.reason = secret.reason.replace("canary", "gone");
    }
}

fn payload(event: &Event, redact: impl Redact) -> Vec<u8> {
    let options = WriterOptions::default();
    let mut writer = Writer::new(Vec::new(), &sample::origin(), redact, options).expect("ok");
    writer.write(event, 0).expect("a vector takes all");
    let (bytes, _) = writer
        .finish(Ending::Stopped, Losses::default(), 0)
        .expect("as above");
    hostile::unpack(&bytes[HEADER_BYTES..])
}

#[test]
fn every_text_is_shown_to_the_redactor_before_it_is_written() {
    let event = sample::with_canaries();
    assert!(payload(&event, Plain).contains_str("canary"));
    let scrubbed = payload(&event, Scrub);
    assert!(scrubbed.contains_str("gone"));
    assert!(!scrubbed.contains_str("canary"));
}

#[test]
fn a_file_has_its_name_only_when_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.vigia");
    let out = create(&path).expect("a new file");
    assert!(!path.exists());
    let writer = Writer::new(out, &sample::origin(), Plain, WriterOptions::default()).expect("ok");
    let (out, _) = writer
        .finish(Ending::Stopped, Losses::default(), 0)
        .expect("ok");
    out.keep().expect("ok");
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["a.vigia"]);
    assert!(open(&path, Limits::default()).is_ok());

    drop(create(&path).expect("a new file"));
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 1, "nothing is left of what never began");

    let error = create(folder.path()).expect_err("a folder is no file");
    assert!(error.to_string().contains("cannot make"));
}
