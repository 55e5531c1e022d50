// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ICcipRouted} from "./ICcipRouted.sol";
import {IWithdrawable} from "./IWithdrawable.sol";

/// @title Sends a feed's stored rounds to other chains, over lanes that the owner sets.
/// @notice Publishing is a transaction of its own, never part of a submission: a dear or broken lane cannot hold the
/// home feed back. Each lane takes rounds in rising order, each at most once, so that a repeated or late
/// publication reverts instead of paying again; the receiver would drop it anyway.
///
/// Fees are paid out of what the contract holds, native or token, and are forwarded exactly: a router keeps an
/// overpayment. Anybody may send the contract funds, the owner withdraws what is left. Publishing takes no value. A
/// publisher can therefore spend at most one `maxFee` for each round and lane.
///
/// The payload is seven words: version 1, `feedId`, the source round's id in full width, answer, startedAt, updatedAt,
/// decimals.
interface ICcipLanes is ICcipRouted, IWithdrawable {
    /// @notice A way to one receiver on one chain.
    struct Lane {
        /// @dev The receiver as its chain encodes it; `abi.encode(address)` on an EVM chain.
        bytes receiver;
        /// @dev Handed to the router as it stands: the network's forms change and are not interpreted here. Its gas
        /// limit has to cover the receiver's dearest round.
        bytes extraArgs;
        /// @dev What the fee is paid in; zero for the native token.
        address feeToken;
        /// @dev The most that is paid for a message, in units of the fee token.
        uint96 maxFee;
    }

    /// @notice No lane leads to this chain.
    error UnknownLane(uint64 selector);

    /// @notice A lane needs a receiver and a fee token that is zero or a contract.
    error InvalidLane(uint64 selector);

    /// @notice The router has no lane to this chain; chain ids are no selectors.
    error ChainNotSupported(uint64 selector);

    /// @notice The lane has taken this round, or a later one, before.
    error RoundAlreadyPublished(uint64 selector, uint80 roundId, uint80 lastPublished);

    /// @notice The router asks more than the lane allows.
    error FeeTooHigh(uint256 fee, uint256 maxFee);

    /// @notice The contract holds less than the fee.
    error InsufficientFunds(address feeToken, uint256 balance, uint256 fee);

    /// @notice A lane was set, in place of any before.
    event LaneSet(uint64 indexed selector, bytes receiver, bytes extraArgs, address feeToken, uint256 maxFee);

    /// @notice A lane was removed.
    event LaneRemoved(uint64 indexed selector);

    /// @notice A round was handed to the router.
    /// @param selector the chain it goes to
    /// @param roundId the round, as this chain numbers it
    /// @param messageId what the message is known by on both chains
    /// @param feeToken what was paid in; zero for the native token
    /// @param fee what was paid
    event RoundPublished(
        uint64 indexed selector,
        uint80 indexed roundId,
        bytes32 indexed messageId,
        address feeToken,
        uint256 fee
    );

    /// @notice What the receiver knows the feed by. Constant.
    function feedId() external view returns (bytes32);

    /// @notice Sets the lane to a chain. A lane that is set anew has published nothing, so that a lost round can be
    /// sent again. Only the owner. Refusals: `InvalidLane`, `ChainNotSupported`.
    function setLane(uint64 selector, Lane calldata lane_) external;

    /// @notice Removes the lane to a chain. Only the owner.
    function removeLane(uint64 selector) external;

    /// @notice The lane to a chain; its receiver is empty when there is none.
    function lane(uint64 selector) external view returns (Lane memory);

    /// @notice The round that the lane took last, 0 when it took none.
    function lastPublished(uint64 selector) external view returns (uint80);

    /// @notice What publishing the latest round over the lane costs now, in units of its fee token.
    function publicationFee(uint64 selector) external view returns (uint256);

    /// @notice Publishes the latest round. Refusals as `publishRound`.
    /// @return messageId what the message is known by on both chains
    function publish(uint64 selector) external returns (bytes32 messageId);

    /// @notice Publishes a stored round. Only a publisher of this contract.
    /// Refusals: those of the publisher, `UnknownLane`, the text "No data present" for a round that does not exist,
    /// `RoundAlreadyPublished`, `FeeTooHigh`, `InsufficientFunds`, and what the router reverts with.
    /// @return messageId what the message is known by on both chains
    function publishRound(uint64 selector, uint80 roundId) external returns (bytes32 messageId);
}
