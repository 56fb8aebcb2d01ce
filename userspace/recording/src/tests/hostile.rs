//! Recordings that nobody's writer wrote.

use std::borrow::Cow;
use std::io::Write as _;

use super::super::format::{HEADER_BYTES, MAGIC, MAX_RECORD_BYTES, ProcessRecord, Record, VERSION};
use super::super::shared::MAX_WEIGHT;
use super::*;

/// A generator of numbers that are the same in every run.
pub(super) struct Noise(pub(super) u64);

impl Noise {
    pub(super) fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 3).expect("64-bit")
    }

    pub(super) fn byte(&mut self) -> u8 {
        u8::try_from(self.next() % 256).expect("a byte")
    }
}

pub(super) fn unpack(frame: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(frame).expect("a frame")
}

/// A file with these records' bytes.
fn pack(payload: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.resize(HEADER_BYTES, 0);
    let mut encoder = zstd::stream::write::Encoder::new(file, 1).expect("an encoder");
    encoder.write_all(payload).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

fn record(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(record, &mut bytes).expect("encodes");
    framed(&bytes)
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_le_bytes(), bytes].concat()
}

fn origin() -> Vec<u8> {
    record(&Record::Origin(Cow::Owned(Origin::default())))
}

#[test]
fn a_file_cut_anywhere_gives_its_first_events_and_then_an_error() {
    let events = sample::events();
    let (bytes, ..) = write(&events, WriterOptions::default());
    let mut most = 0;
    for length in 0..bytes.len() {
        let (read, error) = read(&bytes[..length]);
        let error = error.unwrap_or_else(|| panic!("cut at {length} without an error"));
        let expected = if length < HEADER_BYTES {
            matches!(error, ReadError::NotARecording)
        } else {
            matches!(error, ReadError::Cut { .. })
        };
        assert!(expected, "cut at {length}: {error}");
        assert!(read.len() >= most, "more of the file gave fewer events");
        most = read.len();
    }
    assert_eq!(most, events.len());
}

#[test]
fn two_recordings_in_one_file_are_not_taken_for_one() {
    let (bytes, ..) = write(&sample::events(), WriterOptions::default());
    for behind in [bytes.as_slice(), b"x"] {
        let (events, error) = read(&[&bytes, behind].concat());
        assert_eq!(events.len(), sample::events().len());
        let error = error.expect("something stands behind the end");
        assert!(
            error.to_string().contains("followed by something"),
            "{error}"
        );
    }
}

#[test]
fn a_flipped_byte_anywhere_never_passes_for_a_whole_recording() {
    let (bytes, ..) = write(&sample::events(), WriterOptions::default());
    // The last six bytes of the header are reserved: not looked at.
    for position in (0..10).chain(HEADER_BYTES..bytes.len()) {
        let mut bytes = bytes.clone();
        bytes[position] ^= 0x55;
        let (_, error) = read(&bytes);
        assert!(error.is_some(), "byte {position}");
    }
}

#[test]
fn mutated_records_are_read_or_refused_and_nothing_else() {
    let (bytes, ..) = write(&sample::events(), WriterOptions::default());
    let payload = unpack(&bytes[HEADER_BYTES..]);
    let mut noise = Noise(0x5eed);
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut payload = payload.clone();
        for _ in 0..=noise.next() % 4 {
            let position = noise.next() % payload.len();
            match noise.next() % 4 {
                0 => payload[position] = noise.byte(),
                1 => payload[position] ^= 1 << (noise.next() % 8),
                2 => payload.truncate(position.max(1)),
                _ => {
                    let end = (position + noise.next() % 64).min(payload.len());
                    let piece = payload[position..end].to_vec();
                    let at = noise.next() % payload.len();
                    payload.splice(at..at, piece);
                }
            }
        }
        let (events, error) = read(&pack(&payload));
        refused += u32::from(error.is_some());
        for event in &events {
            // What was read is an event like any other.
            for field in vigia_event::fields::all() {
                let view = vigia_event::View {
                    event,
                    spelling: vigia_event::Spelling::Given,
                };
                let _ = (view.path(), view.mount(), field.name);
            }
        }
    }
    assert!(refused > 1_000, "{refused} of 3000 were refused");
}

#[test]
fn other_files_and_other_versions_are_refused_in_words() {
    let (recording, ..) = write(&[], WriterOptions::default());
    let mut newer = recording.clone();
    newer[8] = 99;
    let long = u32::try_from(MAX_RECORD_BYTES + 1).expect("fits");
    let process = ProcessRecord {
        process: Cow::Owned(Process::default()),
        exe_file: Some(0),
    };
    let trailer = Record::Trailer(Trailer {
        events: 9,
        lost: Losses::default(),
        ending: Ending::Stopped,
        ended_ns: 0,
    });
    let ended = unpack(&recording[HEADER_BYTES..]);
    for (name, file, expected) in [
        ("empty", Vec::new(), "not a recording"),
        (
            "text",
            b"- rule: something else\n".to_vec(),
            "not a recording",
        ),
        (
            "version",
            newer,
            "format 99; this version of vigia reads format 1",
        ),
        (
            "no zstd",
            [&recording[..16], &[b'x'; 99][..]].concat(),
            "damaged after 0",
        ),
        ("nothing", pack(b""), "cut off after 0"),
        (
            "long",
            pack(&[&origin()[..], &long.to_le_bytes()].concat()),
            "longer than any",
        ),
        (
            "no origin",
            pack(&record(&Record::Forget)),
            "begin with its origin",
        ),
        (
            "two origins",
            pack(&[origin(), origin()].concat()),
            "must not",
        ),
        (
            "no CBOR",
            pack(&[origin(), framed(&[0xff; 9])].concat()),
            "damaged",
        ),
        (
            "two values",
            pack(&[origin(), framed(b"fForgetfForget")].concat()),
            "followed by",
        ),
        (
            "unknown",
            pack(&[origin(), framed(b"eOther")].concat()),
            "unknown variant",
        ),
        (
            "deep",
            pack(&[origin(), framed(&[0x81; 1 << 20])].concat()),
            "damaged",
        ),
        (
            "no file",
            pack(&[origin(), record(&Record::Process(Box::new(process)))].concat()),
            "refers to a file",
        ),
        (
            "count",
            pack(&[origin(), record(&trailer)].concat()),
            "counts other events",
        ),
        (
            "rest",
            pack(&[&ended[..], b"x"].concat()),
            "followed by something",
        ),
    ] {
        let (events, error) = read(&file);
        let error = error
            .unwrap_or_else(|| panic!("{name}: no error"))
            .to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(events.is_empty(), "{name}");
    }
}

#[test]
fn what_unpacks_to_more_than_is_wanted_is_refused() {
    let forget = record(&Record::Forget).repeat(1 << 16);
    let mut limits = Limits {
        max_bytes: 1 << 16,
        ..Limits::default()
    };
    let file = pack(&[origin(), forget].concat());
    let error = Reader::new(file.as_slice(), limits)
        .expect("an origin")
        .next()
        .expect("something")
        .expect_err("too much");
    assert!(
        error.to_string().contains("more bytes than 65536"),
        "{error}"
    );

    let (file, ..) = write(&sample::events(), WriterOptions::default());
    limits = Limits {
        max_events: 2,
        ..Limits::default()
    };
    let reader = Reader::new(file.as_slice(), limits).expect("a recording");
    let outcomes: Vec<_> = reader.map(|event| event.map(|_| ())).collect();
    assert_eq!(outcomes.len(), 3);
    assert!(matches!(
        outcomes[2],
        Err(ReadError::TooLarge { what: "events", .. })
    ));
}

#[test]
fn short_records_that_take_much_memory_are_weighed() {
    // A list of a million empty texts is a megabyte long and takes many to hold.
    let process = ProcessRecord {
        process: Cow::Owned(Process {
            args: vec![bstr::BString::default(); 1 << 20].into(),
            ..Process::default()
        }),
        exe_file: None,
    };
    let heavy = record(&Record::Process(Box::new(process)));
    let mut payload = origin();
    for _ in 0..16 {
        payload.extend_from_slice(&heavy);
    }
    let (_, error) = read(&pack(&payload));
    let expected = format!("more bytes of state than {MAX_WEIGHT}");
    let error = error.expect("too heavy").to_string();
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn more_snapshots_than_anybody_refers_to_are_refused() {
    let forty_thousand = record(&Record::Users(Cow::Owned(Users::default()))).repeat(40_000);
    let (_, error) = read(&pack(&[origin(), forty_thousand].concat()));
    assert!(
        matches!(error, Some(ReadError::TooLarge { .. })),
        "{error:?}"
    );
}
