//! Mistakes that can be planted: what the simulation is for. Each is one line in the model, where the service would have it in a
//! statement or a branch; the simulation that does not notice it is worth nothing.

/// A mistake in the model of the store or in the look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    /// A step says it is saved, and its intents and manifest are not.
    SkipIntent,
    /// The look-up finds nothing.
    BlindLookUp,
    /// The unknown is looked up at once, without the settle time.
    NoSettleTime,
    /// Whoever saves is believed: neither token nor lease count.
    NoFence,
    /// Legs of an atomic launch do not wait for each other.
    NoBarrier,
    /// An older payload wins over a newer one.
    OlderWins,
    /// `campaign.live` is not written.
    ForgetEvent,
    /// An event is told before the one that came before it.
    SwapEvents,
    /// A payload for a version that was rolled back is applied.
    ReviveRolledBack,
    /// A command is taken back while a worker holds it.
    WithdrawHeld,
    /// Whoever drives a command is not told that the execution was turned round.
    NotTold,
    /// A pause bars nothing.
    PauseLetsThrough,
    /// The end of a pause brings nothing back.
    UnpauseForgets,
    /// What a rollback gives back is not told what the newer version made of it.
    GiveBackBlind,
    /// A report is written and the saga does not hear it.
    DropReport,
    /// An undo removes while other campaigns of its version are on.
    RemoveBeforePauses,
    /// What was replaced is not told to go off.
    BothStayOn,
    /// A command on its way is not taken back with those that have come.
    NotForestalled,
    /// A version that is taken over from is looked for by its name alone.
    OnlyTheNamedOne,
    /// What was still being switched off for a newer version stays off when that is rolled back.
    StaysOff,
    /// A release that never came is waited for behind the leg's next command.
    ReleasePends,
}

impl Mistake {
    pub(super) const ALL: [Self; 21] = [
        Self::SkipIntent,
        Self::BlindLookUp,
        Self::NoSettleTime,
        Self::NoFence,
        Self::NoBarrier,
        Self::OlderWins,
        Self::ForgetEvent,
        Self::SwapEvents,
        Self::ReviveRolledBack,
        Self::WithdrawHeld,
        Self::NotTold,
        Self::PauseLetsThrough,
        Self::UnpauseForgets,
        Self::GiveBackBlind,
        Self::DropReport,
        Self::RemoveBeforePauses,
        Self::BothStayOn,
        Self::NotForestalled,
        Self::OnlyTheNamedOne,
        Self::StaysOff,
        Self::ReleasePends,
    ];

    /// The seed from which on it is looked for: what shows rarely is not waited for from the first on.
    pub(super) fn shows_from(self) -> u64 {
        match self {
            Self::WithdrawHeld => 600,
            Self::StaysOff => 700,
            Self::RemoveBeforePauses => 300,
            Self::BothStayOn => 140,
            Self::NotTold => 115,
            Self::NoFence => 90,
            Self::SkipIntent
            | Self::BlindLookUp
            | Self::NoSettleTime
            | Self::NoBarrier
            | Self::OlderWins
            | Self::ForgetEvent
            | Self::SwapEvents
            | Self::ReviveRolledBack
            | Self::PauseLetsThrough
            | Self::UnpauseForgets
            | Self::GiveBackBlind
            | Self::DropReport
            | Self::NotForestalled
            | Self::OnlyTheNamedOne
            | Self::ReleasePends => 1,
        }
    }
}
