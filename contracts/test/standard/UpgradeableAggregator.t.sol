// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {Aggregator} from "../../src/Aggregator.sol";
import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {IAggregator} from "../../src/interfaces/IAggregator.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {IUpgradeableAggregator} from "../../src/interfaces/standard/IUpgradeableAggregator.sol";
import {UpgradeableAggregator} from "../../src/standard/UpgradeableAggregator.sol";
import {UpgradeableProxy} from "../../src/standard/UpgradeableProxy.sol";
import {FeedSuite} from "../base/FeedSuite.sol";
import {Fixture} from "../base/Fixture.sol";
import {OwnedSuite} from "../base/OwnedSuite.sol";

/// @dev A later implementation: as before, and a word more.
contract NextAggregator is UpgradeableAggregator {
    uint256 public added;

    constructor(uint8 decimals_, int256 min, int256 max, uint32 groups)
        UpgradeableAggregator(decimals_, min, max, groups)
    {}

    function setAdded(uint256 added_) external {
        added = added_;
    }
}

abstract contract UpgradeableFixture is Fixture {
    function _implementation() internal returns (UpgradeableAggregator) {
        return new UpgradeableAggregator(8, type(int176).min, type(int176).max, 0);
    }

    function _proxied(UpgradeableAggregator implementation, address owner)
        internal
        returns (UpgradeableAggregator)
    {
        bytes memory initialisation =
            abi.encodeCall(implementation.initialize, ("ETH / USD", owner, TRANSMITTER));
        return UpgradeableAggregator(address(new UpgradeableProxy(address(implementation), initialisation)));
    }
}

/// @dev Written and read through the proxy.
contract UpgradeableFeedTest is UpgradeableFixture, FeedSuite {
    Aggregator internal source;

    function setUp() public virtual {
        source = _proxied(_implementation(), OWNER);
        feed = source;
    }

    function _publish(int256 answer) internal override {
        _submit(source, answer);
    }
}

/// @dev Behind a phase proxy as well.
contract ProxiedUpgradeableFeedTest is UpgradeableFeedTest {
    function setUp() public override {
        super.setUp();
        feed = new AggregatorProxy(address(source), OWNER);
        prefix = 1 << 64;
    }
}

contract UpgradeableOwnedTest is UpgradeableFixture, OwnedSuite {
    UpgradeableAggregator private implementation;

    function setUp() public override {
        implementation = _implementation();
        super.setUp();
    }

    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return _proxied(implementation, owner);
    }
}

contract UpgradeableAggregatorTest is UpgradeableFixture {
    bytes32 private constant IMPLEMENTATION_SLOT =
        bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);

    UpgradeableAggregator private implementation;
    UpgradeableAggregator private feed;

    function setUp() public {
        implementation = _implementation();
        feed = _proxied(implementation, OWNER);
    }

    function test_initialize() public view {
        vm.assertEq(feed.typeAndVersion(), "UpgradeableAggregator 1.0.0");
        vm.assertEq(feed.description(), "ETH / USD");
        vm.assertEq(feed.owner(), OWNER);
        vm.assertTrue(feed.isTransmitter(TRANSMITTER));
        vm.assertFalse(feed.isTransmitter(address(0)));
    }

    /// Neither the proxy a second time, nor the implementation ever, nor by anybody.
    function test_initialize_once() public {
        address[2] memory targets = [address(feed), address(implementation)];
        address[3] memory senders = [OWNER, STRANGER, address(this)];
        for (uint256 i = 0; i < 6; ++i) {
            vm.expectRevert(Initializable.InvalidInitialization.selector);
            vm.prank(senders[i % 3]);
            UpgradeableAggregator(targets[i / 3]).initialize("mine", STRANGER, STRANGER);
        }
    }

    /// A proxy that waits to be initialised is anybody's: it does not come into being.
    function test_initialize_inTheDeployment() public {
        vm.expectRevert(ERC1967Proxy.ERC1967ProxyUninitialized.selector);
        new UpgradeableProxy(address(implementation), "");
    }

    function test_initialize_withoutATransmitter() public {
        UpgradeableAggregator other = UpgradeableAggregator(
            address(
                new UpgradeableProxy(
                    address(implementation),
                    abi.encodeCall(implementation.initialize, ("", OWNER, address(0)))
                )
            )
        );
        vm.assertFalse(other.isTransmitter(address(0)));
    }

    /// The implementation is nobody's and holds nothing: no way to destroy what stands on it.
    function test_implementation_isNobodys() public {
        vm.assertEq(implementation.owner(), address(implementation));
        vm.expectRevert(NO_DATA);
        implementation.latestRoundData();
        vm.expectRevert(abi.encodeWithSelector(IAggregator.NotTransmitter.selector, TRANSMITTER));
        vm.prank(TRANSMITTER);
        implementation.submit(1, 1);
        address next = address(_implementation());
        vm.expectRevert(UUPSUpgradeable.UUPSUnauthorizedCallContext.selector);
        vm.prank(address(implementation));
        implementation.upgradeToAndCall(next, "");
    }

    /// Rounds, roles, owner and pause stay as they were, in the slots they were in.
    function test_upgrade_keepsEverything() public {
        _seed(feed, 7);
        _submit(feed, 1 << 100);
        vm.prank(OWNER);
        feed.transferOwnership(STRANGER);
        vm.prank(OWNER);
        feed.pause();
        bytes32 before = _digest();
        NextAggregator next = new NextAggregator(8, 1, 1e15, 0);
        vm.prank(OWNER);
        feed.upgradeToAndCall(address(next), abi.encodeCall(next.setAdded, (77)));
        vm.assertEq(_digest(), before);
        vm.assertEq(NextAggregator(address(feed)).added(), 77);
        vm.assertEq(vm.load(address(feed), IMPLEMENTATION_SLOT), bytes32(uint256(uint160(address(next)))));
        vm.prank(OWNER);
        feed.unpause();
        vm.expectRevert(abi.encodeWithSelector(IAggregator.AnswerOutOfBounds.selector, 0, 1, 1e15));
        vm.prank(TRANSMITTER);
        feed.submit(9, 0);
        _submit(feed, 5);
        vm.assertEq(feed.latestRound(), 9);
    }

    function test_upgrade_onlyByTheOwner() public {
        address next = address(_implementation());
        address[3] memory senders = [TRANSMITTER, STRANGER, address(implementation)];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.expectRevert(ONLY_OWNER);
            vm.prank(senders[i]);
            feed.upgradeToAndCall(next, "");
        }
    }

    /// Code that would read the stored rounds as something else, or could never be left again.
    function test_upgrade_refusesOtherImplementations() public {
        UpgradeableAggregator[2] memory wrong =
            [new UpgradeableAggregator(18, 1, 2, 0), new UpgradeableAggregator(8, 1, 2, 4)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IUpgradeableAggregator.IncompatibleImplementation.selector, wrong[i])
            );
            vm.prank(OWNER);
            feed.upgradeToAndCall(address(wrong[i]), "");
        }
        // An aggregator that is not upgradeable, and no contract at all.
        Aggregator plain = _aggregator();
        vm.expectRevert(abi.encodeWithSignature("ERC1967InvalidImplementation(address)", plain));
        vm.prank(OWNER);
        feed.upgradeToAndCall(address(plain), "");
        vm.expectRevert(bytes(""));
        vm.prank(OWNER);
        feed.upgradeToAndCall(STRANGER, "");
    }

    /// The layout that every later implementation has to keep.
    function test_layout_isFixed() public {
        _submit(feed, 5);
        vm.assertTrue(vm.load(address(feed), bytes32(uint256(0))) != bytes32(0));
        vm.assertEq(vm.load(address(feed), bytes32(uint256(3))), bytes32(uint256(uint160(OWNER))));
        vm.prank(OWNER);
        feed.transferOwnership(STRANGER);
        vm.assertEq(vm.load(address(feed), bytes32(uint256(4))), bytes32(uint256(uint160(STRANGER))));
        bytes32 role = keccak256(abi.encode(TRANSMITTER, uint256(7)));
        vm.assertEq(vm.load(address(feed), role), bytes32(uint256(1)));
        // A short text and twice its length.
        vm.assertEq(vm.load(address(feed), bytes32(uint256(8))), bytes32("ETH / USD") | bytes32(uint256(18)));
    }

    /// @dev All that can be read.
    function _digest() private view returns (bytes32 digest) {
        for (uint80 id = 0; id < 10; ++id) {
            digest = keccak256(
                abi.encode(digest, _outcome(address(feed), abi.encodeCall(feed.getRoundData, (id))))
            );
        }
        return keccak256(
            abi.encode(
                digest,
                feed.latestRound(),
                feed.owner(),
                feed.pendingOwner(),
                feed.paused(),
                feed.description(),
                feed.decimals(),
                feed.isTransmitter(TRANSMITTER)
            )
        );
    }
}
