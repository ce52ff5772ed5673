//! `GET /api/v1/openapi.json`: the document says what the server does, and real answers fit its schemas.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "serve/client.rs"]
mod client;
mod common;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use client::{Client, Served};
use common::{Home, native, now};
use serde_json::{Value, json};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");

/// A server with the samples of all formats, and limits of every kind.
fn served(home: &Home) -> Served {
    home.config(
        "[limits]\nday = { usd = 1000 }\nmonth = { usd = 1 }\ntotal = { tokens = 100, output_tokens = 5 }\n\
         session = { usd = 1 }\nblock = { usd = 5 }\n[limits.users.\"*\"]\n7d = { usd = 3 }\n\
         [limits.users.zoe]\nday = { tokens = 2000 }\n[alerts]\nnotify = \"off\"\n",
    );
    // A provider's window, which is forgotten when it is old.
    let stated = json!({"timestamp": now(), "type": "event_msg", "payload": {"type": "token_count", "info": null, "rate_limits":
        {"limit_id": "codex", "primary": {"used_percent": 42.5, "window_minutes": 300, "resets_at": 4_000_000_000_u64}}}});
    let name = "windows/rollout-2026-11-27T09-00-00-0195c0de-0000-7000-8000-000000000099.jsonl";
    let windows = home.write(name, &format!("{stated}\n"));
    Served::with(home, &["--listen", "127.0.0.1:0", SAMPLES, windows.to_str().unwrap()])
}

fn document(client: &Client) -> Value {
    let answer = client.get("/api/v1/openapi.json");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

/// Method and path of every operation.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, methods): (&String, &Value)| -> Vec<_> {
        methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())).collect()
    };
    paths.iter().flat_map(methods).collect()
}

#[test]
fn the_contract_lists_every_path_of_the_document() {
    let home = Home::new();
    let document = document(&Served::start(&home).client);
    let contract = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/contract.md")).unwrap();
    let http = contract.split("\n## HTTP\n").nth(1).unwrap().split("\nErrors of the API").next().unwrap();
    let mut listed = BTreeSet::new();
    for row in http.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap();
        let (method, _) = cell.trim().trim_start_matches('`').split_once(' ').unwrap();
        let mut folder = "";
        for path in cell.split('`').skip(1).step_by(2).map(|name| name.trim_start_matches(method).trim()) {
            // `/calls` after `/api/v1/usage` is in the same folder.
            let path = if folder.is_empty() || path.starts_with("/v1") || path.starts_with("/page") || path == "/readyz"
            {
                path.to_owned()
            } else {
                format!("{folder}{path}")
            };
            folder = if path.starts_with("/api/v1") { "/api/v1" } else { "" };
            listed.insert((method.to_owned(), path.replace("KEY", "{key}").replace('…', "{name}")));
        }
    }
    assert_eq!(listed, operations(&document));
}

#[test]
fn every_parameter_of_the_document_is_taken_and_no_other() {
    let home = Home::new();
    let client = &served(&home).client;
    let document = document(client);
    let mut count = 0;
    for (method, path) in operations(&document) {
        let operation = &document["paths"][&path][method.to_lowercase()];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let names: BTreeSet<&str> = parameters.iter().filter_map(|parameter| parameter["name"].as_str()).collect();
        assert_eq!(names.len(), parameters.len(), "{path}: a parameter is there twice");
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let words = schema["enum"].as_array().or_else(|| schema["items"]["enum"].as_array());
            let values: Vec<String> = match (words, name) {
                (Some(words), _) => words.iter().map(|word| word.as_str().unwrap().to_owned()).collect(),
                (None, "start" | "since") => vec!["2026-01-01".into(), "7d".into()],
                (None, "end" | "until") => vec!["2027-01-01".into()],
                (None, "limit") => vec!["1".into()],
                (None, "session") => vec!["latest".into()],
                (None, _) => vec!["nobody".into()],
            };
            for value in values.iter().filter(|_| path != "/api/v1/ws") {
                // CSV cannot say that calls are left out.
                let rest = if path == "/api/v1/calls" && value == "csv" { "&limit=5" } else { "" };
                let answer = client.get(&format!("{path}?{name}={value}{rest}"));
                assert_eq!(answer.status, 200, "{path}?{name}={value}: {}", answer.text());
                count += 1;
            }
            if schema["enum"].is_array() {
                assert_eq!(client.get(&format!("{path}?{name}=nonsense")).status, 400, "{path}?{name}");
            }
        }
        // On other paths no answer depends on a parameter, and scrapers add their own.
        if path.starts_with("/api/v1/") {
            for wrong in ["colour=red", "perio=day", "usr=bob", "flag=--help"] {
                let asked = format!("{path}?{wrong}");
                let answer = if method == "POST" { client.post(&asked, &[], b"") } else { client.get(&asked) };
                assert_eq!(answer.status, 400, "{method} {asked}");
                let problem = answer.json()["error"].as_str().unwrap().to_owned();
                assert!(
                    problem.ends_with(|end: char| end.is_alphanumeric()) && problem.contains("is not a parameter"),
                    "{problem}"
                );
            }
        }
        if names.contains("by") {
            // A repeated parameter of a list is an alternative.
            assert_eq!(client.get(&format!("{path}?user=alice&user=bob")).status, 200, "{path}");
        }
    }
    assert!(count > 80, "{count}");
    assert_eq!(client.get("/api/v1/sessions?period=day").status, 400, "a session is its own period");
}

#[test]
fn every_parameter_of_the_gate_closes_it_where_a_limit_of_that_name_is_over() {
    let home = Home::new();
    let amount = "total = \"1k tokens\"\n";
    let tables = ["users.bob", "teams.blue", "orgs.acme", "projects.\"/w/shop\"", "agents.scout", "features.search"];
    let tables = tables.iter().chain(&["sources.native", "models.house"]);
    let tables = tables.map(|table| format!("[limits.{table}]\n{amount}")).collect::<Vec<_>>().concat();
    home.config(&format!("[limits]\nsession = \"1k tokens\"\n{tables}[alerts]\nnotify = \"off\"\n"));
    let line = json!({"id": "a", "at": now(), "user": "bob", "team": "blue", "org": "acme", "project": "/w/shop", "agent": "scout",
        "feature": "search", "model": "house", "session": "s1", "input_tokens": 0, "output_tokens": 2_000});
    home.write(".local/share/tokmeter/usage.jsonl", &format!("{line}\n"));
    let client = &Served::start(&home).client;
    assert_eq!(client.get("/api/v1/gate").json()["allowed"], true);
    let document = document(client);
    for parameter in document["paths"]["/api/v1/gate"]["get"]["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        let (value, limit) = match name {
            "session" => ("s1", "session".to_owned()),
            "source" => ("native", "source:native:total".to_owned()),
            _ => {
                let value = line[name].as_str().unwrap();
                (value, format!("{name}:{value}:total"))
            }
        };
        let answer = client.get(&format!("/api/v1/gate?{name}={value}")).json();
        let over = |state: &Value| (&state["limit"], &state["verdict"]) == (&json!(limit), &json!("over"));
        let is_over = answer["limits"].as_array().unwrap().iter().any(over);
        assert!(answer["allowed"] == false && is_over, "{name}: {answer}");
    }
}

/// Answers with the schema that each must fit.
fn answers(client: &Client) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    let mut get = |schema, path: &str, status| {
        let answer = client.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        all.push((schema, answer.json()));
    };
    let by =
        "by=model&by=source&by=user&by=project&by=agent&by=team&by=feature&by=org&by=session&by=branch&by=fidelity";
    for period in ["hour", "day", "week", "month", "session", "call", "total"] {
        get("Report", &format!("/api/v1/usage?period={period}&limit=500"), 200);
        get("Report", &format!("/api/v1/usage?period={period}&limit=500&{by}&by=repo&by=ticket"), 200);
    }
    get("Report", "/api/v1/usage?user=nobody", 200);
    get("Report", "/api/v1/sessions?limit=500", 200);
    get("Report", "/api/v1/calls?limit=500", 200);
    for (schema, path) in [
        ("Summary", "/summary"),
        ("Limits", "/limits"),
        ("Health", "/health"),
        ("Gate", "/gate?user=alice"),
        ("Document", "/openapi.json"),
    ] {
        get(schema, &format!("/api/v1{path}"), 200);
    }
    for (path, status) in [
        ("/nothing", 404),
        ("/api/v1/usage?period=aeon", 400),
        ("/api/v1/calls/zz", 400),
        ("/api/v1/calls/00000000000000000000000000000000", 404),
    ] {
        get("Problem", path, status);
    }
    let calls = client.get("/api/v1/calls?limit=500").json();
    for row in calls["rows"].as_array().unwrap() {
        get("Call", &format!("/api/v1/calls/{}", row["key"].as_str().unwrap()), 200);
    }
    // Lines that are new, repeated, about nothing and wrong; the new ones raise an alert.
    let line = native("a", &now(), "claude-opus-5", 1_900, 200)
        .replace("\"input_tokens\"", "\"user\":\"zoe\",\"input_tokens\"");
    let guessed = format!("{{\"id\":\"g\",\"at\":\"{}\",\"model\":\"house\",\"total_tokens\":7}}\n", now());
    let mut events = client.events("");
    let (id, summary) = events.next().unwrap();
    all.push(("Event", json!({"event": "summary", "id": id, "data": summary})));
    let booked = client.post("/api/v1/calls", &[], format!("{line}{guessed}{line}nonsense\n{{\"x\":1}}\n").as_bytes());
    all.extend(booked.text().lines().map(|line| ("Booked", serde_json::from_str(line).unwrap())));
    let (id, alert) = events.find(|(_, data)| data["threshold"].is_u64()).unwrap();
    all.push(("Alert", alert.clone()));
    all.push(("Event", json!({"event": "alert", "id": id, "data": alert})));
    let json = [("content-type", "application/json")];
    for (schema, body) in [
        ("OtlpResponse", "{\"resourceLogs\":[]}"),
        (
            "OtlpResponse",
            r#"{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"com.anthropic.claude_code.events"},"logRecords":[{"timeUnixNano":"1","attributes":[{"key":"event.name","value":{"stringValue":"api_request"}},{"key":"input_tokens","value":{"intValue":"-5"}},{"key":"model","value":{"stringValue":"m"}}]}]}]}]}"#,
        ),
        ("OtlpStatus", "{oops"),
    ] {
        all.push((schema, client.post("/v1/logs", &json, body.as_bytes()).json()));
    }
    all
}

#[test]
fn real_answers_fit_the_schemas() {
    let home = Home::new();
    let client = &served(&home).client;
    let document = document(client);
    let answers = answers(client);
    let tested: BTreeSet<&str> = answers.iter().map(|(schema, _)| *schema).collect();
    let mut open: BTreeSet<&str> =
        document["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    // Schemas of requests, and schemas that are only parts of others.
    for schema in [
        "CallLine",
        "CallLines",
        "OtlpExport",
        "Amount",
        "Amounts",
        "Limit",
        "Measures",
        "Override",
        "ProviderWindow",
        "Row",
        "RunningSession",
    ] {
        assert!(open.remove(schema), "{schema}");
    }
    assert_eq!(tested, open);
    let limits = &answers.iter().find(|(schema, _)| *schema == "Limits").unwrap().1;
    assert_eq!(limits["provider_windows"][0]["used_percent"], 42.5, "{limits}");
    validate(&document, &answers);
}

/// Validates the document, and the answers by its schemas, with libraries for Python.
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn validate(document: &Value, answers: &[(&str, Value)]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/openapi.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Python may end before it has read anything.
    let _ = python
        .stdin
        .take()
        .unwrap()
        .write_all(json!({"document": document, "answers": answers}).to_string().as_bytes());
    let out = python.wait_with_output().unwrap();
    let said = [&out.stdout, &out.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    if said.contains("ModuleNotFoundError") {
        assert!(std::env::var_os("CI").is_none(), "{said}");
        let _ =
            writeln!(std::io::stderr(), "skipped: python3 with jsonschema and openapi-spec-validator is not installed");
        return;
    }
    assert!(out.status.success(), "{said}");
    assert_eq!(said.trim(), format!("{} answers are right", answers.len()));
}

/// Requests that schemathesis makes up from the document are answered as it says.
#[test]
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn made_up_requests_are_answered_as_the_document_says() {
    if Command::new("schemathesis").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "schemathesis is not installed");
        let _ = writeln!(std::io::stderr(), "skipped: schemathesis is not installed");
        return;
    }
    let home = Home::new();
    let served = served(&home);
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let ran = Command::new("schemathesis")
        .args(["run", &format!("http://{}/api/v1/openapi.json", served.client.address)])
        .args(["--checks", checks, "--max-examples", "20", "--phases", "coverage,fuzzing", "--seed", "1"])
        // These do not end.
        .args(["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/ws"])
        .current_dir(home.path())
        .output()
        .unwrap();
    let said = [&ran.stdout, &ran.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    assert!(ran.status.success(), "{said}");
}

#[test]
fn a_mistake_is_named_by_the_parameter_and_not_by_a_flag() {
    let home = Home::new();
    let served = Served::start(&home);
    for (query, why) in [
        ("by=", "invalid value '' for 'by'"),
        ("start=soon", "invalid value 'soon' for 'start'"),
        ("until=soon", "invalid value 'soon' for 'until'"),
        ("limit=-1", "invalid value '-1' for 'limit'"),
        ("start=1d&since=2d", "'start' and 'since' are one parameter; give one of them"),
    ] {
        let answer = served.client.get(&format!("/api/v1/usage?{query}"));
        let told = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{query}");
        assert!(told.starts_with(why) && !told.contains("--"), "{query}: {told}");
    }
}

#[test]
fn a_dimension_that_is_named_twice_splits_once() {
    let home = Home::new();
    let served = Served::start(&home);
    let once = served.client.get("/api/v1/usage?period=total&by=model,user").text();
    assert!(once.contains("\"by\":[\"model\",\"user\"]"), "{once}");
    for by in ["by=model,user,model", "by=model&by=user&by=user"] {
        assert_eq!(served.client.get(&format!("/api/v1/usage?period=total&{by}")).text(), once);
    }
}
