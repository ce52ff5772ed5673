//! `tokmeter mcp`, asked line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::common::Home;

/// The running server.
pub struct Server {
    pub child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Server {
    /// Starts it without a greeting.
    pub fn silent(home: &Home) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("tokmeter"))
            .arg("mcp")
            .env_clear()
            .envs(home.vars())
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, asked: 0 }
    }

    /// Starts it and agrees on a version.
    pub fn start(home: &Home, version: &str) -> Self {
        let mut server = Self::silent(home);
        let answer = server.ask("initialize", &json!({"protocolVersion": version, "capabilities": {}}));
        assert_eq!(answer["result"]["serverInfo"]["name"], "tokmeter");
        server.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        server
    }

    pub fn send(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        input.write_all(b"\n").unwrap();
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the server ended");
        line
    }

    pub fn json(&mut self, line: &str) -> Value {
        self.send(line);
        serde_json::from_str(&self.line()).unwrap()
    }

    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let answer = self.json(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        assert_eq!(answer["id"], id);
        answer
    }

    /// The result of a tool.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// The line that answers a tool, as it was sent.
    pub fn raw(&mut self, tool: &str, arguments: &Value) -> String {
        let params = json!({"name": tool, "arguments": arguments});
        self.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "tools/call", "params": params}).to_string());
        self.line()
    }

    /// Ends the input, and returns the exit code and what was said on standard error.
    pub fn end(mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let left = self.child.wait_with_output().unwrap();
        (left.status.code(), String::from_utf8_lossy(&left.stderr).into_owned())
    }
}
