//! `publisher config`: what a configuration may say.

use super::OK;
use super::output::put;
use crate::config;
use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum ConfigVerb {
    /// A complete, commented example to begin with.
    Example,
    /// A JSON schema, for editors.
    Schema,
    /// Every key with its type, default and meaning, as Markdown.
    Reference,
}

pub(super) fn run(verb: &ConfigVerb) -> u8 {
    match verb {
        ConfigVerb::Example => put(config::example().trim_end()),
        ConfigVerb::Schema => put(&format!("{:#}", config::schema())),
        ConfigVerb::Reference => put(config::reference().trim_end()),
    }
    OK
}
