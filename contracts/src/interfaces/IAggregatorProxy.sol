// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "./IAggregatorV2V3.sol";
import {IOwned} from "./IOwned.sol";
import {ITypeAndVersion} from "./ITypeAndVersion.sol";

/// @title One address for consumers, in front of aggregators that may be replaced.
/// @notice Each aggregator is a phase. A round id is `phase << 64 | round of that aggregator`, in `roundId` and in
/// `answeredInRound`; ids grow over phases and old rounds stay readable. Replacing the aggregator is a proposal
/// and a confirmation, and the confirmation refuses what would break consumers: they walk back over the last
/// rounds and compare with the last price.
///
/// Over an aggregator without rounds the v3 reads revert "No data present", `latestAnswer` and
/// `latestTimestamp` are 0 and `latestRound` is `phase << 64`. Ids of unknown phases revert "No data present" in
/// v3 reads and give 0 in v2 reads. "No proposed aggregator present" and "Invalid proposed aggregator" are
/// Chainlink's texts.
interface IAggregatorProxy is IAggregatorV2V3, IOwned, ITypeAndVersion {
    /// @notice The address has no code.
    error NotAContract(address aggregator);

    /// @notice An aggregator's round number does not fit the 64 bits it has in an id.
    error RoundIdTooWide(uint256 roundId);

    /// @notice Consumers read the last three rounds; the proposed aggregator has fewer.
    error TooFewRounds(uint256 given, uint256 required);

    /// @notice The proposed aggregator's answers have other decimal places.
    error DecimalsDiffer(uint8 given, uint8 expected);

    /// @notice The proposed aggregator's latest round is older than the proposal allows.
    error RoundTooOld(uint256 updatedAt, uint256 oldest);

    /// @notice A round of the proposed aggregator carries a time to come.
    error RoundInFuture(uint256 updatedAt, uint256 timestamp);

    /// @notice The proposed aggregator's price is further from the present one than the proposal allows.
    error AnswerTooFar(int256 proposed, int256 current, uint256 maxDeviationBps);

    /// @notice `proposed` may replace `current`; the zero address withdraws the proposal before.
    event AggregatorProposed(address indexed current, address indexed proposed);

    /// @notice What the confirmation of the proposal is going to demand.
    event ProposalBounds(address indexed proposed, uint256 maxAgeSeconds, uint256 maxDeviationBps);

    /// @notice `latest` is read from now on.
    event AggregatorConfirmed(address indexed previous, address indexed latest);

    /// @notice The aggregator that is read now.
    function aggregator() external view returns (address);

    /// @notice Number of the present phase, from 1.
    function phaseId() external view returns (uint16);

    /// @notice The aggregator of a phase, zero for an unknown one.
    function phaseAggregators(uint16 phase) external view returns (address);

    /// @notice The aggregator that awaits confirmation, zero when there is none.
    function proposedAggregator() external view returns (address);

    /// @notice The bounds given with the proposal, 0 when there is none.
    function proposalBounds() external view returns (uint32 maxAgeSeconds, uint32 maxDeviationBps);

    /// @notice Proposes an aggregator, with at most a day since its latest round and at most 10 % between its
    /// answer and the present one. The zero address withdraws the proposal. Only the owner.
    function proposeAggregator(address proposed) external;

    /// @notice Proposes an aggregator with bounds of its own. Only the owner.
    /// @param proposed the aggregator to be, or zero to withdraw the proposal
    /// @param maxAgeSeconds how old its latest round may be at the confirmation
    /// @param maxDeviationBps how far its answer may be from the present one, in hundredths of a percent of the
    /// present one. 2^32 - 1 asks for no comparison, which is the way to leave an aggregator that cannot be read.
    function proposeAggregatorWithBounds(address proposed, uint32 maxAgeSeconds, uint32 maxDeviationBps)
        external;

    /// @notice Makes the proposed aggregator the next phase. Only the owner.
    /// Refusals: "No proposed aggregator present", "Invalid proposed aggregator" (not the one proposed),
    /// `NotAContract`, `DecimalsDiffer`, `TooFewRounds`, `RoundIdTooWide`, `RoundInFuture`, `RoundTooOld`,
    /// `AnswerTooFar`, and what the aggregators themselves revert with when they are read.
    function confirmAggregator(address proposed) external;

    /// @notice A round of the proposed aggregator, with its own id.
    function proposedGetRoundData(uint80 roundId_)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    /// @notice The latest round of the proposed aggregator, with its own id.
    function proposedLatestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
