// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {IFeedStore} from "../../src/interfaces/store/IFeedStore.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Vm} from "../base/Vm.sol";
import {FeedStoreFixture} from "./FeedStoreFixture.sol";

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
