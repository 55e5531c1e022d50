// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {DeviationFlaggingValidator} from "../src/hooks/DeviationFlaggingValidator.sol";
import {ExactGas} from "../src/hooks/ExactGas.sol";
import {Flags} from "../src/hooks/Flags.sol";
import {IAggregator} from "../src/interfaces/IAggregator.sol";
import {IAggregatorV2V3} from "../src/interfaces/IAggregatorV2V3.sol";
import {IFeedPolicy} from "../src/interfaces/IFeedPolicy.sol";
import {IOwned} from "../src/interfaces/IOwned.sol";
import {IAggregatorValidator} from "../src/interfaces/hooks/IAggregatorValidator.sol";
import {IDeviationFlaggingValidator} from "../src/interfaces/hooks/IDeviationFlaggingValidator.sol";
import {IFlags} from "../src/interfaces/hooks/IFlags.sol";
import {IValidatorHook} from "../src/interfaces/hooks/IValidatorHook.sol";
import {Fixture} from "./base/Fixture.sol";
import {Listener} from "./base/Listener.sol";
import {LongMath} from "./base/LongMath.sol";
import {OwnedSuite} from "./base/OwnedSuite.sol";
import {Vm} from "./base/Vm.sol";

/// @dev Calls through the library, as a feed does.
contract ExactGasUser {
    function exactly(address target, uint256 gasLimit, bytes calldata data) external {
        ExactGas.callWithExactGas(target, gasLimit, data);
    }
}

/// @dev Makes a call with that much gas inside a transaction that has plenty.
contract Driver {
    function drive(address target, uint256 gasLimit, bytes calldata data)
        external
        returns (bool ok, bytes memory returned)
    {
        return target.call{gas: gasLimit}(data);
    }
}

/// @dev Targets that are written by hand, because what they do with their gas is counted.
abstract contract HandWritten is Fixture {
    /// @dev GAS, SSTORE to 0, STOP: keeps the gas it was given less the 2 of looking.
    bytes internal constant METER = hex"5a60005500";
    /// @dev Reverts with nothing.
    bytes internal constant REVERTER = hex"60006000fd";
    /// @dev An endless loop: all of its gas is gone.
    bytes internal constant EATER = hex"5b600056";
    /// @dev Returns 100,000 bytes.
    bytes internal constant BOMB = hex"620186a06000f3";
    /// @dev Reverts with 100,000 bytes.
    bytes internal constant REVERTING_BOMB = hex"620186a06000fd";

    address internal constant TARGET = address(0x7A46);

    function _install(bytes memory code) internal {
        vm.etch(TARGET, code);
    }

    /// @dev What the meter saw, 0 when it was not called.
    function _metered() internal view returns (uint256) {
        return uint256(vm.load(TARGET, bytes32(0)));
    }
}

contract ExactGasTest is HandWritten {
    ExactGasUser private user;
    Driver private driver;

    function setUp() public {
        user = new ExactGasUser();
        driver = new Driver();
        _install(METER);
    }

    /// Whatever gas there is around the least that reaches: the target gets exactly all of it, or nothing happens.
    function testFuzz_exactGas_allOrNothing(uint256 gasLimit, uint256 around) public {
        gasLimit = 25_000 + gasLimit % 5_000_000;
        uint256 given = gasLimit + gasLimit / 63 + around % 20_000;
        (bool ok, bytes memory returned) = _drive(given, gasLimit);
        if (ok) {
            vm.assertEq(_metered(), gasLimit - 2);
        } else {
            vm.assertEq(_metered(), 0);
            vm.assertEq(returned, _text("insufficient gas"));
        }
    }

    /// The least gas that does not revert still calls the target, and one unit less calls nobody.
    function test_exactGas_theLeastGasThatSucceedsCalls() public {
        uint256[4] memory limits = [uint256(25_000), 100_000, 1_000_000, 10_000_000];
        for (uint256 i = 0; i < limits.length; ++i) {
            uint256 low;
            uint256 high = limits[i] * 2 + 50_000;
            while (high - low > 1) {
                uint256 middle = (low + high) / 2;
                uint256 state = vm.snapshotState();
                (bool reached,) = _drive(middle, limits[i]);
                vm.assertEq(reached, _metered() != 0);
                vm.assertTrue(vm.revertToState(state));
                if (reached) high = middle;
                else low = middle;
            }
            uint256 least = vm.snapshotState();
            (bool ok,) = _drive(high, limits[i]);
            vm.assertTrue(ok);
            vm.assertEq(_metered(), limits[i] - 2);
            vm.assertTrue(vm.revertToState(least));
        }
    }

    /// Neither a call that asks for more than there can ever be, nor the ends of the numbers, wrap around.
    function testFuzz_exactGas_refusesWhatCannotBe(uint256 gasLimit) public {
        vm.assume(gasLimit > 30_000_000);
        (bool ok, bytes memory returned) = _drive(30_000_000, gasLimit);
        vm.assertFalse(ok);
        vm.assertEq(returned, _text("insufficient gas"));
    }

    /// With less than the cushion left the subtraction would wrap, and everything would seem to be there.
    function test_exactGas_refusesBelowTheCushion() public {
        for (uint256 given = 1000; given < 7000; given += 100) {
            (bool ok,) = _drive(given, 0);
            vm.assertTrue(!ok || given > 5000);
        }
    }

    /// What the target does with its gas is its own affair: the caller goes on, and pays for no more than that.
    function test_exactGas_outcomeIsIgnored() public {
        bytes[4] memory codes = [REVERTER, EATER, BOMB, REVERTING_BOMB];
        for (uint256 i = 0; i < codes.length; ++i) {
            _install(codes[i]);
            (bool ok, bytes memory returned) = _drive(300_000, 100_000);
            vm.assertTrue(ok);
            vm.assertEq(returned.length, 0);
        }
        _install("");
        (bool called,) = _drive(300_000, 100_000);
        vm.assertTrue(called);
    }

    /// The memory of a long answer is the target's to pay: with gas for the call alone the caller still ends well.
    function test_exactGas_longAnswersCostTheCallerNothing() public {
        _install(hex"00");
        uint256 quiet = _spent();
        _install(BOMB);
        uint256 loud = _spent();
        // Expanding to 100,000 bytes is 28,900 gas of the target's.
        vm.assertLe(loud, quiet + 29_000);
        vm.assertLe(quiet + 28_000, loud);
    }

    function _spent() private returns (uint256) {
        user.exactly(TARGET, 100_000, "");
        return vm.lastCallGas().gasTotalUsed;
    }

    function _drive(uint256 given, uint256 gasLimit) private returns (bool, bytes memory) {
        return driver.drive(address(user), given, abi.encodeCall(user.exactly, (TARGET, gasLimit, "")));
    }
}

contract SetValidatorTest is Fixture {
    Aggregator private feed;
    Listener private listener;

    function setUp() public {
        feed = _aggregator();
        listener = new Listener();
    }

    function test_setValidator_setsAndClears() public {
        _assertValidator(address(0), 0);
        vm.expectEmit(true, true, true, true, address(feed));
        emit IValidatorHook.ValidatorConfigSet(address(0), 0, address(listener), 300_000);
        _set(address(listener), 300_000);
        _assertValidator(address(listener), 300_000);
        vm.expectEmit(true, true, true, true, address(feed));
        emit IValidatorHook.ValidatorConfigSet(address(listener), 300_000, address(this), 1);
        _set(address(this), 1);
        vm.expectEmit(true, true, true, true, address(feed));
        emit IValidatorHook.ValidatorConfigSet(address(this), 1, address(0), 0);
        _set(address(0), 0);
        _assertValidator(address(0), 0);
    }

    function test_setValidator_eventIsChainlinks() public pure {
        vm.assertEq(
            IValidatorHook.ValidatorConfigSet.selector,
            keccak256("ValidatorConfigSet(address,uint32,address,uint32)")
        );
        vm.assertEq(bytes32(IAggregatorValidator.validate.selector), bytes32(bytes4(0xbeed9b51)));
    }

    /// A validator that could never be told of anything would be a watchdog that only seems to be there.
    function test_setValidator_isRefused() public {
        _refused(STRANGER, 300_000);
        _refused(address(listener), 0);
        _refused(address(0), 300_000);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        feed.setValidator(address(listener), 300_000);
        _assertValidator(address(0), 0);
    }

    /// The bit shares a word with the rounds and the pause bit: neither changes the other.
    function test_setValidator_changesNothingElse() public {
        for (uint256 rounds = 0; rounds < 8; ++rounds) {
            bytes memory latest = _outcome(address(feed), abi.encodeCall(feed.latestRoundData, ()));
            if (rounds % 2 == 0) {
                vm.prank(OWNER);
                feed.pause();
            }
            _set(address(listener), 300_000);
            vm.assertEq(feed.latestRound(), rounds);
            vm.assertEq(_outcome(address(feed), abi.encodeCall(feed.latestRoundData, ())), latest);
            vm.assertEq(feed.paused(), rounds % 2 == 0);
            vm.prank(OWNER);
            feed.unpause();
            _seed(feed, 1);
            vm.assertEq(listener.calls(), rounds + 1);
            _set(address(0), 0);
            vm.assertEq(feed.latestRound(), rounds + 1);
            vm.assertFalse(feed.paused());
        }
        for (uint256 round = 1; round <= 8; ++round) {
            vm.assertEq(feed.getAnswer(round), int256(1000e8));
        }
    }

    /// The validator learns of each round what the reads say, in every place of a group and in both forms of storage.
    function test_setValidator_isToldOfEveryRound() public {
        _seed(feed, 2);
        _set(address(listener), 300_000);
        int256[7] memory answers = [int256(5), -7, 0, 1 << 100, -(1 << 90), type(int48).max, 3];
        int256 before = 1001e8;
        for (uint256 i = 0; i < answers.length; ++i) {
            vm.warp(block.timestamp + 30_000);
            _submit(feed, answers[i]);
            vm.assertEq(listener.calls(), i + 1);
            vm.assertEq(listener.told(), abi.encode(i + 2, before, i + 3, answers[i]));
            before = answers[i];
        }
        _set(address(0), 0);
        _submit(feed, 8);
        vm.assertEq(listener.calls(), answers.length);
    }

    function test_setValidator_firstRoundHasNoneBefore() public {
        _set(address(listener), 300_000);
        _submit(feed, 42);
        vm.assertEq(listener.told(), abi.encode(0, int256(0), 1, int256(42)));
    }

    function _set(address validator, uint32 gasLimit) private {
        vm.prank(OWNER);
        feed.setValidator(validator, gasLimit);
    }

    function _refused(address validator, uint32 gasLimit) private {
        vm.expectRevert(abi.encodeWithSelector(IValidatorHook.InvalidValidator.selector, validator, gasLimit));
        vm.prank(OWNER);
        feed.setValidator(validator, gasLimit);
    }

    function _assertValidator(address expected, uint32 expectedGas) private view {
        (address validator, uint32 gasLimit) = feed.validator();
        vm.assertEq(validator, expected);
        vm.assertEq(gasLimit, expectedGas);
    }
}

/// @dev A validator that its feed lets submit, or even own it, and that uses it in the middle of a round.
contract Meddler is IAggregatorValidator {
    Aggregator private immutable feed;
    bool private immutable unhook;
    bool public succeeded;

    constructor(Aggregator feed_, bool unhook_) {
        feed = feed_;
        unhook = unhook_;
    }

    function takeOwnership() external {
        feed.acceptOwnership();
    }

    function validate(uint256, int256, uint256 currentRoundId, int256) external override returns (bool) {
        require(feed.latestRound() == currentRoundId, "told before the round was stored");
        if (unhook) feed.setValidator(address(0), 0);
        feed.submit(currentRoundId + 1, 777);
        succeeded = true;
        return true;
    }
}

contract ValidatedSubmitTest is HandWritten {
    uint32 private constant GAS = 100_000;

    Aggregator private feed;
    Driver private driver;

    function setUp() public {
        feed = _aggregator();
        driver = new Driver();
        vm.prank(OWNER);
        feed.setTransmitter(address(driver), true);
        _seed(feed, 4);
        _watch(METER);
    }

    /// What a node's estimation does: the least gas with which the submission succeeds. With exactly that the validator
    /// is called and gets all of its gas; with one unit less there is no round.
    function test_validated_theLeastGasThatSucceedsCalls() public {
        // Each place of a group, so that a cheap round's estimate is tried as well as a dear one's.
        for (uint256 i = 0; i < 3; ++i) {
            uint256 least = _least();
            uint256 round = feed.latestRound() + 1;
            uint256 state = vm.snapshotState();
            vm.assertFalse(_attempt(least - 1));
            vm.assertEq(feed.latestRound(), round - 1);
            vm.assertEq(_metered(), 0);
            vm.assertTrue(vm.revertToState(state));
            vm.assertTrue(_attempt(least));
            vm.assertEq(feed.latestRound(), round);
            vm.assertEq(_metered(), GAS - 2);
            vm.store(TARGET, bytes32(0), bytes32(0));
        }
    }

    /// With any gas at all: a round is stored exactly when the validator got all of its own.
    function testFuzz_validated_noRoundWithoutTheCall(uint256 given) public {
        given = 20_000 + given % 200_000;
        bool ok = _attempt(given);
        vm.assertEq(feed.latestRound(), ok ? 5 : 4);
        vm.assertEq(_metered(), ok ? GAS - 2 : 0);
    }

    /// The floor that the documentation names suffices: the dearest round, 5,000 and 64/63 of the validator's gas.
    function test_validated_theDocumentedFloorSuffices() public {
        _seed(feed, 2);
        uint256 round = feed.latestRound() + 1;
        vm.assertEq(round % 3, 1);
        // 78,105 is the dearest round in gas.json; the transaction's 21,000 and calldata are not part of the call.
        vm.assertTrue(_attempt(78_105 + 5000 + uint256(GAS) * 64 / 63, round, -(int256(1) << 170)));
        vm.assertEq(_metered(), GAS - 2);
    }

    /// A validator that reverts, burns its gas or answers at length stops no round and hides no event.
    function test_validated_outcomeIsIgnored() public {
        bytes[5] memory codes = [REVERTER, EATER, BOMB, REVERTING_BOMB, bytes("")];
        for (uint256 i = 0; i < codes.length; ++i) {
            _install(codes[i]);
            uint256 round = feed.latestRound() + 1;
            vm.expectEmit(true, true, true, true, address(feed));
            emit IAggregatorV2V3.NewRound(round, TRANSMITTER, block.timestamp);
            vm.expectEmit(true, true, true, true, address(feed));
            emit IAggregatorV2V3.AnswerUpdated(int256(i), round, block.timestamp);
            _submit(feed, int256(i));
            vm.assertEq(feed.latestRound(), round);
            vm.assertEq(feed.latestAnswer(), int256(i));
            // Whatever it does, it costs no more than its gas and what surrounds the call.
            vm.assertLe(vm.lastCallGas().gasTotalUsed, 78_105 + 10_000 + GAS);
        }
    }

    /// A validator that may submit finds the round stored. It cannot get through with the gas it has, since the round
    /// it makes wants to tell it as well; the round it was told of stands.
    function test_validated_reentranceEndsForLackOfGas() public {
        Meddler meddler = new Meddler(feed, false);
        _enlist(meddler);
        _submit(feed, 1);
        vm.assertFalse(meddler.succeeded());
        vm.assertEq(feed.latestRound(), 5);
        vm.assertEq(feed.latestAnswer(), int256(1));
        _submit(feed, 2);
        vm.assertEq(feed.latestRound(), 6);
    }

    /// Even one that owns the feed, and unhooks itself first, makes an ordinary round after the one it was told of.
    function test_validated_reentranceByTheOwnerMakesOrdinaryRounds() public {
        Meddler meddler = new Meddler(feed, true);
        _enlist(meddler);
        vm.prank(OWNER);
        feed.transferOwnership(address(meddler));
        meddler.takeOwnership();
        vm.recordLogs();
        vm.prank(TRANSMITTER);
        feed.submit(5, 1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertTrue(meddler.succeeded());
        vm.assertEq(feed.latestRound(), 6);
        vm.assertEq(feed.getAnswer(5), int256(1));
        vm.assertEq(feed.getAnswer(6), int256(777));
        // NewRound 5, AnswerUpdated 5, ValidatorConfigSet, NewRound 6, AnswerUpdated 6: in the order of the rounds.
        vm.assertEq(logs.length, 5);
        vm.assertEq(logs[0].topics[1], bytes32(uint256(5)));
        vm.assertEq(logs[1].topics[2], bytes32(uint256(5)));
        vm.assertEq(logs[3].topics[1], bytes32(uint256(6)));
        vm.assertEq(logs[4].topics[2], bytes32(uint256(6)));
        // The bit went with the validator: nobody is told of the next round.
        _submit(feed, 3);
        vm.assertEq(feed.latestRound(), 7);
        vm.assertEq(feed.latestAnswer(), int256(3));
    }

    /// A refused submission tells nobody.
    function test_validated_refusalsAreNotTold() public {
        vm.expectRevert(abi.encodeWithSelector(IAggregator.StaleRound.selector, 9, 5));
        vm.prank(TRANSMITTER);
        feed.submit(9, 1);
        vm.assertEq(_metered(), 0);
    }

    function _watch(bytes memory code) private {
        _install(code);
        vm.prank(OWNER);
        feed.setValidator(TARGET, GAS);
    }

    function _enlist(Meddler meddler) private {
        vm.prank(OWNER);
        feed.setTransmitter(address(meddler), true);
        vm.prank(OWNER);
        feed.setValidator(address(meddler), 1_000_000);
    }

    /// @dev By halving, as a node estimates.
    function _least() private returns (uint256 high) {
        uint256 low;
        high = 1_000_000;
        while (high - low > 1) {
            uint256 middle = (low + high) / 2;
            uint256 state = vm.snapshotState();
            bool ok = _attempt(middle);
            vm.assertTrue(vm.revertToState(state));
            if (ok) high = middle;
            else low = middle;
        }
    }

    function _attempt(uint256 given) private returns (bool) {
        return _attempt(given, feed.latestRound() + 1, 123e8);
    }

    function _attempt(uint256 given, uint256 round, int256 answer) private returns (bool ok) {
        (ok,) = driver.drive(address(feed), given, abi.encodeCall(feed.submit, (round, answer)));
    }
}

contract FeedPolicyTest is Fixture {
    Aggregator private feed;

    function setUp() public {
        feed = _aggregator();
    }

    function test_policy_isStatedByTheOwner() public {
        _assertPolicy(0, 0);
        vm.expectEmit(true, true, true, true, address(feed));
        emit IFeedPolicy.PolicyChanged(3600, 5000);
        vm.prank(OWNER);
        feed.setPolicy(3600, 5000);
        _assertPolicy(3600, 5000);
        vm.prank(OWNER);
        feed.setPolicy(type(uint32).max, 0);
        _assertPolicy(type(uint32).max, 0);
        vm.prank(OWNER);
        feed.setPolicy(0, type(uint32).max);
        _assertPolicy(0, type(uint32).max);
    }

    function test_policy_onlyByTheOwner() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        feed.setPolicy(1, 1);
        _assertPolicy(0, 0);
    }

    /// It is a statement: rounds come when they come, and cost what they cost.
    function test_policy_bindsNoSubmission() public {
        _seed(feed, 3);
        uint256 state = vm.snapshotState();
        _submit(feed, 5);
        uint256 without = vm.lastCallGas().gasTotalUsed;
        vm.assertTrue(vm.revertToState(state));
        vm.prank(OWNER);
        feed.setPolicy(1, 1);
        _submit(feed, 5);
        vm.assertEq(vm.lastCallGas().gasTotalUsed, without);
        vm.warp(block.timestamp + 10 days);
        _submit(feed, 5e15);
        vm.assertEq(feed.latestRound(), 5);
    }

    function _assertPolicy(uint32 heartbeatSeconds, uint32 deviationPpm) private view {
        (uint32 heartbeat, uint32 deviation) = feed.policy();
        vm.assertEq(heartbeat, heartbeatSeconds);
        vm.assertEq(deviation, deviationPpm);
    }
}

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
