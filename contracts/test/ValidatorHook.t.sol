// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {ExactGas} from "../src/hooks/ExactGas.sol";
import {IAggregator} from "../src/interfaces/IAggregator.sol";
import {IAggregatorV2V3} from "../src/interfaces/IAggregatorV2V3.sol";
import {IAggregatorValidator} from "../src/interfaces/hooks/IAggregatorValidator.sol";
import {IValidatorHook} from "../src/interfaces/hooks/IValidatorHook.sol";
import {Fixture} from "./base/Fixture.sol";
import {Listener} from "./base/Listener.sol";
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
