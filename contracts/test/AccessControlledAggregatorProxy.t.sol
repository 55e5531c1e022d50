// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AccessControlledAggregatorProxy} from "../src/AccessControlledAggregatorProxy.sol";
import {Aggregator} from "../src/Aggregator.sol";
import {AggregatorProxy} from "../src/AggregatorProxy.sol";
import {IOwned} from "../src/interfaces/IOwned.sol";
import {IReadAccess} from "../src/interfaces/IReadAccess.sol";
import {
    ProxyConfirmTest,
    ProxyConstructorTest,
    ProxyFixture,
    ProxyForeignAggregatorTest,
    ProxyProposeTest
} from "./AggregatorProxy.t.sol";
import {OwnedSuite} from "./base/OwnedSuite.sol";

// What the plain proxy does the variant does as well.

contract AccessControlledConstructorTest is ProxyConstructorTest {
    function _proxyOver(address aggregator) internal override returns (AggregatorProxy) {
        return _listedProxyOver(aggregator);
    }

    function _typeAndVersion() internal pure override returns (string memory) {
        return "AccessControlledAggregatorProxy 1.0.0";
    }
}

contract AccessControlledProposeTest is ProxyProposeTest {
    function _proxyOver(address aggregator) internal override returns (AggregatorProxy) {
        return _listedProxyOver(aggregator);
    }
}

contract AccessControlledConfirmTest is ProxyConfirmTest {
    function _proxyOver(address aggregator) internal override returns (AggregatorProxy) {
        return _listedProxyOver(aggregator);
    }
}

contract AccessControlledForeignAggregatorTest is ProxyForeignAggregatorTest {
    function _proxyOver(address aggregator) internal override returns (AggregatorProxy) {
        return _listedProxyOver(aggregator);
    }
}

contract AccessControlledOwnedTest is OwnedSuite {
    Aggregator private first;

    function setUp() public override {
        first = _aggregator();
        super.setUp();
    }

    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new AccessControlledAggregatorProxy(address(first), owner);
    }
}

/// @dev Who may read.
contract ReadAccessTest is ProxyFixture {
    address private constant READER = address(0x4EAD);
    address private constant ORIGIN = address(0x0419);
    bytes private NO_ACCESS = abi.encodeWithSignature("Error(string)", "No access");

    AccessControlledAggregatorProxy private guarded;
    bytes[] private reads;

    function setUp() public override {
        super.setUp();
        guarded = new AccessControlledAggregatorProxy(address(first), OWNER);
        Aggregator second = _second();
        vm.prank(OWNER);
        guarded.proposeAggregator(address(second));
        uint80 id = 1 << 64 | 2;
        reads.push(abi.encodeCall(guarded.latestRoundData, ()));
        reads.push(abi.encodeCall(guarded.getRoundData, (id)));
        reads.push(abi.encodeCall(guarded.latestAnswer, ()));
        reads.push(abi.encodeCall(guarded.latestTimestamp, ()));
        reads.push(abi.encodeCall(guarded.latestRound, ()));
        reads.push(abi.encodeCall(guarded.getAnswer, (id)));
        reads.push(abi.encodeCall(guarded.getTimestamp, (id)));
        reads.push(abi.encodeCall(guarded.proposedLatestRoundData, ()));
        reads.push(abi.encodeCall(guarded.proposedGetRoundData, (2)));
    }

    /// Each read of a price is refused to a contract that is not listed, and gives the very bytes of the plain
    /// proxy to one that is.
    function test_access_isForTheListed() public {
        _assertRefused(READER);
        vm.expectEmit(true, true, true, true, address(guarded));
        emit IReadAccess.AddedAccess(READER);
        vm.prank(OWNER);
        guarded.addAccess(READER);
        _assertReads(READER);
        _assertRefused(STRANGER);
        vm.expectEmit(true, true, true, true, address(guarded));
        emit IReadAccess.RemovedAccess(READER);
        vm.prank(OWNER);
        guarded.removeAccess(READER);
        _assertRefused(READER);
    }

    /// Without data a listed reader learns that there is none, and nobody else learns even that.
    function test_access_isAskedBeforeAnythingElse() public {
        guarded = new AccessControlledAggregatorProxy(address(_aggregator()), OWNER);
        vm.expectRevert(NO_ACCESS);
        vm.prank(READER, ORIGIN);
        guarded.latestRoundData();
        vm.expectRevert(NO_ACCESS);
        vm.prank(READER, ORIGIN);
        guarded.getAnswer(7);
        vm.prank(OWNER);
        guarded.addAccess(READER);
        vm.expectRevert(NO_DATA);
        vm.prank(READER, ORIGIN);
        guarded.latestRoundData();
    }

    /// An account that reads by itself is nobody's contract.
    function test_access_isForTheOriginItself() public {
        _assertReadsAs(STRANGER, STRANGER);
        vm.prank(STRANGER, STRANGER);
        vm.assertTrue(guarded.hasAccess(STRANGER, ""));
        vm.prank(READER, STRANGER);
        vm.assertFalse(guarded.hasAccess(READER, hex"1234"));
        // Who is asked for counts, not who asks.
        vm.prank(READER, STRANGER);
        vm.assertTrue(guarded.hasAccess(STRANGER, ""));
    }

    function test_access_canBeSwitchedOff() public {
        vm.assertTrue(guarded.checkEnabled());
        vm.expectEmit(true, true, true, true, address(guarded));
        emit IReadAccess.CheckAccessDisabled();
        vm.prank(OWNER);
        guarded.disableAccessCheck();
        vm.assertFalse(guarded.checkEnabled());
        _assertReads(STRANGER);
        vm.prank(READER, ORIGIN);
        vm.assertTrue(guarded.hasAccess(READER, ""));

        vm.expectEmit(true, true, true, true, address(guarded));
        emit IReadAccess.CheckAccessEnabled();
        vm.prank(OWNER);
        guarded.enableAccessCheck();
        vm.assertTrue(guarded.checkEnabled());
        _assertRefused(STRANGER);
    }

    /// What is no price is for everybody, so that tools can look at the address.
    function test_access_isNotAskedForWhatIsNoPrice() public {
        vm.prank(STRANGER, ORIGIN);
        vm.assertEq(guarded.decimals(), 8);
        vm.prank(STRANGER, ORIGIN);
        vm.assertEq(guarded.description(), "ETH / USD");
        vm.prank(STRANGER, ORIGIN);
        vm.assertEq(guarded.version(), 1);
        vm.prank(STRANGER, ORIGIN);
        vm.assertEq(guarded.aggregator(), address(first));
        vm.prank(STRANGER, ORIGIN);
        vm.assertEq(guarded.phaseId(), 1);
    }

    /// The proxy itself reads its aggregators, listed or not.
    function test_access_isNotAskedOfTheConfirmation() public {
        address second = guarded.proposedAggregator();
        vm.prank(OWNER, ORIGIN);
        guarded.confirmAggregator(second);
        vm.assertEq(guarded.aggregator(), second);
    }

    function test_access_againChangesNothing() public {
        vm.prank(OWNER);
        guarded.addAccess(READER);
        vm.recordLogs();
        vm.prank(OWNER);
        guarded.addAccess(READER);
        vm.prank(OWNER);
        guarded.removeAccess(STRANGER);
        vm.prank(OWNER);
        guarded.enableAccessCheck();
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.prank(OWNER);
        guarded.disableAccessCheck();
        vm.recordLogs();
        vm.prank(OWNER);
        guarded.disableAccessCheck();
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_access_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IReadAccess.InvalidReader.selector, address(0)));
        vm.prank(OWNER);
        guarded.addAccess(address(0));
        bytes[4] memory calls = [
            abi.encodeCall(guarded.addAccess, (STRANGER)),
            abi.encodeCall(guarded.removeAccess, (READER)),
            abi.encodeCall(guarded.enableAccessCheck, ()),
            abi.encodeCall(guarded.disableAccessCheck, ())
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(STRANGER);
            (bool ok, bytes memory data) = address(guarded).call(calls[i]);
            vm.assertFalse(ok);
            vm.assertEq(data, ONLY_OWNER);
        }
    }

    /// Chainlink's tools know these by their four bytes.
    function test_access_selectorsAreChainlinks() public pure {
        vm.assertEq(bytes32(IReadAccess.hasAccess.selector), bytes32(bytes4(0x6b14daf8)));
        vm.assertEq(bytes32(IReadAccess.addAccess.selector), bytes32(bytes4(0xa118f249)));
        vm.assertEq(bytes32(IReadAccess.removeAccess.selector), bytes32(bytes4(0x8823da6c)));
        vm.assertEq(bytes32(IReadAccess.enableAccessCheck.selector), bytes32(bytes4(0x8038e4a1)));
        vm.assertEq(bytes32(IReadAccess.disableAccessCheck.selector), bytes32(bytes4(0x0a756983)));
        vm.assertEq(bytes32(IReadAccess.checkEnabled.selector), bytes32(bytes4(0xdc7f0124)));
    }

    function _assertRefused(address reader) private {
        for (uint256 i = 0; i < reads.length; ++i) {
            vm.prank(reader, ORIGIN);
            (bool ok, bytes memory data) = address(guarded).staticcall(reads[i]);
            vm.assertFalse(ok);
            vm.assertEq(data, NO_ACCESS);
        }
        vm.prank(reader, ORIGIN);
        vm.assertFalse(guarded.hasAccess(reader, ""));
    }

    function _assertReads(address reader) private {
        _assertReadsAs(reader, ORIGIN);
    }

    function _assertReadsAs(address reader, address origin) private {
        address second = guarded.proposedAggregator();
        vm.prank(OWNER);
        proxy.proposeAggregator(second);
        for (uint256 i = 0; i < reads.length; ++i) {
            vm.prank(reader, origin);
            (bool ok, bytes memory data) = address(guarded).staticcall(reads[i]);
            vm.assertTrue(ok);
            vm.assertEq(abi.encode(ok, data), _outcome(address(proxy), reads[i]));
        }
    }
}
