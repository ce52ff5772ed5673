//! `mcp`: answers an agent's questions about its spending, over standard input and output.
//!
//! Changes nothing except the ledger, which catches up with the logs as in every command.

mod lines;
mod messages;
mod session;
mod tools;

use self::lines::Line;
use self::session::Session;
use crate::app::catch_up::{self, Followed};
use crate::app::{Context, Exit, Failure, StopSignals};
use crate::engine::process;

/// Answers until the input ends or a signal arrives.
pub(super) fn run(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut ending = StopSignals::watch();
    let mut input = lines::read_standard_input()
        .map_err(|error| Failure::new(Exit::Code(71), format!("no thread could be started: {error}")))?;
    let runtime = process::runtime(false).map_err(|error| {
        let why = format!("the system has no resources left for the event loop: {error}");
        Failure::new(Exit::Code(71), why)
    })?;
    let mut session = Session::default();
    let mut books = Answers::default();
    loop {
        let line: Line = runtime.block_on(async {
            tokio::select! {
                biased;
                // This is how the program that started it stops it.
                _ = ending.signal() => None,
                line = input.recv() => line,
            }
        });
        let Some(line) = line else { break };
        if let Some(mut answer) = session.answer(&line, &mut |tool, arguments| books.ask(context, tool, arguments)) {
            answer.push('\n');
            context.out.write_all(answer.as_bytes())?;
            context.out.flush()?;
        }
        // After the greeting, which must not wait until the logs have been read for the first time.
        if books.open.is_none() {
            let _ = books.refresh(context).map(|books| books.summary(context));
        }
    }
    ending.begins();
    Ok(Exit::Fine)
}

/// The ledger, once it is open.
#[derive(Default)]
struct Answers {
    open: Option<Followed>,
}

impl Answers {
    /// Answers a question from the ledger, which is repaired or reopened if it cannot be read.
    fn ask(
        &mut self,
        context: &mut Context<'_>,
        tool: tools::Tool,
        arguments: &tools::Arguments,
    ) -> Result<tools::Answer, Failure> {
        let mut answer = |context: &mut Context<'_>| {
            let books = self.refresh(context)?;
            tool.answer(context, books, arguments)
        };
        match answer(context) {
            Err(failure) if failure.mendable => {
                self.open = None;
                catch_up::replace_damaged(context)?;
                let books = self.refresh(context)?;
                tool.answer(context, books, arguments)
            }
            answered => answered,
        }
    }

    /// The ledger with everything in the logs so far.
    fn refresh(&mut self, context: &mut Context<'_>) -> Result<&mut Followed, Failure> {
        // A ledger that fails is not used again.
        let Some(mut books) = self.open.take() else { return Ok(self.open.insert(Followed::open(context)?)) };
        books.catch_up(context)?;
        Ok(self.open.insert(books))
    }
}
