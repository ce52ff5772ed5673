//! The README's recipes for the proxy, run as they are written there: only the addresses of the proxy and of the model
//! service are replaced. A line that no test knows how to run is a failure, so that no recipe goes untested.

use serde_json::{Value, json};

use crate::clients::answer;
use crate::common::{Home, clients};
use crate::dialects::{INPUT, OUTPUT, TEXT};
use crate::mock::{Mock, Received, Reply, Step};
use crate::running::{Running, booked};

/// Addresses in the README.
const PROXY: &str = "127.0.0.1:4319";
const SERVICE: &str = "https://api.openai.com";
/// The program of the README's first recipe, which finds the proxy by `OPENAI_BASE_URL`.
const PROGRAM: &str = "import openai\n\
    print(openai.OpenAI().chat.completions.create(model='gpt-4o', messages=[]).choices[0].message.content)\n";

/// The lines of the README's code blocks about the proxy, with their languages. Continued lines are joined.
fn lines() -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let begin = readme.find("**Programs that keep no log.**").expect("the README describes the proxy");
    let part = &readme[begin..];
    let part = &part[..part.find("\n## ").unwrap()];
    let mut lines = Vec::new();
    for block in part.split("```").skip(1).step_by(2) {
        let (language, code) = block.split_once('\n').unwrap();
        let code = code.replace("\\\n", "");
        let code = code.lines().filter(|line| !line.trim().is_empty() && !line.starts_with(['#', '/']));
        lines.extend(code.map(|line| (language.to_owned(), line.to_owned())));
    }
    lines
}

/// As the real services: Codex shows a text once its item is done.
fn service(received: &Received, number: usize) -> Reply {
    let mut reply = answer(received, number);
    if received.path == "/v1/responses" && reply.steps.len() > 1 {
        let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]});
        let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
        let text = format!("event: response.output_item.done\ndata: {done}\n\n");
        reply.steps.insert(reply.steps.len() - 1, Step::Data(text.into_bytes()));
    }
    reply
}

/// Runs a line of a shell with the program on its path and this key; its output.
fn shell(home: &Home, line: &str, key: &str) -> String {
    let mut command = clients::command(home, &["sh", "-c", line]);
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_tokmeter")).parent().unwrap().to_owned();
    #[expect(clippy::disallowed_methods, reason = "clients are where the user installed them")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path))).unwrap();
    command.env("PATH", path).env("KEY", key);
    run(command)
}

fn run(mut command: std::process::Command) -> String {
    command.envs([("OPENAI_API_KEY", "sk-test"), ("ANTHROPIC_API_KEY", "sk-ant-test")]);
    command.envs(clients::QUIET.map(|name| (name, "1")));
    let out = command.output().unwrap();
    let [said, why] = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(out.status.success(), "{command:?}: {said}{why}");
    said
}

/// How a line of Python is tried: what must be installed, and what makes a call with it and prints the answer.
fn python(line: &str) -> (&'static str, &'static str) {
    match line.split_once(" = ").map(|(_, call)| call.split('(').next().unwrap()) {
        Some("openai.OpenAI") => (
            "import openai",
            "print(client.chat.completions.create(model='gpt-4o', messages=[{'role': 'user', 'content': 'hello'}]).choices[0].message.content)",
        ),
        Some("anthropic.Anthropic") => (
            "import anthropic",
            "print(client.messages.create(model='claude-opus-5', max_tokens=9, messages=[{'role': 'user', 'content': 'hello'}]).content[0].text)",
        ),
        Some("ChatOpenAI") => ("from langchain_openai import ChatOpenAI", "print(model.invoke('hello').content)"),
        _ => panic!("no test runs this line of the README: {line}"),
    }
}

/// The same for Node.
fn node(line: &str) -> (&'static str, &'static str) {
    match line.split_once("new ").map(|(_, call)| call.split('(').next().unwrap()) {
        Some("OpenAI") => (
            "const { OpenAI } = require('openai')",
            "openai.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }] }).then((answer) => console.log(answer.choices[0].message.content))",
        ),
        Some("Anthropic") => (
            "const { Anthropic } = require('@anthropic-ai/sdk')",
            "anthropic.messages.create({ model: 'claude-opus-5', max_tokens: 9, messages: [{ role: 'user', content: 'hello' }] }).then((answer) => console.log(answer.content[0].text))",
        ),
        _ => panic!("no test runs this line of the README: {line}"),
    }
}

/// How a line of a shell is tried: what must be installed, and the arguments that make an agent answer and end.
fn program(line: &str) -> (&'static [&'static str], &'static str) {
    let mut words =
        line.split(' ').skip_while(|word| word.split_once('=').is_some_and(|(name, _)| !name.contains('"')));
    match words.next() {
        Some("curl") => (&["curl", "--version"], " -sS"),
        Some("python3") => (&["python3", "-c", "import openai"], ""),
        Some("claude") => (&["claude", "--version"], " -p hello"),
        Some("codex") => (&["codex", "--version"], " exec --skip-git-repo-check hello"),
        _ => panic!("no test runs this line of the README: {line}"),
    }
}

/// Follows the README from top to bottom with the clients of one language: every client must show the answer, and every
/// call must be booked with the tokens that the service stated, from the first key on to the key's user and team.
fn follow(wanted: &str) {
    let home = Home::new();
    home.write("my_program.py", PROGRAM);
    let mock = Mock::start(service);
    let (mut proxy, mut key, mut with_key) = (None, String::new(), 0);
    for (language, line) in lines() {
        let line = line.replace(SERVICE, &format!("http://{}", mock.address));
        if let Some(rest) = line.strip_prefix("tokmeter proxy ").filter(|_| proxy.is_none()) {
            let args: Vec<&str> = rest.split('&').next().unwrap().split_whitespace().collect();
            proxy = Some(Running::with(&home, &args));
            continue;
        }
        if line.starts_with("tokmeter limits set ") {
            shell(&home, &line, "");
            continue;
        }
        if line.starts_with("KEY=") {
            let (code, _) = line.split_once('#').unwrap();
            key = shell(&home, &format!("{code}; printf %s \"$KEY\""), "");
            assert!(key.starts_with("tm-"), "{key}");
            continue;
        }
        let address = proxy.as_ref().expect("the README starts the proxy first").address.to_string();
        let code = line.replace(PROXY, &address);
        assert_ne!(code, line, "a recipe that does not go through the proxy");
        if language != wanted {
            continue;
        }
        let said = match language.as_str() {
            "sh" => {
                let (probe, rest) = program(&line);
                if !clients::runs(&home, probe) {
                    continue;
                }
                shell(&home, &format!("{code}{rest}"), &key)
            }
            "python" => {
                let (import, call) = python(&line);
                if !clients::runs(&home, &["python3", "-c", import]) {
                    continue;
                }
                let script = format!("{import}\nKEY = '{key}'\n{code}\n{call}");
                run(clients::command(&home, &["python3", "-c", &script]))
            }
            "js" => {
                let (import, call) = node(&line);
                if !clients::runs(&home, &["node", "-e", import]) {
                    continue;
                }
                let script = format!("{import}; const KEY = '{key}';\n{code}\n{call}");
                run(clients::command(&home, &["node", "-e", &script]))
            }
            _ => panic!("no test runs this language of the README: {language}"),
        };
        assert!(said.contains(TEXT.trim()), "{line}: {said}");
        with_key += usize::from(!key.is_empty());
    }
    let asked = mock.asked();
    proxy.unwrap().end();
    let counted = asked.iter().filter(|received| !received.path.contains("count_tokens") && !received.body.is_empty());
    let rows = booked(&home);
    assert_eq!(rows.len(), counted.count());
    let is_exact = |row: &Value| (&row["input_tokens"], &row["output_tokens"]) == (&INPUT.into(), &OUTPUT.into());
    assert!(rows.iter().all(|row| is_exact(row) && row["user"] == "alice"), "{rows:?}");
    assert!(rows.iter().filter(|row| row["team"] == "web").count() >= with_key, "{rows:?}");
    let secrets = |received: &Received| format!("{} {:?}", received.path, received.headers).contains("tm-");
    assert!(!asked.iter().any(secrets), "a key of the proxy reached the service");
}

#[test]
fn the_readmes_python_clients_run_as_written() {
    follow("python");
}

#[test]
fn the_readmes_node_clients_run_as_written() {
    follow("js");
}

#[test]
fn the_readmes_commands_and_agents_run_as_written() {
    follow("sh");
}
