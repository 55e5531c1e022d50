// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IFeedStore} from "../../src/interfaces/store/IFeedStore.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Vm} from "../base/Vm.sol";
import {Storing} from "./Storing.sol";

/// @title Everybody who may touch a store, at random, and what each touch may change.
/// @notice Each action compares the state before and after it and fails the run by a flag, since a revert inside an
/// action is an ordinary event.
contract StoreWorld is Storing {
    uint256 private constant FEEDS_MAX = 24;

    struct State {
        uint256 sequence;
        uint256 feeds;
        bool paused;
        uint256 configCount;
        uint256[FEEDS_MAX] rounds;
    }

    FeedStore public store;
    bytes private lastReport;
    bytes private lastTransmission;
    /// @dev What each round said when it was written, by feed << 32 | round.
    mapping(uint256 key => bytes) private said;
    uint256[] private keys;

    string public broken;
    uint256 public entriesSent;
    uint256 public skipped;
    uint256 public reports;

    constructor() {
        store = _storeSignedBy(9, 4, 1);
        for (uint256 i = 0; i < 3; ++i) {
            _addFeed(store, -int256(i) * 100, int256(i) * 100);
        }
    }

    // -------------------------------------------------------------- actions

    /// @dev A report of random feeds, some of them unknown, by either way, at times with the wrong sender or number.
    function report(uint256 random, bool signed) external {
        vm.warp(block.timestamp + random % 400);
        uint256 sequence = _nextSequence(store);
        if (random >> 16 & 7 == 0) sequence += (random >> 19) % 3;
        uint256 observedAt = block.timestamp - (random >> 24) % 400;
        bytes memory entries;
        uint256 count;
        for (uint256 feed = 0; feed < 26; ++feed) {
            if (random >> (32 + feed) & 3 != 0) continue;
            int256 answer = int256((random >> (64 + feed)) % 512) - 256;
            entries = bytes.concat(entries, _entry(feed, answer));
            ++count;
        }
        lastReport = bytes.concat(store.update.selector, _batch(sequence, observedAt, entries));
        bytes memory body = _batch(sequence, observedAt, entries);
        lastTransmission = bytes.concat(store.transmit.selector, body, _attest(store.digestOf(body), 1));
        bool acceptable = sequence == _nextSequence(store) && block.timestamp - observedAt <= MAX_AGE
            && count != 0 && !_state().paused;
        address sender = random >> 240 & 3 == 0 ? STRANGER : TRANSMITTER;
        if (signed) _try(STRANGER, lastTransmission, count, acceptable);
        else _try(sender, lastReport, count, acceptable && sender == TRANSMITTER);
    }

    /// @dev The last report again: late, or resent after a reorganisation.
    function resend(bool signed) external {
        // Unless it was never accepted, and then it is a report as any other; those are told by their number.
        if (lastReport.length == 0) return;
        bytes memory data = signed ? lastTransmission : lastReport;
        uint32 sequence;
        assembly ("memory-safe") {
            sequence := shr(224, mload(add(data, 36)))
        }
        if (sequence >= _nextSequence(store)) return;
        _try(signed ? STRANGER : TRANSMITTER, data, 0, false);
    }

    function pause(bool on, uint256 who) external {
        address sender = who % 3 == 0 ? STRANGER : OWNER;
        State memory pre = _state();
        vm.prank(sender);
        (bool ok,) =
            address(store).call(on ? abi.encodeCall(store.pause, ()) : abi.encodeCall(store.unpause, ()));
        if (ok) pre.paused = on;
        _check(ok == (sender == OWNER), "only the owner pauses");
        _check(_same(pre, _state()), "pause changes the pause bit and nothing else");
    }

    function pauseFeed(uint256 feed, bool on) external {
        State memory pre = _state();
        vm.prank(OWNER);
        (bool ok,) = address(store).call(abi.encodeCall(store.setFeedPaused, (feed % 14, on)));
        _check(ok == (feed % 14 < pre.feeds), "only feeds that exist are paused");
        _check(_same(pre, _state()), "pausing a feed changes no round");
    }

    function addFeed(int64 bound) external {
        State memory pre = _state();
        if (pre.feeds == FEEDS_MAX) return;
        _addFeed(store, bound < 0 ? bound : int64(0), bound < 0 ? int64(0) : bound);
        ++pre.feeds;
        _check(_same(pre, _state()), "a new feed changes no round");
    }

    function announce(uint256 feed, bool on) external {
        State memory pre = _state();
        feed %= pre.feeds;
        address facade = on ? address(_facade(store, feed)) : address(0);
        vm.prank(OWNER);
        store.setAnnouncer(feed, facade);
        _check(_same(pre, _state()), "an announcer changes no round");
    }

    function rotate(uint256 n) external {
        State memory pre = _state();
        address[] memory signers = _signers(4 + n % 3);
        vm.prank(OWNER);
        store.setSigners(signers, 1);
        ++pre.configCount;
        _check(_same(pre, _state()), "new signers change no round and no sequence");
    }

    // -------------------------------------------------------------- checking

    function checkHistory() external view {
        for (uint256 i = 0; i < keys.length; ++i) {
            vm.assertEq(_read(keys[i]), said[keys[i]], "a stored round changed");
        }
    }

    /// @dev The sum over all feeds of what their counters rose by is the count of entries that were not skipped.
    function roundsOfAllFeeds() external view returns (uint256 sum) {
        State memory state = _state();
        for (uint256 feed = 0; feed < FEEDS_MAX; ++feed) {
            sum += state.rounds[feed];
        }
    }

    function _try(address sender, bytes memory data, uint256 entries, bool acceptable) private {
        State memory pre = _state();
        vm.recordLogs();
        vm.prank(sender);
        (bool ok,) = address(store).call(data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        State memory post = _state();
        _check(ok == acceptable, "accepted iff next, in time, whole, not paused and authorised");
        if (!ok) {
            _check(_same(pre, post), "a refusal changes nothing");
            return;
        }
        ++reports;
        entriesSent += entries;
        uint256 skips;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == IFeedStore.FeedSkipped.selector) ++skips;
        }
        skipped += skips;
        uint256 rises;
        for (uint256 feed = 0; feed < FEEDS_MAX; ++feed) {
            uint256 rise = post.rounds[feed] - pre.rounds[feed];
            _check(rise <= 1, "a report writes at most one round of a feed");
            rises += rise;
            pre.rounds[feed] = post.rounds[feed];
            if (rise == 1) _remember(feed, post.rounds[feed]);
        }
        _check(rises == entries - skips, "each entry writes one round or is skipped");
        ++pre.sequence;
        _check(_same(pre, post), "a report uses one number and changes nothing but rounds");
    }

    function _remember(uint256 feed, uint256 round) private {
        (, uint256 time) = store.roundOf(feed, round);
        _check(time == block.timestamp, "a round's time is the block's");
        uint256 key = feed << 32 | round;
        keys.push(key);
        said[key] = _read(key);
    }

    function _read(uint256 key) private view returns (bytes memory) {
        return _outcome(address(store), abi.encodeCall(store.roundOf, (key >> 32, uint32(key))));
    }

    function _state() private view returns (State memory state) {
        (state.sequence, state.feeds, state.paused,,) = store.storeState(OWNER);
        (state.configCount,,) = store.configuration();
        for (uint256 feed = 0; feed < FEEDS_MAX; ++feed) {
            (state.rounds[feed],,) = store.latestRoundOf(feed);
        }
    }

    function _same(State memory a, State memory b) private pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }

    function _check(bool holds, string memory sentence) private {
        if (!holds && bytes(broken).length == 0) broken = sentence;
    }
}

contract StoreInvariantsTest is Storing {
    StoreWorld private world;

    function setUp() public {
        world = new StoreWorld();
    }

    /// @dev What forge calls at random.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(world);
    }

    /// One walk for all of it: actions change what they may, rounds are the entries accepted, and stay as they are.
    function invariant_store_everyActionChangesWhatItMay() public view {
        vm.assertEq(world.broken(), "");
        vm.assertEq(world.roundsOfAllFeeds(), world.entriesSent() - world.skipped());
        world.checkHistory();
    }

    /// A walk in which nothing succeeds would prove nothing: this one, drawn by us, reaches every action.
    function test_store_worldIsAlive() public {
        for (uint256 i = 0; i < 300; ++i) {
            uint256 random = _draw(5, i);
            uint256 kind = random % 16;
            uint256 rest = random >> 8;
            if (kind < 9) world.report(rest, rest >> 200 & 1 == 0);
            else if (kind < 11) world.resend(rest & 1 == 0);
            else if (kind == 11) world.pause(rest & 8 == 0, rest);
            else if (kind == 12) world.pauseFeed(rest, rest >> 100 & 1 == 0);
            else if (kind == 13) world.addFeed(int64(uint64(rest)));
            else if (kind == 14) world.announce(rest, rest >> 100 & 1 == 0);
            else world.rotate(rest);
        }
        world.checkHistory();
        vm.assertEq(world.broken(), "");
        vm.assertEq(world.roundsOfAllFeeds(), world.entriesSent() - world.skipped());
        vm.assertTrue(world.reports() > 30 && world.skipped() > 30 && world.roundsOfAllFeeds() > 100);
    }
}
