// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../../src/Aggregator.sol";
import {Vm} from "./Vm.sol";

/// @title Who is who, and how an aggregator comes into being, in every test.
abstract contract Fixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address internal constant OWNER = address(0xA11CE);
    address internal constant TRANSMITTER = address(0x7AA5);
    address internal constant STRANGER = address(0x57A);

    bytes internal constant NO_DATA = abi.encodeWithSignature("Error(string)", "No data present");
    bytes internal constant ONLY_OWNER = abi.encodeWithSignature("Error(string)", "Only callable by owner");

    /// @dev A feed that accepts every answer that can be stored.
    function _aggregator() internal returns (Aggregator) {
        return _aggregator(8, type(int176).min, type(int176).max);
    }

    function _aggregator(uint8 decimals, int256 min, int256 max) internal returns (Aggregator) {
        return _aggregator(decimals, min, max, 0);
    }

    function _aggregator(uint8 decimals, int256 min, int256 max, uint32 groups)
        internal
        returns (Aggregator)
    {
        return new Aggregator(decimals, "ETH / USD", min, max, OWNER, TRANSMITTER, groups);
    }

    /// @dev A feed that accepts every answer and keeps that many groups of three rounds behind the latest one.
    function _ring(uint32 groups) internal returns (Aggregator) {
        return _aggregator(8, type(int176).min, type(int176).max, groups);
    }

    /// @dev Writes the next round as the transmitter.
    function _submit(Aggregator target, int256 answer) internal {
        uint256 next = target.latestRound() + 1;
        vm.prank(TRANSMITTER);
        target.submit(next, answer);
    }

    /// @dev Writes rounds a minute apart: 1000, 1001, ... with 8 decimals.
    function _seed(Aggregator target, uint256 rounds) internal {
        for (uint256 i = 0; i < rounds; ++i) {
            vm.warp(block.timestamp + 60);
            _submit(target, int256((1000 + i) * 1e8));
        }
    }

    function _text(string memory reason) internal pure returns (bytes memory) {
        return abi.encodeWithSignature("Error(string)", reason);
    }

    /// @dev What a read returns or reverts with, to be compared byte by byte.
    function _outcome(address target, bytes memory call) internal view returns (bytes memory) {
        (bool ok, bytes memory data) = target.staticcall(call);
        return abi.encode(ok, data);
    }
}
