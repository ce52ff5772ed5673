//! Real clients at a limit of zero: each shows its own sentence once, and none tries again. Those that are not
//! installed are skipped aloud: `openai` and `anthropic` for Python and Node, Claude Code and Codex.

use std::process::Command;

use crate::common::Home;
use crate::common::clients::{self, QUIET};
use crate::relay::Relay;
use crate::service::{Proxy, Service};

const SAID: &str = "spend limit reached (daily; resets 00:00): $0.00 of $0.00 used";

/// Environment of a client, from its home and the address of the service.
type Vars = fn(&Home, &str) -> Vec<(&'static str, String)>;

/// A client in a home of its own, or none when it is not installed.
struct Client(Home);

impl Client {
    fn new(probe: &[&str]) -> Option<Self> {
        let client = Self(Home::new());
        clients::runs(&client.0, probe).then_some(client)
    }

    fn command(&self, words: &[&str]) -> Command {
        clients::command(&self.0, words)
    }

    /// Runs it; its output, and the calls that it made.
    fn run(&self, proxy: &Proxy, vars: Vars, words: &[&str]) -> (String, usize) {
        let relay = Relay::start(proxy.address);
        let vars = vars(&self.0, &format!("http://{}", relay.address));
        let out = self.command(words).envs(vars).output().unwrap();
        let said = [out.stdout, out.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        (said.join("\n"), relay.calls())
    }
}

/// A client's output at a limit of zero, after it made exactly one request that never reached the service. `None` when
/// it is not installed.
fn refused(probe: &[&str], vars: Vars, words: &[&str]) -> Option<String> {
    let client = Client::new(probe)?;
    client.0.tokmeter().args(["limits", "set", "day", "0usd"]).assert().success();
    let service = Service::start(true);
    let (text, calls) = client.run(&Proxy::start(&client.0, service.address), vars, words);
    assert_eq!((calls, service.count()), (1, 0), "{text}");
    Some(text)
}

/// The text after the mark that the scripts print.
fn told(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("TOLD ")).unwrap_or(text)
}

#[test]
fn openais_python_package_raises_its_rate_limit_error_once() {
    let script = "import openai\ntry:\n  openai.OpenAI().chat.completions.create(model='gpt-4o', messages=[{'role': 'user', 'content': 'hi'}])\nexcept openai.RateLimitError as error:\n  print('TOLD', error.code, error.body['message'])";
    let vars: Vars =
        |_: &Home, base: &str| vec![("OPENAI_BASE_URL", format!("{base}/v1")), ("OPENAI_API_KEY", "x".to_owned())];
    let Some(text) = refused(&["python3", "-c", "import openai"], vars, &["python3", "-c", script]) else { return };
    assert_eq!(told(&text), format!("insufficient_quota {SAID}"));
}

#[test]
fn anthropics_python_package_raises_its_rate_limit_error_once() {
    let script = "import anthropic\ntry:\n  anthropic.Anthropic().messages.create(model='claude-opus-5', max_tokens=9, messages=[{'role': 'user', 'content': 'hi'}])\nexcept anthropic.RateLimitError as error:\n  print('TOLD', error.body['error']['type'], error.body['error']['message'])";
    let vars: Vars =
        |_: &Home, base: &str| vec![("ANTHROPIC_BASE_URL", base.to_owned()), ("ANTHROPIC_API_KEY", "x".to_owned())];
    let Some(text) = refused(&["python3", "-c", "import anthropic"], vars, &["python3", "-c", script]) else { return };
    assert_eq!(told(&text), format!("billing_error {SAID}"));
}

/// Calls with a key in the path, as README's recipes do: one goes through and is its user's, and one is refused.
#[test]
fn langchain_calls_with_a_key_in_the_path_and_is_refused_once() {
    let Some(client) = Client::new(&["python3", "-c", "import langchain_openai"]) else { return };
    let home = &client.0;
    home.tokmeter().args(["limits", "set", "user:carol:day", "1k"]).assert().success();
    let out = home.tokmeter().args(["proxy", "key", "add", "--user", "carol", "--team", "web"]).output().unwrap();
    let key = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    let script = format!(
        "import os, openai\nfrom langchain_openai import ChatOpenAI\nmodel = ChatOpenAI(model='gpt-4o', base_url=os.environ['BASE'] + '/k/{key}/v1')\nfor _ in range(20):\n  try:\n    print('GOT', model.invoke('hi').content)\n  except openai.RateLimitError as error:\n    print('TOLD', error.code)\n    break"
    );
    let service = Service::start(true);
    let proxy = Proxy::start(home, service.address);
    let vars: Vars = |_, base| vec![("BASE", base.to_owned()), ("OPENAI_API_KEY", "x".to_owned())];
    let (text, _) = client.run(&proxy, vars, &["python3", "-c", &script]);
    assert!(text.starts_with("GOT ok") && told(&text) == "insufficient_quota", "{text}");
    proxy.end();
    assert_eq!(crate::booked(home, "carol"), (service.count() as u64, service.count() as u64 * 100));
}

#[test]
fn openais_node_package_throws_its_rate_limit_error_once() {
    let script = "const { OpenAI } = require('openai'); new OpenAI().chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] }).catch((error) => console.log('TOLD', error.constructor.name, error.code, error.error.message))";
    let vars: Vars =
        |_: &Home, base: &str| vec![("OPENAI_BASE_URL", format!("{base}/v1")), ("OPENAI_API_KEY", "x".to_owned())];
    let Some(text) = refused(&["node", "-e", "require('openai')"], vars, &["node", "-e", script]) else { return };
    assert_eq!(told(&text), format!("RateLimitError insufficient_quota {SAID}"));
}

#[test]
fn anthropics_node_package_throws_its_rate_limit_error_once() {
    let script = "const { Anthropic } = require('@anthropic-ai/sdk'); new Anthropic().messages.create({ model: 'claude-opus-5', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }).catch((error) => console.log('TOLD', error.constructor.name, error.error.error.type, error.error.error.message))";
    let vars: Vars =
        |_: &Home, base: &str| vec![("ANTHROPIC_BASE_URL", base.to_owned()), ("ANTHROPIC_API_KEY", "x".to_owned())];
    let Some(text) = refused(&["node", "-e", "require('@anthropic-ai/sdk')"], vars, &["node", "-e", script]) else {
        return;
    };
    assert_eq!(told(&text), format!("RateLimitError billing_error {SAID}"));
}

fn claude(base: &str, credentials: &'static str) -> Vec<(&'static str, String)> {
    let mut env: Vec<_> = QUIET.into_iter().map(|name| (name, "1".to_owned())).collect();
    env.extend([("ANTHROPIC_BASE_URL", base.to_owned()), (credentials, "sk-ant-oat01-not-a-credential".to_owned())]);
    env
}

#[test]
fn claude_code_says_that_the_spend_limit_is_reached() {
    let words = ["claude", "-p", "hello"];
    let vars: Vars = |_: &Home, base: &str| claude(base, "ANTHROPIC_API_KEY");
    let Some(text) = refused(&["claude", "--version"], vars, &words) else { return };
    assert_eq!(text.matches(SAID).count(), 1, "{text}");
}

#[test]
fn claude_code_with_a_subscription_says_nothing_else() {
    let words = ["claude", "-p", "hello"];
    let vars: Vars = |_: &Home, base: &str| claude(base, "CLAUDE_CODE_OAUTH_TOKEN");
    let Some(text) = refused(&["claude", "--version"], vars, &words) else { return };
    assert_eq!(text.trim(), SAID);
}

#[test]
fn claude_code_with_a_subscription_warns_at_eighty_per_cent() {
    let Some(client) = Client::new(&["claude", "--version"]) else { return };
    client.0.config("[limits]\nweek = { tokens = 500 }\n");
    let service = Service::start(true);
    let proxy = Proxy::start(&client.0, service.address);
    for _ in 0..4 {
        assert_eq!(proxy.call("/v1/messages", &[]).status, 200);
    }
    proxy.end();
    let proxy = Proxy::start(&client.0, service.address);
    let vars: Vars = |_, base| claude(base, "CLAUDE_CODE_OAUTH_TOKEN");
    let words = ["claude", "-p", "hello", "--output-format", "stream-json", "--verbose"];
    let (text, calls) = client.run(&proxy, vars, &words);
    let event = text.lines().find(|line| line.contains("rate_limit_event")).unwrap_or_default();
    assert!(event.contains(r#""status":"allowed_warning""#) && event.contains(r#""utilization":0.8,"#), "{text}");
    assert_eq!(calls, 1);
}

#[test]
fn codex_says_when_to_try_again() {
    let vars: Vars = |home: &Home, base: &str| {
        let provider =
            format!("name = \"t\"\nbase_url = \"{base}/v1\"\nwire_api = \"responses\"\nenv_key = \"OPENAI_API_KEY\"\n");
        home.write(
            ".codex/config.toml",
            &format!("model = \"gpt-5.6-codex\"\nmodel_provider = \"t\"\n[model_providers.t]\n{provider}"),
        );
        vec![("OPENAI_API_KEY", "x".to_owned())]
    };
    let words = ["codex", "exec", "--skip-git-repo-check", "hello"];
    let Some(text) = refused(&["codex", "--version"], vars, &words) else { return };
    assert!(text.contains("hit your usage limit. Try again at") && !text.contains("retry"), "{text}");
}
