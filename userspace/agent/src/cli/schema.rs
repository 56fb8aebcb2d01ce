//! `vigia schema`: JSON schemas for editors.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::schema::{self, Subject};

/// Flags of `vigia schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of what
    #[arg(value_enum)]
    subject: Subject,
}

impl Schema {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        serde_json::to_writer_pretty(&mut *out, &schema::of(self.subject))?;
        writeln!(out)?;
        Ok(ExitCode::SUCCESS)
    }
}
