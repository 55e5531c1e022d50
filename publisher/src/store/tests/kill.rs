//! SIGKILL while appending: what was acknowledged is there afterwards, and the rest is whole.

use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set in the child: the journal it appends to.
const CHILD: &str = "PUBLISHER_JOURNAL_KILL_TEST";
const KILLS: usize = 24;

/// Without this a power cut or an OOM kill between "written" and "sent" would be a second transaction for one nonce.
///
/// The test starts itself again as a child that appends without end and prints each nonce once it is acknowledged.
#[tokio::test]
async fn acknowledged_records_survive_sigkill() {
    if let Ok(path) = std::env::var(CHILD) {
        append_for_ever(Path::new(&path)).await;
    }
    let place = Place::new();
    let mut known = 0;
    for kill in 0..KILLS {
        known = known.max(run_and_kill(&place, kill));
        let (journal, recovered) = place.open().await;
        let next = recovered.accounts.first().map_or(0, |a| a.next_nonce);
        assert!(next >= known, "nonces up to {known} were acknowledged, but the journal ends at {next}");
        assert!(
            next <= known + 1,
            "one append is under way at most, but the journal goes on to {next}, not {known}"
        );
        for (nonce, intent) in (0..).zip(recovered.accounts.iter().flat_map(|a| &a.open)) {
            assert_eq!((intent.nonce, &intent.attempts[..]), (nonce, &[signed(0, nonce)][..]));
        }
        journal.close().await;
    }
    assert!(known > KILLS as u64, "the children hardly wrote: {known}");
}

/// One life of the child; the number of nonces known to be acknowledged.
fn run_and_kill(place: &Place, kill: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("{}::acknowledged_records_survive_sigkill", module_path!().split_once("::").unwrap().1))
        .env(CHILD, &place.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let acknowledged =
        |line: String| line.split_once("acknowledged ").and_then(|(_, n)| n.parse::<u64>().ok());
    // The first life includes the making of the journal, so that it is cut short as well.
    let mut last = None;
    if kill > 0 {
        last = lines.by_ref().find_map(acknowledged);
    }
    std::thread::sleep(Duration::from_millis((kill as u64 * 7) % 40));
    child.kill().unwrap();
    child.wait().unwrap();
    last = lines.filter_map(acknowledged).last().or(last);
    last.map_or(0, |nonce| nonce + 1)
}

/// What the child does until it is killed.
#[expect(clippy::print_stdout, reason = "the parent test reads it")]
async fn append_for_ever(path: &Path) -> ! {
    let (journal, recovered) = Journal::open(path, CHAIN, GENESIS).await.unwrap();
    let journal = Writer::new(journal).await;
    let first = recovered.accounts.first().map_or(0, |a| a.next_nonce);
    for nonce in first.. {
        journal.append(&[intent(nonce, round("A", nonce)), attempt(nonce, 0, nonce)]).await.unwrap();
        println!("acknowledged {nonce}");
    }
    unreachable!("nonces do not run out");
}
