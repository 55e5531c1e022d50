// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Ccip} from "./Ccip.sol";

/// @title The part of a CCIP router that senders call.
interface IRouterClient {
    /// @notice There is no lane to this chain.
    error UnsupportedDestinationChain(uint64 destChainSelector);

    /// @notice The value sent is below the fee.
    error InsufficientFeeTokenAmount();

    /// @notice A value was sent that is no native fee.
    error InvalidMsgValue();

    /// @notice Whether the router has a lane to the chain. Selectors are the network's own numbers, not chain ids.
    function isChainSupported(uint64 destChainSelector) external view returns (bool supported);

    /// @notice What sending the message costs now, in units of its fee token.
    function getFee(uint64 destinationChainSelector, Ccip.EVM2AnyMessage memory message)
        external
        view
        returns (uint256 fee);

    /// @notice Sends the message and takes the fee: the native value of the call, or the sender's allowance of the
    /// fee token. A router may keep a native overpayment.
    /// @return messageId what the message is known by on both chains
    function ccipSend(uint64 destinationChainSelector, Ccip.EVM2AnyMessage calldata message)
        external
        payable
        returns (bytes32 messageId);
}
