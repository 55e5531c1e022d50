//! Fuzzing of every parser of what others send: inputs that are committed, and damage at random.
//!
//! `publisher/fuzz/TARGET` holds inputs of a target: genuine ones that are nowhere else in the tree, odd ones, and those
//! that once broke it. Each test run reads all of them and some hundreds of damaged ones; `PROPTEST_CASES=1000000 cargo test -p publisher --lib fuzz` looks for longer.
//! An input that breaks something is made as small as it gets and kept in that folder, where the next run reads it
//! first. A fuzzer that follows coverage would need another compiler than the one that builds the program.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{TestCaseError, TestError, TestRunner};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// No input grows beyond this.
const MAX: usize = 1 << 16;

/// What parsers trip over.
const PIECES: [&str; 24] = [
    "0",
    "-0",
    "-1",
    "1e400",
    "1e-400",
    "1E+2",
    "00",
    "0.",
    ".5",
    "NaN",
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{1d7d8}",
    "99999999999999999999999999999999999999999",
    "0x",
    "0xzz",
    "\r\n\r\n",
    "\0",
];

/// One thing that happens to an input.
#[derive(Clone, Debug)]
enum Damage {
    Cut(Index, usize),
    Put(Index, Vec<u8>),
    Flip(Index, u8),
    Swap(Index, &'static str),
    /// A part many times over: long lists, deep structures.
    Repeat(Index, usize, usize),
    /// The rest of another input.
    Splice(Index, Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..40usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        (at(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Damage::Put(at, bytes)),
        (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), select(&PIECES[..])).prop_map(|(at, piece)| Damage::Swap(at, piece)),
        (at(), 1..30usize, 1..400usize).prop_map(|(at, length, times)| Damage::Repeat(at, length, times)),
        (at(), at(), at()).prop_map(|(at, other, from)| Damage::Splice(at, other, from)),
    ]
}

impl Damage {
    fn apply(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let place = |at: &Index, length: usize| at.index(length + 1);
        match self {
            Self::Cut(at, length) => {
                let from = place(at, input.len());
                input.drain(from..(from + length).min(input.len()));
            }
            Self::Put(at, bytes) => {
                let at = place(at, input.len());
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Flip(at, bit) => {
                let at = place(at, input.len());
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Swap(at, piece) => {
                // A whole word or number, where there is one.
                let from = place(at, input.len());
                let word = |byte: &u8| byte.is_ascii_alphanumeric() || b".-+".contains(byte);
                let length = input.iter().skip(from).take_while(|byte| word(byte)).count();
                input.splice(from..from + length, piece.bytes());
            }
            Self::Repeat(at, length, times) => {
                let from = place(at, input.len());
                let part: Vec<u8> = input.iter().skip(from).take(*length).copied().collect();
                input.splice(from..from, part.repeat(*times));
            }
            Self::Splice(at, other, from) => {
                let other = other.get(corpus);
                input.truncate(place(at, input.len()));
                input.extend(other.iter().skip(place(from, other.len())));
            }
        }
        input.truncate(MAX);
    }
}

/// Reads every input in `publisher/fuzz/TARGET`, all `genuine` ones, and damaged ones. `read` panics where something is
/// wrong. What breaks it is kept in that folder.
pub(crate) fn fuzz(target: &str, genuine: impl IntoIterator<Item = Vec<u8>>, read: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(target);
    let mut corpus: Vec<Vec<u8>> = genuine.into_iter().collect();
    for path in files(&folder) {
        let input = fs::read(&path).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&input)));
        assert!(outcome.is_ok(), "{} breaks it", path.display());
        corpus.push(input);
    }
    let damaged = (any::<Index>(), vec(damage(), 1..6)).prop_map(|(which, damages)| {
        let mut input = which.get(&corpus).clone();
        damages.iter().for_each(|damage| damage.apply(&mut input, &corpus));
        input
    });
    let outcome = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })
        .run(&damaged, |input| {
            let outcome = catch_unwind(AssertUnwindSafe(|| read(&input)));
            outcome.map_err(|_| TestCaseError::fail("it breaks"))
        });
    if let Err(TestError::Fail(reason, input)) = outcome {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let path = folder.join(format!("found-{:016x}", hasher.finish()));
        fs::write(&path, &input).unwrap();
        panic!("{reason}: {} (kept as {})", String::from_utf8_lossy(&input).escape_debug(), path.display());
    }
    outcome.unwrap();
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "{}: a target without inputs finds nothing", folder.display());
    files.sort();
    files
}

/// Without this, a target may read nothing, and nobody would know.
#[test]
fn what_breaks_is_found_made_small_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("one"), "price = 12345").unwrap();
    let target = folder.path().to_str().unwrap();
    // Every second input has lost its number, so that none of them finding that is no matter of luck.
    let is_whole = |input: &[u8]| input.windows(5).any(|part| part == b"12345");
    let broken = |input: &[u8]| assert!(is_whole(input), "found");
    let run = || *catch_unwind(|| fuzz(target, [], broken)).unwrap_err().downcast::<String>().unwrap();
    let message = run();
    assert!(message.contains("kept as"), "{message}");
    let kept = files(folder.path()).remove(0);
    assert!(kept.file_name().unwrap().to_str().unwrap().starts_with("found-"), "{}", kept.display());
    assert!(!is_whole(&fs::read(&kept).unwrap()));
    // And from then on it fails at once.
    assert_eq!(run(), format!("{} breaks it", kept.display()));
}
