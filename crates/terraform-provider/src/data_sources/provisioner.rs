//! `coder_provisioner`: the machine that builds.

use super::{DataSource, set, set_random_id};
use crate::schema::{Attribute, Block};

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_provisioner",
    version: 1,
    block: &BLOCK,
    read: |state, _, _| {
        set_random_id(state);
        set(state, "os", os());
        set(state, "arch", arch());
        Ok(())
    },
};

const BLOCK: Block = Block::new(
    "The machine on which the template is built.",
    &[
        Attribute::string("arch")
            .computed()
            .about("Its processor: `amd64`, `arm64`, `armv7` or another name that Go uses."),
        Attribute::implied_id(),
        Attribute::string("os")
            .computed()
            .about("Its operating system: `linux`, `darwin` or `windows`."),
    ],
    &[],
);

/// Templates know the names that Go uses.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "armv7",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        other => other,
    }
}

fn os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}
