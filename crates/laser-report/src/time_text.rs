//! Times as they are written.

use std::time::{Duration, SystemTime};

/// The first second of the year 10000, which RFC 3339 cannot write.
const END: Duration = Duration::from_secs(253_402_300_800);

/// A time as RFC 3339, in microseconds. A file may carry any time: none of those before 1970 and
/// after 9999.
pub fn time_text(time: SystemTime) -> Option<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since < END).then(|| humantime::format_rfc3339_micros(time).to_string())
}

/// The same, in seconds.
pub(crate) fn seconds_text(time: SystemTime) -> Option<String> {
    let text = time_text(time)?;
    Some(format!("{}Z", text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_of_a_file_is_too_odd() {
        let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(time_text(after(86_400)).as_deref(), Some("1970-01-02T00:00:00.000000Z"));
        assert_eq!(seconds_text(after(86_400)).as_deref(), Some("1970-01-02T00:00:00Z"));
        assert_eq!(time_text(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
        assert_eq!(time_text(after(253_402_300_799)).as_deref(), Some("9999-12-31T23:59:59.000000Z"));
        assert_eq!(time_text(after(253_402_300_800)), None);
    }
}
