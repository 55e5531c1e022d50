// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A contract that says what it is.
/// @notice Deployments check the text before they trust an address.
interface ITypeAndVersion {
    /// @notice The contract's name and version, such as "Aggregator 1.0.0". Constant.
    function typeAndVersion() external view returns (string memory);
}
