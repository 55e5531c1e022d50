//! One outcome out of what several nodes said to the same bytes.
//!
//! | before | because |
//! |---|---|
//! | accepted, known | a pool holds the bytes, whatever others say of them |
//! | nonce used | it is mined, perhaps by us: all our hashes are looked up before anything is concluded |
//! | ambiguous | the bytes may be in a pool, so that no refusal elsewhere makes them unsent |
//! | replacement underpriced, fee too low | a higher fee helps |
//! | fee cap, funds | these bytes pass once somebody has acted |
//! | nonce gap, pool full, node unready | these bytes may pass there a little later |
//! | rejected, forbidden | the verdicts that end something hold only where every node gives them |
//!
//! The nonce is kept in every row. The merge is the smallest outcome by [`PRECEDENCE`], so that neither the order of
//! the nodes nor that of their answers matters.

use crate::chain::Sent;
use publisher_core::tx::SendOutcome::{self, *};

/// Outcomes, the one that holds against all after it first.
const PRECEDENCE: [SendOutcome; 13] = [
    Accepted,
    Known,
    NonceUsed,
    Ambiguous,
    ReplacementUnderpriced,
    FeeTooLow,
    FeeCap,
    Funds,
    NonceGap,
    PoolFull,
    NodeUnready,
    Rejected,
    Forbidden,
];

fn rank(outcome: SendOutcome) -> usize {
    PRECEDENCE.iter().position(|other| *other == outcome).unwrap_or(PRECEDENCE.len())
}

/// What the nodes' answers mean together. A node that has not answered is ambiguous; so is the word of none.
pub(super) fn merged(outcomes: impl IntoIterator<Item = SendOutcome>) -> SendOutcome {
    outcomes.into_iter().min_by_key(|outcome| rank(*outcome)).unwrap_or(Ambiguous)
}

/// Whether one node took what another says can never pass: one of them is misconfigured.
pub(super) fn conflict(answers: &[(usize, Sent)]) -> bool {
    let any = |which: &[SendOutcome]| answers.iter().any(|(_, sent)| which.contains(&sent.outcome));
    any(&[Accepted, Known]) && any(&[Rejected, Forbidden, FeeCap, Funds])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outcomes() -> impl Strategy<Value = Vec<SendOutcome>> {
        prop::collection::vec(prop::sample::select(PRECEDENCE.to_vec()), 1..7)
    }

    proptest! {
        #[test]
        fn neither_order_nor_grouping_of_the_answers_matters(
            (said, mixed) in outcomes().prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
            cut in 0usize..7,
        ) {
            let whole = merged(said.iter().copied());
            prop_assert_eq!(whole, merged(mixed.iter().copied()));
            let (left, right) = mixed.split_at(cut.min(mixed.len()));
            let parts = [left, right].into_iter().filter(|part| !part.is_empty());
            prop_assert_eq!(whole, merged(parts.map(|part| merged(part.iter().copied()))));
            prop_assert!(said.contains(&whole));
        }

        /// Without this a refusal by one node lets bytes be forgotten that another may hold.
        #[test]
        fn what_may_have_been_sent_is_never_lost_to_a_refusal(said in outcomes()) {
            let taken = [Accepted, Known];
            let together = merged(said.iter().copied());
            if said.iter().any(|one| taken.contains(one)) {
                prop_assert!(taken.contains(&together));
            } else if said.contains(&NonceUsed) {
                prop_assert_eq!(together, NonceUsed);
            } else if said.contains(&Ambiguous) {
                prop_assert_eq!(together, Ambiguous);
            } else {
                prop_assert!(![Accepted, Known, NonceUsed, Ambiguous].contains(&together));
            }
            if [Rejected, Forbidden].contains(&together) {
                prop_assert!(said.iter().all(|one| [Rejected, Forbidden].contains(one)));
            }
        }
    }

    #[test]
    fn every_outcome_has_its_own_rank() {
        for (place, outcome) in PRECEDENCE.iter().enumerate() {
            assert_eq!(rank(*outcome), place, "{outcome:?}");
            // An outcome that is added has to be put into the table.
            match outcome {
                Accepted
                | Known
                | NonceUsed
                | Ambiguous
                | ReplacementUnderpriced
                | FeeTooLow
                | FeeCap
                | Funds
                | NonceGap
                | PoolFull
                | NodeUnready
                | Rejected
                | Forbidden => {}
            }
        }
        assert_eq!(merged([]), Ambiguous);
    }
}
