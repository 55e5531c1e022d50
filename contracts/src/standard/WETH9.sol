// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {WETH} from "solady/tokens/WETH.sol";

import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";

/// @title The native token as an ERC-20, for networks that lack it: solady's, with the original's events.
/// @notice Two things of the original are left out on purpose: a call to a function that does not exist reverts
/// instead of depositing, and `totalSupply` counts deposits instead of the balance. One thing of solady's is switched
/// off: nobody is allowed anything that a holder did not allow. Approvals by signature (EIP-2612) are added.
contract WETH9 is WETH, ITypeAndVersion {
    /// @notice A holder deposited native tokens.
    event Deposit(address indexed dst, uint256 wad);

    /// @notice A holder took native tokens out.
    event Withdrawal(address indexed src, uint256 wad);

    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "WETH9 1.0.0";

    /// @inheritdoc WETH
    function deposit() public payable override {
        super.deposit();
        emit Deposit(msg.sender, msg.value);
    }

    /// @inheritdoc WETH
    function withdraw(uint256 amount) public override {
        emit Withdrawal(msg.sender, amount);
        super.withdraw(amount);
    }

    /// @dev The original knows no account with a fixed allowance.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
