//! A feed of somebody else's that answers like Chainlink's `AggregatorV3Interface`.

use super::{Call, Heard, Reader, Returned, Trouble, call, exact, positive, returned, sane_decimals};
use alloy::primitives::{Address, U256};
use publisher_core::quote::SourceFault;
use publisher_core::time::{Span, Wall};
use publisher_core::tx::BlockRef;

alloy::sol! {
    function decimals() external view returns (uint256);
    function latestRoundData() external view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}

/// After a rollup's sequencer comes back, prices of its time without one are not believed for this long: what Chainlink
/// advises with its sequencer uptime feeds.
const GRACE: Span = Span::from_s(3600);

/// The feed.
pub(super) struct Feed {
    address: Address,
    /// The age at which an answer is stale: the feed's own heartbeat and a tenth, because a heartbeat is written when
    /// it is due, and mined later.
    age_max: Span,
    sequencer: Option<Address>,
}

impl Feed {
    pub(super) fn new(address: Address, heartbeat: Span, sequencer: Option<Address>) -> Self {
        Self { address, age_max: Span::from_ms(heartbeat.times(11).ms() / 10), sequencer }
    }

    /// Whether the rollup's sequencer has run for long enough.
    fn sequenced(at: &BlockRef, answers: &[Returned]) -> Result<(), Trouble> {
        let uptime = returned::<latestRoundDataCall>(answers, 2)?;
        if !uptime.answer.is_zero() {
            return Err(Trouble::refused("the rollup's sequencer is down"));
        }
        match seconds(uptime.startedAt).filter(|since| at.time.since(*since) >= GRACE) {
            Some(_) => Ok(()),
            None => Err(Trouble::refused(format!("the rollup's sequencer is back for less than {GRACE}"))),
        }
    }
}

impl Reader for Feed {
    fn questions(&self) -> Vec<Call> {
        let mut questions =
            vec![call(self.address, &decimalsCall {}), call(self.address, &latestRoundDataCall {})];
        questions.extend(self.sequencer.map(|uptime| call(uptime, &latestRoundDataCall {})));
        questions
    }

    /// The price is as old as the block: the feed says that it still holds. How old the answer itself may be is a matter
    /// of its heartbeat.
    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble> {
        let decimals = sane_decimals(returned::<decimalsCall>(answers, 0)?)?;
        let round = returned::<latestRoundDataCall>(answers, 1)?;
        if self.sequencer.is_some() {
            Self::sequenced(at, answers)?;
        }
        if !round.answer.is_positive() {
            return Err(Trouble::new(SourceFault::BadValue, format!("answer {}", round.answer)));
        }
        if round.answeredInRound < round.roundId {
            let detail =
                format!("round {} still has the answer of round {}", round.roundId, round.answeredInRound);
            return Err(Trouble::refused(detail));
        }
        let updated =
            seconds(round.updatedAt).filter(|updated| *updated <= at.time && !round.updatedAt.is_zero());
        let updated = updated.ok_or_else(|| {
            Trouble::new(
                SourceFault::BadTime,
                format!("updatedAt {} is not in the block's past", round.updatedAt),
            )
        })?;
        let age = at.time.since(updated);
        if age > self.age_max {
            return Err(Trouble::refused(format!(
                "stale: its answer is {age} old, and {} is the most",
                self.age_max
            )));
        }
        let answer = exact::wide(round.answer.unsigned_abs());
        let price = exact::quotient(answer, exact::wide(U256::from(1)), -i32::from(decimals));
        Ok(Heard::Price(positive(price)?, at.time))
    }
}

fn seconds(value: U256) -> Option<Wall> {
    // Beyond this a time in milliseconds does not fit.
    u64::try_from(value).ok().filter(|seconds| *seconds < 1 << 40).map(Wall::from_s)
}
