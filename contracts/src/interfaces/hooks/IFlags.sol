// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../IOwned.sol";
import {ITypeAndVersion} from "../ITypeAndVersion.sol";

/// @title Warnings about contracts, such as a feed whose price jumped.
/// @notice Raising a flag is for those the owner names, lowering it for the owner alone: a machine may warn, and a
/// person looks before the warning goes. Functions and events are those of Chainlink's Flags, with a list of its own
/// in place of an access controller. Anybody may read.
interface IFlags is IOwned, ITypeAndVersion {
    /// @notice The sender may not raise flags.
    error NotRaiser(address sender);

    /// @notice Somebody who raises flags must be a real account.
    error InvalidRaiser(address raiser);

    /// @notice The flag of `subject` went up.
    event FlagRaised(address indexed subject);

    /// @notice The flag of `subject` went down.
    event FlagLowered(address indexed subject);

    /// @notice An account was granted or refused the right to raise flags.
    event RaiserChanged(address indexed raiser, bool authorised);

    /// @notice Raises the flag of `subject`; nothing happens when it is up. Only the owner and those it named, else
    /// `NotRaiser`.
    function raiseFlag(address subject) external;

    /// @notice Raises several flags, as `raiseFlag` does each.
    function raiseFlags(address[] calldata subjects) external;

    /// @notice Lowers several flags; nothing happens to those that are down. Only the owner.
    function lowerFlags(address[] calldata subjects) external;

    /// @notice Grants or revokes the right to raise flags. Only the owner.
    function setRaiser(address raiser, bool authorised) external;

    /// @notice Whether the flag of `subject` is up.
    function getFlag(address subject) external view returns (bool);

    /// @notice The same of several, in their order.
    function getFlags(address[] calldata subjects) external view returns (bool[] memory);

    /// @notice Whether the owner named the account. The owner itself may raise flags without that.
    function isRaiser(address account) external view returns (bool);
}
