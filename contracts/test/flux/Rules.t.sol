// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Twins} from "./Twins.sol";

/// @title Each rule of Flux by itself, done to the original and to ours, with the corners that a packed layout has.
contract FluxRulesTest is Twins {
    uint256 private constant LATE = type(uint24).max;

    // ------------------------------------------------------------------ refusals

    function test_submit_refusesInThisOrder() public {
        _staff(3, 2, 3);
        _refusedSubmission(5, 1, 1, "not enabled oracle");
        _refusedSubmission(0, 0, 1, "not yet enabled oracle");
        _refusedSubmission(0, 2, 1, "invalid round to report");
        _taken(0, 1, 1);
        _refusedSubmission(0, 1, 1, "cannot report on previous rounds");
        _refusedSubmission(0, 2, 1, "previous round not supersedable");
        _refusedSubmission(1, 0, 1, "not yet enabled oracle");
        _taken(1, 1, 1);
        _taken(2, 1, 1);
        _change(4, 0, 1, 2, 0);
        _taken(2, 2, 1);
        _refusedSubmission(2, 2, 1, "cannot report on previous rounds");
        _refusedSubmission(2, 3, 1, "no longer allowed oracle");
        _compare();
    }

    function test_changeOracles_isRefused() public {
        _staff(3, 2, 3);
        address[] memory none = new address[](0);
        address[] memory one = new address[](1);
        one[0] = _oracle(4);
        _refused(STRANGER, _changeCall(0, 8, ADMIN, 2, 3, 0), "Only callable by owner");
        _refused(OWNER, _changeCall(8, 0, ADMIN, 2, 3, 0), "oracle not enabled");
        _refused(OWNER, _changeCall(0, 4, ADMIN, 2, 3, 0), "oracle already enabled");
        _refused(OWNER, _changeCall(0, 8, address(0), 2, 3, 0), "cannot set admin to 0");
        _refused(OWNER, _changeCall(1, 1, ADMIN2, 2, 3, 0), "owner cannot overwrite admin");
        _refused(
            OWNER,
            abi.encodeCall(ours.changeOracles, (none, one, none, 2, 3, 0)),
            "need same oracle and admin count"
        );
        _refused(OWNER, _changeCall(0, 8, ADMIN, 3, 2, 0), "max must equal/exceed min");
        _refused(OWNER, _changeCall(0, 8, ADMIN, 2, 5, 0), "max cannot exceed total");
        _refused(OWNER, _changeCall(0, 8, ADMIN, 2, 3, 4), "delay cannot exceed total");
        _refused(OWNER, _changeCall(0, 8, ADMIN, 0, 3, 0), "min must be greater than 0");
        _refused(
            OWNER, abi.encodeCall(ours.updateFutureRounds, (1, 2, 3, 0, 0)), "insufficient funds for payment"
        );
        // The same account twice in one list.
        one = new address[](2);
        (one[0], one[1]) = (_oracle(4), _oracle(4));
        _refused(
            OWNER, abi.encodeCall(ours.changeOracles, (none, one, one, 2, 3, 0)), "oracle already enabled"
        );
        (one[0], one[1]) = (_oracle(1), _oracle(1));
        _refused(OWNER, abi.encodeCall(ours.changeOracles, (one, none, none, 1, 1, 0)), "oracle not enabled");
        _compare();
    }

    function test_oracleRoundState_isForReadingOffChain() public view {
        _same(abi.encodeCall(ours.oracleRoundState, (_oracle(0), 0)));
        (bool ok, bytes memory said) =
            address(ours).staticcall(abi.encodeCall(ours.oracleRoundState, (_oracle(0), 0)));
        vm.assertFalse(ok);
        vm.assertEq(said, _text("off-chain reading only"));
    }

    // ------------------------------------------------------------------ answers

    /// Every submission from the minimum on is a new answer; the median of an even count is cut toward zero.
    function test_answers_areMedians() public {
        _staff(6, 2, 6);
        int256[6] memory values = [int256(-4), -3, 7, -3, 1e40, type(int256).min];
        for (uint256 i = 0; i < 6; ++i) {
            _wait(10);
            _taken(i, 1, values[i]);
            _compare();
        }
        vm.assertEq(ours.latestAnswer(), int256(-3));
        _refusedSubmission(0, 1, 1, "cannot report on previous rounds");
        _taken(0, 2, 5);
        vm.assertEq(ours.latestRound(), 1);
        _compare();
    }

    /// The first submission of a round that has no answer yet is not an answer.
    function test_answers_notBelowTheMinimum() public {
        _staff(3, 3, 3);
        _taken(0, 1, 5);
        _taken(1, 1, 6);
        vm.assertEq(
            _outcome(address(ours), abi.encodeCall(ours.latestRoundData, ())), abi.encode(false, NO_DATA)
        );
        vm.assertEq(ours.getAnswer(1), int256(0));
        _compare();
        _taken(2, 1, 7);
        vm.assertEq(ours.latestAnswer(), int256(6));
        _compare();
    }

    /// As many oracles as there can be, each value too wide for a cell, then again all of them small.
    function test_answers_ofSeventySevenOracles() public {
        _staff(77, 52, 77);
        _refused(OWNER, _changeCall(0, 1 << 77, ADMIN, 52, 77, 0), "max oracles allowed");
        for (uint256 round = 1; round <= 3; ++round) {
            _wait(60);
            for (uint256 i = 0; i < 77; ++i) {
                int256 value = int256(uint256(keccak256(abi.encode(round, i))));
                if (round == 2) value >>= 200;
                if (round == 3 && i % 2 == 0) value >>= 195;
                _taken(i, round, value);
            }
            _refusedSubmission(77, round, 1, "not enabled oracle");
        }
        _compare();
        // All but one leave. They might submit once more, but the next round takes one submission only.
        _change((1 << 76) - 1, 0, 1, 1, 0);
        _taken(76, 4, 1);
        _refusedSubmission(3, 4, 1, "round not accepting submissions");
        _compare();
    }

    /// Cells hold 64 bits less one number, their mark; the numbers around every limit come back as they were.
    function test_values_aroundTheLimitOfACell() public {
        int256[8] memory values = [
            int256(type(int64).max),
            int256(type(int64).max) + 1,
            int256(type(int64).min),
            int256(type(int64).min) + 1,
            int256(type(int64).min) - 1,
            type(int256).max,
            type(int256).min,
            0
        ];
        _staff(3, 2, 3);
        for (uint256 round = 1; round <= values.length; ++round) {
            _wait(60);
            for (uint256 i = 0; i < 3; ++i) {
                // The same one twice of three is the median.
                _taken(i, round, values[(round - 1 + i / 2) % values.length]);
                _compareFrom(round);
            }
            vm.assertEq(ours.getAnswer(round), values[round - 1]);
        }
        _compare();
    }

    /// 24 bits of seconds end after 194 days; a later answer is exact too.
    function test_answers_thatComeLate() public {
        _staff(2, 1, 2);
        _do(OWNER, abi.encodeCall(ours.updateFutureRounds, (0, 1, 2, 0, 0)));
        _do(OWNER, abi.encodeCall(ours.setRequesterPermissions, (REQUESTER, true, 0)));
        uint256[5] memory gaps = [LATE - 2, LATE - 1, LATE, LATE + 1, 3 * LATE];
        for (uint256 i = 0; i < gaps.length; ++i) {
            _do(REQUESTER, abi.encodeCall(ours.requestNewRound, ()));
            _wait(gaps[i]);
            _taken(0, current, int256(i));
            _compare();
            vm.assertEq(ours.latestTimestamp(), block.timestamp);
            // And once more, into the round that is closed by it.
            _wait(5);
            _taken(1, current, int256(i) - 9);
            _compare();
        }
    }

    // ------------------------------------------------------------------ two open rounds

    /// An answered round that is not closed takes submissions until the next one has an answer.
    function test_previousRound_takesLateSubmissions() public {
        _staff(5, 2, 5);
        _taken(0, 1, 100);
        _taken(1, 1, 200);
        _wait(30);
        _taken(0, 2, 1000);
        // Number 2 sees both rounds open; numbers 3 and 4 are late for the first.
        _taken(3, 1, 120);
        _compare();
        vm.assertEq(ours.getAnswer(1), int256(120));
        vm.assertEq(ours.latestRound(), 1);
        _refusedSubmission(0, 1, 1, "cannot report on previous rounds");
        _taken(4, 1, -5);
        _compare();
        _taken(4, 2, 1100);
        vm.assertEq(ours.latestRound(), 2);
        _refusedSubmission(2, 1, 1, "invalid round to report");
        _taken(3, 2, 1200);
        _compare();
    }

    /// A late submission may be the one that closes its round.
    function test_previousRound_closesLate() public {
        _staff(3, 2, 3);
        _taken(0, 1, 1);
        _taken(1, 1, 3);
        _taken(1, 2, 7);
        _taken(2, 1, 5);
        _compare();
        vm.assertEq(ours.getAnswer(1), int256(3));
        _change(0, 8, 2, 3, 0);
        _refusedSubmission(3, 1, 5, "not yet enabled oracle");
        _taken(0, 2, 9);
        _taken(2, 2, 8);
        _compare();
    }

    /// Both open rounds may hold numbers that do not fit their cells, in the same places.
    function test_previousRound_holdsItsOwnWideNumbers() public {
        _staff(8, 3, 6);
        for (uint256 i = 0; i < 4; ++i) {
            _taken(i, 1, int256(1e30) + int256(i));
        }
        for (uint256 i = 0; i < 2; ++i) {
            _taken(i, 2, -int256(1e30) - int256(i));
        }
        _taken(4, 1, 1e35);
        _compare();
        vm.assertEq(ours.getAnswer(1), int256(1e30) + 2);
        _taken(5, 1, -1e35);
        _compare();
        for (uint256 i = 2; i < 6; ++i) {
            _taken(i, 2, -int256(1e30) - int256(i));
        }
        _compare();
    }

    /// With a minimum of one the first submission is the answer, and still the first of the median that comes.
    function test_previousRound_keepsItsOnlySubmission() public {
        _staff(3, 1, 3);
        _taken(0, 1, 1e30);
        _taken(1, 2, 10);
        _compare();
        _taken(0, 3, 20);
        _taken(1, 3, 40);
        _taken(2, 3, 30);
        _compare();
        _taken(0, 4, 1e31);
        _do(OWNER, abi.encodeCall(ours.updateFutureRounds, (0, 2, 3, 0, TIMEOUT)));
        _taken(1, 5, 50);
        _taken(2, 4, -1e31);
        vm.assertEq(ours.getAnswer(4), int256(0));
        _compare();
        _taken(2, 5, 52);
        _compare();
        vm.assertEq(ours.getAnswer(5), int256(51));
    }

    // ------------------------------------------------------------------ time out

    /// A round without an answer carries the one before it, from the second after its time out.
    function test_timeout_carriesTheAnswerBefore() public {
        _staff(3, 2, 3);
        for (uint256 i = 0; i < 3; ++i) {
            _taken(i, 1, 77);
        }
        _taken(0, 2, 80);
        _wait(TIMEOUT);
        _refusedSubmission(0, 3, 1, "previous round not supersedable");
        _compare();
        _wait(1);
        _compare();
        _taken(0, 3, 90);
        _refusedSubmission(1, 2, 80, "round not accepting submissions");
        _compare();
        (, int256 answer,, uint256 updatedAt, uint80 answeredIn) = ours.getRoundData(2);
        vm.assertTrue(answer == 77 && updatedAt == block.timestamp && answeredIn == 1);
        // Two more, so that the latest answered round is far back.
        for (uint256 round = 4; round <= 6; ++round) {
            _wait(TIMEOUT + 1);
            _taken(round % 3, round, 1e30);
            _compare();
            vm.assertEq(ours.latestRound(), 1);
        }
        _taken(1, 6, 95);
        vm.assertEq(ours.latestRound(), 6);
        _compare();
    }

    /// Also an answer of its own is replaced, when the round did not close in time: `answeredInRound` says so.
    function test_timeout_replacesAnAnswerThatIsNotComplete() public {
        _staff(3, 2, 3);
        for (uint256 i = 0; i < 3; ++i) {
            _taken(i, 1, -1e40);
        }
        _taken(0, 2, 80);
        _taken(1, 2, 82);
        vm.assertEq(ours.latestAnswer(), int256(81));
        _wait(TIMEOUT + 1);
        _taken(0, 3, 90);
        (uint80 id, int256 answer,,, uint80 answeredIn) = ours.latestRoundData();
        vm.assertTrue(id == 2 && answer == -1e40 && answeredIn == 1);
        _refusedSubmission(2, 2, 80, "round not accepting submissions");
        _compare();
    }

    /// The first round has nothing to carry: it stays without data, and so may the latest round be.
    function test_timeout_ofTheFirstRound() public {
        _staff(3, 2, 3);
        _taken(0, 1, 80);
        _taken(1, 1, 82);
        _wait(TIMEOUT + 1);
        _taken(0, 2, 90);
        vm.assertEq(
            _outcome(address(ours), abi.encodeCall(ours.latestRoundData, ())), abi.encode(false, NO_DATA)
        );
        vm.assertEq(ours.latestTimestamp(), 0);
        vm.assertEq(ours.latestAnswer(), int256(0));
        _compare();
        _wait(TIMEOUT + 1);
        _taken(1, 3, 90);
        _taken(2, 3, 92);
        _compare();
        vm.assertEq(ours.latestAnswer(), int256(91));
    }

    /// The time out is that of the round's opening, whatever is set later.
    function test_timeout_isTheRoundsOwn() public {
        _staff(3, 2, 3);
        _do(OWNER, abi.encodeCall(ours.updateFutureRounds, (0, 2, 3, 0, 0)));
        _taken(0, 1, 1);
        _do(OWNER, abi.encodeCall(ours.updateFutureRounds, (0, 3, 3, 0, TIMEOUT)));
        _wait(10 * TIMEOUT);
        _refusedSubmission(0, 2, 1, "previous round not supersedable");
        _taken(1, 1, 1);
        vm.assertEq(ours.latestRound(), 1);
        _taken(0, 2, 1);
        _taken(1, 2, 1);
        vm.assertEq(ours.latestRound(), 1);
        _compare();
    }

    // ------------------------------------------------------------------ oracles that come and go

    /// A removed oracle ends with the next round, in which it counts as any other.
    function test_oracles_removedMaySubmitToTheNextRound() public {
        _staff(4, 2, 3);
        _taken(0, 1, 1);
        _change(1 | 2, 0, 1, 2, 0);
        _taken(1, 1, 3);
        _taken(1, 2, 5);
        _taken(0, 2, 7);
        vm.assertEq(ours.getAnswer(2), int256(6));
        _refusedSubmission(0, 3, 1, "no longer allowed oracle");
        _compare();
    }

    /// One that comes back in its last round goes on in it, and cannot submit to it twice.
    function test_oracles_thatComeBack() public {
        _staff(4, 2, 4);
        _taken(0, 1, 1);
        _change(1 | 2 | 4, 0, 1, 1, 0);
        // In the round of its removal it waits for the next one.
        _change(0, 1, 1, 2, 0);
        _refusedSubmission(0, 1, 1, "not yet enabled oracle");
        _taken(3, 1, 3);
        _taken(1, 2, 5);
        // In its last round it goes on.
        _change(0, 2 | 4, 2, 4, 0);
        _refusedSubmission(1, 2, 5, "cannot report on previous rounds");
        _compare();
        _taken(2, 2, 6);
        _taken(1, 3, 5);
        _taken(2, 3, 6);
        _compare();
    }

    /// The last of the list takes the place of a removed one; who that is matters to nobody.
    function test_oracles_changePlaces() public {
        _staff(5, 3, 5);
        for (uint256 i = 0; i < 5; ++i) {
            _taken(i, 1, int256(i));
            _change(1 << i, 1 << (i + 8), 3, 5, 0);
            _compare();
        }
        // More may submit to the second round than are oracles, but not more than its maximum.
        for (uint256 i = 0; i < 2; ++i) {
            _taken(i, 2, int256(i));
            _taken(i + 8, 2, int256(i));
            _compare();
        }
        _taken(2, 2, 9);
        _refusedSubmission(3, 2, 9, "round not accepting submissions");
        _refusedSubmission(11, 2, 9, "round not accepting submissions");
        _change(31 << 8, 0, 0, 0, 0);
        vm.assertEq(ours.oracleCount(), 0);
        _compare();
    }

    function test_admins_changeInTwoSteps() public {
        _staff(2, 1, 2);
        _refused(ADMIN2, abi.encodeCall(ours.transferAdmin, (_oracle(0), ADMIN2)), "only callable by admin");
        _refused(ADMIN2, abi.encodeCall(ours.acceptAdmin, (_oracle(0))), "only callable by pending admin");
        _do(ADMIN, abi.encodeCall(ours.transferAdmin, (_oracle(0), ADMIN2)));
        _refused(ADMIN2, abi.encodeCall(ours.acceptAdmin, (_oracle(1))), "only callable by pending admin");
        _do(ADMIN2, abi.encodeCall(ours.acceptAdmin, (_oracle(0))));
        _refused(ADMIN2, abi.encodeCall(ours.acceptAdmin, (_oracle(0))), "only callable by pending admin");
        vm.assertEq(ours.getAdmin(_oracle(0)), ADMIN2);
        vm.assertEq(ours.getAdmin(_oracle(1)), ADMIN);
        _compare();
    }

    // ------------------------------------------------------------------ who opens rounds

    function test_restartDelay_holdsBackWhoOpened() public {
        _staff(3, 1, 3);
        _change(0, 8, 1, 3, 2);
        _taken(0, 1, 1);
        _taken(1, 2, 1);
        _refusedSubmission(0, 3, 1, "round not accepting submissions");
        _refusedSubmission(1, 3, 1, "round not accepting submissions");
        _compare();
        _taken(2, 3, 1);
        // It may submit to what others open.
        _taken(0, 3, 1);
        _taken(0, 4, 1);
        _taken(1, 4, 1);
        _compare();
    }

    function test_requester_opensRounds() public {
        bytes memory request = abi.encodeCall(ours.requestNewRound, ());
        _staff(2, 1, 2);
        _refused(REQUESTER, request, "not authorized requester");
        _do(OWNER, abi.encodeCall(ours.setRequesterPermissions, (REQUESTER, true, 2)));
        // Nothing to say twice: the delay stays as it was.
        _do(OWNER, abi.encodeCall(ours.setRequesterPermissions, (REQUESTER, true, 0)));
        vm.assertTrue(_do(REQUESTER, request));
        _compare();
        _refused(REQUESTER, request, "prev round must be supersedable");
        _taken(0, 1, 5);
        _refused(REQUESTER, request, "must delay requests");
        _taken(0, 2, 5);
        _taken(0, 3, 5);
        vm.assertTrue(_do(REQUESTER, request));
        _wait(TIMEOUT + 1);
        _refused(REQUESTER, request, "must delay requests");
        // Forgotten and authorised again, it starts anew.
        _do(OWNER, abi.encodeCall(ours.setRequesterPermissions, (REQUESTER, false, 0)));
        _do(OWNER, abi.encodeCall(ours.setRequesterPermissions, (REQUESTER, true, 0)));
        vm.assertTrue(_do(REQUESTER, request));
        _taken(1, current, 9);
        _compare();
    }

    /// Without oracles a requested round takes nothing; it has to time out.
    function test_requester_opensARoundForNobody() public {
        _do(OWNER, abi.encodeCall(ours.setRequesterPermissions, (REQUESTER, true, 0)));
        vm.assertTrue(_do(REQUESTER, abi.encodeCall(ours.requestNewRound, ())));
        _staff(2, 1, 2);
        _refusedSubmission(0, 1, 1, "not yet enabled oracle");
        _refusedSubmission(0, 2, 1, "previous round not supersedable");
        _compare();
        _wait(TIMEOUT + 1);
        _taken(0, 2, 3);
        _compare();
    }

    // ------------------------------------------------------------------ validator

    /// It is told of every answer, with what the round before says at that time.
    function test_validator_isToldOfAnswers() public {
        _staff(3, 2, 3);
        _do(OWNER, abi.encodeCall(ours.setValidator, (address(validator))));
        _do(OWNER, abi.encodeCall(ours.setValidator, (address(validator))));
        _taken(0, 1, 1);
        _taken(1, 1, 3);
        _taken(0, 2, 10);
        _taken(2, 1, 1e30);
        _taken(1, 2, 12);
        _taken(2, 2, 12);
        _taken(0, 3, 4);
        _wait(TIMEOUT + 1);
        _taken(1, 4, 5);
        _taken(2, 4, 7);
        uint256 told = met[keccak256("Told(uint256,int256,uint256,int256)")];
        vm.assertEq(told, 5);
        _do(OWNER, abi.encodeCall(ours.setValidator, (address(0))));
        _taken(0, 4, 7);
        vm.assertEq(met[keccak256("Told(uint256,int256,uint256,int256)")], told);
        _compare();
    }
}
