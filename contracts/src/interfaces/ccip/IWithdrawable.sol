// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../IOwned.sol";

/// @title A contract whose owner takes out what it holds.
interface IWithdrawable is IOwned {
    /// @notice The native token could not be sent to the account.
    error WithdrawalFailed(address to, uint256 amount);

    /// @notice Nothing is sent to the zero address.
    error InvalidRecipient(address to);

    /// @notice An amount left the contract. `token` is zero for the native token.
    event Withdrawn(address indexed token, address indexed to, uint256 amount);

    /// @notice Sends an amount that the contract holds. Only the owner.
    /// @param token the token's contract, or zero for the native token
    /// @param to who receives it
    /// @param amount in the token's own units
    function withdraw(address token, address to, uint256 amount) external;
}
