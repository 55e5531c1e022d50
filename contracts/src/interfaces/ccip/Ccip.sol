// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The messages of CCIP, as its routers and receivers spell them.
/// @notice The form is the network's, and so are the names: a receiver is called with these very words.
library Ccip {
    /// @notice An amount of a token that travels with a message.
    struct EVMTokenAmount {
        address token;
        uint256 amount;
    }

    /// @notice A message on its way out.
    struct EVM2AnyMessage {
        /// @dev The receiver as its chain encodes it; `abi.encode(address)` on an EVM chain.
        bytes receiver;
        bytes data;
        EVMTokenAmount[] tokenAmounts;
        /// @dev What the fee is paid in; zero for the native token.
        address feeToken;
        /// @dev Gas limit and execution options, in one of the network's tagged forms.
        bytes extraArgs;
    }

    /// @notice A message that has arrived.
    struct Any2EVMMessage {
        bytes32 messageId;
        uint64 sourceChainSelector;
        /// @dev The sender as its chain encodes it; `abi.encode(address)` from an EVM chain.
        bytes sender;
        bytes data;
        EVMTokenAmount[] destTokenAmounts;
    }
}
