//! The live screen: the reader, the keeper of the books, the socket and the screen, and how they end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

use super::aside::Aside;
use super::books::{self, Reach};
use super::course::{Course, Running, spawn};
use super::ending::Ending;
use super::health::HealthDesk;
#[cfg(unix)]
use super::health::socket::SocketCounters;
use super::keeper::{Keeper, QUEUE, State, Work};
use super::reading::{self, Control};
use super::{Desk, Exit, Failure, once, plain, play, process, screen, summary};
use crate::cli::LiveArgs;
use crate::config::Loaded;
use crate::domain::{Dimension, Filter, Instant, Matcher};
use crate::ingest;
use crate::ledger::{self, Ledger};
use crate::meter::{Alerts, Follow, Meter, Opening, Rules, SessionId};
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
    Logs(Reach),
    /// Calls that are played, `speed` times faster than they happened.
    Played {
        /// What has happened already.
        before: Vec<super::demo::Step>,
        /// What is still to come.
        after: play::Steps,
        /// How many times faster.
        speed: u32,
    },
}

/// Runs the live screen on logs.
pub(super) fn run(desk: &mut Desk<'_>, loaded: &Loaded, args: &LiveArgs) -> Result<Exit, Failure> {
    super::mistyped(desk, &args.paths, "tokmeter", crate::cli::commands)?;
    let reach = Reach::of(desk, &args.paths, args.no_ledger);
    show(desk, loaded, args, Source::Logs(reach))
}

/// Shows a source: on the live screen, line by line, or once.
pub(super) fn show(desk: &mut Desk<'_>, loaded: &Loaded, args: &LiveArgs, source: Source) -> Result<Exit, Failure> {
    if args.once || (!desk.world.terminal[1] && !args.plain) {
        return once::run(desk, loaded, args, source);
    }
    let dumb = matches!(desk.world.var("TERM"), None | Some("dumb"));
    if dumb && !args.plain {
        desk.note("TERM is dumb or not set, so there is no full screen; one line per change instead");
    }
    let zone = desk.settings.zone;
    let rules = desk.rules(args.filters.filter(desk.now(), zone));
    // Before anybody can reach the socket: what has arrived there is booked, whatever signal comes.
    let mut ending = Ending::watch();
    let mut machine = Machine::start(desk, args, rules, source)?;
    if args.plain || dumb {
        return plain::run(desk, machine, ending);
    }
    let options = screen::options(desk, loaded, args, &machine.roots)?;
    let app = App::new(options, desk.now()).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let alerts = Alerts::new(machine.quiet(), desk.settings.alerts.hysteresis);
    let clock = Arc::clone(&desk.world.clock);
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
    goodbye(desk, &mut meter, exit)?;
    Ok(if exit == tui::Exit::Quit { Exit::Fine } else { Exit::Code(exit.code()) })
}

/// Waits for a signal that nobody else acts on; gives back the exit code it leads to.
async fn missed(ending: &mut Ending) -> u8 {
    let code = ending.signal().await;
    tokio::time::sleep(MISSED).await;
    code
}

/// The summary of what was followed, on the normal screen.
fn goodbye(desk: &mut Desk<'_>, meter: &mut Meter, exit: tui::Exit) -> Result<(), Failure> {
    if exit == tui::Exit::HungUp {
        return Ok(());
    }
    let summary = meter.summary(desk.now());
    let log = summary.calls.first().and_then(|line| line.row.call.from.place.as_ref()).map(|place| &place.path);
    if let Some(session) = summary::of_followed(&summary) {
        summary::write_text(&session, &summary.limits, log, desk.out)?;
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
    work: mpsc::Sender<Work>,
    keeper: Option<thread::JoinHandle<()>>,
    reader: mpsc::UnboundedSender<Control>,
    reading: Option<Running>,
    course: Arc<Course>,
    /// Something is fed in that no log holds: it is booked before the end, however long that takes.
    is_fed: bool,
    _notice: Option<ingest::Notice>,
    #[cfg(unix)]
    listening: Option<ingest::socket::Listening>,
}

impl Machine {
    /// Opens the books and starts whatever feeds them. Nothing is read yet when this returns.
    fn start(desk: &mut Desk<'_>, args: &LiveArgs, rules: Rules, source: Source) -> Result<Self, Failure> {
        let prices = desk.prices();
        let (reach, played) = match source {
            Source::Logs(reach) => (reach, None),
            Source::Played { before, after, speed } => (Reach::Paths(Vec::new()), Some((before, after, speed))),
        };
        let stdin = matches!(&reach, Reach::Paths(paths) if paths.iter().any(|path| books::is_stdin(path)));
        let roots = books::roots(desk, &reach)?;
        // Who looks at a screen must not wait long for another process; what cannot be booked is held meanwhile.
        let options = ledger::Options { busy: Duration::from_secs(1), ..books::options(desk, &reach) };
        let (mut ledger, _) = books::open(desk, &reach, &prices, args.book, options);
        if let Some(why) = ledger.why_only_read() {
            desk.note(why);
        }
        let ledger_view = ledger.view();
        if let Some((before, _, _)) = &played {
            let records = before.iter().map(|step| crate::domain::Record::Call(step.call.clone())).collect();
            ledger.absorb(&crate::ledger::Posting { records, files: Vec::new() })?;
        }
        let now = desk.now();
        let follow = follow(&ledger, args, &rules.view)?;
        let opening = Opening::ask(&ledger, &rules, &follow, now)?;
        let mut meter = Meter::open(rules.clone(), opening);
        meter.follow(follow.clone());
        let unpriced = books::unpriced(&ledger)?;

        let (work, hear) = mpsc::channel(QUEUE);
        let (feed, fed) = mpsc::channel(QUEUE);
        let (requests, mut asked) = mpsc::channel(64);
        let (reader, control) = mpsc::unbounded_channel();
        let course = Arc::new(Course::default());
        let files = ledger.files()?;
        #[cfg(unix)]
        let news = feed.clone();
        let health =
            HealthDesk::new(ledger_view, unpriced).watching(roots.all().iter().map(|(path, _)| &**path), &files);
        #[cfg(unix)]
        let counters = health.socket();
        let keeper = Keeper {
            books: ledger,
            prices,
            rules,
            follow,
            health,
            feed,
            world: desk.world.clone(),
            aside: Aside {
                world: desk.world.clone(),
                overrides: desk.overrides.clone(),
                paths: desk.paths.clone(),
                settings: desk.settings.clone(),
                work: work.downgrade(),
            },
            reader: reader.clone(),
            course: Arc::clone(&course),
            state: State::default(),
        };
        let thread = spawn("books", move || keeper.run(hear))?.thread;
        let ask = work.clone();
        spawn("requests", move || {
            while let Some(request) = asked.blocking_recv() {
                if ask.blocking_send(Work::Ask(request)).is_err() {
                    return;
                }
            }
        })?;
        let reading = match played {
            None => {
                let options = books::tail_options(desk);
                let (roots, work) = (roots.clone(), work.clone());
                Some(spawn("reader", move || reading::run(&roots, &options, files, control, &work))?)
            }
            Some((_, after, speed)) => {
                let _ = work.blocking_send(Work::Ingest(ingest::Event::CaughtUp));
                let clock = Arc::clone(&desk.world.clock);
                play::start(after, speed, work.downgrade(), move || clock());
                None
            }
        };
        if stdin {
            let alone = args.socket.is_none() && args.paths.iter().all(|path| books::is_stdin(path));
            read_stdin(desk, work.clone(), alone)?;
        }
        Ok(Self {
            course,
            is_fed: stdin || args.socket.is_some(),
            quiet: quiet(desk),
            meter: Some(meter),
            feed: Some(fed),
            requests: Some(requests),
            #[cfg(unix)]
            listening: listen(desk, args, &work, &news, &counters)?,
            _notice: notice(desk, &work),
            roots,
            work,
            keeper: Some(thread),
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
        let mut stop = Work::Stop(done);
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
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// Reads standard input for as long as it lasts; `alone` when nothing else is followed, so that its end is the end.
fn read_stdin(desk: &Desk<'_>, work: mpsc::Sender<Work>, alone: bool) -> Result<(), Failure> {
    let (options, clock) = (books::tail_options(desk), Arc::clone(&desk.world.clock));
    spawn("stdin", move || {
        let name = crate::domain::Label::new("-");
        let mut input = io::stdin().lock();
        let _ = ingest::read_stream(&mut input, &name, &options, &|| clock(), &mut |batch| {
            let _ = work.blocking_send(Work::Ingest(ingest::Event::Batch(Box::new(batch))));
        });
        if alone {
            let _ = work.blocking_send(Work::InputEnded);
        }
    })?;
    Ok(())
}

/// The session that is followed at start.
pub(super) fn follow(ledger: &dyn Ledger, args: &LiveArgs, view: &Filter) -> Result<Follow, Failure> {
    match args.session.as_deref() {
        // Who names paths asks about all that is in them; else it is the session at work that counts.
        None if !args.paths.is_empty() => Ok(Follow::Everything),
        None | Some("latest") => Ok(Follow::Latest),
        Some(wanted) => {
            let name = super::report::only_session(ledger, wanted, view)?;
            let filter =
                Filter { only: vec![(Dimension::Session, Matcher::exact(name.as_str()))], ..Filter::default() };
            let row = ledger.calls(&filter, 1)?;
            Ok(row.first().map_or(Follow::Latest, |row| Follow::Session(SessionId::of(&row.call))))
        }
    }
}

fn quiet(desk: &Desk<'_>) -> Option<crate::meter::QuietHours> {
    let quiet = desk.settings.alerts.quiet?;
    Some(crate::meter::QuietHours { from: quiet.from, until: quiet.until, zone: desk.settings.zone })
}

/// Tells the keeper when the config or the ledger is written by somebody else.
fn notice(desk: &Desk<'_>, work: &mpsc::Sender<Work>) -> Option<ingest::Notice> {
    let config = desk.paths.config.clone();
    let wal = desk.paths.ledger().map(|ledger| {
        let mut name = ledger.into_os_string();
        name.push("-wal");
        PathBuf::from(name)
    });
    let files: Vec<PathBuf> = config.iter().cloned().chain(wal).collect();
    let work = work.downgrade();
    ingest::notice(files, move |path| {
        let Some(work) = work.upgrade() else { return };
        let about = if Some(path) == config.as_deref() { Work::Config } else { Work::Ledger };
        let _ = work.blocking_send(about);
    })
}

/// Listens on the socket, when asked to.
#[cfg(unix)]
fn listen(
    desk: &mut Desk<'_>,
    args: &LiveArgs,
    work: &mpsc::Sender<Work>,
    news: &mpsc::Sender<Feed>,
    counters: &SocketCounters,
) -> Result<Option<ingest::socket::Listening>, Failure> {
    use ingest::socket;
    if args.socket.is_none() {
        return Ok(None);
    }
    let unavailable = |message: String| Failure::new(Exit::Unavailable, message);
    let place = crate::config::SocketPath::of(&desk.world, &desk.overrides).map_err(unavailable)?;
    place.prepare().map_err(unavailable)?;
    if let Some(note) = &place.note {
        desk.note(note);
    }
    let told = format!("listening on {}", crate::domain::Label::from_bytes(place.path.as_os_str().as_encoded_bytes()));
    let bound = socket::bind(&place.path, desk.world.uid).map_err(|error| unavailable(error.to_string()))?;
    let (deliver, mut deliveries) = mpsc::channel(32);
    let told_of = work.downgrade();
    let work = work.clone();
    spawn("deliveries", move || {
        while let Some(delivery) = deliveries.blocking_recv() {
            if work.blocking_send(Work::Socket(delivery)).is_err() {
                return;
            }
        }
    })?;
    let user = desk.settings.user.clone();
    let clock = Arc::clone(&desk.world.clock);
    let rules = socket::Rules {
        uid: desk.world.uid,
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
        let _ = told_of.upgrade().is_some_and(|work| work.try_send(Work::BadLine).is_ok());
    });
    let _ = counters.set((crate::domain::Label::from_bytes(place.path.as_os_str().as_encoded_bytes()), tally));
    // Nobody reads the feed yet; it has room.
    let _ = news.try_send(Feed::Note(Note::new(Tone::Plain, &told)));
    Ok(Some(listening))
}
