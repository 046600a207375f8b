//! Talking to the hub.

use std::{io::Read, time::Duration};

use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{HeaderMap, Response, StatusCode, Uri, header},
};

use crate::{failure::Failure, hub::Hub};

/// Time to reach a server, and to hear the beginning of its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// More redirects than this lead nowhere.
const REDIRECTS: usize = 5;
/// No description of a repository is larger, in bytes.
const LARGEST_INFO: u64 = 1 << 26;

/// A connection to the hub. The token goes to the hub's own address and nowhere else.
pub(crate) struct Web {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// What the hub says of a file before it sends it.
pub(crate) struct Announced {
    /// The name of its content: a hash, for the hub's own files.
    pub etag: String,
    /// The commit that it is of, if that is said.
    pub commit: Option<String>,
    /// Its bytes, if that is said.
    pub size: Option<u64>,
}

/// The beginning of a file, or of the rest of it.
pub(crate) struct Opened {
    pub body: Body,
    /// The byte that it starts at.
    pub start: u64,
    /// Bytes of the whole file, if that is said.
    pub size: Option<u64>,
}

impl Web {
    pub fn new(hub: &Hub) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, so that the token stays here.
            .max_redirects(0)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(SILENCE))
            .build();
        Self { agent: config.into(), endpoint: hub.endpoint.clone(), token: hub.token.clone() }
    }

    /// What the hub's interface says at `path`.
    pub fn json(&self, path: &str) -> Result<Value, Failure> {
        let (response, _) = self.follow(&format!("{}/api/{path}", self.endpoint), None)?;
        let mut text = Vec::new();
        let mut body = response.into_body();
        body.as_reader().take(LARGEST_INFO).read_to_end(&mut text).map_err(unreachable)?;
        serde_json::from_slice(&text).map_err(unreachable)
    }

    /// The file at `path`, from byte `start` on, or from its beginning where the server will have it so. None where the file
    /// ends before.
    pub fn open(&self, path: &str, start: u64) -> Result<Option<(Announced, Opened)>, Failure> {
        let (response, first) = self.follow(&format!("{}/{path}", self.endpoint), Some(start))?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(None);
        }
        let of_body = size_of(response.headers());
        let first = first.unwrap_or_else(|| response.headers().clone());
        let text = |name: &str| first.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let etag = text("x-linked-etag").or_else(|| text("etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        let announced = text("x-linked-size").and_then(|size| size.parse().ok());
        let size = announced.or(of_body.size);
        let opened = Opened { body: response.into_body(), start: of_body.start, size };
        Ok(Some((Announced { etag, commit: text("x-repo-commit"), size }, opened)))
    }

    /// The answer at the end of all redirects, and the headers of the first answer of the hub's own that names a content, if
    /// that was a redirect. `start` is the first byte that is wanted of a file.
    fn follow(&self, address: &str, start: Option<u64>) -> Result<(Response<Body>, Option<HeaderMap>), Failure> {
        let (mut address, mut first) = (address.to_owned(), None);
        for _ in 0..=REDIRECTS {
            let mut request =
                self.agent.get(&address).header(header::USER_AGENT, concat!("laser/", env!("CARGO_PKG_VERSION")));
            if let Some(token) = self.token.as_ref().filter(|_| is_of(&address, &self.endpoint)) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            if let Some(start) = start {
                // Bytes are counted, and hashed, as they are.
                request = request.header(header::ACCEPT_ENCODING, "identity");
                if start > 0 {
                    request = request.header(header::RANGE, format!("bytes={start}-"));
                }
            }
            let response = request.call().map_err(unreachable)?;
            let status = response.status();
            if status.is_redirection() {
                let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
                let next = target(&address, to).ok_or_else(|| {
                    Failure::Refused(format!("the hub sends to {to:?}, which is not an address to follow"))
                })?;
                let from = std::mem::replace(&mut address, next);
                let names_content = ["x-linked-etag", "etag"].iter().any(|name| response.headers().contains_key(*name));
                if first.is_none() && names_content && is_of(&from, &self.endpoint) {
                    first = Some(response.headers().clone());
                }
                continue;
            }
            return match status.as_u16() {
                200 | 206 | 416 => Ok((response, first)),
                404 => Err(Failure::Missing),
                // The hub answers so for an id that does not exist, too.
                401 | 403 => Err(Failure::Refused(
                    "the hub does not show it: check the spelling, or accept its terms on its page and set HF_TOKEN"
                        .to_owned(),
                )),
                code => Err(Failure::Unreachable(format!("the hub cannot be reached (it answers with status {code})"))),
            };
        }
        Err(Failure::Unreachable("the hub cannot be reached (it sends from one address to another)".to_owned()))
    }
}

/// A failure of the network.
pub(crate) fn unreachable(error: impl std::fmt::Display) -> Failure {
    Failure::Unreachable(format!("the hub cannot be reached ({error})"))
}

/// The first byte of a body, and the bytes of the whole.
struct BodySize {
    start: u64,
    size: Option<u64>,
}

fn size_of(headers: &HeaderMap) -> BodySize {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // bytes 5-9/10
    let range = text(header::CONTENT_RANGE).and_then(|range| {
        let (range, size) = range.strip_prefix("bytes ")?.split_once('/')?;
        Some(BodySize { start: range.split_once('-')?.0.parse().ok()?, size: size.parse().ok() })
    });
    let length = || text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    range.unwrap_or_else(|| BodySize { start: 0, size: length() })
}

/// Whether `address` is on the server of `endpoint`: scheme, name and port are the same.
fn is_of(address: &str, endpoint: &str) -> bool {
    let server = |address: &str| {
        let uri: Uri = address.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?.to_lowercase(), uri.authority()?.as_str().to_lowercase());
        Some((scheme, authority))
    };
    server(address).is_some_and(|found| Some(found) == server(endpoint))
}

/// Where `to`, a redirect of `from`, leads. None where it is no address, or leads from a protected one to an open one.
fn target(from: &str, to: &str) -> Option<String> {
    let uri: Uri = from.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    if to.starts_with('/') && !to.starts_with("//") {
        return Some(format!("{scheme}://{authority}{to}"));
    }
    let target: Uri = to.parse().ok()?;
    let fits = matches!((scheme, target.scheme_str()?), (_, "https") | ("http", "http"));
    (fits && target.authority().is_some()).then(|| to.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_addresses() {
        let from = "https://huggingface.co/a/b";
        assert_eq!(target(from, "/c?d=1").unwrap(), "https://huggingface.co/c?d=1");
        assert_eq!(target(from, "https://cdn.example/x").unwrap(), "https://cdn.example/x");
        for wrong in ["", "http://cdn.example/x", "//cdn.example/x", "file:///etc/passwd", "x", "ftp://a/b"] {
            assert_eq!(target(from, wrong), None, "{wrong}");
        }
        assert_eq!(target("http://127.0.0.1:1/x", "http://127.0.0.1:2/y").unwrap(), "http://127.0.0.1:2/y");
    }

    #[test]
    fn only_the_very_server_is_the_hub() {
        let endpoint = "https://huggingface.co";
        assert!(is_of("https://HuggingFace.co/a?b", endpoint));
        for other in [
            "https://huggingface.co.evil.example/a",
            "https://huggingface.co:444/a",
            "http://huggingface.co/a",
            "https://user@huggingface.co/a",
            "https://cdn.huggingface.co/a",
            "/a",
        ] {
            assert!(!is_of(other, endpoint), "{other}");
        }
    }
}
