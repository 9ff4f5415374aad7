//! Programs that the server hands out: the slim binary, by platform.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use tokio::sync::{OnceCell, mpsc};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Chunks between reader and network.
const QUEUE: usize = 4;

/// Where a program is.
#[derive(Debug, Clone)]
pub enum BinarySource {
    /// A file as it is to be run.
    File(PathBuf),
    /// Packed by zstd, in this program.
    Zstd(&'static [u8]),
}

/// A program.
struct Binary {
    name: String,
    source: BinarySource,
    facts: OnceCell<Facts>,
}

/// What is told of a program beside its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// SHA-1 of the unpacked bytes, in hexadecimal digits; the protocol's choice.
    pub(crate) sha1: String,
    /// Number of the unpacked bytes.
    pub(crate) size: u64,
}

/// The programs of a server. Cheap to clone.
#[derive(Clone, Default)]
pub struct Binaries(Arc<[Binary]>);

impl Binaries {
    /// Programs by name, such as `coder-linux-amd64`.
    pub fn new(programs: impl IntoIterator<Item = (String, BinarySource)>) -> Self {
        let programs = programs.into_iter().map(|(name, source)| Binary {
            name,
            source,
            facts: OnceCell::new(),
        });
        Self(programs.collect())
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|binary| binary.name.as_str())
    }

    /// The program of this name. Its facts are found out once.
    pub(crate) async fn find(&self, name: &str) -> io::Result<Option<(Facts, BinarySource)>> {
        let Some(binary) = self.0.iter().find(|binary| binary.name == name) else {
            return Ok(None);
        };
        let source = binary.source.clone();
        let facts = binary
            .facts
            .get_or_try_init(|| async {
                tokio::task::spawn_blocking(move || measure(&source))
                    .await
                    .map_err(io::Error::other)?
            })
            .await?;
        Ok(Some((facts.clone(), binary.source.clone())))
    }
}

impl BinarySource {
    /// The unpacked bytes.
    fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::File(path) => Box::new(std::fs::File::open(path)?),
            Self::Zstd(packed) => Box::new(zstd::Decoder::with_buffer(*packed)?),
        })
    }

    /// The packed bytes, if they are at hand.
    pub(crate) fn packed(&self) -> Option<&'static [u8]> {
        match self {
            Self::File(_) => None,
            Self::Zstd(packed) => Some(packed),
        }
    }

    /// The unpacked bytes, read while they are sent.
    pub(crate) fn stream(&self) -> impl futures::Stream<Item = io::Result<Bytes>> + use<> {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        let source = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = copy(&source, &sender) {
                // The client sees a response that breaks off.
                let _ = sender.blocking_send(Err(error));
            }
        });
        futures::stream::poll_fn(move |cx| receiver.poll_recv(cx))
    }
}

fn copy(source: &BinarySource, sender: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut reader = source.open()?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let size = reader.read(&mut buffer)?;
        let chunk = Bytes::copy_from_slice(&buffer[..size]);
        if size == 0 || sender.blocking_send(Ok(chunk)).is_err() {
            return Ok(());
        }
    }
}

fn measure(source: &BinarySource) -> io::Result<Facts> {
    let mut reader = source.open()?;
    let mut hash = Sha1::new();
    let mut size = 0;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(Facts {
                sha1: hex::encode(hash.finalize()),
                size,
            });
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}
