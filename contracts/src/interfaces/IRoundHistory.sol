// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title How far back a feed's rounds can be read.
interface IRoundHistory {
    /// @notice A bounded archive holds a power of two of groups, at least 4; 0 asks for every round.
    error InvalidArchive(uint256 archivedGroups);

    /// @notice Full groups of three rounds that stay readable behind the group of the latest round; 0 when every
    /// round does, for ever. Constant.
    /// An older round is no longer there: v3 reads of it revert "No data present", v2 reads give 0.
    function archivedGroups() external view returns (uint256);
}
