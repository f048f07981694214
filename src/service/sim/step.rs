//! What can happen in an episode, each kind with its weight.
//!
//! Must not say to whom it happens.

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The planner's next message.
    Publish,
    /// One of the planner's messages, early, late or again.
    Replay,
    AskGate,
    OpenGate,
    Approve,
    Reject,
    /// The outbox's next messages become Kafka's.
    Relay,
    Accept,
    /// A command that came already comes again.
    AcceptAgain,
    Lease,
    Commit,
    /// It is written, and whoever waits for it does not hear so.
    CommitUnheard,
    /// The database is away.
    CommitFails,
    /// A request is carried out and its answer comes back.
    Answer,
    /// A request is carried out; its answer is still on the way.
    Arrive,
    LoseRequest,
    LoseAnswer,
    /// A request is carried out twice on its way, and its answers are lost.
    Doubled,
    Crash,
    /// A little later.
    Tick,
    /// Later than any lease or settle time.
    Later,
    /// The clock looks at flights that begin.
    Begin,
    RollBack,
    Retry,
    Resume,
    Cancel,
    Pause,
    Unpause,
}

impl Kind {
    /// Each with its weight.
    pub(super) const ALL: [(Self, u64); 28] = [
        (Self::Publish, 30),
        (Self::Replay, 12),
        (Self::AskGate, 60),
        (Self::OpenGate, 60),
        (Self::Approve, 12),
        (Self::Reject, 1),
        (Self::Relay, 120),
        (Self::Accept, 160),
        (Self::AcceptAgain, 10),
        (Self::Lease, 220),
        (Self::Commit, 420),
        (Self::CommitUnheard, 4),
        (Self::CommitFails, 4),
        (Self::Answer, 260),
        (Self::Arrive, 30),
        (Self::LoseRequest, 12),
        (Self::LoseAnswer, 16),
        (Self::Doubled, 3),
        (Self::Crash, 10),
        (Self::Tick, 60),
        (Self::Later, 14),
        (Self::Begin, 12),
        (Self::RollBack, 5),
        (Self::Retry, 6),
        (Self::Resume, 6),
        (Self::Cancel, 2),
        (Self::Pause, 5),
        (Self::Unpause, 8),
    ];
}

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub kind: Kind,
    /// To which.
    pub pick: u32,
    /// With what luck.
    pub luck: u64,
}
