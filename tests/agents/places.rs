//! Agents with databases are found at their places, and those that are not there cost next to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use tokmeter::testing::ingest::{Entry, Fs, Handle, Options, OsFs, Roots, Stat, Tails};

use super::common::Home;
use super::tail_common::Meter;
use super::{home, sample, write};

/// Each sample and where its agent keeps it.
const PLACES: [(&str, &str, &str); 10] = [
    (
        "antigravity",
        "5e550401-0000-4000-8000-000000000000.sql",
        ".gemini/antigravity-cli/conversations/5e550401-0000-4000-8000-000000000000.db",
    ),
    ("crush", "crush.sql", "shop/.crush/crush.db"),
    ("cursor", "state.vscdb.sql", ".config/Cursor/User/globalStorage/state.vscdb"),
    ("devin", "sessions.sql", ".local/share/devin/cli/sessions.db"),
    ("forge", ".forge.db.sql", ".forge/.forge.db"),
    ("hermes", "state.sql", ".hermes/state.db"),
    ("shelley", "shelley.sql", ".config/shelley/shelley.db"),
    ("unsloth", "studio.sql", ".unsloth/studio/studio.db"),
    ("zcode", "db.sqlite.sql", ".zcode/cli/db/db.sqlite"),
    ("zed", "threads.sql", ".local/share/zed/threads/threads.db"),
];

fn database(path: &Path, sample_name: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    Connection::open(path).unwrap().execute_batch(&sample(sample_name)).unwrap();
}

fn projects(paths: &[&Path]) -> String {
    let listed: Vec<Value> =
        paths.iter().map(|path| serde_json::json!({"path": path, "data_dir": path.join(".crush")})).collect();
    serde_json::json!({ "projects": listed }).to_string()
}

/// Calls of each source, by what the program says.
fn calls(home: &Home, args: &[&str]) -> BTreeMap<String, u64> {
    let report = ["report", "total", "--by", "source", "--json", "--no-ledger"];
    let out = home.tokmeter().args([&report, args].concat()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    let rows = said["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["source"].as_str().unwrap().to_owned(), row["calls"].as_u64().unwrap())).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn each_database_is_found_at_its_place_and_comes_to_what_its_sample_does() {
    let home = Home::new();
    let mut expected = BTreeMap::new();
    for (agent, name, place) in PLACES {
        database(&home.path().join(place), &format!("{agent}/{name}"));
        let wanted: Value = serde_json::from_str(&sample(&format!("{agent}/expected.json"))).unwrap();
        let models = wanted["traps"][name].as_array().unwrap();
        expected.insert(agent.to_owned(), models.iter().map(|model| model["calls"].as_u64().unwrap()).sum());
    }
    home.write(".local/share/crush/projects.json", &projects(&[&home.path().join("shop")]));
    assert_eq!(calls(&home, &[]), expected);
    assert_eq!(calls(&home, &["."]), expected, "in a folder that is named, their names and tables tell whose they are");
}

#[test]
fn a_project_or_profile_that_is_listed_later_is_followed_from_then_on() {
    let (_keep, path, roots) = home();
    let mut meter = Meter::on(roots);
    // One for each session and kind of work.
    let bills = |meter: &Meter| meter.books.bills.iter().map(|bill| bill.id).collect::<BTreeSet<_>>().len();
    assert!(meter.rescan().books.bills.is_empty());
    let project = path.join("till");
    database(&project.join(".crush/crush.db"), "crush/crush.sql");
    assert!(meter.rescan().books.bills.is_empty(), "nothing names the project");
    write(&path.join(".local/share/crush/projects.json"), &projects(&[&project]));
    database(&path.join(".hermes/profiles/coder/state.db"), "hermes/older/state.sql");
    assert_eq!(bills(meter.rescan()), 2 + 1);
    let from: Vec<_> = meter.books.bills.iter().filter_map(|bill| bill.from.project.as_deref()).collect();
    assert_eq!(from, [project.to_str().unwrap(); 2]);
    write(&path.join(".local/share/crush/projects.json"), "{\"projects\": [");
    database(&path.join(".hermes/profiles/writer/state.db"), "hermes/state.sql");
    assert_eq!(bills(meter.rescan()), 3 + 8, "a list that cannot be read takes no place away");
}

/// The real file system, with what is asked of it.
struct Counting {
    stats: Arc<Mutex<Vec<PathBuf>>>,
    others: Arc<AtomicUsize>,
}

impl Fs for Counting {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.stats.lock().unwrap().push(path.to_owned());
        OsFs.stat(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.others.fetch_add(1, Ordering::Relaxed);
        OsFs.list(folder)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        self.others.fetch_add(1, Ordering::Relaxed);
        OsFs.open(path)
    }
}

/// Looks at places that a start may take, of all agents together. A new agent adds one to three; explain
/// any increase.
const MOST_LOOKS: usize = 80;

#[test]
fn an_agent_that_is_not_there_costs_one_look_at_each_of_its_places() {
    let (_keep, path) = super::tail_common::folder();
    let (stats, others) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let find = |fs: Arc<dyn Fs>, ahead: bool| {
        let roots = Roots::discover(Some(&path), |_| None);
        let mut tails = Tails::on(fs, &roots, Options::default());
        if ahead {
            tails.look_ahead();
        }
        tails.rescan(Instant::now());
        tails.health(Instant::now()).roots.len() + roots.indexes.len()
    };
    let counting = || Arc::new(Counting { stats: stats.clone(), others: others.clone() });
    let places = find(counting(), false);
    let mut looked_at = stats.lock().unwrap().clone();
    assert!(looked_at.len() <= places, "{} looks at {places} places and lists of places", looked_at.len());
    assert!(looked_at.len() <= MOST_LOOKS, "{} looks", looked_at.len());
    let all = looked_at.len();
    looked_at.sort();
    looked_at.dedup();
    assert_eq!(looked_at.len(), all, "no place is looked at twice");
    // The second thread looks at most once more at each.
    find(counting(), true);
    let both = stats.lock().unwrap().len() - all;
    assert!(both <= all + places, "{both} looks of two threads at {places} places");
    assert_eq!(others.load(Ordering::Relaxed), 0, "nothing is listed or opened");
    // The best of several, because other tests run at the same time.
    let took = (0..50).map(|_| {
        let begun = Instant::now();
        find(Arc::new(OsFs), false);
        begun.elapsed()
    });
    let took = took.min().unwrap();
    assert!(took < Duration::from_millis(3), "{took:?}");
}
