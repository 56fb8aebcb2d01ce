//! Recordings of any content: reading ends soon, never panics, and what is read is an event like any other. A first
//! byte of 0 takes the rest for a file, another one for the records inside, which a checksum would otherwise guard.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use vigia_recording::{Limits, Reader, VERSION};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let file = if *first == 0 {
        rest.to_vec()
    } else {
        pack(rest)
    };
    let limits = Limits {
        max_bytes: 64 << 20,
        ..Limits::default()
    };
    let Ok(mut reader) = Reader::new(file.as_slice(), limits) else {
        return;
    };
    let mut events = 0;
    for recorded in reader.by_ref() {
        let Ok(recorded) = recorded else { return };
        assert!(!recorded.event.spellings().is_empty());
        events += 1;
    }
    assert_eq!(reader.trailer().map(|trailer| trailer.events), Some(events));
});

fn pack(records: &[u8]) -> Vec<u8> {
    let mut file = b"VIGIAREC".to_vec();
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.resize(16, 0);
    let mut encoder = zstd::stream::write::Encoder::new(file, 1).expect("an encoder");
    encoder.write_all(records).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
