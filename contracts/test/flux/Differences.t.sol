// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../../src/interfaces/IOwned.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {IAggregatorValidator} from "../../src/interfaces/hooks/IAggregatorValidator.sol";
import {FluxFixture} from "./FluxFixture.sol";

/// @dev Remembers that it was called, and needs most of its 100,000 gas for that.
contract HungryValidator is IAggregatorValidator {
    uint256 public calls;

    function validate(uint256, int256, uint256, int256) external override returns (bool) {
        uint256 enough = gasleft() - 70_000;
        while (gasleft() > enough) {}
        ++calls;
        return true;
    }
}

/// @dev Fails in every way there is.
contract HostileValidator {
    enum Way {
        Revert,
        EatAll,
        Bomb,
        Invalid
    }

    Way private immutable WAY;

    constructor(Way way) {
        WAY = way;
    }

    fallback() external {
        if (WAY == Way.Revert) revert("no");
        if (WAY == Way.EatAll) while (true) {}
        if (WAY == Way.Invalid) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        assembly ("memory-safe") {
            revert(0, 20000)
        }
    }
}

/// @title The differences from the original that are meant, each shown on both.
/// @notice The list of `IFluxAggregator`; all else is held equal by `Twins`.
contract FluxDifferencesTest is FluxFixture {
    IFluxAggregator private theirs;
    IFluxAggregator private ours;

    function setUp() public {
        theirs = _original(address(0), 0, TIMEOUT, type(int256).min, type(int256).max);
        ours = _bounded(TIMEOUT, type(int256).min, type(int256).max);
    }

    // ------------------------------------------------------------------ payment

    /// Without oracles nobody needs to be paid: the original takes any payment, here there is none.
    function test_difference_payment() public {
        bytes memory call = abi.encodeCall(ours.updateFutureRounds, (1, 0, 0, 0, TIMEOUT));
        vm.assertEq(_by(OWNER, theirs, call), abi.encode(true, ""));
        vm.assertEq(_by(OWNER, ours, call), abi.encode(false, _text("insufficient funds for payment")));
        vm.assertEq(theirs.paymentAmount(), 1);
        vm.assertEq(ours.paymentAmount(), 0);
    }

    function testFuzz_difference_paymentIsAlwaysRefused(uint128 payment) public {
        vm.assume(payment != 0);
        _addOracles(ours, 0, 3, 2, 3);
        bytes memory call = abi.encodeCall(ours.updateFutureRounds, (payment, 2, 3, 0, TIMEOUT));
        vm.assertEq(_by(OWNER, ours, call), abi.encode(false, _text("insufficient funds for payment")));
    }

    function test_difference_noFunctionsOfLink() public {
        string[5] memory functions = [
            "linkToken()",
            "withdrawPayment(address,address,uint256)",
            "withdrawFunds(address,uint256)",
            "updateAvailableFunds()",
            "onTokenTransfer(address,uint256,bytes)"
        ];
        for (uint256 i = 0; i < functions.length; ++i) {
            vm.assertEq(_by(OWNER, ours, abi.encodeWithSignature(functions[i])), abi.encode(false, ""));
        }
    }

    // ------------------------------------------------------------------ ids

    /// The original takes 2^32 + 1 for round 1.
    function test_difference_idsInFullWidth() public {
        _addOracles(theirs, 0, 3, 2, 3);
        _addOracles(ours, 0, 3, 2, 3);
        uint256[4] memory ids = [uint256(1 << 32) + 1, (1 << 80) + 1, (1 << 255) + 1, uint256(1 << 32)];
        bytes memory invalid = abi.encode(false, _text("invalid round to report"));
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory call = abi.encodeCall(ours.submit, (ids[i], 5));
            vm.assertEq(_by(_oracle(i), theirs, call), abi.encode(true, ""));
            vm.assertEq(_by(_oracle(i), ours, call), invalid);
        }
        vm.assertEq(theirs.latestRound(), 1);
        vm.assertEq(ours.latestRound(), 0);
        vm.assertEq(_by(_oracle(0), ours, abi.encodeCall(ours.submit, (ids[3], 5))), invalid);

        // The last id of 32 bits lets the original's arithmetic fail, before it looks at the value.
        bytes memory last = abi.encodeCall(ours.submit, (type(uint32).max, 5));
        vm.assertEq(_by(_oracle(0), theirs, last), abi.encode(false, _text("SafeMath: addition overflow")));
        vm.assertEq(_by(_oracle(0), ours, last), invalid);
        vm.assertEq(_by(_oracle(0), ours, abi.encodeCall(ours.submit, (type(uint256).max, 5))), invalid);
    }

    function testFuzz_difference_noWideIdIsARound(uint256 id) public {
        _addOracles(ours, 0, 3, 2, 3);
        vm.assume(id != 1);
        (bool ok,) = abi.decode(_by(_oracle(0), ours, abi.encodeCall(ours.submit, (id, 5))), (bool, bytes));
        vm.assertFalse(ok);
    }

    /// A removed oracle hears that it ended, of whatever id.
    function test_difference_idsOfARemovedOracle() public {
        _addOracles(ours, 0, 2, 1, 2);
        address[] memory removed = new address[](1);
        removed[0] = _oracle(0);
        address[] memory none = new address[](0);
        vm.prank(OWNER);
        ours.changeOracles(removed, none, none, 1, 1, 0);
        bytes memory ended = abi.encode(false, _text("no longer allowed oracle"));
        vm.assertEq(_by(_oracle(0), ours, abi.encodeCall(ours.submit, (2, 5))), ended);
        vm.assertEq(_by(_oracle(0), ours, abi.encodeCall(ours.submit, ((1 << 32) + 1, 5))), ended);
        vm.assertEq(_by(_oracle(0), ours, abi.encodeCall(ours.submit, (1, 5))), abi.encode(true, ""));
    }

    /// No id is cut when they run out; what is written stays readable.
    function test_difference_idsRunOut() public {
        uint256 last = type(uint32).max;
        _addOracles(ours, 0, 1, 1, 1);
        _by(OWNER, ours, abi.encodeCall(ours.setRequesterPermissions, (STRANGER, true, 0)));
        vm.prank(_oracle(0));
        ours.submit(1, 5);
        uint256 word = uint256(vm.load(address(ours), 0));
        word = (word << 64 >> 64) | ((last - 1) << 224) | ((last - 1) << 192);
        vm.store(address(ours), 0, bytes32(word));
        vm.assertEq(ours.latestRound(), last - 1);
        vm.prank(_oracle(0));
        ours.submit(last, 6);
        vm.assertEq(ours.latestRound(), last);
        vm.assertEq(ours.latestAnswer(), int256(6));
        bytes memory invalid = abi.encode(false, _text("invalid round to report"));
        vm.assertEq(_by(_oracle(0), ours, abi.encodeCall(ours.submit, (last + 1, 7))), invalid);
        vm.assertEq(
            _by(_oracle(0), ours, abi.encodeCall(ours.submit, (0, 7))),
            abi.encode(false, _text("not yet enabled oracle"))
        );
        vm.assertEq(_by(STRANGER, ours, abi.encodeCall(ours.requestNewRound, ())), invalid);
        vm.assertEq(ours.latestRound(), last);
        vm.assertEq(ours.latestAnswer(), int256(6));
    }

    // ------------------------------------------------------------------ validator

    /// With too little gas the original writes the answer and keeps it from the validator.
    function test_difference_starvedValidator() public {
        HungryValidator theirValidator = new HungryValidator();
        HungryValidator ourValidator = new HungryValidator();
        _withValidator(theirs, address(theirValidator));
        _withValidator(ours, address(ourValidator));
        bytes memory call = abi.encodeCall(ours.submit, (1, 5));
        uint256 starved;
        uint256 refused;
        for (uint256 gas_ = 100_000; gas_ < 400_000; gas_ += 10_000) {
            uint256 before = vm.snapshotState();
            vm.prank(_oracle(0));
            (bool ok,) = address(theirs).call{gas: gas_}(call);
            if (ok && theirValidator.calls() == 0) ++starved;
            vm.prank(_oracle(0));
            bytes memory said;
            (ok, said) = address(ours).call{gas: gas_}(call);
            vm.assertEq(ourValidator.calls(), ok ? 1 : 0);
            if (!ok && keccak256(said) == keccak256(_text("insufficient gas"))) ++refused;
            vm.revertToState(before);
        }
        vm.assertLe(1, starved, "the original starves it");
        vm.assertLe(1, refused, "ours refuses");
    }

    /// Whatever gas a submission has: it reverts, or the validator was told.
    function testFuzz_difference_validatorIsNeverStarved(uint256 gas_) public {
        HungryValidator ourValidator = new HungryValidator();
        _withValidator(ours, address(ourValidator));
        gas_ = 30_000 + gas_ % 370_000;
        vm.prank(_oracle(0));
        (bool ok,) = address(ours).call{gas: gas_}(abi.encodeCall(ours.submit, (1, 5)));
        vm.assertEq(ourValidator.calls(), ok ? 1 : 0);
        vm.assertEq(ours.latestRound(), ok ? 1 : 0);
    }

    /// The original cannot go on with a validator that has no code.
    function test_difference_codelessValidator() public {
        _withValidator(theirs, STRANGER);
        _withValidator(ours, STRANGER);
        bytes memory call = abi.encodeCall(ours.submit, (1, 5));
        vm.assertEq(_by(_oracle(0), theirs, call), abi.encode(false, ""));
        vm.assertEq(_by(_oracle(0), ours, call), abi.encode(true, ""));
        vm.assertEq(ours.latestAnswer(), int256(5));
    }

    /// Not a difference, but the other half of the promise: no validator stops a submission, or makes it dear.
    function test_validator_cannotStopASubmission() public {
        for (uint256 way = 0; way < 4; ++way) {
            IFluxAggregator feed = _bounded(TIMEOUT, type(int256).min, type(int256).max);
            _withValidator(feed, address(new HostileValidator(HostileValidator.Way(way))));
            for (uint256 round = 1; round <= 2; ++round) {
                vm.prank(_oracle(0));
                feed.submit(round, int256(round));
                vm.assertLe(vm.lastCallGas().gasTotalUsed, 300_000, "dear");
            }
            vm.assertEq(feed.latestAnswer(), int256(2));
        }
    }

    // ------------------------------------------------------------------ times without an answer

    function test_difference_timesWithoutAnswer() public {
        vm.assertEq(theirs.latestTimestamp(), block.timestamp - TIMEOUT);
        vm.assertEq(ours.latestTimestamp(), 0);
        vm.assertEq(theirs.getTimestamp(0), block.timestamp - TIMEOUT);
        vm.assertEq(ours.getTimestamp(0), 0);
        _addOracles(theirs, 0, 2, 2, 2);
        _addOracles(ours, 0, 2, 2, 2);
        for (uint256 round = 1; round <= 2; ++round) {
            vm.warp(block.timestamp + TIMEOUT + 1);
            _by(_oracle(0), theirs, abi.encodeCall(ours.submit, (round, 5)));
            _by(_oracle(0), ours, abi.encodeCall(ours.submit, (round, 5)));
        }
        vm.assertEq(theirs.getAnswer(1), int256(0));
        vm.assertEq(theirs.getTimestamp(1), block.timestamp);
        vm.assertEq(ours.getTimestamp(1), 0);
    }

    // ------------------------------------------------------------------ time outs of old rounds

    /// A round that was left open keeps its time out in the original, for ever; it takes no submission in either.
    function test_difference_timeoutOfOldRounds() public {
        _addOracles(theirs, 0, 3, 1, 3);
        _addOracles(ours, 0, 3, 1, 3);
        for (uint256 round = 1; round <= 3; ++round) {
            _by(_oracle(0), theirs, abi.encodeCall(ours.submit, (round, 5)));
            _by(_oracle(0), ours, abi.encodeCall(ours.submit, (round, 5)));
        }
        for (uint32 round = 1; round <= 3; ++round) {
            vm.prank(_oracle(1), _oracle(1));
            (bool eligible,,, uint64 startedAt, uint64 timeout,,,) =
                theirs.oracleRoundState(_oracle(1), round);
            vm.assertEq(eligible, round == 3);
            vm.assertEq(timeout, TIMEOUT);
            vm.prank(_oracle(1), _oracle(1));
            uint64 ourStartedAt;
            (eligible,,, ourStartedAt, timeout,,,) = ours.oracleRoundState(_oracle(1), round);
            vm.assertEq(eligible, round == 3);
            vm.assertEq(timeout, round == 1 ? 0 : TIMEOUT);
            vm.assertEq(ourStartedAt, startedAt);
        }
    }

    // ------------------------------------------------------------------ owner and deployment

    function test_difference_offerToOneself() public {
        bytes memory call = abi.encodeCall(IOwned.transferOwnership, (OWNER));
        vm.assertEq(_by(OWNER, theirs, call), abi.encode(true, ""));
        vm.assertEq(_by(OWNER, ours, call), abi.encode(false, _text("Cannot transfer to self")));
    }

    function test_constructor_refusesCrossedBounds() public {
        _bounded(TIMEOUT, 5, 5);
        vm.expectRevert(abi.encodeWithSelector(IFluxAggregator.InvalidBounds.selector, int256(6), int256(5)));
        _bounded(TIMEOUT, 6, 5);
    }

    function test_typeAndVersion() public view {
        vm.assertEq(ours.typeAndVersion(), "FluxCompatibleAggregator 1.0.0");
    }

    // ------------------------------------------------------------------ helpers

    function _by(address sender, IFluxAggregator target, bytes memory call) private returns (bytes memory) {
        vm.prank(sender);
        (bool ok, bytes memory said) = address(target).call(call);
        return abi.encode(ok, said);
    }

    function _withValidator(IFluxAggregator target, address validator) private {
        _addOracles(target, 0, 1, 1, 1);
        vm.prank(OWNER);
        target.setValidator(validator);
    }
}
