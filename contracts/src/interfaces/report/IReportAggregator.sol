// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../ITypeAndVersion.sol";
import {ISignerSet} from "./ISignerSet.sol";

/// @title A feed that a quorum of signers writes in one transaction, whoever sends it.
/// @notice The call data of `transmit` is its selector, then, packed and big-endian (`ISignerSet` says how it is signed):
///
///     report = roundId4 | observedAt4 | count1 | count x answer8
///     calldata = selector4 | report | attestation
///
/// Answers are 64-bit two's complement with `decimals()` decimal places, in rising order. The round's answer is the
/// one at index `count / 2`, from 0: the middle one, or the upper of two. There are more than 2f and at most n of
/// them, so with f liars an honest answer stands on either side of it or is it.
///
/// That answers come from different oracles is for the signers to see: each signs a report only when it has checked
/// what the others observed. The contract sees the order, the count and the signatures.
///
/// Three rules keep an old report out, without any storage of their own:
///  - the round is the next one (compare and set): what was written once is never written again;
///  - `observedAt` is not before the round before was written: a report that was signed for this round and held back
///    while the round was still open would otherwise be good for ever. Times in storage are the chain's, hence
///  - `observedAt` is neither later than the block nor more than `maxAgeSeconds` before it.
/// The chain's clock judges all three, and there is no tolerance: a report of an oracle whose clock is ahead is good
/// a few seconds later, and a report of an oracle whose clock is behind the chain's is refused after a recent round.
/// An oracle is free of both when it names the time of the block in which it has read that the round before is the
/// latest: that time is never later than the next block's and never before that round's. 2106-02-07 is the last day
/// that four bytes can name; no report is accepted after it.
interface IReportAggregator is IAggregatorV2V3, ISignerSet, ITypeAndVersion {
    /// @notice Reports are refused for now; reads go on.
    error Paused();

    /// @notice The bounds are crossed, or wider than the 64 bits an answer has in a report.
    error InvalidBounds(int256 min, int256 max);

    /// @notice Reports have to be given some time to arrive.
    error InvalidMaxAge();

    /// @notice The call data is not exactly as long as its count of answers and the quorum demand. So ends also a report
    /// that was signed for another f.
    error WrongLength(uint256 given, uint256 expected);

    /// @notice The named round is not the next one: it was written already, or one before it is missing.
    error StaleRound(uint256 given, uint256 expected);

    /// @notice There are not more than 2f answers, or there are more answers than signers.
    error WrongAnswerCount(uint256 given, uint256 min, uint256 max);

    /// @notice The report is of a time to come.
    error ObservedInFuture(uint256 observedAt, uint256 timestamp);

    /// @notice The report is older than the maximum age, or than the round before.
    /// @param oldest the earliest time that is accepted now
    error ObservedTooEarly(uint256 observedAt, uint256 oldest);

    /// @notice The answer at `index` is less than the one before it.
    error AnswersNotSorted(uint256 index);

    /// @notice The answer lies outside the feed's bounds. Answers are refused, never clamped.
    error AnswerOutOfBounds(int256 answer, int256 min, int256 max);

    /// @notice Reports were stopped or allowed again.
    event PauseChanged(bool paused, address indexed by);

    /// @notice Writes the next round from a report in the call data. Anybody may send it.
    /// Emits `NewRound`, started by the zero address, then `AnswerUpdated`; both times are the block's.
    /// Refusals, in the order they are checked: `NoSigners`, `Paused`, `WrongLength`, `StaleRound`,
    /// `WrongAnswerCount`, `ObservedInFuture`, `ObservedTooEarly`, `AnswersNotSorted`, `AnswerOutOfBounds`,
    /// `SignersOutOfRange`, `WrongSignatureCount`, `WrongSignature`; and the text "Round ids exhausted".
    function transmit() external;

    /// @notice Stops reports. Reads go on with their true times. Only the owner.
    function pause() external;

    /// @notice Allows reports again. Only the owner.
    function unpause() external;

    /// @notice Whether reports are stopped.
    function paused() external view returns (bool);

    /// @notice The smallest answer that is accepted. Constant.
    function minAnswer() external view returns (int256);

    /// @notice The largest answer that is accepted. Constant.
    function maxAnswer() external view returns (int256);

    /// @notice How long before its block a report may have been observed, in seconds. Constant.
    function maxAgeSeconds() external view returns (uint32);

    /// @notice What a publisher needs to know before it makes a report, in one call. Never reverts.
    /// @return latestRound_ the latest round, 0 when there is none
    /// @return latestAnswer_ its answer, 0 when there is none
    /// @return updatedAt when it was written, 0 when there is none
    /// @return paused_ whether reports are stopped
    /// @return domain what stands before the next report when it is hashed
    function reportState()
        external
        view
        returns (uint256 latestRound_, int256 latestAnswer_, uint256 updatedAt, bool paused_, bytes32 domain);
}
