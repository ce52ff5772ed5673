//! Sends the metrics to an OpenTelemetry collector: OTLP over HTTP, as protobuf.
//!
//! The sums are cumulative, so an export includes everything in the ones before it. That is why nothing is queued: the
//! next attempt includes whatever could not be sent, and there is a last attempt at the end of the run.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use chrono::NaiveDateTime;

use super::alert_delivery::host;
use super::questions::QueryContext;
use super::start_stop::EngineClient;
use crate::domain::{Instant, Label};

/// Timeout for an export to be accepted.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The same for the last export, which delays the exit of the program.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// Delay after the first failure. It doubles with each further failure.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Longest delay after failures, and the longest that a server may ask for.
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// Path of the metrics, relative to the address of a collector.
const PATH: &str = "/v1/metrics";

/// Encodes the metrics as an export.
pub(crate) type Encode = fn(&QueryContext<'_>) -> Result<Vec<u8>, String>;

/// Gives the time.
type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Where the metrics are sent, and how often.
pub(crate) struct Destination {
    /// Address of the collector, with or without the path of the metrics.
    pub(crate) endpoint: String,
    /// Headers sent with every request, which may be secret.
    pub(crate) headers: Vec<(String, String)>,
    /// Time between two exports.
    pub(crate) interval: Duration,
}

/// The running exporter. When dropped, which must happen before the engine stops, it sends everything that has changed
/// since the last export.
pub(crate) struct Exporter {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Exporter {
    /// Starts the thread that sends.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(crate) fn start(to: Destination, client: EngineClient, encode: Encode, clock: Clock) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let url = url(&to.endpoint);
        let sender = Sender { url, headers: to.headers, interval: to.interval, client, encode, clock };
        let thread = thread::Builder::new().name("otlp".into()).spawn(move || sender.run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The address of a collector's metrics.
fn url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") }
}

struct Sender {
    url: String,
    headers: Vec<(String, String)>,
    interval: Duration,
    client: EngineClient,
    encode: Encode,
    clock: Clock,
}

/// Why an export was not accepted.
#[derive(Debug)]
struct Failure {
    why: String,
    /// True when the same export may be accepted later.
    is_temporary: bool,
    /// How long the server asks the client to wait.
    after: Option<Duration>,
}

impl Failure {
    fn temporary(why: String) -> Self {
        Self { why, is_temporary: true, after: None }
    }
}

impl Sender {
    /// Sends until `stopped` is closed.
    fn run(self, stopped: &mpsc::Receiver<()>) {
        let (mut wait, mut delay, mut is_failing) = (self.interval, FIRST_DELAY, false);
        loop {
            let is_last = matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Disconnected));
            let sent = self.export(if is_last { LAST_PATIENCE } else { TIMEOUT });
            if is_last {
                return;
            }
            match sent {
                Ok(()) => (wait, delay, is_failing) = (self.interval, FIRST_DELAY, false),
                Err(failure) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        let host = host(&self.url);
                        self.client.note(format!("server.otlp_endpoint at {host}: {}", failure.why));
                    }
                    if failure.is_temporary {
                        wait = failure.after.unwrap_or(delay).clamp(delay, LONGEST_DELAY);
                        delay = (delay * 2).min(LONGEST_DELAY);
                    } else {
                        wait = self.interval;
                    }
                }
            }
        }
    }

    /// Sends the current metrics.
    fn export(&self, timeout: Duration) -> Result<(), Failure> {
        let (reply, answer) = mpsc::channel();
        let encode = self.encode;
        let question = Box::new(move |books: &QueryContext<'_>| {
            // During the first read the sums are still too small.
            let _ = reply.send(books.is_caught_up.then(|| encode(books)));
        });
        if self.client.ask.try_send(question).is_err() {
            return Err(Failure::temporary("the ledger is busy".to_owned()));
        }
        match answer.recv_timeout(timeout) {
            Ok(Some(Ok(body))) => self.post(&body, timeout),
            Ok(Some(Err(why))) => Err(Failure::temporary(why)),
            Ok(None) => Ok(()),
            Err(_) => Err(Failure::temporary("the ledger is busy".to_owned())),
        }
    }

    /// Posts an export. Only the statuses that the protocol defines as retryable are retried.
    fn post(&self, body: &[u8], timeout: Duration) -> Result<(), Failure> {
        let config =
            ureq::Agent::config_builder().timeout_global(Some(timeout)).max_redirects(0).http_status_as_error(false);
        let mut request = config.build().new_agent().post(&self.url).content_type("application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer =
            request.send(body).map_err(|error| Failure::temporary(Label::new(&error.to_string()).to_string()))?;
        if answer.status().is_success() {
            tracing::debug!(bytes = body.len(), "metrics exported");
            return Ok(());
        }
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        Err(Failure {
            why: format!("http status: {status}"),
            is_temporary: matches!(status, 429 | 502 | 503 | 504),
            after: header("retry-after").and_then(|after| wait_of(after, header("date"), (self.clock)())),
        })
    }
}

/// The time that a server asks to wait: in seconds, or until a date. A date is compared with the server's own clock if
/// the answer has its time, since ours may differ.
fn wait_of(after: &str, date: Option<&str>, now: Instant) -> Option<Duration> {
    let after = after.trim();
    if !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(after.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(after)?;
    (until - date.and_then(http_date).unwrap_or(now)).to_std().ok().or(Some(Duration::ZERO))
}

/// A date as HTTP writes it (`Sun, 06 Nov 1994 08:49:37 GMT`), or in one of the two older forms that a client must
/// accept.
fn http_date(text: &str) -> Option<Instant> {
    let text = text.trim();
    let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    forms.iter().find_map(|form| Some(NaiveDateTime::parse_from_str(text, form).ok()?.and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_metrics_is_added_unless_it_is_there() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/metrics", "http://c:4318/v1/metrics/"] {
            assert_eq!(url(endpoint), "http://c:4318/v1/metrics");
        }
        assert_eq!(url("https://c/otlp"), "https://c/otlp/v1/metrics");
    }

    #[test]
    fn a_server_may_ask_to_wait_for_seconds_or_until_a_date_in_each_form_of_http() {
        let now: Instant = "1994-11-06T08:48:00Z".parse().unwrap();
        let seconds = |after: &str, date: Option<&str>| wait_of(after, date, now).map(|wait| wait.as_secs());
        let ours = [
            "97",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ];
        assert_eq!(ours.map(|after| seconds(after, None)), [Some(97); 5]);
        // The server's clock is a minute ahead of ours.
        let theirs = Some("Sun, 06 Nov 1994 08:49:00 GMT");
        assert_eq!(ours.map(|after| seconds(after, theirs)), [Some(97), Some(37), Some(37), Some(37), Some(37)]);
        assert_eq!(seconds("Sun, 06 Nov 1994 08:47:00 GMT", None), Some(0), "it is over");
        assert_eq!(seconds("99999999999999999999999", None), Some(u64::MAX));
        for nonsense in ["", "soon", "-5", "1.5", "Sun, 36 Nov 1994 08:49:37 GMT"] {
            assert_eq!(seconds(nonsense, theirs), None, "{nonsense}");
        }
    }
}
