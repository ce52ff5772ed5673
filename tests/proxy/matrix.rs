//! The fault matrix: each case for each API. No call is lost or counted twice, and the bytes are the upstream's.

use std::io::Write as _;
use std::time::Duration;

use crate::common::Home;
use crate::dialects::{Api, INPUT, OUTPUT, PROMPT_ESTIMATE, TEXT, THREE_TEXTS_ESTIMATE, TWO_TEXTS_ESTIMATE, Usage};
use crate::mock::{Mock, Received, Reply, Step};
use crate::running::{Running, booked, leave_after, post, read, sent};

/// A call in the books: input, output, and how sure it is.
type Booked = (u64, u64, String);

const EXACT: (u64, u64, &str) = (INPUT, OUTPUT, "final");
const STALL: Step = Step::Pause(Duration::from_secs(60));

fn rows(home: &Home) -> Vec<Booked> {
    let number = |row: &serde_json::Value, name: &str| row[name].as_u64().unwrap();
    booked(home)
        .iter()
        .map(|row| {
            assert_eq!(row["source"], "proxy", "{row}");
            (number(row, "input_tokens"), number(row, "output_tokens"), row["fidelity"].as_str().unwrap().to_owned())
        })
        .collect()
}

fn expect(home: &Home, calls: &[(u64, u64, &str)]) {
    let found = rows(home);
    let found: Vec<(u64, u64, &str)> = found.iter().map(|(input, output, word)| (*input, *output, &**word)).collect();
    assert_eq!(found, calls);
}

/// The estimate of a stream that ended after two texts: at Anthropic the input is known by then.
fn cut(api: Api) -> (u64, u64, &'static str) {
    let input = if api == Api::Messages { INPUT } else { PROMPT_ESTIMATE };
    (input, TWO_TEXTS_ESTIMATE, "guessed")
}

/// Two texts of a stream.
fn begun(api: Api) -> Vec<Step> {
    let mut steps = api.begin(0, Usage::Given);
    steps.extend((0..2).map(|_| api.delta(0, TEXT, Usage::Given)));
    steps
}

/// The bytes that a client gets of an answer: without the chunk that it did not ask for.
fn shown(api: Api, reply: &Reply) -> Vec<u8> {
    let hidden = Reply::stream(vec![api.usage_chunk(0)]).bytes();
    let mut reply = reply.clone();
    if api == Api::Chat {
        reply.steps.retain(|step| !matches!(step, Step::Data(data) if *data == hidden));
    }
    reply.bytes()
}

/// Sends one call whose answer is this, and checks that the client gets all of it, and the books these calls.
fn answered(api: Api, steps: Vec<Step>, calls: &[(u64, u64, &str)]) {
    let home = Home::new();
    let reply = Reply::stream(steps);
    let script = reply.clone();
    let mock = Mock::start(move |_, _| script.clone());
    let proxy = Running::start(&home, mock.address);
    let answer = post(proxy.address, api.path(), &[], &api.request(true));
    assert!(answer.is_whole && answer.status == reply.status, "{answer:?}");
    assert!(answer.body == shown(api, &reply), "{}", answer.text());
    proxy.end();
    expect(&home, calls);
}

fn client_leaves_before_the_first_byte(api: Api) {
    let home = Home::new();
    let reply = Reply { delay: Duration::from_millis(300), ..Reply::stream(api.stream(0, Usage::Given, false)) };
    let mock = Mock::start(move |_, _| reply.clone());
    let proxy = Running::start(&home, mock.address);
    let stream = sent(proxy.address, api.path(), &[], &api.request(true));
    while mock.asked().is_empty() {
        std::thread::yield_now();
    }
    drop(stream);
    proxy.end();
    expect(&home, &[EXACT]);
}

/// Leaves when the client has seen the text; the stream goes on after a while.
fn leaves(api: Api, before: Vec<Step>, text: &str, after: Vec<Step>, calls: &[(u64, u64, &str)]) {
    let home = Home::new();
    let mut steps = before;
    steps.push(Step::Pause(Duration::from_millis(200)));
    steps.extend(after);
    let mock = Mock::start(move |_, _| Reply::stream(steps.clone()));
    let proxy = Running::start(&home, mock.address);
    leave_after(sent(proxy.address, api.path(), &[], &api.request(true)), text);
    proxy.end();
    expect(&home, calls);
}

fn client_leaves_after_the_first_event(api: Api) {
    let stream = api.stream(0, Usage::Given, false);
    let count = api.begin(0, Usage::Given).len();
    let (begin, rest) = stream.split_at(count);
    leaves(api, begin.to_vec(), api.begin_mark(), rest.to_vec(), &[EXACT]);
}

fn client_leaves_mid_delta(api: Api) {
    leaves(api, begun(api), TEXT, vec![STALL], &[cut(api)]);
}

fn client_leaves_after_the_last_delta(api: Api) {
    let stream = api.stream(0, Usage::Given, false);
    let (before, end) = stream.split_at(stream.len() - api.end(0, Usage::Given, false).len());
    leaves(api, before.to_vec(), api.finish_mark(), end.to_vec(), &[EXACT]);
}

fn upstream_resets(api: Api) {
    let home = Home::new();
    let mut steps = begun(api);
    steps.push(Step::Reset);
    let reply = Reply::stream(steps);
    let script = reply.clone();
    let mock = Mock::start(move |_, _| script.clone());
    let proxy = Running::start(&home, mock.address);
    let answer = post(proxy.address, api.path(), &[], &api.request(true));
    assert!(!answer.is_whole && answer.body == reply.bytes(), "{}", answer.text());
    proxy.end();
    expect(&home, &[cut(api)]);
}

fn an_error_follows_200(api: Api) {
    let mut steps = begun(api);
    steps.push(api.error());
    answered(api, steps, &[cut(api)]);
}

fn usage_is_missing(api: Api) {
    let calls = [(PROMPT_ESTIMATE, THREE_TEXTS_ESTIMATE, "guessed")];
    answered(api, api.stream(0, Usage::Missing, false), &calls);
}

fn usage_comes_twice(api: Api) {
    answered(api, api.stream(0, Usage::Twice, false), &[EXACT]);
}

fn usage_is_null_and_then_real(api: Api) {
    answered(api, api.stream(0, Usage::NullFirst, false), &[EXACT]);
}

fn usage_comes_with_choices_or_grows(api: Api) {
    answered(api, api.stream(0, Usage::Early, false), &[EXACT]);
}

fn the_answer_is_incomplete(api: Api) {
    answered(api, api.stream(0, Usage::Given, true), &[EXACT]);
}

fn the_answer_failed(api: Api) {
    let steps = match api {
        Api::Chat | Api::Messages => vec![api.error()],
        Api::Responses => {
            let mut steps = api.begin(0, Usage::Given);
            let failed = serde_json::json!({"type": "response.failed",
                "response": {"id": api.id(0), "status": "failed", "error": {"code": "server_error"}, "usage": null}});
            steps.push(Step::Data(format!("data: {failed}\n\n").into_bytes()));
            steps
        }
    };
    answered(api, steps, &[]);
}

fn stream_options_are_refused(api: Api) {
    let home = Home::new();
    let refusal = Reply { status: 400, ..Reply::json(r#"{"error":{"message":"unknown field stream_options"}}"#) };
    let mock = Mock::start(move |received, number| {
        let is_asked = String::from_utf8_lossy(&received.body).contains("stream_options");
        let is_refused = if api == Api::Chat { is_asked } else { true };
        if is_refused { refusal.clone() } else { Reply::stream(api.stream(number, Usage::Missing, false)) }
    });
    let proxy = Running::start(&home, mock.address);
    let once = |status: u16| {
        let answer = post(proxy.address, api.path(), &[], &api.request(true));
        assert_eq!(answer.status, status, "{}", answer.text());
    };
    let guess = (PROMPT_ESTIMATE, THREE_TEXTS_ESTIMATE, "guessed");
    if api == Api::Chat {
        once(200);
        once(200);
        let bodies: Vec<Vec<u8>> = mock.asked().into_iter().map(|asked| asked.body).collect();
        assert_eq!(bodies.len(), 3, "asked once without, and remembered");
        assert!(bodies[1] == api.request(true) && bodies[2] == api.request(true));
        proxy.end();
        expect(&home, &[guess, guess]);
    } else {
        once(400);
        assert_eq!(mock.asked().len(), 1);
        proxy.end();
        expect(&home, &[]);
    }
}

fn the_answer_is_compressed(api: Api) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(api.body(0).as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let home = Home::new();
    let mut reply = Reply { steps: vec![Step::Data(packed.clone())], ..Reply::json("") };
    reply.headers.push(("content-encoding", "gzip".to_owned()));
    let mock = Mock::start(move |_, _| reply.clone());
    let proxy = Running::start(&home, mock.address);
    let answer = post(proxy.address, api.path(), &[("accept-encoding", "gzip, br, zstd")], &api.request(false));
    assert!(answer.is_whole && answer.body == packed && answer.header("content-encoding") == Some("gzip"));
    assert_eq!(mock.asked()[0].headers["accept-encoding"], "gzip, br, zstd");
    proxy.end();
    expect(&home, &[EXACT]);
}

fn an_event_has_ten_megabytes(api: Api) {
    let mut steps = api.stream(0, Usage::Given, false);
    let place = api.begin(0, Usage::Given).len();
    steps.insert(place, api.delta(0, &"x".repeat(10 * 1024 * 1024), Usage::Given));
    answered(api, steps, &[EXACT]);
}

fn the_reader_is_slow(api: Api) {
    let home = Home::new();
    let mut steps = api.begin(0, Usage::Given);
    steps.extend((0..300).map(|_| api.delta(0, &"y".repeat(8192), Usage::Given)));
    steps.extend(api.finish(0, Usage::Given, false));
    steps.extend(api.end(0, Usage::Given, false));
    let reply = Reply::stream(steps);
    let script = reply.clone();
    let mock = Mock::start(move |_, _| script.clone());
    let proxy = Running::start(&home, mock.address);
    let stream = sent(proxy.address, api.path(), &[], &api.request(true));
    let answer = read(stream, 16 * 1024, Duration::from_millis(1));
    assert!(answer.is_whole && answer.body == shown(api, &reply));
    proxy.end();
    expect(&home, &[EXACT]);
}

fn the_proxy_is_killed_before_the_call_is_booked(api: Api) {
    let home = Home::new();
    let mock = Mock::start(move |_, _| Reply::stream(api.stream(0, Usage::Given, false)));
    let mut proxy = Running::start(&home, mock.address);
    let ledger = home.path().join(".local/share/tokmeter/ledger.db");
    // While another process writes, nothing can be booked.
    let lock = rusqlite::Connection::open(&ledger).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = post(proxy.address, api.path(), &[], &api.request(true));
    assert!(answer.is_whole && answer.status == 200, "{answer:?}");
    proxy.kill();
    drop(lock);
    // The journal that is left counts at once, and once more proxies have taken it over, once.
    expect(&home, &[EXACT]);
    Running::start(&home, mock.address).end();
    expect(&home, &[EXACT]);
    assert_eq!(std::fs::read_dir(ledger.with_file_name("proxy")).unwrap().count(), 0);
}

/// The journals of the proxies of this home, as text.
fn journals(home: &Home) -> String {
    let folder = home.path().join(".local/share/tokmeter/proxy");
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default()).collect()
}

/// Kills the proxy once its journal contains this text. The next proxy books the call that was under way, as far as it
/// was known, and books it once; an answer under the same key takes its place.
fn killed_under_way(api: Api, reply: Reply, noted: &str, expected: (u64, u64, &str)) {
    let home = Home::new();
    let whole = Reply::stream(api.stream(0, Usage::Given, false));
    let mock = Mock::start(move |_, number| if number == 0 { reply.clone() } else { whole.clone() });
    let mut proxy = Running::start(&home, mock.address);
    let other = Running::start(&home, mock.address);
    let _stream = sent(proxy.address, api.path(), &[("idempotency-key", "one")], &api.request(true));
    let start = std::time::Instant::now();
    while !journals(&home).contains(noted) {
        assert!(start.elapsed() < Duration::from_secs(30), "{noted} is not noted: {}", journals(&home));
        std::thread::yield_now();
    }
    // No reader of logs takes it for a call that has ended.
    expect(&home, &[]);
    proxy.kill();
    expect(&home, &[]);
    Running::start(&home, mock.address).end();
    expect(&home, &[expected]);
    assert_eq!(booked(&home)[0]["latency_ms"], serde_json::Value::Null);
    Running::start(&home, mock.address).end();
    expect(&home, &[expected]);
    let again = post(other.address, api.path(), &[("idempotency-key", "one")], &api.request(true));
    assert!(again.is_whole && again.status == 200, "{again:?}");
    other.end();
    expect(&home, &[EXACT]);
    assert!(journals(&home).is_empty());
}

fn the_proxy_is_killed_before_the_answer(api: Api) {
    let reply = Reply { delay: Duration::from_secs(60), ..Reply::stream(api.stream(0, Usage::Given, false)) };
    killed_under_way(api, reply, "began", (PROMPT_ESTIMATE, 0, "guessed"));
}

fn the_proxy_is_killed_within_the_answer(api: Api) {
    let mut steps = api.begin(0, Usage::Given);
    // One text twice as long as all before it.
    steps.extend([api.delta(0, &TEXT.repeat(200), Usage::Given), STALL]);
    let expected = (cut(api).0, TWO_TEXTS_ESTIMATE * 100, "guessed");
    let noted = format!(r#"\"output_tokens\":{}"#, expected.1);
    killed_under_way(api, Reply::stream(steps), &noted, expected);
}

fn a_call_is_repeated_with_the_same_key(api: Api) {
    let home = Home::new();
    let mock = Mock::start(move |_, number| Reply::stream(api.stream(number, Usage::Given, false)));
    let proxy = Running::start(&home, mock.address);
    for key in ["one", "one", "two"] {
        assert_eq!(post(proxy.address, api.path(), &[("idempotency-key", key)], &api.request(true)).status, 200);
    }
    proxy.end();
    expect(&home, &[EXACT, EXACT]);
}

fn a_call_is_repeated_after_a_kill_and_through_another_proxy(api: Api) {
    let home = Home::new();
    let script = move |_: &Received, number: usize| match number {
        // Cut off after two texts.
        0 | 2 => {
            Reply::stream(api.stream(number, Usage::Given, false).into_iter().take(4).chain([Step::Reset]).collect())
        }
        _ => Reply::stream(api.stream(number, Usage::Given, false)),
    };
    let mock = Mock::start(script);
    let again = |proxy: &Running| post(proxy.address, api.path(), &[("idempotency-key", "one")], &api.request(true));
    let mut killed = Running::start(&home, mock.address);
    let other = Running::start(&home, mock.address);
    assert!(!again(&killed).is_whole);
    killed.kill();
    let next = Running::start(&home, mock.address);
    assert!(again(&next).is_whole && !again(&other).is_whole && again(&other).is_whole && again(&next).is_whole);
    next.end();
    other.end();
    expect(&home, &[EXACT]);
}

/// A test for each API.
macro_rules! cases {
    ($($case:ident)*) => {
        mod chat { $(#[test] fn $case() { super::$case(super::Api::Chat) })* }
        mod responses { $(#[test] fn $case() { super::$case(super::Api::Responses) })* }
        mod messages { $(#[test] fn $case() { super::$case(super::Api::Messages) })* }
    };
}

cases! {
    client_leaves_before_the_first_byte
    client_leaves_after_the_first_event
    client_leaves_mid_delta
    client_leaves_after_the_last_delta
    upstream_resets
    an_error_follows_200
    usage_is_missing
    usage_comes_twice
    usage_is_null_and_then_real
    usage_comes_with_choices_or_grows
    the_answer_is_incomplete
    the_answer_failed
    stream_options_are_refused
    the_answer_is_compressed
    an_event_has_ten_megabytes
    the_reader_is_slow
    the_proxy_is_killed_before_the_call_is_booked
    the_proxy_is_killed_before_the_answer
    the_proxy_is_killed_within_the_answer
    a_call_is_repeated_with_the_same_key
    a_call_is_repeated_after_a_kill_and_through_another_proxy
}
