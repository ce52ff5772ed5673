//! An alert by mail to a server that does not accept every recipient at once.

use super::*;
use crate::engine::mail_server::{hesitant_server, recipients};

#[test]
fn a_recipient_of_an_alert_whom_the_server_accepts_later_gets_it_then_and_the_others_once() {
    let env = Env::empty(now());
    let mut settings = settings(&env);
    let (email, taken) = hesitant_server();
    settings.alerts.email = Some(email);
    let (later, notes) = later();
    deliver(&alert(), &settings, &env, &mut memory(), now(), &later);
    let notes = notes.lock().unwrap();
    let note = || notes.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    let first = note();
    assert!(first.contains("(550): 5.1.1") && first.contains("for nobody@example.org"), "{first}");
    assert!(first.contains("(451): 4.7.1") && first.contains("for later@example.org; tried again in "), "{first}");
    drop(later);
    let mails: Vec<Vec<String>> =
        (0..2).map(|_| taken.recv_timeout(std::time::Duration::from_secs(20)).unwrap()).collect();
    assert_eq!(recipients(&mails[0]), ["nobody", "later", "alice"]);
    assert_eq!(recipients(&mails[1]), ["later"]);
    // There is nothing left to say or to send.
    assert!(notes.recv().is_err() && taken.try_recv().is_err());
}
