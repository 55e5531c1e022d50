// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {WETH9} from "../../src/standard/WETH9.sol";
import {Fixture} from "../base/Fixture.sol";

/// @dev Takes native tokens and tries to take them twice.
contract Greedy {
    WETH9 private immutable _weth;

    constructor(WETH9 weth) {
        _weth = weth;
    }

    function deposit() external payable {
        _weth.deposit{value: msg.value}();
    }

    function withdraw(uint256 amount) external {
        _weth.withdraw(amount);
    }

    receive() external payable {
        _weth.withdraw(msg.value);
    }
}

contract WETH9Test is Fixture {
    WETH9 private weth;

    function setUp() public {
        weth = new WETH9();
        vm.deal(STRANGER, 100);
    }

    function test_identity() public view {
        vm.assertEq(weth.name(), "Wrapped Ether");
        vm.assertEq(weth.symbol(), "WETH");
        vm.assertEq(weth.decimals(), 18);
        vm.assertEq(weth.typeAndVersion(), "WETH9 1.0.0");
    }

    function test_depositAndWithdraw() public {
        vm.expectEmit(true, true, true, true, address(weth));
        emit WETH9.Deposit(STRANGER, 10);
        vm.prank(STRANGER);
        weth.deposit{value: 10}();
        // A plain transfer is a deposit too.
        vm.expectEmit(true, true, true, true, address(weth));
        emit WETH9.Deposit(STRANGER, 5);
        vm.prank(STRANGER);
        (bool sent,) = address(weth).call{value: 5}("");
        vm.assertTrue(sent);
        vm.assertEq(weth.balanceOf(STRANGER), 15);
        vm.assertEq(weth.totalSupply(), address(weth).balance);
        vm.expectEmit(true, true, true, true, address(weth));
        emit WETH9.Withdrawal(STRANGER, 4);
        vm.prank(STRANGER);
        weth.withdraw(4);
        vm.assertEq(STRANGER.balance, 89);
        vm.assertEq(weth.balanceOf(STRANGER), 11);
        vm.assertEq(weth.totalSupply(), 11);
    }

    function test_withdraw_noMoreThanWasDeposited() public {
        vm.prank(STRANGER);
        weth.deposit{value: 10}();
        vm.expectRevert(abi.encodeWithSignature("InsufficientBalance()"));
        vm.prank(OWNER);
        weth.withdraw(1);
        vm.expectRevert(abi.encodeWithSignature("InsufficientBalance()"));
        vm.prank(STRANGER);
        weth.withdraw(11);
    }

    function test_withdraw_isNotReentered() public {
        vm.prank(STRANGER);
        weth.deposit{value: 50}();
        Greedy greedy = new Greedy(weth);
        vm.deal(OWNER, 10);
        vm.prank(OWNER);
        greedy.deposit{value: 10}();
        vm.expectRevert(abi.encodeWithSignature("ETHTransferFailed()"));
        greedy.withdraw(10);
        vm.assertEq(weth.balanceOf(address(greedy)), 10);
    }

    /// Nobody is allowed anything by default, not even the contract that solady names.
    function test_allowances() public {
        address permit2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;
        vm.prank(STRANGER);
        weth.deposit{value: 10}();
        vm.assertEq(weth.allowance(STRANGER, permit2), 0);
        vm.prank(permit2);
        (bool ok, bytes memory reason) =
            address(weth).call(abi.encodeCall(weth.transferFrom, (STRANGER, permit2, 1)));
        vm.assertFalse(ok);
        vm.assertEq(reason, abi.encodeWithSignature("InsufficientAllowance()"));
        vm.prank(STRANGER);
        weth.approve(OWNER, 3);
        vm.prank(OWNER);
        vm.assertTrue(weth.transferFrom(STRANGER, OWNER, 3));
        vm.assertEq(weth.balanceOf(OWNER), 3);
        vm.assertEq(weth.allowance(STRANGER, OWNER), 0);
    }

    /// The original would take this for a deposit.
    function test_unknownFunctionsRevert() public {
        vm.prank(STRANGER);
        (bool ok,) = address(weth).call{value: 1}(hex"deadbeef");
        vm.assertFalse(ok);
    }
}
