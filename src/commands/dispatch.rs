//! Runs the command given on the command line.

use super::{
    Context, Exit, Failure, agents, audit, backfill, bench, config, doctor, explain, gate, invoice, ledger, limits,
    live, mcp, metrics, prices, proxy_keys, reconcile, record, replay, report, run, selftest, serve, setup, signals,
    start, statusline, summary,
};
use crate::cli::{self, BenchCommand, Cli, Command, LimitsCommand, ProxyArgs, ProxyCommand};
use crate::config::Loaded;
use crate::domain::Label;
use crate::engine::{self, playback};

pub(super) fn dispatch(context: &mut Context<'_>, cli: Cli, loaded: &Loaded) -> Result<Exit, Failure> {
    match cli.command {
        Some(Command::Report(args)) => report::run(context, args),
        Some(Command::Summary { words, json, no_ledger }) => summary::run(context, &words, json, no_ledger),
        Some(Command::Serve(args)) => serve::run(context, args, loaded),
        Some(Command::Mcp) => mcp::run(context),
        Some(Command::Proxy(ProxyArgs { command: Some(ProxyCommand::Key { command }), .. })) => {
            proxy_keys::run(context, &command)
        }
        Some(Command::Proxy(args)) => serve::proxy::run(context, &args, loaded),
        Some(Command::Bench { command: BenchCommand::Proxy(args) }) => bench::proxy(context, &args),
        Some(Command::Bench { command: BenchCommand::PassThrough { upstream } }) => {
            bench::pass_through(context, upstream)
        }
        Some(Command::Limits { command, json }) => {
            limits::run(context, command.unwrap_or(LimitsCommand::Show { json }))
        }
        Some(Command::Prices { command }) => prices::run(context, command),
        Some(Command::Explain { key, json, paths }) => explain::run(context, &key, json, &paths),
        Some(Command::Audit { json, paths }) => audit::run(context, json, &paths),
        Some(Command::Ledger { command }) => ledger::run(context, command),
        Some(Command::Invoice(args)) => invoice::run(context, args),
        Some(Command::Reconcile(args)) => reconcile::run(context, &args),
        Some(Command::Signals { json, against, filters, paths }) => {
            signals::run(context, json, against.as_deref(), &filters, &paths)
        }
        Some(Command::Agents { json }) => agents::run(context, json),
        Some(Command::Backfill { dry_run, undo, json }) => backfill::run(context, dry_run, undo, json),
        Some(Command::Selftest { json, export }) => selftest::run(context, json, export.as_deref()),
        Some(Command::Doctor { json }) => doctor::run(context, json, loaded),
        Some(Command::Metrics) => metrics::run(context),
        Some(Command::Config { command }) => config::run(context, command, loaded),
        Some(Command::Gate(args)) => gate::run(context, &args, loaded),
        Some(Command::Statusline { format }) => statusline::run(context, format.as_deref(), loaded),
        Some(Command::Record(args)) => record::run(context, &args),
        Some(Command::Setup { command }) => setup::run(context, command),
        Some(Command::Completions { shell }) => {
            cli::completions(shell, context.out)?;
            Ok(Exit::Fine)
        }
        Some(Command::Man { words }) => cli::man(&words, context.out)?.map(|()| Exit::Fine).ok_or_else(|| {
            let words = Label::new(&words.join(" "));
            Failure::new(Exit::Usage, format!("there is no command '{words}'; `tokmeter --help` lists them"))
        }),
        Some(Command::Run { budget, json, command }) => run::run(context, &command, budget.as_deref(), json),
        Some(Command::Demo { speed }) => {
            let engine::Scene { before, after } =
                engine::demo_scene(context.now(), context.settings.zone, &context.settings.user);
            // The demo has limits of its own, which it reaches while the user watches.
            context.settings.limits = engine::demo_limits();
            live::show(
                context,
                loaded,
                &cli.live,
                start::Source::Played { command: "demo", before, after: playback::listed(after), speed },
            )
        }
        Some(Command::Replay { file, speed }) => replay::run(context, loaded, &cli.live, &file, speed),
        None => live::run(context, loaded, &cli.live),
    }
}
