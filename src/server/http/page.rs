//! The web page: a few files built into the program, with no requests to any other server.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::status::Problem;

/// Path of the page's files.
pub(super) const FILES: &str = "/page/";

/// Allows only this server's own files and responses, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// One of the page's files, by its name.
macro_rules! file {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_str!(concat!("../../../web/page/", $name)))
    };
}

/// Name, media type and content of each file.
const ALL: [(&str, &str, &str); 20] = [
    file!("page.css", STYLE),
    file!("views.css", STYLE),
    file!("theme.js", SCRIPT),
    file!("main.js", SCRIPT),
    file!("alerts.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("calendar.js", SCRIPT),
    file!("call.js", SCRIPT),
    file!("chart.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("filters.js", SCRIPT),
    file!("format.js", SCRIPT),
    file!("health.js", SCRIPT),
    file!("history.js", SCRIPT),
    file!("keys.js", SCRIPT),
    file!("limits.js", SCRIPT),
    file!("lists.js", SCRIPT),
    file!("money.js", SCRIPT),
    file!("now.js", SCRIPT),
    file!("spend.js", SCRIPT),
];

pub(super) async fn index() -> Response {
    let mut response = file("text/html; charset=utf-8", include_str!("../../../web/index.html"));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// `GET /page/NAME`.
pub(super) async fn part(Path(name): Path<String>) -> Response {
    match ALL.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => file(kind, text),
        None => Problem::new(StatusCode::NOT_FOUND, "there is nothing here").into_response(),
    }
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn every_file_of_the_page_is_served_and_together_they_are_small() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/page");
        let mut on_disk: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let mut served: Vec<String> = ALL.iter().map(|(name, _, _)| (*name).to_owned()).collect();
        on_disk.sort();
        served.sort();
        assert_eq!(served, on_disk);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(include_bytes!("../../../web/index.html")).unwrap();
        for (_, _, text) in ALL {
            packed.write_all(text.as_bytes()).unwrap();
        }
        let size = packed.finish().unwrap().len();
        assert!(size <= 150_000, "{size} bytes");
    }

    #[test]
    fn no_file_of_the_page_makes_markup_of_text_or_asks_another_server() {
        for (name, _, text) in ALL {
            for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import"] {
                assert!(!text.contains(forbidden), "{forbidden} in {name}");
            }
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("//www.") && !elsewhere.contains("http://") && !elsewhere.contains("https://"));
        }
    }
}
