// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {DeviationFlaggingValidator} from "../src/hooks/DeviationFlaggingValidator.sol";
import {Flags} from "../src/hooks/Flags.sol";
import {IOwned} from "../src/interfaces/IOwned.sol";
import {IDeviationFlaggingValidator} from "../src/interfaces/hooks/IDeviationFlaggingValidator.sol";
import {IFlags} from "../src/interfaces/hooks/IFlags.sol";
import {Fixture} from "./base/Fixture.sol";
import {LongMath} from "./base/LongMath.sol";
import {OwnedSuite} from "./base/OwnedSuite.sol";

contract FlagsOwnedTest is OwnedSuite {
    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new Flags(owner);
    }
}

contract FlagsTest is Fixture {
    address private constant RAISER = address(0x4A15);
    address private constant SUBJECT = address(0x5B7E);
    address private constant OTHER = address(0x07E4);

    Flags private flags;

    function setUp() public {
        flags = new Flags(OWNER);
        vm.prank(OWNER);
        flags.setRaiser(RAISER, true);
    }

    function test_flags_areRaisedByThoseNamed() public {
        vm.assertFalse(flags.getFlag(SUBJECT));
        vm.expectEmit(true, true, true, true, address(flags));
        emit IFlags.FlagRaised(SUBJECT);
        vm.prank(RAISER);
        flags.raiseFlag(SUBJECT);
        vm.assertTrue(flags.getFlag(SUBJECT));
        vm.assertFalse(flags.getFlag(OTHER));
        vm.prank(OWNER);
        flags.raiseFlag(OTHER);
        vm.assertTrue(flags.getFlag(OTHER));
    }

    function test_flags_areLoweredByTheOwnerAlone() public {
        vm.prank(RAISER);
        flags.raiseFlags(_both());
        bool[] memory raised = flags.getFlags(_both());
        vm.assertTrue(raised.length == 2 && raised[0] && raised[1]);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(RAISER);
        flags.lowerFlags(_both());
        address[] memory one = new address[](1);
        one[0] = OTHER;
        vm.expectEmit(true, true, true, true, address(flags));
        emit IFlags.FlagLowered(OTHER);
        vm.prank(OWNER);
        flags.lowerFlags(one);
        raised = flags.getFlags(_both());
        vm.assertTrue(raised[0] && !raised[1]);
    }

    function testFuzz_flags_nobodyElseRaises(address sender) public {
        vm.assume(sender != OWNER && sender != RAISER);
        vm.expectRevert(abi.encodeWithSelector(IFlags.NotRaiser.selector, sender));
        vm.prank(sender);
        flags.raiseFlag(SUBJECT);
        vm.expectRevert(abi.encodeWithSelector(IFlags.NotRaiser.selector, sender));
        vm.prank(sender);
        flags.raiseFlags(_both());
        vm.assertFalse(flags.getFlag(SUBJECT));
    }

    function test_flags_raisersAreNamedByTheOwner() public {
        vm.assertTrue(flags.isRaiser(RAISER));
        vm.assertFalse(flags.isRaiser(OWNER));
        vm.expectEmit(true, true, true, true, address(flags));
        emit IFlags.RaiserChanged(RAISER, false);
        vm.prank(OWNER);
        flags.setRaiser(RAISER, false);
        vm.expectRevert(abi.encodeWithSelector(IFlags.NotRaiser.selector, RAISER));
        vm.prank(RAISER);
        flags.raiseFlag(SUBJECT);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(RAISER);
        flags.setRaiser(RAISER, true);
        vm.expectRevert(abi.encodeWithSelector(IFlags.InvalidRaiser.selector, address(0)));
        vm.prank(OWNER);
        flags.setRaiser(address(0), true);
    }

    function test_flags_againChangesNothing() public {
        vm.prank(RAISER);
        flags.raiseFlag(SUBJECT);
        vm.recordLogs();
        vm.prank(RAISER);
        flags.raiseFlag(SUBJECT);
        vm.prank(OWNER);
        flags.setRaiser(RAISER, true);
        address[] memory down = new address[](1);
        down[0] = OTHER;
        vm.prank(OWNER);
        flags.lowerFlags(down);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_flags_selectorsAreChainlinks() public pure {
        vm.assertEq(bytes32(IFlags.raiseFlag.selector), bytes32(bytes4(0xd74af263)));
        vm.assertEq(IFlags.FlagRaised.selector, keccak256("FlagRaised(address)"));
        vm.assertEq(IFlags.FlagLowered.selector, keccak256("FlagLowered(address)"));
        vm.assertEq(bytes32(IFlags.getFlag.selector), bytes32(bytes4(keccak256("getFlag(address)"))));
        vm.assertEq(bytes32(IFlags.lowerFlags.selector), bytes32(bytes4(keccak256("lowerFlags(address[])"))));
    }

    function _both() private pure returns (address[] memory both) {
        both = new address[](2);
        both[0] = SUBJECT;
        both[1] = OTHER;
    }
}

contract DeviationFlaggingValidatorOwnedTest is OwnedSuite {
    Flags private flags;

    function setUp() public override {
        flags = new Flags(OWNER);
        super.setUp();
    }

    function _deployOwnedBy(address owner) internal override returns (IOwned) {
        return new DeviationFlaggingValidator(address(flags), 1, owner);
    }
}

contract DeviationFlaggingValidatorTest is Fixture {
    Flags private flags;
    DeviationFlaggingValidator private validator;

    function setUp() public {
        flags = new Flags(OWNER);
        validator = new DeviationFlaggingValidator(address(flags), 5000, OWNER);
        vm.prank(OWNER);
        flags.setRaiser(address(validator), true);
    }

    function test_deviation_constants() public view {
        vm.assertEq(validator.flags(), address(flags));
        vm.assertEq(validator.flaggingThreshold(), 5000);
        vm.assertEq(validator.THRESHOLD_MULTIPLIER(), 100_000);
        vm.assertEq(validator.typeAndVersion(), "DeviationFlaggingValidator 1.0.0");
        vm.assertEq(flags.typeAndVersion(), "Flags 1.0.0");
    }

    /// Five percent is valid, and not one unit more, up and down, on both sides of zero.
    function test_deviation_atTheThreshold() public view {
        _assertValid(1000e8, 1050e8, true);
        _assertValid(1000e8, 1050e8 + 1, false);
        _assertValid(1000e8, 950e8, true);
        _assertValid(1000e8, 950e8 - 1, false);
        _assertValid(-1000e8, -1050e8, true);
        _assertValid(-1000e8, -1050e8 - 1, false);
        _assertValid(-1, 1, false);
        // Less than the smallest step above five percent: rounding would let it pass.
        _assertValid(1_000_001, 1_050_002, false);
    }

    function test_deviation_afterZeroEverythingIsValid() public view {
        _assertValid(0, 0, true);
        _assertValid(0, type(int256).max, true);
        _assertValid(0, type(int256).min, true);
        _assertValid(1, 0, false);
    }

    /// Against exact rational arithmetic, for the whole range of numbers.
    function testFuzz_deviation_isExact(int256 previous, int256 current, uint24 threshold) public {
        vm.prank(OWNER);
        validator.setFlaggingThreshold(threshold);
        _assertValid(previous, current, previous == 0 || LongMath.near(previous, current, threshold, 100_000));
    }

    /// The same close to the threshold, where the fuzzer alone would hardly get.
    function testFuzz_deviation_isExactNearTheThreshold(int64 previous, uint24 threshold, int8 step, bool up)
        public
    {
        int256 share = int256(previous) * int256(uint256(threshold)) / 100_000;
        int256 current = int256(previous) + (up ? share : -share) + step;
        testFuzz_deviation_isExact(previous, current, threshold);
    }

    function test_deviation_atTheEndsOfTheNumbers() public {
        int256[7] memory numbers = [
            type(int256).min,
            type(int256).max,
            int256(type(int176).min),
            int256(type(int176).max),
            int256(1),
            -1,
            int256(1) << 239
        ];
        uint24[4] memory thresholds = [uint24(0), 1, 100_000, type(uint24).max];
        for (uint256 i = 0; i < numbers.length; ++i) {
            for (uint256 j = 0; j < numbers.length; ++j) {
                for (uint256 k = 0; k < thresholds.length; ++k) {
                    testFuzz_deviation_isExact(numbers[i], numbers[j], thresholds[k]);
                }
            }
        }
    }

    /// The caller is flagged, nobody else; what is valid flags nobody.
    function test_deviation_flagsTheCaller() public {
        vm.prank(STRANGER);
        vm.assertTrue(validator.validate(1, 100, 2, 105));
        vm.assertFalse(flags.getFlag(STRANGER));
        vm.expectEmit(true, true, true, true, address(flags));
        emit IFlags.FlagRaised(STRANGER);
        vm.prank(STRANGER);
        vm.assertFalse(validator.validate(2, 100, 3, 106));
        vm.assertTrue(flags.getFlag(STRANGER));
    }

    /// As it is used: a feed with the validator, a jump, the feed's flag.
    function test_deviation_flagsAFeedThatJumps() public {
        Aggregator feed = _aggregator();
        vm.prank(OWNER);
        feed.setValidator(address(validator), 100_000);
        _seed(feed, 5);
        vm.assertFalse(flags.getFlag(address(feed)));
        _submit(feed, 1054.2e8 + 1);
        vm.assertTrue(flags.getFlag(address(feed)));
        vm.assertEq(feed.latestAnswer(), int256(1054.2e8 + 1));
    }

    function test_deviation_configuration() public {
        Flags other = new Flags(OWNER);
        vm.expectEmit(true, true, true, true, address(validator));
        emit IDeviationFlaggingValidator.FlagsAddressUpdated(address(flags), address(other));
        vm.prank(OWNER);
        validator.setFlagsAddress(address(other));
        vm.assertEq(validator.flags(), address(other));
        vm.expectEmit(true, true, true, true, address(validator));
        emit IDeviationFlaggingValidator.FlaggingThresholdUpdated(5000, 7);
        vm.prank(OWNER);
        validator.setFlaggingThreshold(7);
        vm.assertEq(validator.flaggingThreshold(), 7);
    }

    function test_deviation_configurationIsRefused() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        validator.setFlaggingThreshold(7);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        validator.setFlagsAddress(address(flags));
        vm.expectRevert(abi.encodeWithSelector(IDeviationFlaggingValidator.InvalidFlags.selector, STRANGER));
        vm.prank(OWNER);
        validator.setFlagsAddress(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IDeviationFlaggingValidator.InvalidFlags.selector, address(0)));
        new DeviationFlaggingValidator(address(0), 1, OWNER);
    }

    function _assertValid(int256 previous, int256 current, bool expected) private view {
        vm.assertEq(validator.isValid(1, previous, 2, current), expected);
    }
}
