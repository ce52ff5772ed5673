//! The live screen: the reader, the thread that owns the ledger, the socket and the screen, and how they end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

use super::catch_up::{self, LogSelection};
use super::config_edits::ConfigEdits;
use super::health::HealthState;
#[cfg(unix)]
use super::health::socket::SocketCounters;
use super::ledger_thread::{LedgerMessage, LedgerThread, QUEUE, State};
use super::lifecycle::{Lifecycle, Running, spawn};
use super::log_reader::{self, Control};
use super::stop_signals::StopSignals;
use super::{Context, Exit, Failure, playback, process, snapshot, stream, summary, tui_options};
use crate::cli::LiveArgs;
use crate::config::Loaded;
use crate::domain::{Dimension, Filter, Instant, Matcher};
use crate::ingest;
use crate::ledger::{self, Ledger};
use crate::meter::{Alerts, Follow, LimitState, Meter, Rules, SessionId, Snapshot};
use crate::tui::{self, App, Feed, Note, Request, Tone};

/// How long the end waits for what can be done again the next time.
const SOON: Duration = Duration::from_millis(300);
/// How long the screen has to act on a signal before the signal counts as missed.
const MISSED: Duration = Duration::from_secs(1);
/// How often it is looked whether something has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What is shown when there is no screen to open.
pub(super) enum Source {
    /// The logs: everything, or the paths given.
    Logs(LogSelection),
    /// Calls that are played, `speed` times faster than they happened.
    Played {
        /// What has happened already.
        before: Vec<super::demo::Step>,
        /// What is still to come.
        after: playback::Steps,
        /// How many times faster.
        speed: u32,
    },
}

/// Runs the live screen on logs.
pub(super) fn run(context: &mut Context<'_>, loaded: &Loaded, args: &LiveArgs) -> Result<Exit, Failure> {
    super::mistyped(context, &args.paths, "tokmeter", crate::cli::commands)?;
    let selection = LogSelection::from_args(context, &args.paths, args.no_ledger);
    show(context, loaded, args, Source::Logs(selection))
}

/// Shows a source: on the live screen, line by line, or once.
pub(super) fn show(
    context: &mut Context<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    source: Source,
) -> Result<Exit, Failure> {
    if args.once || (!context.env.terminal[1] && !args.plain) {
        return snapshot::run(context, loaded, args, source);
    }
    let dumb = matches!(context.env.var("TERM"), None | Some("dumb"));
    if dumb && !args.plain {
        context.note("TERM is dumb or not set, so there is no full screen; one line per change instead");
    }
    let zone = context.settings.zone;
    let rules = context.rules(args.filters.filter(context.now(), zone));
    // Before anybody can reach the socket: what has arrived there is booked, whatever signal comes.
    let mut ending = StopSignals::watch();
    let mut machine = Machine::start(context, args, rules, source)?;
    if args.plain || dumb {
        return stream::run(context, machine, ending);
    }
    let options = tui_options::options(context, loaded, args, &machine.roots)?;
    let app = App::new(options, context.now()).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let alerts = Alerts::new(machine.quiet(), context.settings.alerts.hysteresis);
    let clock = Arc::clone(&context.env.clock);
    let runtime = process::runtime(true)?;
    let (feed, requests, meter) = machine.faces();
    let left = runtime.block_on(async {
        tokio::select! {
            biased;
            left = tui::run(app, meter, alerts, clock, feed, requests) => Ok(left),
            // The screen takes signals itself, except one that came before it opened.
            code = missed(&mut ending) => Err(code),
        }
    });
    ending.begins();
    machine.stop();
    let left = match left {
        Ok(left) => left,
        Err(code) => return Ok(Exit::Code(code)),
    };
    let (exit, mut meter) = left.map_err(|error| Failure::new(Exit::Io, format!("the terminal: {error}")))?;
    goodbye(context, &mut meter, exit)?;
    Ok(if exit == tui::Exit::Quit { Exit::Fine } else { Exit::Code(exit.code()) })
}

/// Waits for a signal that nobody else acts on; gives back the exit code it leads to.
async fn missed(ending: &mut StopSignals) -> u8 {
    let code = ending.signal().await;
    tokio::time::sleep(MISSED).await;
    code
}

/// The summary of what was followed, on the normal screen.
fn goodbye(context: &mut Context<'_>, meter: &mut Meter, exit: tui::Exit) -> Result<(), Failure> {
    if exit == tui::Exit::HungUp {
        return Ok(());
    }
    let summary = meter.summary(context.now());
    if let Some(session) = summary::of_followed(&summary) {
        let limits: Vec<LimitState> = summary.limits_followed().cloned().collect();
        summary::write_text(&session, &limits, summary::own_log(&session, &summary), context.out)?;
    }
    Ok(())
}

/// Everything that runs beside a face.
pub(super) struct Machine {
    roots: ingest::Roots,
    quiet: Option<crate::meter::QuietHours>,
    meter: Option<Meter>,
    feed: Option<mpsc::Receiver<Feed>>,
    requests: Option<mpsc::Sender<Request>>,
    work: mpsc::Sender<LedgerMessage>,
    ledger_thread: Option<thread::JoinHandle<()>>,
    reader: mpsc::UnboundedSender<Control>,
    reading: Option<Running>,
    course: Arc<Lifecycle>,
    /// Something is fed in that no log holds: it is booked before the end, however long that takes.
    is_fed: bool,
    _notice: Option<ingest::FileWatch>,
    #[cfg(unix)]
    listening: Option<ingest::socket::Listening>,
}

impl Machine {
    /// Opens the books and starts whatever feeds them. Nothing is read yet when this returns.
    fn start(context: &mut Context<'_>, args: &LiveArgs, rules: Rules, source: Source) -> Result<Self, Failure> {
        let prices = context.prices();
        let (selection, played) = match source {
            Source::Logs(selection) => (selection, None),
            Source::Played { before, after, speed } => (LogSelection::Paths(Vec::new()), Some((before, after, speed))),
        };
        let stdin =
            matches!(&selection, LogSelection::Paths(paths) if paths.iter().any(|path| catch_up::is_stdin(path)));
        let roots = catch_up::roots(context, &selection)?;
        // Who looks at a screen must not wait long for another process; what cannot be booked is held meanwhile.
        let options = ledger::Options { busy: Duration::from_secs(1), ..catch_up::options(context, &selection) };
        let (mut ledger, _) = catch_up::open(context, &selection, &prices, args.book, options);
        if let Some(why) = ledger.why_only_read() {
            context.note(why);
        }
        let ledger_view = ledger.view();
        if let Some((before, _, _)) = &played {
            let records = before.iter().map(|step| crate::domain::Record::Call(step.call.clone())).collect();
            ledger.absorb(&crate::ledger::Batch { records, files: Vec::new() })?;
        }
        let now = context.now();
        let follow = follow(&ledger, args, &rules.view)?;
        let opening = Snapshot::ask(&ledger, &rules, &follow, now)?;
        let mut meter = Meter::open(rules.clone(), opening);
        meter.follow(follow.clone());
        let unpriced = catch_up::unpriced(&ledger)?;

        let (work, hear) = mpsc::channel(QUEUE);
        let (feed, fed) = mpsc::channel(QUEUE);
        let (requests, mut asked) = mpsc::channel(64);
        let (reader, control) = mpsc::unbounded_channel();
        let course = Arc::new(Lifecycle::default());
        let files = ledger.files()?;
        #[cfg(unix)]
        let news = feed.clone();
        let health =
            HealthState::new(ledger_view, unpriced).watching(roots.all().iter().map(|(path, _)| &**path), &files);
        #[cfg(unix)]
        let counters = health.socket();
        let ledger_thread = LedgerThread {
            books: ledger,
            prices,
            rules,
            follow,
            health,
            feed,
            env: context.env.clone(),
            config_edits: ConfigEdits {
                env: context.env.clone(),
                overrides: context.overrides.clone(),
                paths: context.paths.clone(),
                settings: context.settings.clone(),
                work: work.downgrade(),
            },
            reader: reader.clone(),
            course: Arc::clone(&course),
            state: State::default(),
        };
        let thread = spawn("books", move || ledger_thread.run(hear))?.thread;
        let ask = work.clone();
        spawn("requests", move || {
            while let Some(request) = asked.blocking_recv() {
                if ask.blocking_send(LedgerMessage::Ask(request)).is_err() {
                    return;
                }
            }
        })?;
        let reading = match played {
            None => {
                let options = catch_up::tail_options(context);
                let (roots, work) = (roots.clone(), work.clone());
                Some(spawn("reader", move || log_reader::run(&roots, &options, files, control, &work))?)
            }
            Some((_, after, speed)) => {
                let _ = work.blocking_send(LedgerMessage::Ingest(ingest::Event::CaughtUp));
                let clock = Arc::clone(&context.env.clock);
                playback::start(after, speed, work.downgrade(), move || clock());
                None
            }
        };
        if stdin {
            let alone = args.socket.is_none() && args.paths.iter().all(|path| catch_up::is_stdin(path));
            read_stdin(context, work.clone(), alone)?;
        }
        Ok(Self {
            course,
            is_fed: stdin || args.socket.is_some(),
            quiet: quiet(context),
            meter: Some(meter),
            feed: Some(fed),
            requests: Some(requests),
            #[cfg(unix)]
            listening: listen(context, args, &work, &news, &counters)?,
            _notice: notice(context, &work),
            roots,
            work,
            ledger_thread: Some(thread),
            reader,
            reading,
        })
    }

    /// The hours in which no alert is said.
    pub(super) const fn quiet(&self) -> Option<crate::meter::QuietHours> {
        self.quiet
    }

    /// What a face needs; it can be taken once.
    pub(super) fn faces(&mut self) -> (mpsc::Receiver<Feed>, mpsc::Sender<Request>, Meter) {
        let closed = || mpsc::channel(1);
        let feed = self.feed.take().unwrap_or_else(|| closed().1);
        let requests = self.requests.take().unwrap_or_else(|| mpsc::channel(1).0);
        let meter = self.meter.take().expect("a machine has one face, which takes the meter once");
        (feed, requests, meter)
    }

    /// Ends everything: what has arrived is booked first. What the logs hold can be read again, so that neither a
    /// slow folder nor a first reading holds up the end.
    pub(super) fn stop(mut self) {
        self.course.ending.store(true, Ordering::SeqCst);
        let _ = self.reader.send(Control::Stop);
        if let Some(reading) = self.reading.take() {
            reading.ended_within(SOON);
        }
        #[cfg(unix)]
        drop(self.listening.take());
        let (done, wait) = std::sync::mpsc::channel();
        let began = std::time::Instant::now();
        let may_leave = || !self.is_fed && !self.course.caught_up.load(Ordering::SeqCst) && began.elapsed() >= SOON;
        let mut stop = LedgerMessage::Stop(done);
        loop {
            match self.work.try_send(stop) {
                Ok(()) => break,
                Err(mpsc::error::TrySendError::Full(again)) if !may_leave() => stop = again,
                Err(mpsc::error::TrySendError::Full(_) | mpsc::error::TrySendError::Closed(_)) => return,
            }
            thread::sleep(LOOK);
        }
        while let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(LOOK) {
            if may_leave() {
                return;
            }
        }
        if let Some(ledger_thread) = self.ledger_thread.take() {
            let _ = ledger_thread.join();
        }
    }
}

/// Reads standard input for as long as it lasts; `alone` when nothing else is followed, so that its end is the end.
fn read_stdin(context: &Context<'_>, work: mpsc::Sender<LedgerMessage>, alone: bool) -> Result<(), Failure> {
    let (options, clock) = (catch_up::tail_options(context), Arc::clone(&context.env.clock));
    spawn("stdin", move || {
        let name = crate::domain::Label::new("-");
        let mut input = io::stdin().lock();
        let _ = ingest::read_stream(&mut input, &name, &options, &|| clock(), &mut |batch| {
            let _ = work.blocking_send(LedgerMessage::Ingest(ingest::Event::ReadBatch(Box::new(batch))));
        });
        if alone {
            let _ = work.blocking_send(LedgerMessage::InputEnded);
        }
    })?;
    Ok(())
}

/// The session that is followed at start.
pub(super) fn follow(ledger: &dyn Ledger, args: &LiveArgs, view: &Filter) -> Result<Follow, Failure> {
    match args.session.as_deref() {
        // Who names paths or a time asks about all that is in them; else it is the day that counts.
        None if !args.paths.is_empty() || view.since.is_some() || view.until.is_some() => Ok(Follow::Everything),
        None => Ok(Follow::Today),
        // Before a first call there is no session to stay with.
        Some("latest") => {
            let newest = ledger.calls(view, 1)?;
            Ok(newest.first().map_or(Follow::Today, |row| Follow::Session(SessionId::from_call(&row.call))))
        }
        Some(wanted) => {
            let name = super::report::only_session(ledger, wanted, view)?;
            let filter =
                Filter { only: vec![(Dimension::Session, Matcher::exact(name.as_str()))], ..Filter::default() };
            let row = ledger.calls(&filter, 1)?;
            Ok(row.first().map_or(Follow::Today, |row| Follow::Session(SessionId::from_call(&row.call))))
        }
    }
}

fn quiet(context: &Context<'_>) -> Option<crate::meter::QuietHours> {
    let quiet = context.settings.alerts.quiet?;
    Some(crate::meter::QuietHours { from: quiet.from, until: quiet.until, zone: context.settings.zone })
}

/// Tells the ledger thread when the config or the ledger is written by somebody else.
fn notice(context: &Context<'_>, work: &mpsc::Sender<LedgerMessage>) -> Option<ingest::FileWatch> {
    let config = context.paths.config.clone();
    let wal = context.paths.ledger().map(|ledger| {
        let mut name = ledger.into_os_string();
        name.push("-wal");
        PathBuf::from(name)
    });
    let files: Vec<PathBuf> = config.iter().cloned().chain(wal).collect();
    let work = work.downgrade();
    ingest::watch_files(files, move |path| {
        let Some(work) = work.upgrade() else { return };
        let about = if Some(path) == config.as_deref() { LedgerMessage::Config } else { LedgerMessage::Ledger };
        let _ = work.blocking_send(about);
    })
}

/// Listens on the socket, when asked to.
#[cfg(unix)]
fn listen(
    context: &mut Context<'_>,
    args: &LiveArgs,
    work: &mpsc::Sender<LedgerMessage>,
    news: &mpsc::Sender<Feed>,
    counters: &SocketCounters,
) -> Result<Option<ingest::socket::Listening>, Failure> {
    use ingest::socket;
    if args.socket.is_none() {
        return Ok(None);
    }
    let unavailable = |message: String| Failure::new(Exit::Unavailable, message);
    let place = crate::config::SocketPath::resolve(&context.env, &context.overrides).map_err(unavailable)?;
    place.prepare().map_err(unavailable)?;
    if let Some(note) = &place.note {
        context.note(note);
    }
    let told = format!("listening on {}", crate::domain::Label::from_bytes(place.path.as_os_str().as_encoded_bytes()));
    let bound = socket::bind(&place.path, context.env.uid).map_err(|error| unavailable(error.to_string()))?;
    let (deliver, mut deliveries) = mpsc::channel(32);
    let told_of = work.downgrade();
    let work = work.clone();
    spawn("deliveries", move || {
        while let Some(delivery) = deliveries.blocking_recv() {
            if work.blocking_send(LedgerMessage::Socket(delivery)).is_err() {
                return;
            }
        }
    })?;
    let user = context.settings.user.clone();
    let clock = Arc::clone(&context.env.clock);
    let rules = socket::Rules {
        uid: context.env.uid,
        name_of: Arc::new(move |_| Some(user.clone())),
        clock: Arc::new(move || -> Instant { clock() }),
        idle: socket::IDLE,
    };
    let listening = socket::Listener::new(bound, rules, deliver)
        .start()
        .map_err(|error| unavailable(format!("the socket cannot be served: {error}")))?;
    let tally = listening.shared_tally();
    // A full queue brings the counters to the screen by itself.
    tally.on_bad(move || {
        let _ = told_of.upgrade().is_some_and(|work| work.try_send(LedgerMessage::BadLine).is_ok());
    });
    let _ = counters.set((crate::domain::Label::from_bytes(place.path.as_os_str().as_encoded_bytes()), tally));
    // Nobody reads the feed yet; it has room.
    let _ = news.try_send(Feed::Note(Note::new(Tone::Plain, &told)));
    Ok(Some(listening))
}
