// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ITypeAndVersion} from "../ITypeAndVersion.sol";
import {IRouterClient} from "./IRouterClient.sol";
import {IWithdrawable} from "./IWithdrawable.sol";

/// @title A router that its operator runs, with CCIP's surface, for chains that no public lane reaches.
/// @notice Chain 138, for one, has no CCIP selector. One router stands on each chain; relayers carry messages from the
/// event of one to `deliver` of the other. Senders and receivers cannot tell it from a public router, so that a chain
/// that gets a public lane later only changes its routers.
///
/// Nothing is proved: whoever commands a quorum of the relayers can deliver any message. The relayers vouch for a
/// message's whole content, because its id is the hash of it. Relayers wait for the finality of the source chain:
/// nothing here can. A message is executed exactly once, in any order, with the gas that its sender asked for; one
/// whose receiver reverts is not executed and may be delivered again. Tokens do not travel.
///
/// Selectors are the operator's agreement. They should be a chain's public CCIP selector where there is one, and
/// otherwise a number that is none, which rules out small ones such as chain ids.
interface ILocalRouter is IRouterClient, IWithdrawable, ITypeAndVersion {
    /// @notice All there is to a message. Its id is the hash of its ABI encoding.
    struct Packet {
        uint256 sourceChainId;
        address sourceRouter;
        uint64 sourceSelector;
        uint64 destinationSelector;
        /// @dev Counts the messages of the source router, from 1.
        uint64 nonce;
        address sender;
        address receiver;
        /// @dev Gas of the call to the receiver.
        uint256 gasLimit;
        bytes data;
    }

    /// @notice The fee token is not accepted on the way to this chain.
    error UnsupportedFeeToken(uint64 selector, address feeToken);

    /// @notice Tokens do not travel over this router.
    error TokensNotSupported();

    /// @notice The receiver is not an EVM address.
    error InvalidReceiver(bytes receiver);

    /// @notice The extra arguments have a form that this router does not know, or ask for too much gas.
    error InvalidExtraArgs(bytes extraArgs);

    /// @notice A selector, chain or router that can stand on no other side.
    error InvalidRemote(uint64 selector, uint256 chainId, address router);

    /// @notice The quorum is zero, or larger than the set; or the set holds the zero address, or somebody twice.
    error InvalidRelayers();

    /// @notice The sender is no relayer.
    error NotRelayer(address sender);

    /// @notice The message does not come from a router that this one knows, or goes to another chain.
    error WrongLane(uint64 sourceSelector, uint64 destinationSelector);

    /// @notice The receiver has no code, or does not claim CCIP's interface. A public router reports success and
    /// loses the message.
    error NotAReceiver(address receiver);

    /// @notice The receiver reverted; the first 256 bytes of what with.
    error ReceiverFailed(bytes32 messageId, bytes reason);

    /// @notice A message was accepted; relayers deliver `packet` on its destination.
    event MessageSent(
        bytes32 indexed messageId, uint64 indexed destinationSelector, address indexed sender, Packet packet
    );

    /// @notice A relayer vouched for a message.
    event MessageConfirmed(bytes32 indexed messageId, address indexed relayer, uint256 confirmations);

    /// @notice A message was executed.
    event MessageDelivered(
        bytes32 indexed messageId, uint64 indexed sourceSelector, address indexed receiver
    );

    /// @notice The set of relayers was replaced.
    event RelayersSet(uint256 indexed epoch, address[] relayers, uint256 quorum);

    /// @notice A chain was connected, or cut off when the router is zero.
    event RemoteSet(uint64 indexed selector, uint256 chainId, address router);

    /// @notice What messages to a chain cost was set.
    event FeeSet(uint64 indexed selector, address indexed feeToken, bool accepted, uint256 fee);

    /// @notice The selector of this chain. Constant.
    function localSelector() external view returns (uint64);

    /// @notice How many relayers have to vouch for a message.
    function quorum() external view returns (uint256);

    /// @notice Number of the present set of relayers, from 1. A vote counts in the set it was cast in.
    function epoch() external view returns (uint256);

    /// @notice Whether the account is a relayer.
    function isRelayer(address account) external view returns (bool);

    /// @notice The router that stands for a selector, zeros when the chain is not connected.
    function remote(uint64 selector) external view returns (uint256 chainId, address router);

    /// @notice What a message to the chain costs in that token.
    function feeOf(uint64 selector, address feeToken) external view returns (bool accepted, uint96 fee);

    /// @notice Messages sent so far.
    function nonce() external view returns (uint64);

    /// @notice Whether the message was executed.
    function delivered(bytes32 messageId) external view returns (bool);

    /// @notice How many relayers of the present set have vouched for the message and wait for others.
    function confirmations(bytes32 messageId) external view returns (uint256);

    /// @notice The id of a message.
    function messageIdOf(Packet calldata packet) external pure returns (bytes32);

    /// @notice Replaces the relayers. Votes for messages that were not executed have to be cast again. Only the owner.
    function setRelayers(address[] calldata relayers, uint256 quorum_) external;

    /// @notice Connects a chain, in both directions; a zero router cuts it off. Only the owner.
    function setRemote(uint64 selector, uint256 chainId, address router) external;

    /// @notice Sets what a message to the chain costs in a token, zero for the native one. Only the owner.
    function setFee(uint64 selector, address feeToken, bool accepted, uint96 fee) external;

    /// @notice Vouches for a message, and executes it when that makes the quorum. Only a relayer. Delivering again what
    /// was executed does nothing.
    /// Refusals: `NotRelayer`, `WrongLane`, `NotAReceiver`, the text "insufficient gas" when the call could not be
    /// given what the message asks for, `ReceiverFailed`.
    /// @return executed whether the message is executed now, by this or an earlier delivery
    function deliver(Packet calldata packet) external returns (bool executed);
}
