//! Colours, on terminals only.

use std::io::IsTerminal;

/// Whether and how to colour text of one stream.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    on: bool,
}

impl Style {
    /// No colours.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { on: false }
    }

    /// Colours, whatever the stream is.
    #[cfg(test)]
    pub fn forced() -> Self {
        Self { on: true }
    }

    /// Whether there are colours.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// Colours if `stream` is a terminal that shows them, unless `NO_COLOR`
    /// is set; `CLICOLOR_FORCE` forces them.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Self {
            on: !set("NO_COLOR") && (set("CLICOLOR_FORCE") || (stream.is_terminal() && !dumb)),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Something failed.
    pub fn error(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Something needs attention.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Something is well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// The name of a thing.
    pub fn keyword(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// The name of a field.
    pub fn field(self, text: &str) -> String {
        self.paint("35", text)
    }

    /// Something to type.
    pub fn code(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Less important text.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}
