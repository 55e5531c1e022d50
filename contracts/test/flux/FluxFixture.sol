// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FluxCompatibleAggregator} from "../../src/flux/FluxCompatibleAggregator.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {Fixture} from "../base/Fixture.sol";

/// @title Feeds with several oracles, ours and Chainlink's, in every test of the Flux-compatible mode.
abstract contract FluxFixture is Fixture {
    address internal constant ADMIN = address(0xAD314);
    uint32 internal constant TIMEOUT = 600;

    /// @dev A feed of ours that accepts every number, without oracles.
    function _flux(uint32 timeout, IFluxAggregator.MedianMode mode)
        internal
        returns (FluxCompatibleAggregator)
    {
        return new FluxCompatibleAggregator(
            timeout, address(0), type(int256).min, type(int256).max, 8, "ETH / USD", mode, OWNER
        );
    }

    /// @dev A feed of ours with bounds, that takes medians as the original does.
    function _bounded(uint32 timeout, int256 min, int256 max) internal returns (FluxCompatibleAggregator) {
        return new FluxCompatibleAggregator(
            timeout, address(0), min, max, 8, "ETH / USD", IFluxAggregator.MedianMode.EverySubmission, OWNER
        );
    }

    /// @dev Chainlink's feed, compiled by `originals` from the package's sources.
    function _original(address link, uint128 payment, uint32 timeout, int256 min, int256 max)
        internal
        returns (IFluxAggregator original)
    {
        bytes memory code = bytes.concat(
            vm.parseJsonBytes(vm.readFile("out-originals/FluxAggregator.json"), ".bytecode"),
            abi.encode(link, payment, timeout, address(0), min, max, uint8(8), "ETH / USD")
        );
        assembly ("memory-safe") {
            original := create(0, add(code, 32), mload(code))
        }
        vm.assertTrue(address(original) != address(0), "the original could not be created");
        original.transferOwnership(OWNER);
        vm.prank(OWNER);
        original.acceptOwnership();
    }

    function _oracle(uint256 i) internal pure returns (address) {
        return address(uint160(0x0AC1E00 + i));
    }

    /// @dev Adds `count` oracles from number `first` on, all of one admin.
    function _addOracles(IFluxAggregator feed, uint256 first, uint256 count, uint32 min, uint32 max)
        internal
    {
        address[] memory added = new address[](count);
        address[] memory admins = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            added[i] = _oracle(first + i);
            admins[i] = ADMIN;
        }
        vm.prank(OWNER);
        feed.changeOracles(new address[](0), added, admins, min, max, 0);
    }
}
