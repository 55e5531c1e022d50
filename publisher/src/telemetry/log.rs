//! Where log lines go and what they look like.

use std::fmt;
use tracing_subscriber::EnvFilter;

/// What a log line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line, with the event's fields at its top level.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = LogError;

    /// `human` or `json`.
    fn from_str(text: &str) -> Result<Self, LogError> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => Err(LogError::Format(other.into())),
        }
    }
}

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSetup {
    /// What a line looks like.
    pub format: LogFormat,
    /// Which lines are written, in the syntax of `tracing`'s filters: `info`, `publisher=debug,warn`.
    pub filter: String,
}

impl Default for LogSetup {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: "info".into() }
    }
}

/// The log cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Not a format.
    #[error("log.format = {0:?}: unknown format (use \"human\" or \"json\")")]
    Format(String),
    /// Not a filter.
    #[error("log.filter = {filter:?}: {reason} (use a level such as \"info\", or \"publisher=debug,warn\")")]
    Filter {
        /// What stands there.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process logs elsewhere already.
    #[error("the log is set up already")]
    Installed,
}

impl LogSetup {
    /// Writes every line that the filter lets through to stderr from now on; stdout is kept for data. Once a process.
    pub fn install(&self) -> Result<(), LogError> {
        tracing::subscriber::set_global_default(self.subscriber(std::io::stderr)?)
            .map_err(|_| LogError::Installed)
    }

    /// A subscriber that writes to `writer`.
    pub(super) fn subscriber<W>(
        &self,
        writer: W,
    ) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, LogError>
    where
        W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
    {
        let filter = EnvFilter::builder().parse(&self.filter).map_err(|e| LogError::Filter {
            filter: self.filter.clone(),
            reason: fmt::format(format_args!("{e}")),
        })?;
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
        Ok(match self.format {
            LogFormat::Human => {
                let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
                Box::new(builder.with_target(false).with_ansi(colours).finish())
            }
            LogFormat::Json => Box::new(builder.json().flatten_event(true).with_current_span(false).finish()),
        })
    }
}
