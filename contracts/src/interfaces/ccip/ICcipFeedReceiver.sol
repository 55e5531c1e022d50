// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../ITypeAndVersion.sol";
import {IAny2EVMMessageReceiver} from "./IAny2EVMMessageReceiver.sol";
import {IAny2EVMMessageReceiverV2} from "./IAny2EVMMessageReceiverV2.sol";
import {ICcipRouted} from "./ICcipRouted.sol";
import {IWithdrawable} from "./IWithdrawable.sol";

/// @title A feed whose rounds come from another chain.
/// @notice It numbers its rounds from 1 without gaps, whatever the source calls them; `RoundReceived` tells which is
/// which. The times are the source's, so that a delayed round does not look fresh, but never later than this chain's
/// own clock and never before the round before. `NewRound.startedBy` is the zero address.
///
/// Messages may come twice and in any order: a round that is not newer than the latest one is dropped with an event.
/// A message from a stranger reverts. A message of an allowed source that cannot be taken changes no round: it is
/// kept, with the reason, until the owner has it tried again, and the router is told of success, so that it never
/// blocks what follows. Tokens that come with a message mean nothing; the owner withdraws them.
///
/// The source's ids have to rise: a source that starts over, such as an aggregator that was replaced without a phase
/// proxy before it, needs a receiver of its own. To stop the feed, the owner removes its source.
interface ICcipFeedReceiver is
    IAggregatorV2V3,
    IAny2EVMMessageReceiver,
    IAny2EVMMessageReceiverV2,
    ICcipRouted,
    IWithdrawable,
    ITypeAndVersion
{
    /// @notice Only the router delivers.
    error NotRouter(address sender);

    /// @notice Only the contract itself processes a message.
    error NotSelf(address sender);

    /// @notice The sender of the message is not one that this feed listens to.
    error SourceNotAllowed(uint64 selector, bytes sender);

    /// @notice A source must be a real account on a real chain.
    error InvalidSource(uint64 selector, address sender);

    /// @notice The bounds are crossed, or wider than the 176 bits an answer is stored in.
    error InvalidBounds(int256 min, int256 max);

    /// @notice The payload is too short or too long.
    error PayloadLength(uint256 given, uint256 expected);

    /// @notice The payload has a form that this receiver does not know.
    error PayloadVersion(uint256 given, uint256 expected);

    /// @notice The payload is about another feed.
    error WrongFeed(bytes32 given, bytes32 expected);

    /// @notice The answer has other decimal places.
    error WrongDecimals(uint256 given, uint256 expected);

    /// @notice A round has a number of at most 80 bits above 0, and a time.
    error InvalidRound(uint256 sourceRoundId, uint256 updatedAt);

    /// @notice The answer lies outside the feed's bounds. Answers are refused, never clamped.
    error AnswerOutOfBounds(int256 answer, int256 min, int256 max);

    /// @notice No such message has failed, or its parts are not those that were delivered.
    error NotFailed(bytes32 messageId);

    /// @notice A source was allowed or refused.
    event SourceChanged(uint64 indexed selector, address indexed sender, bool allowed);

    /// @notice A round was taken. Follows its `NewRound` and `AnswerUpdated`.
    /// @param roundId the round as this chain numbers it
    /// @param sourceRoundId the round as its own chain numbers it
    /// @param messageId the message that brought it
    event RoundReceived(uint256 indexed roundId, uint80 indexed sourceRoundId, bytes32 indexed messageId);

    /// @notice A round was dropped, because the latest one is the same or newer.
    /// @param sourceRoundId the round as its own chain numbers it
    /// @param messageId the message that brought it
    /// @param latestSourceRoundId the latest round, as its own chain numbers it
    event RoundDropped(uint80 indexed sourceRoundId, bytes32 indexed messageId, uint80 latestSourceRoundId);

    /// @notice A message could not be taken and was kept.
    /// @param messageId the message
    /// @param selector the chain it came from
    /// @param sender its sender, as its chain encodes it
    /// @param payload what it carried; empty when that has the wrong length, which no second try would mend
    /// @param reason what processing reverted with; empty when it ran out of gas
    event MessageFailed(
        bytes32 indexed messageId, uint64 indexed selector, bytes sender, bytes payload, bytes reason
    );

    /// @notice A message that has failed came again; its owner has it tried again, not its repetition.
    event MessageRepeated(bytes32 indexed messageId);

    /// @notice A message that had failed was taken, or dropped as stale, and is final.
    event MessageRecovered(bytes32 indexed messageId);

    /// @notice What the sender knows the feed by. Constant.
    function feedId() external view returns (bytes32);

    /// @notice The smallest answer that is accepted. Constant.
    function minAnswer() external view returns (int256);

    /// @notice The largest answer that is accepted. Constant.
    function maxAnswer() external view returns (int256);

    /// @notice The latest round as its own chain numbers it, 0 when there is none.
    function latestSourceRound() external view returns (uint80);

    /// @notice Allows or refuses a source: a contract on the chain that CCIP knows by that selector. More than one
    /// may be allowed while they number their rounds alike, as two senders of the same proxy do. Only the owner.
    function setSource(uint64 selector, address sender, bool allowed) external;

    /// @notice Whether messages of the source are taken.
    function isSource(uint64 selector, address sender) external view returns (bool);

    /// @notice Whether the message has failed, and the first four bytes of the reason: the error's selector, zeros
    /// for want of gas.
    function failure(bytes32 messageId) external view returns (bool failed, bytes4 reason);

    /// @notice Tries a failed message again, with the parts that `MessageFailed` told. It is final once it succeeds;
    /// otherwise this reverts with the reason, and the message stays. Only the owner.
    /// Refusals: `NotFailed`, `SourceNotAllowed`, those of `process`.
    function retry(bytes32 messageId, uint64 selector, bytes calldata sender, bytes calldata payload) external;

    /// @notice Takes the round of a payload. Only the contract itself, which so outlives a failure.
    /// Refusals, in the order they are checked: `NotSelf`, `PayloadLength`, `PayloadVersion`, `WrongFeed`,
    /// `WrongDecimals`, `InvalidRound`, `AnswerOutOfBounds`.
    function process(bytes32 messageId, bytes calldata payload) external;
}
