// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../../src/interfaces/IAggregatorV2V3.sol";
import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {IFeedFacade} from "../../src/interfaces/store/IFeedFacade.sol";
import {IFeedStore} from "../../src/interfaces/store/IFeedStore.sol";
import {FeedFacade} from "../../src/store/FeedFacade.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Vm} from "../base/Vm.sol";
import {Storing} from "./Storing.sol";

/// @dev A store of twelve feeds with a transmitter and seven signers, two of whom may be faulty.
abstract contract FeedStoreFixture is Storing {
    uint256 internal constant FEEDS = 12;
    uint256 internal constant SIGNERS = 7;
    uint8 internal constant FAULTS = 2;

    FeedStore internal store;

    function setUp() public virtual {
        store = _storeSignedBy(FEEDS, SIGNERS, FAULTS);
    }

    function _digest(bytes memory report) internal view returns (bytes32) {
        return _digestOf(_domainOf(block.chainid, address(store), 1, _signers(SIGNERS), FAULTS), report);
    }

    function _transmitted(bytes memory report) internal view returns (bytes memory) {
        return bytes.concat(store.transmit.selector, report, _attest(_digest(report), FAULTS));
    }

    function _updated(bytes memory report) internal pure returns (bytes memory) {
        return bytes.concat(FeedStore.update.selector, report);
    }

    /// @dev The report as the next one, observed now.
    function _next(bytes memory entries) internal view returns (bytes memory) {
        return _batch(_nextSequence(store), block.timestamp, entries);
    }

    /// @dev Neither way accepts the report, both for the same reason, and nothing is left behind.
    function _bothRefuse(bytes memory report, bytes memory reason) internal {
        bytes memory before = _state();
        vm.prank(TRANSMITTER);
        _refused(address(store), _updated(report), reason);
        _refused(address(store), _transmitted(report), reason);
        vm.assertEq(_state(), before);
    }

    function _transmitRefused(bytes memory data) internal returns (bytes4 selector) {
        uint256 before = _nextSequence(store);
        (bool ok, bytes memory reason) = address(store).call(data);
        vm.assertFalse(ok);
        vm.assertEq(_nextSequence(store), before);
        return bytes4(reason);
    }

    /// @dev The sequence and the latest round of every feed.
    function _state() internal view returns (bytes memory state) {
        state = abi.encode(_nextSequence(store));
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            state = bytes.concat(state, _outcome(address(store), abi.encodeCall(store.latestRoundOf, (feed))));
        }
    }

    function _assertLatest(uint256 feed, uint256 round, int256 answer, uint256 time) internal view {
        (uint256 roundId, int256 latest, uint256 updatedAt) = store.latestRoundOf(feed);
        vm.assertEq(abi.encode(roundId, latest, updatedAt), abi.encode(round, answer, time));
        (latest, updatedAt) = store.roundOf(feed, round);
        vm.assertEq(abi.encode(latest, updatedAt), abi.encode(answer, time));
    }
}

contract FeedStoreConstructorTest is Storing {
    function test_constructor() public {
        FeedStore store = new FeedStore(60, OWNER, TRANSMITTER);
        vm.assertEq(store.maxAgeSeconds(), 60);
        vm.assertEq(store.owner(), OWNER);
        vm.assertTrue(store.isTransmitter(TRANSMITTER));
        vm.assertFalse(store.isTransmitter(OWNER));
        vm.assertEq(store.typeAndVersion(), "FeedStore 1.0.0");
        (uint256 sequence, uint256 feeds, bool paused, bool authorised,) = store.storeState(TRANSMITTER);
        vm.assertEq(abi.encode(sequence, feeds, paused, authorised), abi.encode(0, 0, false, true));
        (address[] memory signers, uint8 f) = store.signers();
        vm.assertEq(abi.encode(signers, f), abi.encode(new address[](0), 0));
        vm.assertFalse(new FeedStore(60, OWNER, address(0)).isTransmitter(address(0)));
    }

    function test_constructor_refusesNoAgeAtAll() public {
        vm.expectRevert(IFeedStore.InvalidMaxAge.selector);
        new FeedStore(0, OWNER, TRANSMITTER);
    }
}

contract FeedStoreReportTest is FeedStoreFixture {
    /// Both ways write the same: the next round of each feed named, at the block's time, and of no other.
    function test_report_writesTheFeedsNamed() public {
        vm.warp(block.timestamp + 60);
        uint256 first = block.timestamp;
        bytes memory report =
            _batch(1, first - 5, bytes.concat(_entry(0, 7), _entry(8, -9), _entry(11, type(int64).min)));
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(report));
        _assertLatest(0, 1, 7, first);
        _assertLatest(8, 1, -9, first);
        _assertLatest(11, 1, type(int64).min, first);

        vm.warp(block.timestamp + 60);
        vm.prank(STRANGER);
        _send(address(store), _transmitted(_next(bytes.concat(_entry(8, 1), _entry(9, 2)))));
        _assertLatest(0, 1, 7, first);
        _assertLatest(8, 2, 1, block.timestamp);
        _assertLatest(9, 1, 2, block.timestamp);
        _assertLatest(11, 1, type(int64).min, first);
        uint256[7] memory untouched = [uint256(1), 2, 3, 4, 5, 6, 7];
        for (uint256 i = 0; i < untouched.length; ++i) {
            (uint256 roundId,,) = store.latestRoundOf(untouched[i]);
            vm.assertEq(roundId, 0);
        }
        (uint256 sequence,,,,) = store.storeState(STRANGER);
        vm.assertEq(sequence, 2);
    }

    /// One event with the bytes of the report, and nothing else, by either way.
    function test_report_isOneEvent() public {
        bytes memory report = _next(_entries(FEEDS, 100));
        vm.recordLogs();
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(report));
        _assertAccepted(vm.getRecordedLogs(), 1, report);
        report = _next(_entries(FEEDS, 200));
        vm.recordLogs();
        _send(address(store), _transmitted(report));
        _assertAccepted(vm.getRecordedLogs(), 2, report);
    }

    function _assertAccepted(Vm.Log[] memory logs, uint256 sequence, bytes memory report) private view {
        vm.assertEq(logs.length, 1);
        vm.assertEq(logs[0].emitter, address(store));
        vm.assertEq(logs[0].topics.length, 2);
        vm.assertEq(logs[0].topics[0], IFeedStore.ReportAccepted.selector);
        vm.assertEq(logs[0].topics[1], bytes32(sequence));
        vm.assertEq(logs[0].data, abi.encode(report));
    }

    // ---------------------------------------------------- refused as a whole

    function test_refuses_whoMayNotUpdate() public {
        bytes memory data = _updated(_next(_entries(1, 1)));
        address[3] memory others = [OWNER, STRANGER, vm.addr(1)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            _refused(
                address(store), data, abi.encodeWithSelector(IFeedStore.NotTransmitter.selector, others[i])
            );
        }
    }

    /// A report that is sent again, late or twice, by either way, finds its number used.
    function test_refuses_replay() public {
        bytes memory report = _next(_entries(3, 1));
        _send(address(store), _transmitted(report));
        _bothRefuse(report, abi.encodeWithSelector(IFeedStore.StaleSequence.selector, 1, 2));
        bytes memory later = _next(_entries(3, 2));
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(later));
        _bothRefuse(report, abi.encodeWithSelector(IFeedStore.StaleSequence.selector, 1, 3));
        _bothRefuse(later, abi.encodeWithSelector(IFeedStore.StaleSequence.selector, 2, 3));
    }

    /// Reports are not taken out of order: the second waits for the first.
    function test_refuses_reordered() public {
        bytes memory first = _batch(1, block.timestamp, _entries(2, 1));
        bytes memory second = _batch(2, block.timestamp, _entries(2, 2));
        _bothRefuse(second, abi.encodeWithSelector(IFeedStore.StaleSequence.selector, 2, 1));
        _send(address(store), _transmitted(first));
        _send(address(store), _transmitted(second));
        _assertLatest(1, 2, 3, block.timestamp);
    }

    function testFuzz_refuses_anyOtherSequence(uint32 sequence) public {
        _update(store, _entries(1, 1));
        _update(store, _entries(1, 1));
        vm.assume(sequence != 3);
        _bothRefuse(
            _batch(sequence, block.timestamp, _entries(1, 1)),
            abi.encodeWithSelector(IFeedStore.StaleSequence.selector, sequence, 3)
        );
    }

    function testFuzz_refuses_timesOutside(uint32 observedAt) public {
        if (observedAt > block.timestamp) {
            _bothRefuse(
                _batch(1, observedAt, _entries(1, 1)),
                abi.encodeWithSelector(IFeedStore.ObservedInFuture.selector, observedAt, block.timestamp)
            );
        } else if (observedAt < block.timestamp - MAX_AGE) {
            _bothRefuse(
                _batch(1, observedAt, _entries(1, 1)),
                abi.encodeWithSelector(
                    IFeedStore.ObservedTooEarly.selector, observedAt, block.timestamp - MAX_AGE
                )
            );
        }
        _send(
            address(store),
            _transmitted(_batch(1, block.timestamp - observedAt % (MAX_AGE + 1), _entries(1, 1)))
        );
    }

    function test_refuses_timesJustOutside() public {
        _bothRefuse(
            _batch(1, block.timestamp + 1, _entries(1, 1)),
            abi.encodeWithSelector(IFeedStore.ObservedInFuture.selector, block.timestamp + 1, block.timestamp)
        );
        _bothRefuse(
            _batch(1, block.timestamp - MAX_AGE - 1, _entries(1, 1)),
            abi.encodeWithSelector(
                IFeedStore.ObservedTooEarly.selector, block.timestamp - MAX_AGE - 1, block.timestamp - MAX_AGE
            )
        );
        _send(address(store), _transmitted(_batch(1, block.timestamp - MAX_AGE, _entries(1, 1))));
        _send(address(store), _transmitted(_batch(2, block.timestamp, _entries(1, 1))));
    }

    /// Equal or falling feeds would write a feed twice in one report.
    function test_refuses_feedsThatDoNotRise() public {
        _bothRefuse(
            _next(bytes.concat(_entry(0, 1), _entry(0, 1))),
            abi.encodeWithSelector(IFeedStore.FeedsNotRising.selector, 0, 0)
        );
        _bothRefuse(
            _next(bytes.concat(_entry(1, 1), _entry(5, 1), _entry(3, 1), _entry(6, 1))),
            abi.encodeWithSelector(IFeedStore.FeedsNotRising.selector, 3, 5)
        );
        // What is skipped has its place in the order, too.
        _bothRefuse(
            _next(bytes.concat(_entry(1, 1), _entry(65_535, 1), _entry(65_535, 1))),
            abi.encodeWithSelector(IFeedStore.FeedsNotRising.selector, 65_535, 65_535)
        );
    }

    function testFuzz_refuses_feedsThatDoNotRise(uint256[6] memory steps) public {
        bytes memory entries;
        bool rising = true;
        uint256 feed = 9;
        for (uint256 i = 0; i < steps.length; ++i) {
            // Down one, not at all, or up: a quarter of the reports rise all the way.
            uint256 step = steps[i] % 16;
            feed = step == 0 ? feed - 1 : step < 4 ? feed : feed + step % 5 + 1;
            if (i != 0 && step < 4) rising = false;
            entries = bytes.concat(entries, _entry(feed, 1));
        }
        bytes memory report = _next(entries);
        vm.prank(TRANSMITTER);
        (bool ok,) = address(store).call(_updated(report));
        vm.assertEq(ok, rising);
    }

    function test_refuses_emptyReports() public {
        bytes memory report = _next("");
        vm.prank(TRANSMITTER);
        _refused(
            address(store), _updated(report), abi.encodeWithSelector(IFeedStore.WrongLength.selector, 12)
        );
        _refused(
            address(store),
            _transmitted(report),
            abi.encodeWithSelector(IFeedStore.WrongLength.selector, 12 + 196)
        );
    }

    /// Call data cut short anywhere is not whole, or is not what was signed; nor is anything longer.
    function test_refuses_everyOtherLength() public {
        bytes memory good = _transmitted(_next(_entries(3, 5)));
        for (uint256 length = 4; length < good.length; ++length) {
            bytes memory short = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                short[i] = good[i];
            }
            bytes4 reason = _transmitRefused(short);
            // Whole entries less, the attestation no longer begins where it is looked for.
            bool whole = length > 12 + 196 && (length - 12 - 196) % 10 == 0;
            vm.assertEq(reason == IFeedStore.WrongLength.selector, !whole);
        }
        for (uint256 more = 1; more <= 70; ++more) {
            bytes4 reason = _transmitRefused(bytes.concat(good, new bytes(more)));
            vm.assertEq(reason == IFeedStore.WrongLength.selector, more % 10 != 0);
        }
        _send(address(store), good);
    }

    /// A transmitter's report of any other length than whole entries.
    function test_refuses_updatesOfEveryOtherLength() public {
        bytes memory good = _updated(_next(_entries(3, 5)));
        for (uint256 length = 4; length < good.length; ++length) {
            if (length == 22 || length == 32) continue;
            bytes memory short = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                short[i] = good[i];
            }
            vm.prank(TRANSMITTER);
            _refused(address(store), short, abi.encodeWithSelector(IFeedStore.WrongLength.selector, length));
        }
    }

    // ----------------------------------------------------------- signatures

    function test_refuses_withoutSigners() public {
        FeedStore bare = _store(1);
        bytes memory data =
            bytes.concat(store.transmit.selector, _batch(1, block.timestamp, _entries(1, 1)), new bytes(68));
        _refused(address(bare), data, abi.encodeWithSelector(ISignerSet.NoSigners.selector));
    }

    function testFuzz_refuses_anyFlippedBit(uint256 place) public {
        bytes memory data = _transmitted(_next(_entries(4, 5)));
        uint256 bit = 32 + place % (8 * data.length - 32);
        data[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _transmitRefused(data);
        data[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _send(address(store), data);
    }

    function testFuzz_refuses_anyOtherBitmap(uint32 bitmap) public {
        vm.assume(bitmap != _first(3));
        bytes memory data = _transmitted(_next(_entries(1, 5)));
        for (uint256 i = 0; i < 4; ++i) {
            data[22 + i] = bytes4(bitmap)[i];
        }
        _transmitRefused(data);
    }

    function testFuzz_refuses_strangers(uint256 key, uint256 place) public {
        key = SIGNERS + 1 + key % (CURVE_ORDER - SIGNERS - 1);
        bytes memory report = _next(_entries(2, 5));
        bytes memory attestation = bytes.concat(bytes4(uint32(7)));
        for (uint256 i = 0; i < 3; ++i) {
            attestation = bytes.concat(attestation, _signature(i == place % 3 ? key : i + 1, _digest(report)));
        }
        bytes4 reason = _transmitRefused(bytes.concat(store.transmit.selector, report, attestation));
        vm.assertTrue(reason == ISignerSet.WrongSignature.selector);
    }

    /// One signer's signature under every bit, and the right signatures in another order.
    function test_refuses_duplicatesAndReordered() public {
        bytes memory report = _next(_entries(2, 5));
        bytes32 digest = _digest(report);
        bytes memory head = bytes.concat(store.transmit.selector, report, bytes4(uint32(7)));
        bytes[3] memory each = [_signature(1, digest), _signature(2, digest), _signature(3, digest)];
        _transmitRefused(bytes.concat(head, each[0], each[0], each[0]));
        _transmitRefused(bytes.concat(head, each[0], each[0], each[2]));
        _transmitRefused(bytes.concat(head, each[1], each[0], each[2]));
        _transmitRefused(bytes.concat(head, each[0], each[2], each[1]));
        _transmitRefused(bytes.concat(head, each[0], each[1], new bytes(64)));
        _send(address(store), bytes.concat(head, each[0], each[1], each[2]));
    }

    function testFuzz_refuses_theOtherFormOfS(int64 answer, uint256 place) public {
        bytes memory report = _next(_entry(3, answer));
        bytes memory attestation = bytes.concat(bytes4(uint32(7)));
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory signature = _signature(i + 1, _digest(report));
            if (i == place % 3) {
                (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
                signature = abi.encodePacked(r, CURVE_ORDER - uint256(s));
            }
            attestation = bytes.concat(attestation, signature);
        }
        _transmitRefused(bytes.concat(store.transmit.selector, report, attestation));
    }

    /// Another chain, another store, the configuration before, a domain of no store.
    function testFuzz_refuses_otherDomains(uint64 chainId, address target, bytes32 domain) public {
        vm.assume(chainId != block.chainid && target != address(store));
        bytes memory report = _next(_entries(1, 5));
        bytes32[4] memory domains = [
            _domainOf(chainId, address(store), 1, _signers(SIGNERS), FAULTS),
            _domainOf(block.chainid, target, 1, _signers(SIGNERS), FAULTS),
            _domainOf(block.chainid, address(store), 2, _signers(SIGNERS), FAULTS),
            domain
        ];
        for (uint256 i = 0; i < domains.length; ++i) {
            bytes memory attestation = _attest(_digestOf(domains[i], report), FAULTS);
            _transmitRefused(bytes.concat(store.transmit.selector, report, attestation));
        }
    }

    /// The sequence, the feeds, the time of the last report and the pause outlive a change of signers.
    function test_setSigners_losesNoReport() public {
        _transmitEntries(store, _entries(3, 1));
        bytes memory report = _next(_entries(3, 2));
        bytes memory inFlight = _transmitted(report);
        bytes memory before = _state();
        address[] memory signers = _signers(SIGNERS);
        vm.prank(OWNER);
        store.setSigners(signers, FAULTS);
        vm.assertEq(_state(), before);
        vm.assertTrue(_transmitRefused(inFlight) == ISignerSet.WrongSignature.selector);
        _transmit(store, store.transmit.selector, report);
        _assertLatest(2, 2, 4, block.timestamp);
    }

    function test_refuses_sequencesBeyondTheLast() public {
        _update(store, _entries(1, 1));
        // The last but one was accepted.
        bytes32 slot = _configurationSlot();
        uint256 word = uint256(vm.load(address(store), slot));
        vm.store(address(store), slot, bytes32(word + (uint256(0x7ffffffe - 1) << 32)));
        _update(store, _entries(1, 2));
        _bothRefuse(_batch(0x80000000, block.timestamp, _entries(1, 3)), _text("Sequences exhausted"));
        (,, bool paused,,) = store.storeState(OWNER);
        vm.assertFalse(paused);
    }

    function _configurationSlot() private view returns (bytes32 slot) {
        for (uint256 i = 0; i < 16; ++i) {
            slot = bytes32(i);
            uint256 word = uint256(vm.load(address(store), slot));
            if (uint32(word >> 64) == (1 << 16 | uint256(FAULTS) << 8 | SIGNERS)) return slot;
        }
        vm.assertTrue(false, "no configuration");
    }
}

contract FeedStoreSkipTest is FeedStoreFixture {
    /// One bad feed of every kind among good ones: each is skipped by name, and the good ones are written.
    function test_skips_eachBadFeedAlone() public {
        uint256 bounded = _addFeed(store, 10, 20);
        vm.prank(OWNER);
        store.setFeedPaused(5, true);
        _update(store, _entries(4, 1));
        vm.warp(block.timestamp + 60);
        // Observed before feed 0 to 3 were last written, after all others.
        _update(store, _entry(3, 9));
        bytes memory report = _batch(
            _nextSequence(store),
            block.timestamp - 60,
            bytes.concat(
                _entry(2, 50),
                _entry(3, 51),
                _entry(5, 52),
                _entry(6, 53),
                _entry(bounded, 21),
                _entry(13, 54),
                _entry(65_535, 55)
            )
        );
        vm.recordLogs();
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(report));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 6);
        vm.assertEq(logs[0].topics[0], IFeedStore.ReportAccepted.selector);
        _assertSkipped(logs[1], 3, 51, IFeedStore.SkipReason.Stale);
        _assertSkipped(logs[2], 5, 52, IFeedStore.SkipReason.FeedPaused);
        _assertSkipped(logs[3], bounded, 21, IFeedStore.SkipReason.OutOfBounds);
        _assertSkipped(logs[4], 13, 54, IFeedStore.SkipReason.UnknownFeed);
        _assertSkipped(logs[5], 65_535, 55, IFeedStore.SkipReason.UnknownFeed);
        _assertLatest(2, 2, 50, block.timestamp);
        _assertLatest(3, 2, 9, block.timestamp);
        _assertLatest(6, 1, 53, block.timestamp);
        _assertNone(5);
        _assertNone(bounded);
        _assertNone(13);
        _assertNone(65_535);
    }

    function _assertSkipped(Vm.Log memory log, uint256 feed, int256 answer, IFeedStore.SkipReason reason)
        private
        view
    {
        vm.assertEq(log.emitter, address(store));
        vm.assertEq(log.topics.length, 3);
        vm.assertEq(log.topics[0], IFeedStore.FeedSkipped.selector);
        vm.assertEq(log.topics[1], bytes32(feed));
        vm.assertEq(log.topics[2], bytes32(_nextSequence(store) - 1));
        vm.assertEq(log.data, abi.encode(answer, reason));
    }

    /// Whatever is bad about one feed, its neighbours in the slot of counters and on the page are written.
    function testFuzz_skips_anyOneBadFeed(uint256 bad, uint8 kind, int64 answer) public {
        FeedStore other = new FeedStore(MAX_AGE, OWNER, TRANSMITTER);
        bad %= 10;
        for (uint256 feed = 0; feed < 10; ++feed) {
            _addFeed(other, feed == bad && kind % 2 == 0 ? int256(1) : type(int64).min, type(int64).max);
        }
        if (kind % 2 == 1) {
            vm.prank(OWNER);
            other.setFeedPaused(bad, true);
        } else if (answer > 0) {
            answer = -answer;
        }
        bytes memory entries;
        for (uint256 feed = 0; feed < 10; ++feed) {
            entries = bytes.concat(entries, _entry(feed, answer));
        }
        for (uint256 i = 1; i <= 4; ++i) {
            _update(other, entries);
            for (uint256 feed = 0; feed < 10; ++feed) {
                (uint256 round, int256 latest,) = other.latestRoundOf(feed);
                vm.assertEq(round, feed == bad ? 0 : i);
                vm.assertEq(latest, feed == bad ? int256(0) : answer);
            }
        }
    }

    /// Every entry skipped: the sequence is used up all the same, or the report could come back.
    function test_skips_wholeReports() public {
        bytes memory report = _next(bytes.concat(_entry(FEEDS, 1), _entry(FEEDS + 1, 1)));
        _send(address(store), _transmitted(report));
        _bothRefuse(report, abi.encodeWithSelector(IFeedStore.StaleSequence.selector, 1, 2));
    }

    function test_skips_outsideBoundsOnly() public {
        uint256 feed = _addFeed(store, -3, 9);
        int64[6] memory answers = [int64(-4), -3, 9, 10, type(int64).min, type(int64).max];
        for (uint256 i = 0; i < answers.length; ++i) {
            _update(store, _entry(feed, answers[i]));
        }
        (uint256 roundId, int256 answer,) = store.latestRoundOf(feed);
        vm.assertEq(abi.encode(roundId, answer), abi.encode(2, int256(9)));
        (answer,) = store.roundOf(feed, 1);
        vm.assertEq(answer, int256(-3));
    }

    /// Observed in the second in which the feed was last written is not before it.
    function test_skips_staleOnly() public {
        _update(store, _entries(2, 1));
        uint256 written = block.timestamp;
        vm.warp(written + 60);
        _update(store, _entry(0, 2));
        // Feed 1 was not written since; feed 2 never.
        bytes memory entries = bytes.concat(_entry(0, 3), _entry(1, 4), _entry(2, 5));
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(_batch(3, written, entries)));
        _assertLatest(0, 2, 2, block.timestamp);
        _assertLatest(1, 2, 4, block.timestamp);
        _assertLatest(2, 1, 5, block.timestamp);
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(_batch(4, block.timestamp - 1, entries)));
        _assertLatest(1, 2, 4, block.timestamp);
        vm.prank(TRANSMITTER);
        _send(address(store), _updated(_batch(5, block.timestamp, entries)));
        _assertLatest(0, 3, 3, block.timestamp);
        _assertLatest(1, 3, 4, block.timestamp);
    }

    /// The last round there is, and the one after it: neither the pause bit nor the neighbours are touched.
    function test_skips_exhaustedFeeds() public {
        _update(store, _entries(8, 1));
        bytes32 slot = keccak256(abi.encode(uint256(0), _countersSlot()));
        uint256 word = uint256(vm.load(address(store), slot));
        vm.assertEq(word, uint256(0x0000000100000001000000010000000100000001000000010000000100000001));
        vm.store(address(store), slot, bytes32(word ^ (uint256(0x7ffffffe ^ 1) << 96)));
        _update(store, _entries(8, 70));
        _assertLatest(3, 0x7fffffff, 73, block.timestamp);
        vm.recordLogs();
        _update(store, _entries(8, 80));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);
        _assertSkipped(logs[1], 3, 83, IFeedStore.SkipReason.Exhausted);
        _assertLatest(3, 0x7fffffff, 73, block.timestamp);
        _assertLatest(2, 3, 82, block.timestamp);
        _assertLatest(4, 3, 84, block.timestamp);
        (,,,, bool paused,) = store.feedInfo(3);
        vm.assertFalse(paused);
    }

    /// @dev The mapping of counters is the one under which a word for feeds 0 to 7 is found.
    function _countersSlot() private view returns (uint256 slot) {
        for (slot = 0; slot < 16; ++slot) {
            bytes32 word = vm.load(address(store), keccak256(abi.encode(uint256(0), slot)));
            if (uint256(word) & 0xffffffff == 1) return slot;
        }
        vm.assertTrue(false, "no counters");
    }

    function _assertNone(uint256 feed) private view {
        (uint256 roundId, int256 answer, uint256 updatedAt) = store.latestRoundOf(feed);
        vm.assertEq(abi.encode(roundId, answer, updatedAt), abi.encode(0, 0, 0));
    }
}

contract FeedStoreAdminTest is FeedStoreFixture {
    function test_addFeed() public {
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.FeedAdded(FEEDS, 6, "SOL / USD", -5, 1e15);
        vm.prank(OWNER);
        uint256 feed = store.addFeed(6, "SOL / USD", -5, 1e15);
        vm.assertEq(feed, FEEDS);
        (uint8 decimals, string memory text, int256 min, int256 max, bool paused, address announcer) =
            store.feedInfo(feed);
        vm.assertEq(
            abi.encode(decimals, text, min, max, paused, announcer),
            abi.encode(6, "SOL / USD", int256(-5), int256(1e15), false, address(0))
        );
        (, uint256 feeds,,,) = store.storeState(OWNER);
        vm.assertEq(feeds, FEEDS + 1);
    }

    /// Over the edges of pages: every feed keeps its own bounds.
    function test_addFeed_manyPages() public {
        FeedStore big = new FeedStore(MAX_AGE, OWNER, TRANSMITTER);
        for (uint256 i = 0; i < 131; ++i) {
            vm.assertEq(_addFeed(big, -int256(i), int256(i)), i);
        }
        for (uint256 i = 0; i < 131; ++i) {
            (,, int256 min, int256 max,,) = big.feedInfo(i);
            vm.assertEq(abi.encode(min, max), abi.encode(-int256(i), int256(i)));
        }
        bytes memory inside;
        bytes memory outside;
        for (uint256 i = 0; i < 131; ++i) {
            inside = bytes.concat(inside, _entry(i, i % 2 == 0 ? int256(i) : -int256(i)));
            outside = bytes.concat(outside, _entry(i, i % 2 == 0 ? int256(i) + 1 : -int256(i) - 1));
        }
        // The feeds after the last one, on its page and on the next.
        _update(big, bytes.concat(inside, _entry(131, 0), _entry(191, 0), _entry(192, 0), _entry(4000, 0)));
        _update(big, outside);
        for (uint256 i = 0; i < 131; ++i) {
            (uint256 round, int256 answer,) = big.latestRoundOf(i);
            vm.assertEq(abi.encode(round, answer), abi.encode(1, i % 2 == 0 ? int256(i) : -int256(i)));
        }
        (uint256 none,,) = big.latestRoundOf(131);
        vm.assertEq(none, 0);
    }

    function test_addFeed_refusesBounds() public {
        int256[2][4] memory bounds = [
            [int256(1), int256(0)],
            [int256(type(int64).min) - 1, int256(0)],
            [int256(0), int256(type(int64).max) + 1],
            [type(int256).max, type(int256).min]
        ];
        for (uint256 i = 0; i < bounds.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IFeedStore.InvalidBounds.selector, bounds[i][0], bounds[i][1])
            );
            vm.prank(OWNER);
            store.addFeed(8, "", bounds[i][0], bounds[i][1]);
        }
    }

    function test_owner_alone() public {
        bytes[6] memory calls = [
            abi.encodeCall(store.addFeed, (8, "", 0, 1)),
            abi.encodeCall(store.setAnnouncer, (0, address(0))),
            abi.encodeCall(store.setTransmitter, (STRANGER, true)),
            abi.encodeCall(store.pause, ()),
            abi.encodeCall(store.unpause, ()),
            abi.encodeCall(store.setFeedPaused, (0, true))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(TRANSMITTER);
            _refused(address(store), calls[i], ONLY_OWNER);
            vm.prank(OWNER);
            _send(address(store), calls[i]);
        }
    }

    function test_unknownFeeds() public {
        uint256[3] memory unknown = [FEEDS, 65_536, type(uint256).max];
        for (uint256 i = 0; i < unknown.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IFeedStore.UnknownFeed.selector, unknown[i]);
            vm.expectRevert(reason);
            store.feedInfo(unknown[i]);
            vm.expectRevert(reason);
            vm.prank(OWNER);
            store.setFeedPaused(unknown[i], true);
            vm.expectRevert(reason);
            vm.prank(OWNER);
            store.setAnnouncer(unknown[i], address(0));
            vm.expectRevert(reason);
            new FeedFacade(store, unknown[i]);
        }
    }

    /// A feed's number is compared in full width: one that is cut would show another feed's rounds.
    function testFuzz_unknownFeeds_haveNoRounds(uint256 feed, uint256 round) public {
        for (uint256 i = 0; i < 4; ++i) {
            _update(store, _entries(FEEDS, 7));
        }
        vm.assume(feed >= FEEDS);
        for (uint256 i = 0; i < 3; ++i) {
            (uint256 roundId, int256 answer, uint256 updatedAt) = store.latestRoundOf(feed);
            vm.assertEq(abi.encode(roundId, answer, updatedAt), abi.encode(0, 0, 0));
            (answer, updatedAt) = store.roundOf(feed, i == 0 ? round : i);
            vm.assertEq(abi.encode(answer, updatedAt), abi.encode(0, 0));
        }
    }

    function test_setTransmitter_rotates() public {
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.TransmitterChanged(STRANGER, true);
        vm.prank(OWNER);
        store.setTransmitter(STRANGER, true);
        vm.prank(OWNER);
        store.setTransmitter(TRANSMITTER, false);
        bytes memory data = _updated(_next(_entries(1, 1)));
        vm.prank(TRANSMITTER);
        _refused(
            address(store), data, abi.encodeWithSelector(IFeedStore.NotTransmitter.selector, TRANSMITTER)
        );
        vm.prank(STRANGER);
        _send(address(store), data);
        vm.expectRevert(abi.encodeWithSelector(IFeedStore.InvalidTransmitter.selector, address(0)));
        vm.prank(OWNER);
        store.setTransmitter(address(0), true);
        vm.recordLogs();
        vm.prank(OWNER);
        store.setTransmitter(STRANGER, true);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_pause_stopsReportsAndKeepsReads() public {
        _update(store, _entries(FEEDS, 1));
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.PauseChanged(true, OWNER);
        vm.prank(OWNER);
        store.pause();
        bytes memory report = _next(_entries(FEEDS, 2));
        _bothRefuse(report, abi.encodeWithSelector(IFeedStore.Paused.selector));
        vm.recordLogs();
        vm.prank(OWNER);
        store.pause();
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.prank(OWNER);
        store.unpause();
        _send(address(store), _transmitted(report));
        _assertLatest(3, 2, 5, block.timestamp);
    }

    function test_setFeedPaused_touchesNoCounter() public {
        for (uint256 i = 0; i < 4; ++i) {
            _update(store, _entries(FEEDS, int256(i)));
        }
        bytes memory before = _state();
        for (uint256 feed = 0; feed < FEEDS; feed += 5) {
            vm.expectEmit(true, true, true, true, address(store));
            emit IFeedStore.FeedPauseChanged(feed, true, OWNER);
            vm.prank(OWNER);
            store.setFeedPaused(feed, true);
            vm.recordLogs();
            vm.prank(OWNER);
            store.setFeedPaused(feed, true);
            vm.assertEq(vm.getRecordedLogs().length, 0);
        }
        vm.assertEq(_state(), before);
        _update(store, _entries(FEEDS, 100));
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            (uint256 round,,) = store.latestRoundOf(feed);
            vm.assertEq(round, feed % 5 == 0 ? 4 : 5);
            if (feed % 5 != 0) continue;
            vm.prank(OWNER);
            store.setFeedPaused(feed, false);
        }
        _update(store, _entries(FEEDS, 200));
        _assertLatest(5, 5, 205, block.timestamp);
        _assertLatest(6, 6, 206, block.timestamp);
    }
}

/// @dev Says it is a facade, and does with an announcement whatever harms most.
contract HostileFacade {
    address public immutable store;
    uint256 public immutable feedId;
    uint256 private immutable kind;
    bytes22 private immutable report;

    constructor(address store_, uint256 feedId_, uint256 kind_, bytes22 report_) {
        store = store_;
        feedId = feedId_;
        kind = kind_;
        report = report_;
    }

    function announce(uint256, int256) external {
        if (kind == 0) revert("no");
        if (kind == 1) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (kind == 2) {
            assembly ("memory-safe") {
                revert(0, 1000000)
            }
        }
        // The report that is next, from within the one before it.
        (bool ok,) = store.call(abi.encodePacked(report));
        require(ok, "refused");
    }
}

contract FeedFacadeTest is FeedStoreFixture {
    FeedFacade private facade;

    function setUp() public override {
        super.setUp();
        facade = _facade(store, 4);
        vm.prank(OWNER);
        store.setAnnouncer(4, address(facade));
    }

    function test_facade_isOneFeed() public {
        vm.assertEq(facade.store(), address(store));
        vm.assertEq(facade.feedId(), 4);
        vm.assertEq(facade.typeAndVersion(), "FeedFacade 1.0.0");
        vm.prank(OWNER);
        uint256 feed = store.addFeed(18, "BTC / USD", 0, 1);
        vm.assertEq(_facade(store, feed).decimals(), 18);
        vm.assertEq(_facade(store, feed).description(), "BTC / USD");
    }

    /// The events are the facade's own, `NewRound` first, and say what its reads say.
    function test_announce_emitsBothEvents() public {
        _update(store, _entries(FEEDS, 1));
        vm.warp(block.timestamp + 60);
        bytes memory report = _batch(2, block.timestamp - 9, _entries(FEEDS, -42));
        vm.recordLogs();
        _send(address(store), _transmitted(report));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3);
        vm.assertEq(logs[1].emitter, address(facade));
        vm.assertEq(logs[1].topics[0], IAggregatorV2V3.NewRound.selector);
        vm.assertEq(logs[1].topics[1], bytes32(uint256(2)));
        vm.assertEq(logs[1].topics[2], bytes32(0));
        vm.assertEq(logs[1].data, abi.encode(block.timestamp));
        vm.assertEq(logs[2].emitter, address(facade));
        vm.assertEq(logs[2].topics[0], IAggregatorV2V3.AnswerUpdated.selector);
        vm.assertEq(logs[2].topics[1], bytes32(type(uint256).max - 37));
        vm.assertEq(logs[2].topics[2], bytes32(uint256(2)));
        vm.assertEq(logs[2].data, abi.encode(block.timestamp));
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt,) = facade.latestRoundData();
        vm.assertEq(abi.encode(roundId, answer), abi.encode(2, int256(-38)));
        vm.assertEq(abi.encode(startedAt, updatedAt), abi.encode(block.timestamp, block.timestamp));
    }

    function test_announce_onlyWhatWasWritten() public {
        vm.prank(OWNER);
        store.setFeedPaused(4, true);
        vm.recordLogs();
        _update(store, _entry(4, 1));
        // Accepted, and skipped: nothing of the facade's.
        vm.assertEq(vm.getRecordedLogs().length, 2);
    }

    function test_announce_onlyByTheStore() public {
        address[3] memory others = [OWNER, TRANSMITTER, STRANGER];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IFeedFacade.OnlyStore.selector, others[i]));
            vm.prank(others[i]);
            facade.announce(1, 1);
        }
    }

    function test_setAnnouncer() public {
        FeedFacade fifth = _facade(store, 5);
        vm.expectEmit(true, true, true, true, address(store));
        emit IFeedStore.AnnouncerChanged(5, address(fifth));
        vm.prank(OWNER);
        store.setAnnouncer(5, address(fifth));
        vm.prank(OWNER);
        store.setAnnouncer(4, address(0));
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            (,, int256 min, int256 max,, address announcer) = store.feedInfo(feed);
            vm.assertEq(announcer, feed == 5 ? address(fifth) : address(0));
            vm.assertEq(abi.encode(min, max), abi.encode(int256(type(int64).min), int256(type(int64).max)));
        }
        vm.recordLogs();
        _update(store, _entries(FEEDS, 1));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3);
        vm.assertEq(logs[1].emitter, address(fifth));
    }

    /// The facade of another feed or another store would announce what its reads do not show.
    function test_setAnnouncer_refusesOthers() public {
        address[4] memory others =
            [address(_facade(store, 3)), address(_facade(_store(5), 4)), STRANGER, address(vm)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IFeedStore.InvalidFacade.selector, others[i]));
            vm.prank(OWNER);
            store.setAnnouncer(4, others[i]);
        }
    }

    /// A facade that fails, burns its gas or returns a bomb keeps nobody from anything.
    function test_hostileFacade_stopsNothing() public {
        for (uint256 kind = 0; kind < 3; ++kind) {
            address hostile = address(new HostileFacade(address(store), 2, kind, 0));
            vm.prank(OWNER);
            store.setAnnouncer(2, hostile);
            vm.recordLogs();
            _update(store, _entries(FEEDS, int256(kind)));
            // The honest facade after it is heard.
            vm.assertEq(vm.getRecordedLogs().length, 3);
            _assertLatest(2, kind + 1, int256(kind) + 2, block.timestamp);
            _assertLatest(11, kind + 1, int256(kind) + 11, block.timestamp);
        }
    }

    /// A facade that sends the next report from within finds everything of this one written: each is accepted as if it
    /// had come alone, and no round is doubled or lost.
    function test_hostileFacade_reenters() public {
        _update(store, _entries(FEEDS, 1));
        bytes memory next = _updated(_batch(3, block.timestamp, _entry(6, 77)));
        address hostile = address(new HostileFacade(address(store), 2, 3, bytes22(next)));
        vm.prank(OWNER);
        store.setTransmitter(hostile, true);
        vm.prank(OWNER);
        store.setAnnouncer(2, hostile);
        // Sent by the same account, so that all it touches is warm and its gas lasts.
        bytes memory data = _updated(_next(_entries(FEEDS, 10)));
        vm.prank(hostile);
        _send(address(store), data);
        vm.assertEq(_nextSequence(store), 4);
        for (uint256 feed = 0; feed < FEEDS; ++feed) {
            (uint256 round,,) = store.latestRoundOf(feed);
            vm.assertEq(round, feed == 6 ? 3 : 2);
            (int256 answer,) = store.roundOf(feed, 2);
            vm.assertEq(answer, int256(10 + feed));
        }
        _assertLatest(6, 3, 77, block.timestamp);
    }

    /// With too little gas for the announcement the report is refused, never accepted in silence: over the whole range
    /// of limits, either both events are there or nothing happened.
    function test_announce_isNeverStarved() public {
        _update(store, _entry(4, 1));
        _update(store, _entry(4, 1));
        bytes memory data = _updated(_batch(3, block.timestamp, _entry(4, 2)));
        uint256 refused;
        uint256 accepted;
        for (uint256 limit = 20_000; limit < 120_000; limit += 500) {
            uint256 id = vm.snapshotState();
            vm.recordLogs();
            vm.prank(TRANSMITTER);
            (bool ok,) = address(store).call{gas: limit}(data);
            uint256 logs = vm.getRecordedLogs().length;
            if (ok) ++accepted;
            else ++refused;
            if (ok) vm.assertEq(logs, 3);
            vm.revertToState(id);
        }
        vm.assertTrue(refused > 10 && accepted > 10);
    }
}
