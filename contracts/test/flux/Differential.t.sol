// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IOwned} from "../../src/interfaces/IOwned.sol";
import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {SayingValidator, Twins} from "./Twins.sol";

/// @title Random walks through everything that can be done to a FluxAggregator, done to the original and to ours.
contract FluxDifferentialTest is Twins {
    int256 private constant MIN = -1e30;
    int256 private constant MAX = 1e30;
    uint256 private constant STEPS = 60;
    uint256 private constant LONG = 2500;

    uint256 private state;
    uint256 private late;

    function _bounds() internal pure override returns (int256 min, int256 max) {
        return (MIN, MAX);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_differential_walk(uint256 seed) public {
        _walk(seed);
    }

    /// Walks in which nothing happens would prove nothing: these meet every refusal there is and every event.
    function test_differential_walksMeetEverything() public {
        state = 1;
        for (uint256 i = 0; i < LONG; ++i) {
            _step();
        }
        _compareFrom(current - 8);
        _assertEventful();
        string[24] memory refusals = [
            "value below minSubmissionValue",
            "value above maxSubmissionValue",
            "not enabled oracle",
            "not yet enabled oracle",
            "no longer allowed oracle",
            "cannot report on previous rounds",
            "invalid round to report",
            "previous round not supersedable",
            "round not accepting submissions",
            "oracle not enabled",
            "oracle already enabled",
            "cannot set admin to 0",
            "owner cannot overwrite admin",
            "max must equal/exceed min",
            "max cannot exceed total",
            "delay cannot exceed total",
            "insufficient funds for payment",
            "min must be greater than 0",
            "not authorized requester",
            "prev round must be supersedable",
            "must delay requests",
            "only callable by admin",
            "only callable by pending admin",
            "Only callable by owner"
        ];
        for (uint256 i = 0; i < refusals.length; ++i) {
            vm.assertTrue(met[keccak256(_text(refusals[i]))] != 0, refusals[i]);
        }
        bytes32[10] memory events = [
            IAggregatorV2V3.NewRound.selector,
            IAggregatorV2V3.AnswerUpdated.selector,
            IFluxAggregator.SubmissionReceived.selector,
            IFluxAggregator.RoundDetailsUpdated.selector,
            IFluxAggregator.OraclePermissionsUpdated.selector,
            IFluxAggregator.OracleAdminUpdated.selector,
            IFluxAggregator.OracleAdminUpdateRequested.selector,
            IFluxAggregator.RequesterPermissionsSet.selector,
            IFluxAggregator.ValidatorUpdated.selector,
            SayingValidator.Told.selector
        ];
        for (uint256 i = 0; i < events.length; ++i) {
            vm.assertTrue(met[events[i]] != 0, "an event was never met");
        }
    }

    /// @dev The rare turns were taken too, not only the refusals and the events.
    function _assertEventful() private view {
        uint256 carried;
        uint256 overwritten;
        for (uint256 round = 1; round < current; ++round) {
            (bool ok, bytes memory data) =
                address(theirs).staticcall(abi.encodeCall(theirs.getRoundData, (uint80(round))));
            if (!ok) continue;
            (,,,, uint80 answeredIn) = abi.decode(data, (uint80, int256, uint256, uint256, uint80));
            if (answeredIn == round) continue;
            ++carried;
            if (answered[round]) ++overwritten;
        }
        vm.assertLe(100, current, "rounds");
        vm.assertLe(10, late, "submissions to the round before");
        vm.assertLe(10, carried, "rounds that timed out");
        vm.assertLe(10, overwritten, "answered rounds that timed out");
    }

    // ------------------------------------------------------------------ walking

    function _walk(uint256 seed) private {
        state = seed;
        for (uint256 i = 0; i < STEPS; ++i) {
            _step();
            _compareFrom(current > 3 ? current - 3 : 0);
        }
        _compare();
    }

    function _draw(uint256 below) private returns (uint256) {
        state = uint256(keccak256(abi.encode(state)));
        return state % below;
    }

    function _step() private {
        uint256 kind = _draw(32);
        if (kind < 17) {
            _drawSubmission();
        } else if (kind < 21) {
            _wait(_drawDuration());
        } else if (kind < 24) {
            _drawChange();
        } else if (kind < 26) {
            _drawUpdate();
        } else if (kind < 28) {
            _do(_draw(4) == 0 ? STRANGER : REQUESTER, abi.encodeCall(ours.requestNewRound, ()));
        } else if (kind == 28) {
            _drawRequester();
        } else if (kind == 29) {
            _drawAdmin();
        } else if (kind == 30) {
            _drawValidator();
        } else {
            _drawOwner();
        }
    }

    function _drawDuration() private returns (uint256) {
        uint256 kind = _draw(6);
        if (kind == 0) return 1;
        if (kind == 1) return TIMEOUT;
        if (kind == 2) return TIMEOUT + 1;
        if (kind == 3) return 200 days;
        return _draw(2 * TIMEOUT);
    }

    function _drawSubmission() private {
        uint256 kind = _draw(16);
        uint256 round = current;
        if (kind < 6) round = current + 1;
        else if (kind < 10) round = current == 0 ? 0 : current - 1;
        else if (kind == 10) round = current + 2 + _draw(3);
        else if (kind == 11) round = _draw(current + 1);
        bool isLate = round + 1 == current;
        if (_submit(_draw(PEOPLE + 1), round, _drawValue()) && isLate) ++late;
    }

    function _drawValue() private returns (int256) {
        uint256 kind = _draw(12);
        int256 near = int256(_draw(5)) - 2;
        if (kind == 0) return MIN + near;
        if (kind == 1) return MAX + near;
        if (kind == 2) return int256(type(int64).min) + near;
        if (kind == 3) return int256(type(int64).max) + near;
        if (kind < 6) return near;
        return int256(2000e8 + _draw(1e9));
    }

    function _drawChange() private {
        uint256 removed = 1 << _draw(PEOPLE);
        if (_draw(4) != 0) removed = 0;
        uint256 added = (1 << _draw(PEOPLE)) | (1 << _draw(PEOPLE));
        if (_draw(4) == 0) added = 0;
        // Mostly a list that can be added: who is an oracle already is left out.
        if (_draw(8) != 0) added &= ~_staffed() | removed;
        if (_draw(8) != 0) removed &= _staffed();
        address admin = ADMIN;
        if (_draw(4) == 0) admin = _draw(2) == 0 ? address(0) : ADMIN2;
        uint256 count = _count((_staffed() & ~removed) | added);
        uint256 max = _draw(count + 1);
        if (max == 0 && _draw(8) != 0) max = count;
        uint256 min = _draw(max + 1);
        if (min == 0 && _draw(8) != 0) min = (max + 1) / 2;
        if (_draw(16) == 0) ++min;
        if (_draw(16) == 0) ++max;
        uint256 delay = _draw(8) == 0 ? _draw(count + 2) : _draw(2);
        address sender = _draw(16) == 0 ? STRANGER : OWNER;
        _do(sender, _changeCall(removed, added, admin, uint32(min), uint32(max), uint32(delay)));
    }

    /// @dev A bit for each of the people who is an oracle now.
    function _staffed() private view returns (uint256 bits) {
        address[] memory oracles = ours.getOracles();
        for (uint256 i = 0; i < oracles.length; ++i) {
            bits |= 1 << (uint160(oracles[i]) - uint160(_oracle(0)));
        }
    }

    function _count(uint256 bits) private pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
    }

    function _drawUpdate() private {
        uint256 count = ours.oracleCount();
        uint256 max = _draw(8) == 0 ? _draw(count + 2) : count;
        uint256 min = _draw(4) == 0 ? _draw(max + 2) : (max + 1) / 2;
        uint256 delay = _draw(8) == 0 ? _draw(count + 2) : 0;
        uint32 timeout = _draw(3) == 0 ? 0 : TIMEOUT;
        // A payment without oracles is the original's only payment without funds.
        uint128 payment = count != 0 && _draw(8) == 0 ? 1 : 0;
        address sender = _draw(16) == 0 ? STRANGER : OWNER;
        _do(
            sender,
            abi.encodeCall(
                ours.updateFutureRounds, (payment, uint32(min), uint32(max), uint32(delay), timeout)
            )
        );
    }

    function _drawRequester() private {
        address requester = _draw(3) == 0 ? STRANGER : REQUESTER;
        bytes memory call = abi.encodeCall(
            ours.setRequesterPermissions, (requester, _draw(3) != 0, uint32(_draw(3) == 0 ? 5 : _draw(2)))
        );
        _do(_draw(8) == 0 ? STRANGER : OWNER, call);
    }

    function _drawAdmin() private {
        address oracle = _oracle(_draw(PEOPLE));
        address sender = _draw(2) == 0 ? ADMIN : ADMIN2;
        _do(sender, abi.encodeCall(ours.transferAdmin, (oracle, sender == ADMIN ? ADMIN2 : ADMIN)));
        if (_draw(2) == 0) {
            _do(_draw(2) == 0 ? ADMIN : ADMIN2, abi.encodeCall(ours.acceptAdmin, (oracle)));
        }
    }

    function _drawValidator() private {
        address next = _draw(3) == 0 ? address(0) : address(validator);
        _do(_draw(8) == 0 ? STRANGER : OWNER, abi.encodeCall(ours.setValidator, (next)));
    }

    function _drawOwner() private {
        _do(_draw(2) == 0 ? STRANGER : OWNER, abi.encodeCall(IOwned.transferOwnership, (STRANGER)));
        if (_draw(8) == 0 && _do(STRANGER, abi.encodeCall(IOwned.acceptOwnership, ()))) {
            _do(STRANGER, abi.encodeCall(IOwned.transferOwnership, (OWNER)));
            _do(OWNER, abi.encodeCall(IOwned.acceptOwnership, ()));
        }
    }
}
