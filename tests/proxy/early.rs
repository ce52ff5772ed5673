//! Answers of the proxy's own to requests that are still being sent.

use crate::common::Home;
use crate::dialects::Api;
use crate::mock::{Mock, Reply};
use crate::running::{Running, post};

#[test]
fn a_client_that_sends_all_of_a_large_body_first_gets_the_refusal() {
    let home = Home::new();
    home.config("[limits.users.alice]\nday = { usd = 0 }\n");
    let mock = Mock::start(|_, _| Reply::json("{}"));
    let proxy = Running::start(&home, mock.address);
    let body = format!(r#"{{"model":"gpt-5","user":"alice","messages":["{}"]}}"#, "x".repeat(24 * 1024 * 1024));
    for (headers, status) in [
        (&[("x-user-id", "alice")][..], 429),
        (&[("x-tokmeter-key", "tm-guess")], 401),
        (&[("origin", "https://evil.example")], 403),
    ] {
        let answer = post(proxy.address, Api::Chat.path(), headers, body.as_bytes());
        assert_eq!((answer.status, answer.is_whole), (status, true));
    }
    assert_eq!(mock.asked().len(), 0);
    // Nor is the answer lost of an upstream that cannot be reached.
    let gone = crate::common::free_address();
    let lost = Running::start(&home, gone);
    assert_eq!(post(lost.address, Api::Chat.path(), &[("x-user-id", "bob")], body.as_bytes()).status, 502);
}
