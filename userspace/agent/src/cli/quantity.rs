//! Durations and sizes as people write them: `30s`, `64M`.

use std::time::Duration;

/// `30s`, `5m`, `2h`, `1d`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("write it as in 30s, 5m or 2h".to_owned()),
    };
    match number.checked_mul(seconds) {
        Some(0) | None => Err("it is zero, or beyond all measure".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

/// `512K`, `64M`, `2G`, of 1024 each; a bare number is bytes.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let shift = match unit.trim_end_matches("iB") {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err("write it as in 512K, 64M or 2G".to_owned()),
    };
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes >= MIN_BYTES)
        .ok_or_else(|| "it is below 1M, or beyond all measure".to_owned())
}

/// Smaller recordings could not hold the first table of mounts.
const MIN_BYTES: u64 = 1 << 20;

fn split(text: &str) -> Result<(u64, &str), String> {
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number = number
        .parse()
        .map_err(|_| format!("{text:?} does not begin with a number"))?;
    Ok((number, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("30", Some(30)),
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("2h", Some(7200)),
            ("1d", Some(86_400)),
            ("0s", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("5 minutes", None),
            ("99999999999999999999s", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(
                duration(text).ok(),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
        for (text, expected) in [
            ("1048576", Some(1 << 20)),
            ("2048K", Some(2 << 20)),
            ("64M", Some(64 << 20)),
            ("64MiB", Some(64 << 20)),
            ("2G", Some(2 << 30)),
            ("1K", None),
            ("M", None),
            ("99999999999G", None),
            ("64X", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }
}
