//! The driver's errors in our words.

use crate::Error;
use cudarc::driver::DriverError;

/// What went wrong during something: the error's name, and the driver's text for it.
pub(crate) fn driver(during: &str, error: DriverError) -> Error {
    let name = error.error_name().ok().and_then(|name| name.to_str().ok()).unwrap_or("an error");
    let text = error.error_string().ok().and_then(|text| text.to_str().ok()).unwrap_or("unknown");
    Error::Driver { during: during.to_owned(), why: format!("{name}: {text}") }
}
