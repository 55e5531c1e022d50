// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {Fixture} from "./Fixture.sol";

/// @title What every address that consumers read must satisfy.
/// @notice A runner says which address is under test, how its next round comes about, and what stands before the
/// round's number in an id. Without data nothing may look like data; each test names what would go wrong.
abstract contract FeedSuite is Fixture {
    IAggregatorV2V3 internal feed;
    /// @dev What is added to a round's number to make its id.
    uint80 internal prefix;

    /// @dev Makes the next round of the feed, with this answer, started and answered at the present time.
    function _publish(int256 answer) internal virtual;

    /// @dev What the implementation says its version is.
    function _version() internal pure virtual returns (uint256) {
        return 1;
    }

    /// @dev The ends of what the implementation can store.
    function _range() internal pure virtual returns (int256 min, int256 max) {
        return (type(int176).min, type(int176).max);
    }

    /// @dev Rounds a minute apart: 1000, 1001, ... with 8 decimals.
    function _publishRounds(uint256 rounds) internal {
        for (uint256 i = 0; i < rounds; ++i) {
            vm.warp(block.timestamp + 60);
            _publish(int256((1000 + i) * 1e8));
        }
    }

    function _id(uint256 round) internal view returns (uint80) {
        return uint80(prefix + round);
    }

    // ---------------------------------------------------------------- empty

    function test_empty_v3ReadsRevert() public {
        vm.expectRevert(NO_DATA);
        feed.latestRoundData();
        vm.expectRevert(NO_DATA);
        feed.getRoundData(_id(1));
    }

    function test_empty_v2ReadsAreZero() public view {
        vm.assertEq(feed.latestAnswer(), int256(0));
        vm.assertEq(feed.latestTimestamp(), 0);
        vm.assertEq(feed.latestRound(), prefix);
        vm.assertEq(feed.getAnswer(_id(1)), int256(0));
        vm.assertEq(feed.getTimestamp(_id(1)), 0);
    }

    // ------------------------------------------------------------- constants

    function test_constants() public view {
        vm.assertEq(feed.decimals(), 8);
        vm.assertEq(feed.description(), "ETH / USD");
        vm.assertEq(feed.version(), _version());
    }

    /// Consumers are compiled against these four bytes.
    function test_selectors() public pure {
        _selector(IAggregatorV2V3.latestRoundData.selector, 0xfeaf968c);
        _selector(IAggregatorV2V3.getRoundData.selector, 0x9a6fc8f5);
        _selector(IAggregatorV2V3.latestAnswer.selector, 0x50d25bcd);
        _selector(IAggregatorV2V3.latestTimestamp.selector, 0x8205bf6a);
        _selector(IAggregatorV2V3.latestRound.selector, 0x668a0f02);
        _selector(IAggregatorV2V3.getAnswer.selector, 0xb5ab58dc);
        _selector(IAggregatorV2V3.getTimestamp.selector, 0xb633620c);
        _selector(IAggregatorV2V3.decimals.selector, 0x313ce567);
        _selector(IAggregatorV2V3.description.selector, 0x7284e416);
        _selector(IAggregatorV2V3.version.selector, 0x54fd4d50);
    }

    // ------------------------------------------------------------ all rounds

    /// v2 and v3 tell the same of every round, at both ends of what can be stored and on both sides of each
    /// limit of the packing.
    function test_rounds_v2AndV3Agree() public {
        int256[12] memory answers = [
            int256(2500e8),
            -1,
            0,
            type(int48).max,
            type(int48).min,
            int256(type(int48).max) + 1,
            int256(type(int48).min) - 1,
            type(int176).max,
            type(int176).min,
            1,
            int256(1) << 100,
            -2500e8
        ];
        (int256 min, int256 max) = _range();
        uint256[] memory times = new uint256[](answers.length);
        for (uint256 i = 0; i < answers.length; ++i) {
            vm.warp(block.timestamp + 1 hours * (i + 1));
            times[i] = block.timestamp;
            if (answers[i] < min) answers[i] = min;
            if (answers[i] > max) answers[i] = max;
            _publish(answers[i]);
            _assertLatest(i + 1, answers[i], times[i]);
        }
        for (uint256 i = 0; i < answers.length; ++i) {
            _assertRound(i + 1, answers[i], times[i]);
        }
    }

    /// A stored round never changes, whatever is written after it.
    function test_rounds_neverChange() public {
        _publishRounds(5);
        bytes[5] memory stored;
        for (uint256 round = 1; round <= 5; ++round) {
            stored[round - 1] = _outcome(address(feed), abi.encodeCall(feed.getRoundData, (_id(round))));
        }
        _publishRounds(8);
        for (uint256 round = 1; round <= 5; ++round) {
            vm.assertEq(
                _outcome(address(feed), abi.encodeCall(feed.getRoundData, (_id(round)))), stored[round - 1]
            );
        }
    }

    /// A time to come makes Liquity distrust a feed and Euler revert; a falling one breaks staleness checks.
    function test_rounds_timesRiseAndAreNeverInFuture() public {
        uint256 before;
        for (uint256 round = 1; round <= 7; ++round) {
            // Two rounds may share a block.
            if (round % 3 != 0) vm.warp(block.timestamp + 20_000 * round);
            _publish(int256(round));
            (,, uint256 startedAt, uint256 updatedAt,) = feed.latestRoundData();
            vm.assertLe(startedAt, updatedAt);
            vm.assertLe(updatedAt, block.timestamp);
            vm.assertLe(before, updatedAt);
            before = updatedAt;
        }
    }

    // ----------------------------------------------------------- unknown ids

    function test_unknownIds_v3ReadsRevert() public {
        _publishRounds(4);
        uint80[7] memory unknown =
            [0, _id(0), _id(5), _id(6), _id(uint256(1 << 32) + 1), _id(type(uint64).max), type(uint80).max];
        for (uint256 i = 0; i < unknown.length; ++i) {
            vm.expectRevert(NO_DATA);
            feed.getRoundData(unknown[i]);
        }
    }

    function test_unknownIds_v2ReadsAreZero() public {
        _publishRounds(4);
        uint256[10] memory unknown = [
            uint256(0),
            _id(0),
            _id(5),
            // Each of these names round 1 if it is cut to 32, 64 or 80 bits, or to the bits of a stored round.
            uint256(_id(1)) + (1 << 31),
            uint256(_id(1)) + (1 << 32),
            uint256(_id(1)) + (1 << 80),
            uint256(_id(1)) + (1 << 128),
            uint256(_id(1)) + (1 << 255),
            type(uint80).max,
            type(uint256).max
        ];
        for (uint256 i = 0; i < unknown.length; ++i) {
            vm.assertEq(feed.getAnswer(unknown[i]), int256(0));
            vm.assertEq(feed.getTimestamp(unknown[i]), 0);
        }
    }

    function testFuzz_unknownIds(uint256 id) public {
        _publishRounds(4);
        vm.assume(id < _id(1) || id > _id(4));
        vm.assertEq(feed.getAnswer(id), int256(0));
        vm.assertEq(feed.getTimestamp(id), 0);
        uint80 cut = uint80(id);
        vm.assume(cut < _id(1) || cut > _id(4));
        vm.expectRevert(NO_DATA);
        feed.getRoundData(cut);
    }

    // -------------------------------------------------- how consumers read it

    /// Liquity reads the latest round and the one before, and leaves the feed for good when one is broken.
    function test_consumer_readsOneBack() public {
        _publishRounds(2);
        for (uint256 i = 0; i < 6; ++i) {
            (uint80 latest, int256 answer,, uint256 updatedAt,) = feed.latestRoundData();
            (uint80 earlier, int256 before,, uint256 beforeAt,) = feed.getRoundData(latest - 1);
            vm.assertEq(earlier, latest - 1);
            vm.assertTrue(answer > 0 && before > 0 && beforeAt != 0 && beforeAt <= updatedAt);
            _publishRounds(1);
        }
    }

    /// GMX takes `latestRound` for a uint80 and reads a window back from it; one revert fails the whole price.
    function test_consumer_readsAWindowBack() public {
        _publishRounds(3);
        for (uint256 i = 0; i < 6; ++i) {
            uint80 latest = uint80(feed.latestRound());
            for (uint80 back = 1; back < 3; ++back) {
                (, int256 answer,,,) = feed.getRoundData(latest - back);
                vm.assertTrue(answer > 0 && answer == feed.getAnswer(latest - back));
            }
            _publishRounds(1);
        }
    }

    /// Synthetix walks forward until a read fails: the walk must end at the latest round.
    function test_consumer_walksForwardUntilFailure() public {
        _publishRounds(11);
        uint80 id = _id(1);
        while (true) {
            try feed.getRoundData(id + 1) returns (uint80, int256, uint256, uint256 updatedAt, uint80) {
                vm.assertTrue(updatedAt != 0);
                ++id;
            } catch {
                break;
            }
        }
        vm.assertEq(id, feed.latestRound());
        vm.assertEq(id, _id(11));
    }

    // -------------------------------------------------------------- comparing

    function _assertLatest(uint256 round, int256 answer, uint256 time) internal view {
        vm.assertEq(feed.latestRound(), _id(round));
        vm.assertEq(feed.latestAnswer(), answer);
        vm.assertEq(feed.latestTimestamp(), time);
        bytes memory expected = abi.encode(true, abi.encode(_id(round), answer, time, time, _id(round)));
        vm.assertEq(_outcome(address(feed), abi.encodeCall(feed.latestRoundData, ())), expected);
    }

    function _assertRound(uint256 round, int256 answer, uint256 time) internal view {
        vm.assertEq(feed.getAnswer(_id(round)), answer);
        vm.assertEq(feed.getTimestamp(_id(round)), time);
        bytes memory expected = abi.encode(true, abi.encode(_id(round), answer, time, time, _id(round)));
        vm.assertEq(_outcome(address(feed), abi.encodeCall(feed.getRoundData, (_id(round)))), expected);
    }

    function _selector(bytes4 given, bytes4 expected) private pure {
        vm.assertEq(bytes32(given), bytes32(expected));
    }
}
