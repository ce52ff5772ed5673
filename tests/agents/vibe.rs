//! Vibe's sessions, whose description is written after their first lines.

use super::followed::Followed;
use super::tail_common::append;
use super::{home, write};

/// A session's total, after this answer or before any.
fn total(input: u64, output: u64) -> String {
    format!(
        r#"{{"payload":{{"delta":[{{"state":{{"session":{{"id":"s-1","createdAt":1795683600000,"tokenUsage":{{"cachedInputTokens":0,"inputTokens":{input},"outputTokens":{output}}}}}}}}}]}},"recovery_journal_record_version":1,"type":"projection_delta"}}"#
    ) + "\n"
}

fn answer(id: u32, input: u64, output: u64) -> String {
    format!(
        r#"{{"payload":{{"input":{{"command":{{"action_id":"act-{id}","result":{{"usage":{{"cached_input_tokens":0,"input_tokens":{input},"output_tokens":{output}}}}},"type":"completion_succeeded"}},"determinism":{{"time_unix_ms":179568360{id}000}}}}}},"recovery_journal_record_version":1,"type":"core_input"}}"#
    ) + "\n"
}

const META: &str =
    r#"{"session_id":"s-1","environment":{"working_directory":"/home/kim/shop"},"config":{"model_name":"devstral-3"}}"#;

#[test]
fn k4_a_session_whose_model_is_known_after_its_first_answer_counts_once() {
    // Either only the total of an earlier run is left, or there was no earlier run.
    for (earlier_input, earlier_output) in [(0, 0), (5000, 50)] {
        let (_keep, path, roots) = home();
        let session = path.join(".vibe/logs/session/unified/s-1");
        let journal = session.join("journal/0000000000000001.jsonl");
        write(&journal, &total(earlier_input, earlier_output));
        let mut followed = Followed::of(&roots);
        followed.poll();
        followed.assert_sums(earlier_input, 0, earlier_output);
        let (input, output) = (earlier_input + 1000, earlier_output + 10);
        append(&journal, answer(1, 1000, 10) + &total(input, output));
        followed.poll();
        followed.assert_sums(input, 0, output);
        write(&session.join("meta.json"), META);
        // The same total from a document that is read after the description.
        let state = format!(
            r#"{{"projection_state_version":1,"snapshot":{{"session":{{"id":"s-1","createdAt":1795683600000,"tokenUsage":{{"inputTokens":{input},"outputTokens":{output}}}}}}}}}"#
        );
        write(&session.join("generations/0000000000000001/projection-state.json"), &state);
        followed.poll();
        followed.assert_sums(input, 0, output);
        append(&journal, answer(2, 300, 3) + &total(input + 300, output + 3));
        followed.poll();
        followed.assert_sums(input + 300, 0, output + 3);
        let calls = if earlier_output == 0 { 2 } else { 3 };
        assert_eq!(followed.models(), [(Some("devstral-3".to_owned()), calls, output + 3)]);
    }
}
