//! `publisher deploy`: the contracts of a configuration's feeds and stores, planned, carried out and verified.

use super::output::{json, put, say, table};
use super::{Common, Ended, FINDING, Failure, OK, UNAVAILABLE, USAGE, load};
use crate::chain::VerifyError;
use crate::rollout::{Progress, Rollout, RolloutError, Terms};
use crate::store::StoreError;
use crate::telemetry::{LogFormat, LogSetup};
use alloy::primitives::Address;
use clap::{Args, Subcommand};
use publisher_deploy::Plan;
use serde_json::json;

#[derive(Subcommand)]
pub(super) enum DeployVerb {
    /// Show what would be done. Exit code 1 if there is something to do.
    Plan(DeployArgs),
    /// Do it, one step after the other, each to its finality. What was interrupted goes on.
    Apply(ApplyArgs),
    /// Check every contract, and that consumers read what is written. Exit code 1 if a check fails.
    Verify(DeployArgs),
}

#[derive(Args)]
pub(super) struct DeployArgs {
    #[command(flatten)]
    common: Common,
    /// The signer, by its name in the configuration, whose account deploys and owns the contracts.
    #[arg(long, default_value = "owner", value_name = "NAME")]
    signer: String,
    /// Who administers the contracts, if not the account that deploys them.
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
}

#[derive(Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    args: DeployArgs,
    /// You have read why the journal says something is halted, and repaired it: go on.
    #[arg(long)]
    acknowledge_halts: bool,
}

pub(super) async fn run(verb: DeployVerb) -> Ended {
    match verb {
        DeployVerb::Plan(args) => plan(args).await,
        DeployVerb::Apply(args) => apply(args).await,
        DeployVerb::Verify(args) => verify(args).await,
    }
}

fn terms(args: &DeployArgs) -> Terms {
    let mut terms = Terms::new(&args.signer);
    terms.owner = args.owner;
    terms
}

async fn plan(args: DeployArgs) -> Ended {
    let config = load(&args.common)?;
    let rollout = Rollout::open(&args.common.config, &config, terms(&args)).await.map_err(failure)?;
    let plan = rollout.plan().await.map_err(failure)?;
    if args.common.json {
        json(&json!(plan));
    } else {
        show(&plan);
    }
    Ok(if plan.is_empty() { OK } else { FINDING })
}

fn show(plan: &Plan) {
    if plan.is_empty() {
        return put("nothing to do: every contract is as wanted");
    }
    put(plan.to_string().trim_end());
}

async fn apply(args: ApplyArgs) -> Ended {
    let ApplyArgs { args, acknowledge_halts } = args;
    let log = LogSetup { format: LogFormat::Human, filter: "warn".to_owned() };
    log.install().map_err(Failure::usage)?;
    let config = load(&args.common)?;
    let mut terms = terms(&args);
    terms.acknowledge_halts = acknowledge_halts;
    let rollout = Rollout::open(&args.common.config, &config, terms).await.map_err(failure)?;
    let book = rollout.book().path().display().to_string();
    let progress = |progress: Progress<'_>| match progress {
        Progress::Began(step) => say(&step.what),
        Progress::Resumed { step, nonce } => say(&format!("goes on with {step} (nonce {nonce})")),
        Progress::Done(done) => {
            let created = done.created.map(|address| format!(": {address}")).unwrap_or_default();
            say(&format!(
                "  final in block {}, {} gas{created}",
                done.receipt.block_number, done.receipt.gas_used
            ));
        }
        Progress::Planned(_) | Progress::Event(_) => {}
    };
    let applied = tokio::select! {
        applied = rollout.apply(progress) => applied.map_err(failure)?,
        () = super::interrupted() => {
            return Err(Failure::new(FINDING, "interrupted; run it again and it goes on where it stopped"));
        }
    };
    if args.common.json {
        let done: Vec<_> = applied
            .done
            .iter()
            .map(|done| {
                json!({
                    "step": done.step.name, "nonce": done.nonce, "created": done.created,
                    "transaction": done.receipt.hash, "block": done.receipt.block_number,
                    "gas_used": done.receipt.gas_used,
                })
            })
            .collect();
        json(&json!({ "done": done, "left": applied.left, "addresses": book }));
    } else {
        show(&applied.left);
        put(&format!("{} steps carried out; addresses are in {book}", applied.done.len()));
    }
    Ok(if applied.left.is_empty() { OK } else { FINDING })
}

async fn verify(args: DeployArgs) -> Ended {
    let config = load(&args.common)?;
    let rollout = Rollout::open(&args.common.config, &config, terms(&args)).await.map_err(failure)?;
    let checks = rollout.verify().await.map_err(failure)?;
    let failed = checks.iter().filter(|check| !check.ok).count();
    if args.common.json {
        let checks: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "subject": check.subject, "part": check.part, "check": check.name, "ok": check.ok,
                    "detail": check.detail, "hint": check.hint,
                })
            })
            .collect();
        json(&json!({ "failed": failed, "checks": checks }));
    } else {
        let rows: Vec<Vec<String>> = checks
            .iter()
            .map(|check| {
                let hint = if check.ok || check.hint.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", check.hint)
                };
                let mark = if check.ok { "ok" } else { "FAILED" };
                vec![
                    mark.to_owned(),
                    check.subject.clone(),
                    check.part.to_string(),
                    check.name.to_owned(),
                    format!("{}{hint}", check.detail),
                ]
            })
            .collect();
        table(&rows);
        put(&format!("{} checks, {failed} failed", checks.len()));
    }
    Ok(if failed == 0 { OK } else { FINDING })
}

/// The exit code that an error means: whatever may pass by itself is unavailable, whatever the chain or its contracts
/// object to is a finding, the rest is for the operator to correct.
fn failure(error: RolloutError) -> Failure {
    let code = match &error {
        RolloutError::Chain(VerifyError::Chain(_))
        | RolloutError::Read(_)
        | RolloutError::Journal(StoreError::Unavailable { .. } | StoreError::Held { .. })
        | RolloutError::Behind { .. }
        | RolloutError::TimedOut { .. } => UNAVAILABLE,
        RolloutError::Conflicts(_)
        | RolloutError::Refused { .. }
        | RolloutError::Failed { .. }
        | RolloutError::Halted { .. }
        | RolloutError::Repeated { .. }
        | RolloutError::Uncertain { .. } => FINDING,
        _ => USAGE,
    };
    Failure::new(code, error.to_string())
}
