// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "./IAggregatorV2V3.sol";
import {IFeedPolicy} from "./IFeedPolicy.sol";
import {IOwned} from "./IOwned.sol";
import {IRoundHistory} from "./IRoundHistory.sol";
import {ITypeAndVersion} from "./ITypeAndVersion.sol";
import {IValidatorHook} from "./hooks/IValidatorHook.sol";

/// @title A feed that one transmitter at a time writes, with the history of every round, or of as many as its
/// operator asked for.
/// @notice The owner administers and has no right to submit by being the owner; a transmitter submits and
/// administers nothing. Rotating a transmitter is granting the new one, then revoking the old one.
interface IAggregator is
    IAggregatorV2V3,
    IRoundHistory,
    IValidatorHook,
    IFeedPolicy,
    IOwned,
    ITypeAndVersion
{
    /// @notice The sender may not submit.
    error NotTransmitter(address sender);

    /// @notice Submissions are stopped; reads go on.
    error Paused();

    /// @notice The named round is not the next one: it was written already, or one before it is missing.
    /// @param given the round named by the sender
    /// @param expected the only round that can be written now
    error StaleRound(uint256 given, uint256 expected);

    /// @notice The answer lies outside the feed's bounds. Answers are refused, never clamped.
    error AnswerOutOfBounds(int256 answer, int256 min, int256 max);

    /// @notice The bounds are crossed, or wider than the 176 bits an answer is stored in.
    error InvalidBounds(int256 min, int256 max);

    /// @notice A transmitter must be a real account.
    error InvalidTransmitter(address transmitter);

    /// @notice An account was granted or refused the right to submit.
    event TransmitterChanged(address indexed transmitter, bool authorised);

    /// @notice Submissions were stopped or allowed again.
    event PauseChanged(bool paused, address indexed by);

    /// @notice Writes the answer of the next round: a compare-and-set on the round's number, so that a
    /// repeated, late or reorganised submission reverts instead of making a second round.
    /// Emits `NewRound`, then `AnswerUpdated`, then calls the validator if there is one.
    /// Refusals, in the order they are checked: `NotTransmitter`, `Paused`, `StaleRound`, `AnswerOutOfBounds`; and
    /// the texts "Round ids exhausted" after round 1,073,741,823 and "insufficient gas" when the validator could not
    /// be given all of its gas.
    /// @param roundId `latestRound() + 1`
    /// @param answer the answer with `decimals()` decimal places
    function submit(uint256 roundId, int256 answer) external;

    /// @notice Grants or revokes the right to submit. Only the owner.
    function setTransmitter(address transmitter, bool authorised) external;

    /// @notice Whether the account may submit.
    function isTransmitter(address account) external view returns (bool);

    /// @notice Stops submissions. Reads go on with their true times. Only the owner.
    function pause() external;

    /// @notice Allows submissions again. Only the owner.
    function unpause() external;

    /// @notice Whether submissions are stopped.
    function paused() external view returns (bool);

    /// @notice The smallest answer that is accepted. Constant.
    function minAnswer() external view returns (int256);

    /// @notice The largest answer that is accepted. Constant.
    function maxAnswer() external view returns (int256);

    /// @notice What a publisher needs to know before it submits, in one call. Never reverts.
    /// @param transmitter the account that is going to submit
    /// @return latestRound_ the latest round, 0 when there is none
    /// @return latestAnswer_ its answer, 0 when there is none
    /// @return updatedAt when it was written, 0 when there is none
    /// @return paused_ whether submissions are stopped
    /// @return authorised whether `transmitter` may submit
    function feedState(address transmitter)
        external
        view
        returns (uint256 latestRound_, int256 latestAnswer_, uint256 updatedAt, bool paused_, bool authorised);
}
