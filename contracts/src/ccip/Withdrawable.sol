// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {Owned} from "../Owned.sol";
import {IWithdrawable} from "../interfaces/ccip/IWithdrawable.sol";

/// @title What the contract holds is the owner's to take out.
abstract contract Withdrawable is IWithdrawable, Owned {
    /// @inheritdoc IWithdrawable
    function withdraw(address token, address to, uint256 amount) external override onlyOwner {
        if (to == address(0)) revert InvalidRecipient(to);
        emit Withdrawn(token, to, amount);
        if (token != address(0)) {
            SafeERC20.safeTransfer(IERC20(token), to, amount);
        } else {
            (bool sent,) = to.call{value: amount}("");
            if (!sent) revert WithdrawalFailed(to, amount);
        }
    }
}
