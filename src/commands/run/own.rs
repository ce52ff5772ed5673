//! Which sessions are the run's, and which were at work beside it.

use chrono::Duration;

use crate::domain::{Dimension, Filter, Instant, Matcher};
use crate::ledger::{BooksError, Ledger, SessionRow, Sums};

/// Time without a call before the start after which a session of this folder that goes on was resumed by the run.
const AT_REST: Duration = Duration::minutes(2);
/// Words by which agents resume a session.
const RESUMING: [&str; 5] = ["resume", "--resume", "-r", "--continue", "-c"];

/// The command that was run, and when.
pub(super) struct Started {
    pub(super) at: Instant,
    /// The program, without its folder, and its arguments.
    pub(super) words: Vec<String>,
}

/// Spend of sessions that are not the run's.
#[derive(Clone, Copy, Default)]
pub(super) struct Others {
    pub(super) sessions: u64,
    pub(super) sums: Sums,
}

impl Others {
    pub(super) fn add(&mut self, sums: &Sums) {
        self.sessions += 1;
        self.sums.add(sums);
    }
}

impl Started {
    /// True when a session with calls since the start is the run's: it began since, or the run resumed it.
    ///
    /// A session that had a call shortly before the start is at work elsewhere, and one that rested is resumed here only
    /// in this folder. Calls without a session cannot be told apart, and count.
    pub(super) fn is_own(&self, books: &dyn Ledger, row: &SessionRow, is_here: bool) -> Result<bool, BooksError> {
        let Some(only) = own_calls(row) else { return Ok(true) };
        let before = Filter { only, until: Some(self.at), ..Filter::default() };
        let Some(last) = books.calls(&before, 1)?.into_iter().next() else { return Ok(true) };
        let rested = self.at.signed_duration_since(last.call.at()) > AT_REST;
        Ok((is_here && rested) || self.resumes(row, is_here))
    }

    /// True when the command names this session, or resumes one of its agent in this folder: `claude --resume`.
    fn resumes(&self, row: &SessionRow, is_here: bool) -> bool {
        let Some((program, arguments)) = self.words.split_first() else { return false };
        let name = row.session.as_deref();
        let is_named = name.is_some_and(|name| arguments.iter().any(|word| word.split('=').any(|part| part == name)));
        let is_its_agent = !program.is_empty() && row.source.split('-').next() == program.split('-').next();
        let resumes =
            || arguments.iter().any(|word| RESUMING.iter().any(|known| word.split('=').next() == Some(known)));
        is_named || (is_here && is_its_agent && resumes())
    }
}

/// Selects the calls of this session; none for calls without one.
pub(super) fn own_calls(row: &SessionRow) -> Option<Vec<(Dimension, Matcher)>> {
    let session = row.session.as_ref()?;
    let source = (Dimension::Source, Matcher::exact(row.source.as_str()));
    Some(vec![source, (Dimension::Session, Matcher::exact(session.as_str()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Label;

    #[test]
    fn a_command_resumes_the_session_it_names_or_one_of_its_agent_here() {
        let at = Instant::UNIX_EPOCH;
        let row = SessionRow {
            session: Some(Label::new("3f2a91c0-1111-4222-8333-444455556666")),
            source: Label::new("claude-code"),
            started: at,
            ended: at,
            project: None,
            user: None,
            models: Vec::new(),
            in_agents: Sums::default(),
            sums: Sums::default(),
        };
        for (command, here, elsewhere) in [
            ("claude", false, false),
            ("claude --continue", true, false),
            ("claude -r", true, false),
            ("claude --resume 3f2a91c0-1111-4222-8333-444455556666", true, true),
            ("claude --resume=3f2a91c0-1111-4222-8333-444455556666", true, true),
            ("codex resume --last", false, false),
            ("sh -c", false, false),
        ] {
            let started = Started { at, words: command.split(' ').map(str::to_owned).collect() };
            assert_eq!((started.resumes(&row, true), started.resumes(&row, false)), (here, elsewhere), "{command}");
        }
    }
}
