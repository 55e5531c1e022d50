// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title What a CCIP 2.0 ramp asks a receiver before it delivers (interface id 0x1bfc84d0).
/// @notice The id covers this one function; a receiver of this generation claims the id of
/// `IAny2EVMMessageReceiver` as well.
interface IAny2EVMMessageReceiverV2 {
    /// @notice Who has to have verified a message, and how final its block must be.
    /// @param sourceChainSelector the chain the message comes from
    /// @param sender who sent it, as its chain encodes it
    /// @return requiredCCVs verifiers that must all agree; none for the lane's own
    /// @return optionalCCVs further verifiers
    /// @return optionalThreshold how many of those must agree
    /// @return allowedFinalityConfig the finality accepted; 0 for nothing less than the chain's own finality
    function getCCVsAndFinalityConfig(uint64 sourceChainSelector, bytes calldata sender)
        external
        view
        returns (
            address[] memory requiredCCVs,
            address[] memory optionalCCVs,
            uint8 optionalThreshold,
            bytes4 allowedFinalityConfig
        );
}
