//! Names used by tests, benches, examples and fuzz targets. This is not a public interface and changes without notice.

/// From `app::backfill`.
pub mod backfill {
    pub use crate::app::backfill::{AnswerSize, agents, sizes};
}

/// From `cli`.
pub mod cli {
    pub use crate::cli::parse;
}

/// From `commands`.
pub mod commands {
    pub use crate::commands::{demo_calls, demo_limits, query, run};
}

/// From `config`.
pub mod config {
    pub use crate::config::{
        Alerts, ConfigText, Email, Env, Folders, FrameRate, Gate, KeyBinding, LimitKey, Loaded, Notify, OnError,
        Origin, Overrides, Password, SAMPLE, Server, Settings, Severity, Symbols, Tls, Token, Where, open,
        parse_amount, read, stamp, written_settings,
    };
    /// From `config::edit`.
    pub mod edit {
        pub use crate::config::edit::{save_view, set, set_limit, unset_limit};
    }
}

/// From `domain`.
pub mod domain {
    pub use crate::domain::{
        Attribution, Bill, Billed, Call, CallKey, Claim, Counter, Dimension, Fidelity, Filter, HoldId, Instant, Label,
        Matcher, Parts, Place, Quota, Record, Service, SessionStatus, Span, Speed, Status, TicketPattern, Tier, Tokens,
        Turn, TurnStatus, Usd, Zone, day_of, day_start, month_of, week_of,
    };
}

/// From `formats`.
pub mod formats {
    pub use crate::formats::{
        ALL, BadLine, Decoder, FormatId, Framing, Origin, Outcome, Reader, Reading, Value, format_of_name, names,
    };
}

/// From `ingest`.
pub mod ingest {
    pub use crate::ingest::{
        BadNote, Condition, Entry, Event, Follower, Fs, Handle, Health, Kind, Options, OsFs, Owner, PollReason,
        Progress, ReadBatch, RootState, Roots, Stat, Tails, Tallies, follow, read_stream,
    };
    #[cfg(unix)]
    /// From `ingest::socket`.
    pub mod socket {
        pub use crate::ingest::socket::{
            CONNECTION_CAP, Content, Delivery, IDLE, LINE_CAP, Listener, Listening, Reply, Rules, Tally, bind,
        };
    }
}

/// From `ledger`.
pub mod ledger {
    pub use crate::ledger::{
        Access, Backing, Batch, Books, Change, Checkpoint, CompactRow, Decide, Delta, Fact, FactChange, FactEdit,
        FactKind, Grain, Interner, KeyValue, Ledger, LedgerError, Memory, MemoryStore, Note, Opened, Options, Order,
        Part, PeriodKey, Place, Quarter, Quarters, Query, Reopened, Report, ReportRow, Repriced, Row, RowChange,
        SessionRow, Sqlite, Step, Store, StoreError, Stored, StoredRow, Stretch, Sums, Table, Whole, WriteBuffer,
        before, open, total,
    };
}

/// From `meter`.
pub mod meter {
    pub use crate::meter::{
        Activity, AgentLine, Ahead, Alerts, Amount, CallContext, CallLine, DayCurve, FleetLine, Follow, LastCall,
        Limit, LimitState, LimitedSession, Measure, Meter, ModelLine, Plan, QuietHours, Rules, Scope, SessionId,
        SessionLine, Share, Snapshot, Summary, Trend, Verdict, Window, cache_hit, signals, states,
    };
}

/// From `pricing`.
pub mod pricing {
    pub use crate::pricing::{Cost, CostMode, CustomPrice, PriceBook, Pricer, Rates, build, remember, seed};
}

/// From `app::selftest`.
pub mod samples {
    pub use crate::app::selftest::{Model, of_ledger};
}

/// From `text`.
pub mod text {
    pub use crate::text::width;
}

/// From `theme`.
pub mod theme {
    pub use crate::theme::{Background, ColorWhen, Depth, Role, Themes};
}

/// From `tui`, and the messages it shares with `engine`.
pub mod tui {
    pub use crate::engine::{
        BadLineView, EngineEvent, Explained, HealthView, LedgerView, ModelView, NewSettings, Note, Progress, Request,
        SourceView, Tone, Watching,
    };
    pub use crate::tui::{
        Action, App, Chord, Effect, FRAME, Keys, Leave, Message, Next, Options, REMOTE_FRAME, SavedView, ScreenState,
        View, as_svg, draw, paint,
    };
    /// From `tui::svg`.
    pub mod svg {
        pub use crate::tui::svg::{film, picture};
    }
}
