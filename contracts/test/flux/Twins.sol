// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {IAggregatorValidator} from "../../src/interfaces/hooks/IAggregatorValidator.sol";
import {Vm} from "../base/Vm.sol";
import {FluxFixture} from "./FluxFixture.sol";

/// @dev Says in a log what it is told.
contract SayingValidator is IAggregatorValidator {
    event Told(uint256 previousRoundId, int256 previousAnswer, uint256 roundId, int256 answer);

    function validate(uint256 previousRoundId, int256 previousAnswer, uint256 roundId, int256 answer)
        external
        override
        returns (bool)
    {
        emit Told(previousRoundId, previousAnswer, roundId, answer);
        return true;
    }
}

/// @title Chainlink's FluxAggregator and ours, side by side: every action is done to both and must end alike.
/// @notice Alike means: both succeed with the same return data and the same logs in the same order, or both revert
/// with the same bytes; and afterwards every read says the same. The differences that are meant are these, and are the
/// list of `IFluxAggregator`; nothing else is let pass:
///  - the original's `AvailableFundsUpdated` is left out of its logs (`_sameLogs`);
///  - times of rounds that carry no answer are 0 here (`_time`);
///  - timeouts of rounds before the latest two may be 0 here (`_sameRoundState`);
///  - ids from 2^32 - 1 on, payments without oracles, starved and codeless validators and offers of ownership to
///    oneself are not drawn: tests of their own show what happens to each.
abstract contract Twins is FluxFixture {
    bytes32 private constant FUNDS_UPDATED = keccak256("AvailableFundsUpdated(uint256)");
    uint256 internal constant PEOPLE = 6;
    address internal constant REQUESTER = address(0x4E90);
    address internal constant ADMIN2 = address(0xAD315);

    IFluxAggregator internal theirs;
    IFluxAggregator internal ours;
    SayingValidator internal validator;
    /// @dev The latest round opened, by the original's logs.
    uint256 internal current;
    /// @dev How often each outcome was met: refusals by their text, events by their topic.
    mapping(bytes32 outcome => uint256 times) internal met;
    /// @dev What each round said when it could not change any more.
    mapping(uint256 round => bytes) private final_;
    /// @dev The rounds that had an answer of their own at some time.
    mapping(uint256 round => bool) internal answered;

    function setUp() public virtual {
        (int256 min, int256 max) = _bounds();
        theirs = _original(address(0), 0, TIMEOUT, min, max);
        ours = _bounded(TIMEOUT, min, max);
        validator = new SayingValidator();
        _compare();
    }

    function _bounds() internal pure virtual returns (int256 min, int256 max) {
        return (type(int256).min, type(int256).max);
    }

    // ------------------------------------------------------------------ doing

    /// @dev Does the same to both. Reports whether they did it or refused.
    function _do(address sender, bytes memory call) internal returns (bool ok) {
        bytes memory said;
        vm.recordLogs();
        vm.prank(sender);
        (ok, said) = address(theirs).call(call);
        Vm.Log[] memory theirLogs = vm.getRecordedLogs();
        vm.recordLogs();
        vm.prank(sender);
        (bool oursOk, bytes memory oursSaid) = address(ours).call(call);
        Vm.Log[] memory ourLogs = vm.getRecordedLogs();
        vm.assertEq(oursSaid, said, string.concat("said otherwise: ", string(oursSaid), " / ", string(said)));
        vm.assertEq(oursOk, ok);
        _sameLogs(theirLogs, ourLogs);
        if (!ok) ++met[keccak256(said)];
    }

    function _submit(uint256 oracle, uint256 roundId, int256 value) internal returns (bool) {
        return _do(_oracle(oracle), abi.encodeCall(ours.submit, (roundId, value)));
    }

    /// @dev A submission that both must take.
    function _taken(uint256 oracle, uint256 roundId, int256 value) internal {
        vm.assertTrue(_submit(oracle, roundId, value), "not taken");
    }

    /// @dev An action that must be refused with that text, by both.
    function _refused(address sender, bytes memory call, string memory text) internal {
        uint256 before = met[keccak256(_text(text))];
        vm.assertFalse(_do(sender, call), string.concat("not refused: ", text));
        vm.assertEq(met[keccak256(_text(text))], before + 1, text);
    }

    function _refusedSubmission(uint256 oracle, uint256 roundId, int256 value, string memory text) internal {
        _refused(_oracle(oracle), abi.encodeCall(ours.submit, (roundId, value)), text);
    }

    function _change(uint256 removed, uint256 added, uint32 min, uint32 max, uint32 delay)
        internal
        returns (bool)
    {
        return _do(OWNER, _changeCall(removed, added, ADMIN, min, max, delay));
    }

    /// @param removed a bit for each oracle to remove
    /// @param added a bit for each oracle to add
    function _changeCall(uint256 removed, uint256 added, address admin, uint32 min, uint32 max, uint32 delay)
        internal
        view
        returns (bytes memory)
    {
        address[] memory admins = _picked(added);
        address[] memory adding = _picked(added);
        for (uint256 i = 0; i < admins.length; ++i) {
            admins[i] = admin;
        }
        return abi.encodeCall(ours.changeOracles, (_picked(removed), adding, admins, min, max, delay));
    }

    function _picked(uint256 bits) private pure returns (address[] memory picked) {
        picked = new address[](256);
        uint256 count;
        for (uint256 i = 0; bits >> i != 0; ++i) {
            if (bits >> i & 1 == 1) picked[count++] = _oracle(i);
        }
        assembly ("memory-safe") {
            mstore(picked, count)
        }
    }

    /// @dev Oracles 0 .. `oracles` - 1 and no others.
    function _staff(uint256 oracles, uint32 min, uint32 max) internal {
        vm.assertTrue(_change(0, (1 << oracles) - 1, min, max, 0), "staff");
    }

    function _wait(uint256 duration) internal {
        vm.warp(block.timestamp + duration);
    }

    // ------------------------------------------------------------------ comparing

    function _sameLogs(Vm.Log[] memory their, Vm.Log[] memory our) private {
        uint256 next;
        for (uint256 i = 0; i < their.length; ++i) {
            if (their[i].topics[0] == FUNDS_UPDATED) continue;
            vm.assertTrue(next < our.length, "a log is missing");
            vm.assertEq(abi.encode(our[next].topics), abi.encode(their[i].topics), "topics");
            vm.assertEq(our[next].data, their[i].data, "data");
            bool own = their[i].emitter == address(theirs);
            vm.assertEq(our[next].emitter, own ? address(ours) : their[i].emitter);
            if (their[i].topics[0] == IAggregatorV2V3.NewRound.selector) {
                current = uint256(their[i].topics[1]);
            }
            if (their[i].topics[0] == IAggregatorV2V3.AnswerUpdated.selector) {
                answered[uint256(their[i].topics[2])] = true;
            }
            ++met[their[i].topics[0]];
            ++next;
        }
        vm.assertEq(next, our.length, "a log too many");
    }

    /// @dev Every read, with the rounds from `first` on.
    function _compareFrom(uint256 first) internal {
        _same(abi.encodeCall(ours.latestRoundData, ()));
        _same(abi.encodeCall(ours.latestAnswer, ()));
        _same(abi.encodeCall(ours.latestRound, ()));
        _same(abi.encodeCall(ours.validator, ()));
        _same(abi.encodeCall(ours.minSubmissionCount, ()));
        _same(abi.encodeCall(ours.maxSubmissionCount, ()));
        _same(abi.encodeCall(ours.restartDelay, ()));
        _same(abi.encodeCall(ours.timeout, ()));
        _same(abi.encodeCall(ours.paymentAmount, ()));
        _same(abi.encodeCall(ours.availableFunds, ()));
        _same(abi.encodeCall(ours.allocatedFunds, ()));
        _same(abi.encodeCall(ours.minSubmissionValue, ()));
        _same(abi.encodeCall(ours.maxSubmissionValue, ()));
        _same(abi.encodeCall(ours.getOracles, ()));
        _same(abi.encodeCall(ours.oracleCount, ()));
        _same(abi.encodeCall(ours.decimals, ()));
        _same(abi.encodeCall(ours.description, ()));
        _same(abi.encodeCall(ours.version, ()));
        _same(abi.encodeCall(IOwned.owner, ()));
        uint256 latest = ours.latestRound();
        vm.assertEq(ours.latestTimestamp(), _time(latest, theirs.latestTimestamp()), "latestTimestamp");
        for (uint256 round = first; round <= current + 2; ++round) {
            _same(abi.encodeCall(ours.getRoundData, (uint80(round))));
            _same(abi.encodeCall(ours.getAnswer, (round)));
            vm.assertEq(ours.getTimestamp(round), _time(round, theirs.getTimestamp(round)), "getTimestamp");
            if (round + 1 < current) _sameAsBefore(round);
        }
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _same(abi.encodeCall(ours.getAdmin, (_oracle(i))));
            _same(abi.encodeCall(ours.withdrawablePayment, (_oracle(i))));
            _sameRoundState(_oracle(i), 0);
            for (uint256 round = first == 0 ? 1 : first; round <= current + 2; ++round) {
                _sameRoundState(_oracle(i), uint32(round));
            }
        }
    }

    /// @dev Every read, with every round.
    function _compare() internal {
        _compareFrom(0);
    }

    /// @dev Neither of the latest two: nothing can change it any more.
    function _sameAsBefore(uint256 round) private {
        bytes memory now_ = _outcome(address(ours), abi.encodeCall(ours.getRoundData, (uint80(round))));
        if (final_[round].length == 0) final_[round] = now_;
        vm.assertEq(now_, final_[round], "a stored round changed");
    }

    function _same(bytes memory call) internal view {
        vm.assertEq(_outcome(address(ours), call), _outcome(address(theirs), call), "reads differ");
    }

    /// @dev The time of a round that has an answer, 0 of another one.
    function _time(uint256 round, uint256 time) private view returns (uint256) {
        try theirs.getRoundData(uint80(round)) {
            return time;
        } catch {
            return 0;
        }
    }

    function _sameRoundState(address oracle, uint32 round) internal {
        bytes memory call = abi.encodeCall(ours.oracleRoundState, (oracle, round));
        vm.prank(oracle, oracle);
        bytes memory their = _outcome(address(theirs), call);
        vm.prank(oracle, oracle);
        bytes memory our = _outcome(address(ours), call);
        if (round != 0 && round + 1 < current && keccak256(our) != keccak256(their)) {
            // The timeout is the fifth word of the results: ok, offset, length, then eight words.
            assembly ("memory-safe") {
                let timeout := add(their, 0x100)
                mstore(timeout, 0)
            }
        }
        vm.assertEq(our, their, "oracleRoundState differs");
    }
}
