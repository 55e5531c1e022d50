// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Who may read, as a list that the owner keeps.
/// @notice Functions, events and the text "No access" are those of Chainlink's SimpleReadAccessController. The list
/// keeps contracts out, no more: whoever calls a read as the origin of the transaction, as every `eth_call` of an
/// account does, may always read, and so may anybody who looks at the storage.
interface IReadAccess {
    /// @notice Nobody calls from the zero address.
    error InvalidReader(address user);

    /// @notice `user` was put on the list.
    event AddedAccess(address user);

    /// @notice `user` was taken off the list.
    event RemovedAccess(address user);

    /// @notice Only those on the list may read from now on.
    event CheckAccessEnabled();

    /// @notice Everybody may read from now on.
    event CheckAccessDisabled();

    /// @notice Puts an account on the list; nothing happens when it is there. Only the owner.
    function addAccess(address user) external;

    /// @notice Takes an account off the list; nothing happens when it is not there. Only the owner.
    function removeAccess(address user) external;

    /// @notice Lets only those on the list read, which is so from the start. Only the owner.
    function enableAccessCheck() external;

    /// @notice Lets everybody read, and keeps the list. Only the owner.
    function disableAccessCheck() external;

    /// @notice Whether the list is asked.
    function checkEnabled() external view returns (bool);

    /// @notice Whether an account may read in the present transaction: it is on the list, the list is not asked, or
    /// it is the transaction's origin.
    /// @param data ignored; others of Chainlink's controllers decide by the call
    function hasAccess(address user, bytes calldata data) external view returns (bool);
}
