//! Films of the desktop: made by `portabledesktop` where it is, else by `ffmpeg` from the X server.
//! Their files lie in a directory of this account alone, and go with them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::program::{self, Directory, HEIGHT, PORTABLE, WIDTH};
use super::{Desktop, DesktopError};
use crate::account::Account;
use crate::environment;
use crate::process::Group;
use crate::workspace::NotReady;

/// Films that are made at a time: each costs a processor.
const MAX_RECORDINGS: usize = 5;
/// Films that are kept, ended ones too; the oldest give way.
const MAX_KEPT: usize = 20;
/// A film ends by itself when nothing was done on the desktop for so long.
const IDLE: Duration = Duration::from_mins(10);
/// How long a film may take to be finished.
const FINISH: Duration = Duration::from_secs(15);
/// How long a film may take to begin, and how often is looked.
const BEGIN: Duration = Duration::from_secs(10);
const BEGIN_POLL: Duration = Duration::from_millis(20);
/// How long its picture may take.
const PICTURE: Duration = Duration::from_secs(10);

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    /// Nothing here films.
    #[error(
        "This workspace cannot record its desktop: neither portabledesktop nor ffmpeg is in its PATH."
    )]
    Absent,
    /// There is no film of this id.
    #[error("unknown recording ID")]
    Unknown,
    /// Its program had to be killed.
    #[error("the recording was not finished in time and is damaged")]
    Damaged,
    /// Too many are made at once.
    #[error("too many concurrent recordings (max {MAX_RECORDINGS})")]
    TooMany,
    /// The agent ends.
    #[error("desktop closed")]
    Closed,
    /// The desktop is not there.
    #[error(transparent)]
    Desktop(#[from] DesktopError),
    /// The system failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A film that is finished: files that are there until another of its id is begun.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// MP4.
    pub(crate) video: PathBuf,
    /// JPEG; it may not exist.
    pub(crate) picture: PathBuf,
}

struct Recording {
    child: Option<Child>,
    group: Group,
    directory: Directory,
    damaged: bool,
    begun: Instant,
    /// Makes the picture when the film is finished, if the film's own program does not.
    picture: Option<std::process::Command>,
}

impl Recording {
    fn video(&self) -> PathBuf {
        self.directory.0.join("desktop.mp4")
    }

    fn is_made(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Waits until `ffmpeg` has made its file: asked to end before, it would end without one.
    async fn begun_writing(&self, child: &mut Child) {
        let begun = async {
            while !self.video().exists() && matches!(child.try_wait(), Ok(None)) {
                tokio::time::sleep(BEGIN_POLL).await;
            }
        };
        // What takes longer has other troubles; it is ended as it is.
        let _ = tokio::time::timeout(BEGIN, begun).await;
    }

    /// Asks its program to finish, and waits for that.
    async fn finish(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        if self.picture.is_some() {
            self.begun_writing(&mut child).await;
        }
        if matches!(child.try_wait(), Ok(None)) {
            self.group.signal(Signal::SIGINT);
            if tokio::time::timeout(FINISH, child.wait()).await.is_err() {
                self.group.signal(Signal::SIGKILL);
                self.damaged = true;
                return;
            }
        }
        if let Some(command) = self.picture.take()
            && let Ok(mut child) = program::spawn(command, Stdio::null(), Stdio::null())
        {
            // Without it there is no picture; that is no failure of the film.
            let _ = tokio::time::timeout(PICTURE, child.wait()).await;
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.is_made() {
            self.group.signal(Signal::SIGKILL);
        }
    }
}

/// The films of a desktop.
#[derive(Default)]
pub(super) struct Recordings {
    all: Mutex<HashMap<Uuid, Recording>>,
    /// Counts what is done on the desktop.
    touched: AtomicU64,
}

impl Recordings {
    /// Something is done on the desktop.
    pub(super) fn touch(&self) {
        self.touched.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all, finished or not.
    pub(super) async fn close(&self) {
        self.all.lock().await.clear();
    }
}

impl Desktop {
    /// Begins a film, unless one of this id is being made; an older one of this id is forgotten.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub(crate) async fn record(self: &Arc<Self>, id: Uuid) -> Result<(), RecordingError> {
        if self.workspace.shutdown.is_cancelled() {
            return Err(RecordingError::Closed);
        }
        // The screen must be there.
        drop(self.connect().await?);
        let mut all = self.recordings.all.lock().await;
        if all.get_mut(&id).is_some_and(Recording::is_made) {
            return Ok(());
        }
        all.remove(&id);
        let mut ended = Vec::new();
        for (id, one) in all.iter_mut() {
            if !one.is_made() {
                ended.push((one.begun, *id));
            }
        }
        if all.len() - ended.len() >= MAX_RECORDINGS {
            return Err(RecordingError::TooMany);
        }
        if all.len() >= MAX_KEPT
            && let Some((_, oldest)) = ended.iter().min()
        {
            all.remove(oldest);
        }
        let recording = self.film()?;
        all.insert(id, recording);
        drop(all);
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut seen = None;
            loop {
                let Some(desktop) = weak.upgrade() else {
                    return;
                };
                let now = desktop.recordings.touched.load(Ordering::Relaxed);
                if seen == Some(now) {
                    if let Some(one) = desktop.recordings.all.lock().await.get_mut(&id) {
                        one.finish().await;
                    }
                    return;
                }
                seen = Some(now);
                let shutdown = desktop.workspace.shutdown.clone();
                drop(desktop);
                tokio::select! {
                    () = tokio::time::sleep(IDLE) => {}
                    () = shutdown.cancelled() => return,
                }
            }
        });
        Ok(())
    }

    /// Ends a film; once more is no error.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub(crate) async fn recorded(&self, id: Uuid) -> Result<Recorded, RecordingError> {
        let mut all = self.recordings.all.lock().await;
        let one = all.get_mut(&id).ok_or(RecordingError::Unknown)?;
        one.finish().await;
        if one.damaged {
            return Err(RecordingError::Damaged);
        }
        Ok(Recorded {
            video: one.video(),
            picture: one.directory.0.join("desktop.jpg"),
        })
    }

    /// Starts a program that films.
    fn film(&self) -> Result<Recording, RecordingError> {
        let workspace = &self.workspace;
        let manifest = workspace.manifest().ok_or(DesktopError::from(NotReady))?;
        let account = Account::current();
        let environment = environment::environment(&workspace.config, &manifest, &account, &[]);
        let path = environment
            .get(OsStr::new("PATH"))
            .cloned()
            .unwrap_or_default();
        let directory = Directory::new(&workspace.config.script_data())?;
        let (video, picture) = (
            directory.0.join("desktop.mp4"),
            directory.0.join("desktop.jpg"),
        );
        let variables = self.variables();
        let command_of = |program: PathBuf| {
            let mut command = std::process::Command::new(program);
            command.env_clear().envs(&environment);
            command.envs(variables.iter().cloned());
            command
        };
        let display = variables.iter().find(|(name, _)| *name == "DISPLAY");
        let (command, later) = if let Some(program) = program::find(&path, PORTABLE) {
            let mut command = command_of(program);
            // What stands still is passed over quickly.
            command
                .args([
                    "record",
                    "--idle-speedup",
                    "20",
                    "--idle-min-duration",
                    "0.35",
                ])
                .args(["--idle-noise-tolerance", "-38dB", "--thumbnail"])
                .args([&picture, &video]);
            (command, None)
        } else if let (Some(program), Some((_, display))) =
            (program::find(&path, "ffmpeg"), display)
        {
            let mut command = command_of(program.clone());
            command
                .args([
                    "-loglevel",
                    "error",
                    "-y",
                    "-f",
                    "x11grab",
                    "-framerate",
                    "10",
                ])
                .args(["-video_size", &format!("{WIDTH}x{HEIGHT}"), "-i"])
                .arg(display)
                .args(["-pix_fmt", "yuv420p", "-movflags", "+faststart"])
                .arg(&video);
            let mut later = command_of(program);
            later
                .args(["-loglevel", "error", "-y", "-i"])
                .arg(&video)
                .args(["-frames:v", "1", "-vf", "scale=640:-1"])
                .arg(&picture);
            (command, Some(later))
        } else {
            return Err(RecordingError::Absent);
        };
        let child = program::spawn(command, Stdio::null(), Stdio::null())?;
        Ok(Recording {
            group: workspace.groups.add(&child),
            child: Some(child),
            directory,
            damaged: false,
            begun: Instant::now(),
            picture: later,
        })
    }
}
