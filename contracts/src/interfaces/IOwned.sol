// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title An owner that changes hands in two steps.
/// @notice The new owner has to accept, so ownership cannot be lost to a mistyped address. The refusals are
/// the texts that existing Chainlink tools match: "Only callable by owner", "Must be proposed owner",
/// "Cannot transfer to self", "Cannot set owner to zero".
interface IOwned {
    /// @notice The owner offered ownership to `to`; an offer to the zero address withdraws the one before.
    event OwnershipTransferRequested(address indexed from, address indexed to);

    /// @notice `to` accepted ownership.
    event OwnershipTransferred(address indexed from, address indexed to);

    /// @notice The account that administers the contract.
    function owner() external view returns (address);

    /// @notice The account that may accept ownership, zero when none was offered it.
    function pendingOwner() external view returns (address);

    /// @notice Offers ownership to `to`, in place of any earlier offer. Only the owner.
    function transferOwnership(address to) external;

    /// @notice Takes the ownership that was offered. Only the account it was offered to.
    function acceptOwnership() external;
}
