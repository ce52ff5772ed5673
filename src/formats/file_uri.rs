//! Folders that logs identify by a URI.

use crate::domain::percent_decoded;

/// The path in a `file:` URI, whether for this machine or another one; `None` for any other URI.
pub(super) fn path_of_uri(uri: &str) -> Option<String> {
    let path = percent_decoded(uri.strip_prefix("file://")?);
    // `/c:/Users/kim`, as editors write it on Windows.
    let is_of_windows = matches!(path.as_bytes(), [b'/', drive, b':', ..] if drive.is_ascii_alphabetic());
    Some(if is_of_windows { path[1..].to_owned() } else { path }).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_the_path_that_other_logs_write() {
        for (uri, path) in [
            ("file:///home/kim/my%20shop", Some("/home/kim/my shop")),
            ("file:///home/kim/c%2B%2B", Some("/home/kim/c++")),
            ("file:///c%3A/Users/kim/shop", Some("c:/Users/kim/shop")),
            ("file:///D:/shop", Some("D:/shop")),
            ("file:///1:/shop", Some("/1:/shop")),
            ("file://", None),
            ("vscode-remote://wsl%2Bubuntu/home/kim", None),
            ("/home/kim", None),
        ] {
            assert_eq!(path_of_uri(uri).as_deref(), path, "{uri}");
        }
    }
}
