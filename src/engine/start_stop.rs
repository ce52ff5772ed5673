//! Starts everything behind an interface, and stops it in order.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};

use super::admissions::admission_ledger::AdmissionLedger;
use super::admissions::{Limits, Policy};
use super::alert_delivery::Deliveries;
use super::any_ledger::AnyLedger;
use super::config_edits::{Callbacks, ConfigEdits};
use super::daily::Daily;
#[cfg(unix)]
use super::health::socket::SocketCounters;
use super::health::{self, HealthState};
use super::inbox::{Inbox, LedgerMessage, QUEUE};
use super::ledger_thread::{LedgerThread, State};
use super::lifecycle::{Lifecycle, Running, spawn};
use super::log_reader::{self, Control};
use super::playback::{self, Steps};
use super::questions::Question;
use super::scrape::Scrape;
use super::{EngineEvent, Request};
use crate::config::{Env, Overrides, Paths, Settings};
use crate::domain::{Instant, Label};
use crate::ingest::{self, Delivery, Owner, Roots};
use crate::ledger::{Ledger, LedgerError};
use crate::meter::{Follow, Meter, Rules, Snapshot};
use crate::pricing::PriceBook;
#[cfg(unix)]
use {super::Note, super::Tone, crate::ingest::socket};

/// The clock, read at every step.
pub(crate) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Maximum number of calls waiting for admission.
const ADMISSIONS: usize = 256;
/// Shutdown timeout for work that the next run can do again.
const SOON: Duration = Duration::from_millis(300);
/// Number of alerts kept for a listener that is behind.
const ALERTS: usize = 32;
/// How often to check whether something has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Everything the engine needs to start.
pub(crate) struct Setup {
    /// The machine's environment.
    pub(crate) env: Env,
    /// Settings from the command line, needed to load the config again.
    pub(crate) overrides: Overrides,
    /// Locations of the config and data.
    pub(crate) paths: Paths,
    /// Settings in force.
    pub(crate) settings: Settings,
    /// The prices in force.
    pub(crate) prices: Arc<PriceBook>,
    /// The open ledger.
    pub(crate) books: AnyLedger,
    /// Filter, zone and limits.
    pub(crate) rules: Rules,
    /// The session or sessions to follow.
    pub(crate) follow: Follow,
    /// Where logs are looked for.
    pub(crate) roots: Roots,
    /// Options for reading them.
    pub(crate) reading: ingest::Options,
    /// Calls to play, and the speed factor. If set, the logs are not read.
    pub(crate) played: Option<(Steps, u32)>,
    /// Whether standard input is read.
    pub(crate) stdin: Stdin,
    /// The bound socket to serve.
    #[cfg(unix)]
    pub(crate) socket: Option<socket::Bound>,
    /// True when a server receives calls that are in no log.
    pub(crate) is_served: bool,
    /// Functions of higher-level modules.
    pub(crate) callbacks: Callbacks,
}

/// Access to the running engine for a server: it delivers calls, queries the ledger, and sees when the numbers change.
#[derive(Clone)]
pub(crate) struct EngineClient {
    /// Takes calls.
    pub(crate) deliver: mpsc::Sender<Delivery>,
    /// Takes questions.
    pub(crate) ask: mpsc::Sender<Question>,
    /// Admits calls.
    pub(crate) limits: Limits,
    /// Incremented with every change of the numbers.
    pub(crate) revision: watch::Receiver<u64>,
    /// Alerts as they are raised, as JSON.
    pub(crate) alerts: broadcast::Sender<Arc<str>>,
    messages: mpsc::WeakSender<LedgerMessage>,
}

impl EngineClient {
    /// Shows a note to the user, unless the ledger thread is busy or gone.
    pub(crate) fn note(&self, text: String) {
        tracing::warn!("{text}");
        let _ = self.messages.upgrade().is_some_and(|messages| messages.try_send(LedgerMessage::Late(text)).is_ok());
    }
}

/// Whether standard input is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// It is not read.
    Unread,
    /// It is read in addition to the logs.
    Read,
    /// It is the only source, so the program ends when it ends.
    Alone,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Books(#[from] LedgerError),
    /// The system cannot start a thread.
    #[error("no thread could be started: {0}")]
    Thread(#[from] io::Error),
    /// The socket cannot be served.
    #[error("the socket cannot be served: {0}")]
    Socket(io::Error),
}

/// The events for an interface. The engine waits for a slow interface rather than dropping an event.
pub(crate) type Events = mpsc::Receiver<EngineEvent>;

/// The running engine. It runs until [`Engine::stop`].
pub(crate) struct Engine {
    requests: mpsc::Sender<Request>,
    client: EngineClient,
    messages: mpsc::Sender<LedgerMessage>,
    ledger_thread: Running,
    reader: mpsc::UnboundedSender<Control>,
    reading: Option<Running>,
    lifecycle: Arc<Lifecycle>,
    /// True when a source cannot be read again. Its calls are written before exit, however long that takes.
    is_fed: bool,
    _watch: Option<ingest::FileWatch>,
    #[cfg(unix)]
    listening: Option<socket::Listening>,
}

impl Engine {
    /// Starts everything. Nothing has been read when this returns. The meter has the ledger's current numbers.
    ///
    /// # Errors
    /// When the ledger cannot be read, no thread can be started, or the socket cannot be served.
    pub(crate) fn start(setup: Setup) -> Result<(Self, Events, Meter), StartError> {
        let now = setup.env.now();
        let mut meter =
            Meter::open(setup.rules.clone(), Snapshot::ask(&setup.books, &setup.rules, &setup.follow, now)?);
        meter.follow(setup.follow.clone());
        let unpriced = health::unpriced(&setup.books)?;
        let (messages, inbox) = mpsc::channel(QUEUE);
        let (feed, events) = mpsc::channel(QUEUE);
        let (requests, requested) = mpsc::channel(64);
        let (deliver, deliveries) = mpsc::channel(32);
        let (ask, questions) = mpsc::channel(32);
        let (admit, admissions) = mpsc::channel(ADMISSIONS);
        let (revision, revised) = watch::channel(0);
        let (policy, policies) = watch::channel(Policy::new(&setup.rules, &setup.settings));
        let second_books = Arc::new(AdmissionLedger::default());
        let alerts = broadcast::Sender::new(ALERTS);
        let (reader, control) = mpsc::unbounded_channel();
        let lifecycle = Arc::new(Lifecycle::default());
        let files = setup.books.files()?;
        let places = setup.roots.all();
        let agents = places.iter().map(|(path, kind)| (&**path, kind.agent()));
        let health = HealthState::new(setup.books.view(), unpriced).watching(agents, &files);
        #[cfg(unix)]
        let counters = health.socket();
        #[cfg(unix)]
        let notes = feed.clone();
        let watched = setup.paths.clone();
        #[cfg(unix)]
        let socket_rules = socket_rules(&setup);
        let clock = Arc::clone(&setup.env.clock);
        let ledger_thread = LedgerThread {
            books: setup.books,
            prices: setup.prices,
            rules: setup.rules,
            follow: setup.follow,
            health,
            feed,
            config_edits: ConfigEdits {
                env: setup.env.clone(),
                overrides: setup.overrides,
                paths: setup.paths,
                at_start: setup.settings.clone(),
                settings: setup.settings,
                callbacks: setup.callbacks,
                work: messages.downgrade(),
                pending: Vec::new(),
                deliveries: Deliveries::default(),
                daily: Daily::default(),
                alerts: alerts.clone(),
                began: now,
            },
            env: setup.env,
            reader: reader.clone(),
            revision,
            policy,
            second_books: Arc::clone(&second_books),
            lifecycle: Arc::clone(&lifecycle),
            scrape: Scrape::new(now),
            state: State::default(),
        };
        let inbox =
            Inbox { messages: inbox, after_batches: None, requests: requested, deliveries, questions, admissions };
        let ledger_thread = spawn("books", move || ledger_thread.run(inbox))?;
        let reading = match setup.played {
            None => {
                let (roots, options, messages) = (setup.roots, setup.reading.clone(), messages.clone());
                Some(spawn("reader", move || log_reader::run(&roots, &options, files, control, &messages))?)
            }
            Some((steps, speed)) => {
                let _ = messages.blocking_send(LedgerMessage::Ingest(ingest::Event::CaughtUp));
                let clock = Arc::clone(&clock);
                playback::start(steps, speed, messages.downgrade(), move || clock());
                None
            }
        };
        if setup.stdin != Stdin::Unread {
            read_stdin(setup.reading, clock, messages.clone(), setup.stdin == Stdin::Alone)?;
        }
        #[cfg(unix)]
        let is_served = setup.socket.is_some();
        #[cfg(not(unix))]
        let is_served = false;
        let watch = watch_files(&watched, &messages);
        let engine = Self {
            #[cfg(unix)]
            listening: match setup.socket {
                Some(bound) => Some(serve(bound, socket_rules, deliver.clone(), &messages, &notes, &counters)?),
                None => None,
            },
            requests,
            client: EngineClient {
                limits: Limits { admit, policy: policies, second_books },
                deliver,
                ask,
                revision: revised,
                alerts,
                messages: messages.downgrade(),
            },
            messages,
            ledger_thread,
            reader,
            reading,
            lifecycle,
            is_fed: setup.stdin != Stdin::Unread || is_served || setup.is_served,
            _watch: watch,
        };
        tracing::info!(places = places.len(), is_fed = engine.is_fed, "engine started");
        Ok((engine, events, meter))
    }

    /// The channel for an interface's requests.
    pub(crate) fn requests(&self) -> mpsc::Sender<Request> {
        self.requests.clone()
    }

    /// Access for a server, which must stop before the engine does.
    pub(crate) fn client(&self) -> EngineClient {
        self.client.clone()
    }

    /// Stops everything after writing what has arrived. Logs can be read again, so neither a slow folder nor a first
    /// read delays the exit.
    ///
    /// The events are dropped first, because the ledger thread would wait for an interface that does not take them.
    pub(crate) fn stop(mut self, events: Events) {
        drop(events);
        tracing::debug!("engine stopping");
        self.lifecycle.ending.store(true, Ordering::SeqCst);
        let _ = self.reader.send(Control::Stop);
        if let Some(reading) = self.reading.take() {
            reading.ended_within(SOON);
        }
        #[cfg(unix)]
        drop(self.listening.take());
        let (done, wait) = std::sync::mpsc::channel();
        let began = std::time::Instant::now();
        let may_leave = || !self.is_fed && !self.lifecycle.caught_up.load(Ordering::SeqCst) && began.elapsed() >= SOON;
        let mut stop = LedgerMessage::Stop(done);
        loop {
            match self.messages.try_send(stop) {
                Ok(()) => break,
                Err(mpsc::error::TrySendError::Full(again)) if !may_leave() => stop = again,
                Err(mpsc::error::TrySendError::Full(_) | mpsc::error::TrySendError::Closed(_)) => return,
            }
            thread::sleep(LOOK);
        }
        while let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(LOOK) {
            if may_leave() {
                tracing::info!("engine left before the first reading was written");
                return;
            }
        }
        let _ = self.ledger_thread.thread.join();
        tracing::info!("engine stopped");
    }
}

/// Reads standard input to its end. With `alone`, that ends the program.
fn read_stdin(
    options: ingest::Options,
    clock: Clock,
    messages: mpsc::Sender<LedgerMessage>,
    alone: bool,
) -> io::Result<()> {
    spawn("stdin", move || {
        let name = Label::new("-");
        let mut input = io::stdin().lock();
        let _ = ingest::read_stream(&mut input, &name, &options, &|| clock(), &mut |batch| {
            let _ = messages.blocking_send(LedgerMessage::Ingest(ingest::Event::ReadBatches(vec![batch])));
        });
        if alone {
            let _ = messages.blocking_send(LedgerMessage::InputEnded);
        }
    })?;
    Ok(())
}

/// Sends a message to the ledger thread when another program writes, removes or replaces the config or the ledger.
fn watch_files(paths: &Paths, messages: &mpsc::Sender<LedgerMessage>) -> Option<ingest::FileWatch> {
    let config = paths.config.clone();
    let ledger = paths.ledger().map(|ledger| {
        let mut log = ledger.clone().into_os_string();
        log.push("-wal");
        [ledger, PathBuf::from(log)]
    });
    let files: Vec<PathBuf> = config.iter().cloned().chain(ledger.into_iter().flatten()).collect();
    let messages = messages.downgrade();
    ingest::watch_files(files, move |path| {
        let Some(messages) = messages.upgrade() else { return };
        let about = if Some(path) == config.as_deref() { LedgerMessage::Config } else { LedgerMessage::Ledger };
        let _ = messages.blocking_send(about);
    })
}

/// Attribution for calls that give none, from the config.
pub(crate) fn owner_of(settings: &Settings) -> Owner {
    Owner { user: Some(settings.user.clone()), team: settings.team.clone(), org: settings.org.clone() }
}

#[cfg(unix)]
fn socket_rules(setup: &Setup) -> socket::Rules {
    let clock = Arc::clone(&setup.env.clock);
    socket::Rules {
        uid: setup.env.uid,
        owner: owner_of(&setup.settings),
        clock: Arc::new(move || clock()),
        idle: socket::IDLE,
    }
}

/// Serves the bound socket.
#[cfg(unix)]
fn serve(
    bound: socket::Bound,
    rules: socket::Rules,
    deliver: mpsc::Sender<Delivery>,
    messages: &mpsc::Sender<LedgerMessage>,
    notes: &mpsc::Sender<EngineEvent>,
    counters: &SocketCounters,
) -> Result<socket::Listening, StartError> {
    let path = Label::from_path(&bound.path);
    let listening = socket::Listener::new(bound, rules, deliver).start().map_err(StartError::Socket)?;
    let tally = listening.shared_tally();
    let messages = messages.downgrade();
    // If the queue is full, the counters reach the screen with the next update.
    tally.on_bad(move || {
        let _ = messages.upgrade().is_some_and(|messages| messages.try_send(LedgerMessage::BadLine).is_ok());
    });
    // Nothing has been sent on the channel yet, so there is room.
    let _ = notes.try_send(EngineEvent::Note(Note::new(Tone::Plain, &format!("listening on {path}"))));
    let _ = counters.set((path, tally));
    Ok(listening)
}

#[cfg(test)]
mod admission_tests;
