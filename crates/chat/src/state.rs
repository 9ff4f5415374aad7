//! The state machine of a chat: which transition is allowed in which state, and where it
//! leads. Pure; [`crate::machine`] applies it to rows. `docs/chat-states.md` is written
//! from this table.

use std::fmt;

use api_types::ChatStatus;

/// A state: status, archive flag and whether messages wait in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// N: there is no chat yet.
    Absent,
    /// W: idle.
    Waiting,
    /// E0, E1: the last turn failed.
    Error {
        /// Messages wait in the queue.
        queued: bool,
    },
    /// R0, R1: the worker generates.
    Running {
        /// Messages wait in the queue.
        queued: bool,
    },
    /// I0, I1: the worker is to stop.
    Interrupting {
        /// Messages wait in the queue.
        queued: bool,
    },
    /// A0, A1: the client has to run tools.
    Action {
        /// Messages wait in the queue.
        queued: bool,
    },
    /// P1: nothing runs, as the head of the queue is being changed.
    Paused,
    /// XW: archived while idle.
    ArchivedWaiting,
    /// XE0, XE1: archived after a failure.
    ArchivedError {
        /// Messages wait in the queue.
        queued: bool,
    },
    /// XP1: archived while the head of the queue was being changed.
    ArchivedPaused,
    /// What no transition leads to: only reconciliation leads out of it.
    Invalid,
}

impl State {
    /// All states, in the order of the documentation.
    pub const ALL: [State; 16] = [
        State::Absent,
        State::Waiting,
        State::Error { queued: false },
        State::Error { queued: true },
        State::Running { queued: false },
        State::Running { queued: true },
        State::Interrupting { queued: false },
        State::Interrupting { queued: true },
        State::Action { queued: false },
        State::Action { queued: true },
        State::Paused,
        State::ArchivedWaiting,
        State::ArchivedError { queued: false },
        State::ArchivedError { queued: true },
        State::ArchivedPaused,
        State::Invalid,
    ];

    /// The state of a row.
    pub fn of(status: &ChatStatus, archived: bool, queued: bool) -> State {
        match (status, archived) {
            (ChatStatus::Waiting, false) if !queued => State::Waiting,
            (ChatStatus::Waiting, true) if !queued => State::ArchivedWaiting,
            (ChatStatus::Error, false) => State::Error { queued },
            (ChatStatus::Error, true) => State::ArchivedError { queued },
            (ChatStatus::Running, false) => State::Running { queued },
            (ChatStatus::Interrupting, false) => State::Interrupting { queued },
            (ChatStatus::RequiresAction, false) => State::Action { queued },
            (ChatStatus::Paused, false) if queued => State::Paused,
            (ChatStatus::Paused, true) if queued => State::ArchivedPaused,
            _ => State::Invalid,
        }
    }

    /// The status of rows in this state; none for what has no row of its own.
    pub fn status(self) -> Option<ChatStatus> {
        match self {
            State::Absent | State::Invalid => None,
            State::Waiting | State::ArchivedWaiting => Some(ChatStatus::Waiting),
            State::Error { .. } | State::ArchivedError { .. } => Some(ChatStatus::Error),
            State::Running { .. } => Some(ChatStatus::Running),
            State::Interrupting { .. } => Some(ChatStatus::Interrupting),
            State::Action { .. } => Some(ChatStatus::RequiresAction),
            State::Paused | State::ArchivedPaused => Some(ChatStatus::Paused),
        }
    }

    /// Whether a worker has something to do in it.
    pub fn is_runnable(self) -> bool {
        matches!(
            self,
            State::Running { .. } | State::Interrupting { .. } | State::Action { .. }
        )
    }

    /// The short name.
    pub const fn code(self) -> &'static str {
        match self {
            State::Absent => "N",
            State::Waiting => "W",
            State::Error { queued: false } => "E0",
            State::Error { queued: true } => "E1",
            State::Running { queued: false } => "R0",
            State::Running { queued: true } => "R1",
            State::Interrupting { queued: false } => "I0",
            State::Interrupting { queued: true } => "I1",
            State::Action { queued: false } => "A0",
            State::Action { queued: true } => "A1",
            State::Paused => "P1",
            State::ArchivedWaiting => "XW",
            State::ArchivedError { queued: false } => "XE0",
            State::ArchivedError { queued: true } => "XE1",
            State::ArchivedPaused => "XP1",
            State::Invalid => "Invalid",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

macro_rules! transitions {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        /// What can happen to a chat.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Transition { $($(#[doc = $doc])+ $name,)* }

        impl Transition {
            /// All transitions, in the order of the documentation.
            pub const ALL: &[Transition] = &[$(Transition::$name,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Transition::$name => stringify!($name),)* }
            }

            /// What it does, in words.
            pub const fn about(self) -> &'static str {
                match self { $(Transition::$name => concat!($($doc),+),)* }
            }
        }
    };
}

transitions! {
    /// The chat begins with its first message.
    Create,
    /// The user says something; a busy chat puts it into its queue.
    Send,
    /// The user says something and stops what runs.
    SendInterrupt,
    /// A message and all after it are replaced; the queue is emptied.
    Edit,
    /// The user stops what runs.
    Interrupt,
    /// The user asks for the context to be summarized.
    RequestCompaction,
    /// The user takes the conversation so far out of the model's sight.
    Clear,
    /// The worker begins an attempt: a call of the model, a batch of tools, a compaction.
    RecordAttempt,
    /// An attempt failed and is tried again later.
    RecordRetry,
    /// What a step produced becomes history.
    CommitStep,
    /// The client has to run tools.
    EnterRequiresAction,
    /// The client answered all of them.
    CompleteRequiresAction,
    /// The client did not answer in time.
    CancelRequiresAction,
    /// The turn is over; the head of the queue begins the next.
    FinishTurn,
    /// The turn failed.
    FinishError,
    /// The worker stopped; the head of the queue begins the next turn.
    FinishInterruption,
    /// A message of the queue is taken out.
    DeleteQueued,
    /// A message of the queue is to be next, at once.
    Promote,
    /// A message of the queue is changed, or somebody begins to change it.
    EditQueued,
    /// The turn is over, but the head of the queue is being changed: the next turn waits for that.
    Pause,
    /// The head of the queue is no longer being changed, and begins the next turn.
    Resume,
    /// The chat is put away.
    Archive,
    /// The chat is taken out again.
    Unarchive,
    /// A chat in no valid state becomes one that failed.
    ReconcileInvalid,
}

/// The transition is not possible in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is not possible in state {from}", .transition.name())]
pub struct NotAllowed {
    /// The state.
    pub from: State,
    /// The transition.
    pub transition: Transition,
}

/// The states that `transition` can lead to from `from`: none if it is not allowed, two if
/// it depends on whether the queue is empty afterwards (that state comes first).
pub fn targets(from: State, transition: Transition) -> &'static [State] {
    use State::{
        Absent, Action, ArchivedError, ArchivedPaused, ArchivedWaiting, Error, Interrupting,
        Invalid, Paused, Running, Waiting,
    };
    use Transition as T;
    const W: &[State] = &[Waiting];
    const E0: &[State] = &[Error { queued: false }];
    const E1: &[State] = &[Error { queued: true }];
    const E: &[State] = &[Error { queued: false }, Error { queued: true }];
    const R0: &[State] = &[Running { queued: false }];
    const R1: &[State] = &[Running { queued: true }];
    const R: &[State] = &[Running { queued: false }, Running { queued: true }];
    const I0: &[State] = &[Interrupting { queued: false }];
    const I1: &[State] = &[Interrupting { queued: true }];
    const I: &[State] = &[
        Interrupting { queued: false },
        Interrupting { queued: true },
    ];
    const A0: &[State] = &[Action { queued: false }];
    const A1: &[State] = &[Action { queued: true }];
    const A: &[State] = &[Action { queued: false }, Action { queued: true }];
    const P: &[State] = &[Paused];
    const NONE: &[State] = &[];

    match (from, transition) {
        (Absent, T::Create) => R0,

        (Waiting | Error { queued: false }, T::Send | T::SendInterrupt) => R0,
        // Appended to the queue, whose head is started.
        (Error { queued: true }, T::Send | T::SendInterrupt) => R1,
        (Running { .. }, T::Send) => R1,
        (Running { .. }, T::SendInterrupt) => I1,
        (Interrupting { .. }, T::Send | T::SendInterrupt) => I1,
        (Action { .. }, T::Send) => A1,
        (Action { .. }, T::SendInterrupt) => R1,

        (
            Waiting | Error { .. } | Running { .. } | Interrupting { .. } | Action { .. } | Paused,
            T::Edit,
        ) => R0,

        (Running { queued: false }, T::Interrupt) => I0,
        (Running { queued: true }, T::Interrupt) => I1,
        (Action { queued: false }, T::Interrupt) => R0,
        (Action { queued: true }, T::Interrupt) => R1,

        (Waiting | Error { queued: false }, T::RequestCompaction) => R0,
        (Error { queued: true }, T::RequestCompaction) => R1,
        (Waiting | Error { queued: false }, T::Clear) => W,

        (Running { queued: false }, T::RecordAttempt | T::RecordRetry | T::CommitStep) => R0,
        (Running { queued: true }, T::RecordAttempt | T::RecordRetry | T::CommitStep) => R1,
        (Running { queued: false }, T::EnterRequiresAction) => A0,
        (Running { queued: true }, T::EnterRequiresAction) => A1,
        (Action { queued: false }, T::CompleteRequiresAction | T::CancelRequiresAction) => R0,
        (Action { queued: true }, T::CompleteRequiresAction | T::CancelRequiresAction) => R1,

        (Running { queued: false }, T::FinishTurn) => W,
        (Running { queued: true }, T::FinishTurn) => R,
        (Running { queued: false }, T::FinishError) => E0,
        (Running { queued: true }, T::FinishError) => E1,
        (Interrupting { queued: false }, T::FinishInterruption) => W,
        (Interrupting { queued: true }, T::FinishInterruption) => R,

        (Error { queued: true }, T::DeleteQueued) => E,
        (Running { queued: true }, T::DeleteQueued) => R,
        (Interrupting { queued: true }, T::DeleteQueued) => I,
        (Action { queued: true }, T::DeleteQueued) => A,

        (Error { queued: true } | Action { queued: true }, T::Promote) => R,
        (Running { queued: true } | Interrupting { queued: true }, T::Promote) => I1,

        (Error { queued: true }, T::EditQueued) => E1,
        (Running { queued: true }, T::EditQueued) => R1,
        (Interrupting { queued: true }, T::EditQueued) => I1,
        (Action { queued: true }, T::EditQueued) => A1,
        (
            Error { queued: true } | Running { queued: true } | Interrupting { queued: true },
            T::Pause,
        ) => P,
        (Paused, T::EditQueued | T::Send) => P,
        // Others stay behind the one that is said at once.
        (Paused, T::SendInterrupt) => R1,
        (Paused, T::DeleteQueued) => &[Waiting, Paused],
        (Paused, T::Promote | T::Resume) => R,

        (Waiting, T::Archive) => &[ArchivedWaiting],
        (Error { queued: false }, T::Archive) => &[ArchivedError { queued: false }],
        (Error { queued: true }, T::Archive) => &[ArchivedError { queued: true }],
        (Paused, T::Archive) => &[ArchivedPaused],
        (ArchivedWaiting, T::Unarchive) => W,
        (ArchivedError { queued: false }, T::Unarchive) => E0,
        (ArchivedError { queued: true }, T::Unarchive) => E1,
        (ArchivedPaused, T::Unarchive) => P,

        (Invalid, T::ReconcileInvalid) => E,
        _ => NONE,
    }
}

/// Where `transition` leads from `from`, given whether messages are left in the queue when
/// it is done.
///
/// # Errors
/// [`NotAllowed`].
pub fn next(from: State, transition: Transition, queued_after: bool) -> Result<State, NotAllowed> {
    match *targets(from, transition) {
        [one] => Ok(one),
        [empty, filled] => Ok(if queued_after { filled } else { empty }),
        _ => Err(NotAllowed { from, transition }),
    }
}

/// The documentation of all states and transitions, in Markdown.
pub fn document() -> String {
    let mut text = String::from(
        "# States of a chat\n\n\
         Written from the code (`crates/chat/src/state.rs`); a test keeps it so.\n\n\
         A state is the status of a chat, whether it is archived, and whether messages wait in \
         its queue (1) or not (0). N: not yet there; W: waiting; E: error; R: running; \
         I: interrupting; A: requires action; P: paused, as the message that is next is being \
         changed; X…: archived. Whatever else a row may say is \
         Invalid. A worker has something to do in R, I and A.\n\n\
         Every transition is one transaction that locks the chat's row and counts its \
         `snapshot_version` up by one. Where two states are given, the second holds when \
         messages are left in the queue afterwards. What is not in the table is refused.\n\n\
         | from | transition | to |\n|---|---|---|\n",
    );
    for from in State::ALL {
        for &transition in Transition::ALL {
            let to: Vec<&str> = targets(from, transition).iter().map(|s| s.code()).collect();
            if !to.is_empty() {
                text.push_str(&format!(
                    "| {from} | {} | {} |\n",
                    transition.name(),
                    to.join(" / ")
                ));
            }
        }
    }
    text.push_str("\n| transition | meaning |\n|---|---|\n");
    for transition in Transition::ALL {
        text.push_str(&format!(
            "| {} | {} |\n",
            transition.name(),
            transition.about().trim()
        ));
    }
    text
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
