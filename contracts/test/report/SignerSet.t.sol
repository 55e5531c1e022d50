// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IReportAggregator} from "../../src/interfaces/report/IReportAggregator.sol";
import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {ReportAggregatorFixture} from "./ReportAggregatorFixture.sol";

contract SignerSetTest is ReportAggregatorFixture {
    /// The next round goes on under the new signers; what the old ones signed for it is void, even if they stay.
    function test_setSigners_losesNoRound() public {
        _transmitRound(feed, 1);
        _transmitRound(feed, 2);
        bytes memory report = _next(3);
        bytes memory inFlight = _signed(report);

        address[] memory signers = _signers(SIGNERS);
        vm.prank(OWNER);
        feed.setSigners(signers, FAULTS);
        bytes32 digest = _digestOf(_domainOf(block.chainid, address(feed), 2, signers, FAULTS), report);
        vm.assertEq(feed.digestOf(report), digest);
        (bool ok, bytes memory reason) = address(feed).call(inFlight);
        vm.assertFalse(ok);
        vm.assertEq(bytes32(bytes4(reason)), bytes32(ISignerSet.WrongSignature.selector));
        _send(address(feed), _calldata(report, _attest(digest, FAULTS)));
        vm.assertEq(feed.latestRound(), 3);
        vm.assertEq(feed.getAnswer(2), int256(2));
    }

    /// Another f asks for another number of signatures, and the length tells it first.
    function test_setSigners_ofAnotherSize() public {
        bytes memory inFlight = _signed(_next(1));
        address[] memory signers = new address[](4);
        for (uint256 i = 0; i < 4; ++i) {
            signers[i] = vm.addr(100 + i);
        }
        vm.prank(OWNER);
        feed.setSigners(signers, 1);
        _refusedWith(
            inFlight,
            abi.encodeWithSelector(
                IReportAggregator.WrongLength.selector, inFlight.length, inFlight.length - 64
            )
        );
        bytes memory report = _report(1, block.timestamp, 3, 8);
        bytes32 digest = feed.digestOf(report);
        _refusedAnyhow(_calldata(report, _attest(digest, 1)));
        _send(
            address(feed),
            _calldata(
                report, bytes.concat(bytes4(uint32(10)), _signature(101, digest), _signature(103, digest))
            )
        );
        vm.assertEq(feed.latestAnswer(), int256(8));
    }

    function test_setSigners_isRead() public {
        address[] memory signers = _signers(32);
        bytes32 domain = _domainOf(block.chainid, address(feed), 2, signers, 10);
        bytes memory set = abi.encodePacked(uint16(2), uint8(10));
        for (uint256 i = 0; i < 32; ++i) {
            set = bytes.concat(set, bytes20(signers[i]));
        }
        vm.expectEmit(true, true, true, true, address(feed));
        emit ISignerSet.SignersSet(2, keccak256(set), signers, 10);
        vm.prank(OWNER);
        feed.setSigners(signers, 10);
        (address[] memory read, uint8 f) = feed.signers();
        vm.assertEq(abi.encode(read, f), abi.encode(signers, uint8(10)));
        (uint256 configCount, bytes32 configDigest, bytes32 domainRead) = feed.configuration();
        vm.assertEq(abi.encode(configCount, configDigest), abi.encode(2, keccak256(set)));
        vm.assertEq(domainRead, domain);
    }

    function test_setSigners_refusesSizes() public {
        _refusedSize(0, 0);
        _refusedSize(4, 0);
        _refusedSize(1, 0);
        _refusedSize(3, 1);
        _refusedSize(6, 2);
        _refusedSize(30, 10);
        _refusedSize(33, 1);
        _refusedSize(32, 11);
        _refusedSize(32, 255);
        uint8[3] memory faults = [1, 2, 10];
        for (uint256 i = 0; i < faults.length; ++i) {
            address[] memory signers = _signers(3 * uint256(faults[i]) + 1);
            vm.prank(OWNER);
            feed.setSigners(signers, faults[i]);
        }
    }

    function test_setSigners_refusesZeroAndDuplicates() public {
        for (uint256 i = 0; i < SIGNERS; ++i) {
            address[] memory signers = _signers(SIGNERS);
            signers[i] = address(0);
            _refusedSigners(signers, address(0));
            for (uint256 j = 0; j < SIGNERS; ++j) {
                if (i == j) continue;
                signers = _signers(SIGNERS);
                signers[i] = signers[j];
                _refusedSigners(signers, signers[j]);
            }
        }
        (uint256 configCount,,) = feed.configuration();
        vm.assertEq(configCount, 1);
    }

    function test_setSigners_onlyByTheOwner() public {
        address[] memory signers = _signers(4);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        feed.setSigners(signers, 1);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(vm.addr(1));
        feed.setSigners(signers, 1);
    }

    /// The number of a configuration is never used twice; after the last one the signers stay.
    function test_setSigners_endsWithItsNumbers() public {
        bytes32 slot = _configurationSlot();
        uint256 word = uint256(vm.load(address(feed), slot));
        vm.store(address(feed), slot, bytes32(word | uint256(type(uint16).max) << 80));
        address[] memory signers = _signers(4);
        vm.expectRevert(_text("Configurations exhausted"));
        vm.prank(OWNER);
        feed.setSigners(signers, 1);
        (uint256 configCount,,) = feed.configuration();
        vm.assertEq(configCount, type(uint16).max);
    }

    /// The set is one account whose code cannot run: a STOP, then twenty bytes a signer.
    function test_setSigners_keepsThemInCode() public view {
        address blob = address(uint160(uint256(vm.load(address(feed), _configurationSlot())) >> 96));
        bytes memory code = hex"00";
        for (uint256 i = 0; i < SIGNERS; ++i) {
            code = bytes.concat(code, bytes20(vm.addr(i + 1)));
        }
        vm.assertEq(blob.code, code);
    }

    /// @dev The one slot that holds the count of configurations, f and n.
    function _configurationSlot() private view returns (bytes32 slot) {
        uint256 expected = 1 << 16 | uint256(FAULTS) << 8 | SIGNERS;
        for (uint256 i = 0; i < 16; ++i) {
            slot = bytes32(i);
            if (uint32(uint256(vm.load(address(feed), slot)) >> 64) == expected) return slot;
        }
        vm.assertTrue(false, "no configuration");
    }

    function _refusedSize(uint256 n, uint8 f) private {
        address[] memory signers = _signers(n);
        vm.expectRevert(abi.encodeWithSelector(ISignerSet.InvalidQuorum.selector, n, f));
        vm.prank(OWNER);
        feed.setSigners(signers, f);
    }

    function _refusedSigners(address[] memory signers, address signer) private {
        vm.expectRevert(abi.encodeWithSelector(ISignerSet.InvalidSigner.selector, signer));
        vm.prank(OWNER);
        feed.setSigners(signers, FAULTS);
    }
}
