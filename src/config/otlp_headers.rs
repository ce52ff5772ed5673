//! Headers of requests to a collector. They are usually secrets, so they are read from a file or a variable and never
//! shown in messages.

use std::path::Path;

use super::regular_file::{self, read_text};
use super::{Env, Server};

/// Variable with the headers, in OpenTelemetry's own format: `name=value,name=value`.
const VARIABLE: &str = "TOKMETER_OTLP_HEADERS";
/// Maximum bytes of a headers file.
const LONGEST: u64 = 16 * 1024;

/// The headers from the variable or, if it is not set, from the file.
///
/// # Errors
/// A sentence saying where the problem is and what it is, without the values.
pub(crate) fn otlp_headers(server: &Server, env: &Env) -> Result<Vec<(String, String)>, String> {
    if let Some(text) = env.var(VARIABLE) {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let header = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            header(name, &decoded(value.trim())?)
        };
        return pairs
            .map(|pair| {
                header(pair).ok_or_else(|| format!("{VARIABLE} is not a list of name=value, separated by commas"))
            })
            .collect();
    }
    server.otlp_headers_file.as_deref().map_or_else(|| Ok(Vec::new()), from_file)
}

/// Reads one header per line, as `name: value`.
fn from_file(path: &Path) -> Result<Vec<(String, String)>, String> {
    let name = crate::domain::Label::from_path(path);
    let text = read_text(path, LONGEST)
        .map_err(|error| format!("[server] otlp_headers_file: {name} {}", regular_file::why(&error)))?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(at, line)| {
            let pair = line.split_once(':').and_then(|(name, value)| header(name, value));
            pair.ok_or_else(|| format!("{name}: line {} is not a header; write 'name: value'", at + 1))
        })
        .collect()
}

fn header(name: &str, value: &str) -> Option<(String, String)> {
    let (name, value) = (name.trim(), value.trim());
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_value = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (is_name && is_value).then(|| (name.to_owned(), value.to_owned()))
}

/// Percent-decodes a value.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_from_the_variable_before_the_file_and_no_error_has_their_values() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headers");
        std::fs::write(&file, "# of the collector\nAuthorization: Basic aGk6dGhlcmU=\n\nx-scope: team\n").unwrap();
        let server = Server { otlp_headers_file: Some(file.clone()), ..Server::default() };
        let mut env = Env::empty(crate::domain::Instant::UNIX_EPOCH);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let of_file = vec![pair("Authorization", "Basic aGk6dGhlcmU="), pair("x-scope", "team")];
        assert_eq!(otlp_headers(&server, &env), Ok(of_file));
        env.vars.insert(VARIABLE.into(), "api-key=a%20b%3D, x=".into());
        assert_eq!(otlp_headers(&server, &env), Ok(vec![pair("api-key", "a b="), pair("x", "")]));
        env.vars.insert(VARIABLE.into(), "SECRET".into());
        assert!(!otlp_headers(&server, &env).unwrap_err().contains("SECRET"));
        env.vars.insert(VARIABLE.into(), "k=SECRET%0d%0aHost: x".into());
        assert!(!otlp_headers(&server, &env).unwrap_err().contains("SECRET"));
        env.vars.clear();
        std::fs::write(&file, "x: y\nSECRET\n").unwrap();
        let why = otlp_headers(&server, &env).unwrap_err();
        assert!(why.contains("line 2") && !why.contains("SECRET"), "{why}");
        assert_eq!(otlp_headers(&Server::default(), &env), Ok(Vec::new()));
    }
}
