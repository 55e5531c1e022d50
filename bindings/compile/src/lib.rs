//! Compiles the contracts through foundry-compilers and writes the artifacts that the bindings are made from.
//!
//! The artifacts are committed, so building the daemon needs no Solidity compiler; a test of this crate compiles
//! again and fails when they differ. What is written is a function of the sources and the pinned compiler alone:
//! no times, no paths, no metadata hash. Nothing is downloaded but the packages that `contracts/package-lock.json`
//! pins by checksum, through the npm client.

pub mod artifact;
pub mod tools;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use foundry_compilers::artifacts::{
    BytecodeHash, EvmVersion, Optimizer, Remapping, Settings, SettingsMetadata,
    output_selection::OutputSelection,
};
use foundry_compilers::{
    ProjectBuilder, ProjectPathsConfig,
    solc::{Solc, SolcCompiler, SolcSettings},
};

pub use artifact::Artifact;

/// What to do about artifacts that differ from the sources.
pub const REGENERATE: &str = "run `cargo run -p contracts-compile` and commit bindings/artifacts";

/// The repository's folders that this step reads and writes.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Sources, their tools and tests.
    pub contracts: PathBuf,
    /// Where the artifacts are committed.
    pub artifacts: PathBuf,
}

impl Layout {
    /// The folders of the repository that this crate was built in.
    pub fn of_repository() -> Self {
        let bindings = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Self { contracts: bindings.join("../contracts"), artifacts: bindings.join("artifacts") }
    }
}

/// Compiles every contract of `contracts/src` that can be deployed, sorted by name. Those of libraries are left out.
///
/// # Errors
/// Node or npm is missing, the packages cannot be installed, or the compiler reports an error or a warning.
pub fn compile(layout: &Layout) -> Result<Vec<Artifact>> {
    let contracts = layout
        .contracts
        .canonicalize()
        .with_context(|| format!("{}: the contracts' folder is missing", layout.contracts.display()))?;
    tools::install(&contracts)?;
    let sources = contracts.join("src");
    let solc = Solc::new(contracts.join("solc")).context("contracts/solc does not answer --version")?;
    let remappings =
        REMAPPINGS.iter().map(|remapping| remapping.parse()).collect::<Result<Vec<Remapping>, _>>()?;
    // The tests are forge's: named as sources, they are not looked for beside them.
    let paths = ProjectPathsConfig::builder()
        .remappings(remappings)
        .sources(&sources)
        .tests(&sources)
        .scripts(&sources)
        .no_libs()
        .build_with_root(&contracts);
    let project = ProjectBuilder::<SolcCompiler>::default()
        .paths(paths)
        .settings(SolcSettings { settings: settings(), ..SolcSettings::default() })
        // Libraries warn of what they chose with care.
        .ignore_paths(vec!["node_modules".into()])
        .ephemeral()
        .no_artifacts()
        .offline()
        .build(SolcCompiler::Specific(solc))?;
    let output = project.compile().context("the Solidity compiler did not finish")?;
    if output.has_compiler_errors() || output.has_compiler_warnings() {
        bail!("the Solidity compiler reports\n{output}");
    }
    let mut artifacts = Vec::new();
    for (file, name, contract) in output.into_output().contracts_with_files_into_iter() {
        if !contracts.join(file).starts_with(&sources) {
            continue; // Of a library.
        }
        artifacts.extend(Artifact::new(&name, &contract)?);
    }
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(artifacts)
}

/// The libraries that the sources stand on, as `contracts/foundry.toml` names them too.
const REMAPPINGS: [&str; 2] =
    ["@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/", "solady/=node_modules/solady/src/"];

/// What the artifacts are made of.
const OUTPUTS: [&str; 4] = ["abi", "evm.bytecode", "evm.deployedBytecode", "storageLayout"];

/// The settings of `contracts/foundry.toml`; a test compares the code that both produce.
fn settings() -> Settings {
    Settings {
        optimizer: Optimizer { enabled: Some(true), runs: Some(1_000_000), details: None },
        evm_version: Some(EvmVersion::Paris),
        via_ir: Some(false),
        metadata: Some(SettingsMetadata {
            use_literal_content: None,
            bytecode_hash: Some(BytecodeHash::None),
            cbor_metadata: Some(false),
        }),
        output_selection: OutputSelection::common_output_selection(OUTPUTS.map(str::to_owned)),
        ..Settings::default()
    }
}
