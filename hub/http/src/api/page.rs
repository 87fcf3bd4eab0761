//! The console's files, which are part of the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;

/// Every file of `hub/http/console` by name (see `build.rs`).
pub const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// Where a file is served.
pub fn path(name: &str) -> String {
    if name == "index.html" {
        "/".to_owned()
    } else {
        format!("/{name}")
    }
}

/// A file as an answer.
pub fn answer(name: &'static str, content: &'static [u8]) -> impl IntoResponse {
    // A browser asks again each time: the next hub may have other files.
    ([(CONTENT_TYPE, content_type(name)), (CACHE_CONTROL, "no-cache")], content)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_can_use_every_file() {
        assert!(FILES.iter().any(|(name, _)| path(name) == "/"));
        for (name, content) in FILES {
            assert_ne!(content_type(name), "application/octet-stream", "{name}");
            assert!(!content.is_empty(), "{name}");
        }
    }
}
