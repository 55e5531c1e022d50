// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {FeedFacade} from "../../src/store/FeedFacade.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Consumer, Factory} from "../base/GasSuite.sol";
import {Storing} from "./Storing.sol";

/// @title The gas snapshot of the store, as that of the aggregator: `gas/store.json`.
contract StoreGasTest is Storing {
    string private constant SNAPSHOT = "gas/store.json";
    /// @dev A whole number of groups for every feed.
    uint256 private constant BATCHES = 12;
    uint256 private constant TEN_FEEDS_MAX = 18_000;
    uint256 private constant HUNDRED_FEEDS_MAX = 14_000;

    struct Range {
        uint256 average;
        uint256 best;
        uint256 worst;
    }

    function test_storeSnapshot() public {
        string memory json = string.concat(
            "{\n  \"deploy\": {",
            _deployments(),
            "},\n  \"updateByTransmitter\": {",
            _updates(1),
            ", ",
            _updates(10),
            ", ",
            _updates(100),
            "},\n  \"transmitQuorum\": {",
            _transmits(10, 4, 1, TEN_FEEDS_MAX)
        );
        json = string.concat(
            json,
            ", ",
            _transmits(100, 4, 1, HUNDRED_FEEDS_MAX),
            ", ",
            _transmits(10, 31, 10, type(uint256).max),
            "},\n  \"announcedUpdate\": {",
            _announced(10),
            "},\n  \"worstUpdate\": {",
            _worst(10),
            ", ",
            _worst(100),
            "},\n  \"coldRead\": {",
            _reads(),
            "}\n}\n"
        );
        if (vm.envOr("GAS_UPDATE", false)) {
            vm.writeFile(SNAPSHOT, json);
        } else {
            vm.assertEq(json, vm.readFile(SNAPSHOT), "gas/store.json differs; GAS_UPDATE=true writes it");
        }
    }

    function _deployments() private returns (string memory) {
        Factory factory = new Factory();
        address store =
            _deploy(factory, type(FeedStore).creationCode, abi.encode(uint32(MAX_AGE), OWNER, TRANSMITTER));
        uint256 deployStore = vm.lastCallGas().gasTotalUsed;
        vm.prank(OWNER);
        FeedStore(store).addFeed(8, "ETH / USD", 1, 1e15);
        uint256 addFeed = vm.lastCallGas().gasTotalUsed;
        _deploy(factory, type(FeedFacade).creationCode, abi.encode(store, uint256(0)));
        uint256 deployFacade = vm.lastCallGas().gasTotalUsed;
        return string.concat(
            _field("FeedStore", deployStore),
            ", ",
            _field("FeedFacade", deployFacade),
            ", ",
            _field("addFirstFeed", addFeed)
        );
    }

    function _deploy(Factory factory, bytes memory code, bytes memory arguments) private returns (address) {
        (bool ok, bytes memory created) = address(factory).call(bytes.concat(code, arguments));
        vm.assertTrue(ok, "deployment");
        return abi.decode(created, (address));
    }

    function _updates(uint256 feeds) private returns (string memory) {
        Range memory range = _measure(_store(feeds), feeds, false);
        return _range(string.concat(vm.toString(feeds), "Feeds"), range);
    }

    function _announced(uint256 feeds) private returns (string memory) {
        FeedStore store = _store(feeds);
        for (uint256 i = 0; i < feeds; ++i) {
            address facade = address(_facade(store, i));
            vm.prank(OWNER);
            store.setAnnouncer(i, facade);
        }
        return _range(string.concat(vm.toString(feeds), "Feeds"), _measure(store, feeds, false));
    }

    /// @dev Gas a feed of the dearest report there is: every feed opens its counter and its group, no answer fits its
    /// entry, and their call data hold no zero byte. What a publisher's gas limit has to cover.
    function _worst(uint256 feeds) private returns (string memory) {
        FeedStore store = _store(feeds);
        bytes memory entries;
        for (uint256 i = 0; i < feeds; ++i) {
            entries = bytes.concat(entries, _entry(i, -0x0101010101010101));
        }
        _update(store, entries);
        return _field(string.concat(vm.toString(feeds), "Feeds"), vm.lastCallGas().gasTotalUsed / feeds);
    }

    function _transmits(uint256 feeds, uint256 n, uint8 f, uint256 max) private returns (string memory) {
        Range memory range = _measure(_storeSignedBy(feeds, n, f), feeds, true);
        vm.assertLe(range.average, max, "average of a feed in a signed batch");
        return _range(string.concat(vm.toString(feeds), "Feeds", vm.toString(n), "Signers"), range);
    }

    /// @dev Gas a feed of batches a minute apart, once every slot of the hot path has been written.
    function _measure(FeedStore store, uint256 feeds, bool signed) private returns (Range memory range) {
        range.best = type(uint256).max;
        for (uint256 i = 0; i < BATCHES + 3; ++i) {
            vm.warp(block.timestamp + 60);
            bytes memory entries = _entries(feeds, int256((2000 + i) * 1e8 + 123));
            if (signed) _transmitEntries(store, entries);
            else _update(store, entries);
            if (i < 3) continue;
            uint256 used = vm.lastCallGas().gasTotalUsed / feeds;
            range.average += used;
            if (used < range.best) range.best = used;
            if (used > range.worst) range.worst = used;
        }
        range.average /= BATCHES;
    }

    function _reads() private returns (string memory) {
        FeedStore store = _store(1);
        for (uint256 i = 0; i < 5; ++i) {
            vm.warp(block.timestamp + 60);
            _update(store, _entries(1, 1));
        }
        FeedFacade facade = _facade(store, 0);
        AggregatorProxy proxy = new AggregatorProxy(address(facade), OWNER);
        Consumer consumer = new Consumer();
        bytes memory latest = abi.encodeCall(facade.latestRoundData, ());
        return string.concat(
            _field("latestRoundData", consumer.cost(address(facade), latest)),
            ", ",
            _field("latestRoundDataProxied", consumer.cost(address(proxy), latest)),
            ", ",
            _field(
                "getRoundDataEarlier",
                consumer.cost(address(facade), abi.encodeCall(facade.getRoundData, (1)))
            )
        );
    }

    function _range(string memory name, Range memory range) private pure returns (string memory) {
        return string.concat(
            "\"",
            name,
            "\": {",
            _field("average", range.average),
            ", ",
            _field("best", range.best),
            ", ",
            _field("worst", range.worst),
            "}"
        );
    }

    function _field(string memory name, uint256 value) private pure returns (string memory) {
        return string.concat("\"", name, "\": ", vm.toString(value));
    }
}
