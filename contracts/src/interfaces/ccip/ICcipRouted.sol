// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../IOwned.sol";

/// @title A contract that trusts one CCIP router, which its owner replaces in two steps.
/// @notice The second step repeats the address, and both are events: a mistyped or unwanted router is seen before it
/// is trusted.
interface ICcipRouted is IOwned {
    /// @notice A router must be a contract.
    error InvalidRouter(address router);

    /// @notice The router named is not the one that was proposed.
    error NotProposedRouter(address given, address proposed);

    /// @notice `proposed` may replace `current`; the zero address withdraws the proposal before.
    event RouterProposed(address indexed current, address indexed proposed);

    /// @notice `latest` is trusted from now on.
    event RouterConfirmed(address indexed previous, address indexed latest);

    /// @notice The router that is trusted.
    function router() external view returns (address);

    /// @notice The router that awaits confirmation, zero when there is none.
    function proposedRouter() external view returns (address);

    /// @notice Proposes a router, in place of any earlier proposal; zero withdraws it. Only the owner.
    function proposeRouter(address proposed) external;

    /// @notice Trusts the router that was proposed, and the one before no more. Only the owner.
    function confirmRouter(address proposed) external;
}
