//! What an earlier rollout left behind: steps that may be on their way, contracts that may have come to be.

use super::Pending;
use alloy::primitives::Address;
use publisher_core::outbox::describe;
use publisher_core::record::{Recovered, RecoveredIntent};
use publisher_core::tx;
use publisher_deploy::Action;

/// What became of a contract that was expected, when nothing of its creator's is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is there.
    There,
    /// It is not there and cannot come to be: its nonce went to something else, or was never used.
    Never,
    /// It is not there, and may yet come.
    Uncertain,
}

/// `code`: there is code at its address. `mined`: its nonce is mined. `unused`: our journal shows that nothing was ever
/// sent with its nonce.
pub(super) const fn judge(code: bool, mined: bool, unused: bool) -> Fate {
    match (code, mined || unused) {
        (true, _) => Fate::There,
        (false, true) => Fate::Never,
        (false, false) => Fate::Uncertain,
    }
}

/// Steps that a journal left open: nonce, name, and the contract that is created.
pub(super) fn left_open(recovered: &Recovered, account: Address) -> Vec<(u64, String, Option<Pending>)> {
    let ours = recovered.accounts.iter().filter(|known| known.account == account);
    let mut steps = Vec::new();
    for RecoveredIntent { nonce, work, .. } in ours.flat_map(|known| &known.open) {
        let tx::Work::Step { name, to, .. } = work else { continue };
        let nonce = *nonce;
        let creation = Action::parse(name).filter(|_| to.is_none());
        let creation = creation.and_then(|(action, subject)| Some((action.creates()?, subject)));
        let pending = creation.map(|(part, subject)| {
            let subject = subject.to_owned();
            Pending { subject, part, account, nonce }
        });
        steps.push((nonce, describe(work), pending));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Bytes, address};
    use publisher_core::quote::FeedId;
    use publisher_core::record::RecoveredAccount;
    use publisher_deploy::Part;

    const DEPLOYER: Address = address!("00000000000000000000000000000000000000d0");
    const OTHER: Address = address!("00000000000000000000000000000000000000e0");

    /// Without this a node that lags would have a second contract created.
    #[test]
    fn only_what_cannot_come_any_more_is_given_up() {
        let cases = [
            ((true, false, false), Fate::There),
            ((true, true, true), Fate::There),
            ((false, true, false), Fate::Never),
            ((false, false, true), Fate::Never),
            ((false, false, false), Fate::Uncertain),
        ];
        for ((code, mined, unused), fate) in cases {
            assert_eq!(judge(code, mined, unused), fate, "{code} {mined} {unused}");
        }
    }

    /// A process that dies between the journal and the book leaves a creation that only the journal knows.
    #[test]
    fn the_journal_gives_creations_back() {
        let intent = |nonce, work| RecoveredIntent { nonce, work, attempts: Vec::new() };
        let step = |name: &str, to| tx::Work::Step { name: name.to_owned(), to, data: Bytes::new() };
        let round = tx::Work::Round { feed: FeedId::new("ETH-USD"), aggregator: OTHER, round: 7 };
        let open = vec![
            intent(4, step("deploy-proxy:ETH-USD", None)),
            intent(5, step("grant:ETH-USD", Some(OTHER))),
            intent(6, round),
            intent(7, step("of another tool", None)),
            intent(8, step("deploy-store:main", None)),
            intent(9, step("add-feed:ETH-USD", Some(OTHER))),
        ];
        let strangers = vec![intent(1, step("deploy-aggregator:ETH-USD", None))];
        let recovered = Recovered {
            accounts: vec![
                RecoveredAccount {
                    account: OTHER,
                    next_nonce: 2,
                    open: strangers,
                    closed: vec![],
                    payments: vec![],
                },
                RecoveredAccount {
                    account: DEPLOYER,
                    next_nonce: 10,
                    open,
                    closed: vec![],
                    payments: vec![],
                },
            ],
            ..Recovered::default()
        };
        let pending = |subject: &str, part, nonce| {
            let subject = subject.to_owned();
            Some(Pending { subject, part, account: DEPLOYER, nonce })
        };
        let expected = [
            (4, "deploy-proxy:ETH-USD".to_owned(), pending("ETH-USD", Part::Proxy, 4)),
            (5, "grant:ETH-USD".to_owned(), None),
            (7, "of another tool".to_owned(), None),
            (8, "deploy-store:main".to_owned(), pending("main", Part::Store, 8)),
            (9, "add-feed:ETH-USD".to_owned(), None),
        ];
        assert_eq!(left_open(&recovered, DEPLOYER), expected);
    }
}
