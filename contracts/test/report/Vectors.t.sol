// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISignerSet} from "../../src/interfaces/report/ISignerSet.sol";
import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {FeedStore} from "../../src/store/FeedStore.sol";
import {Storing} from "../store/Storing.sol";

/// @title Reports with every step from numbers to call data, for whoever writes an encoder: `vectors/report.json`.
/// @notice `VECTORS_UPDATE=true` writes the file; else it is compared. Each call data is accepted by a contract at the
/// address it names. 64-bit numbers are decimal strings, since not every reader of JSON has 64 bits; signatures are
/// deterministic (RFC 6979).
contract VectorsTest is Storing {
    string private constant VECTORS = "test/vectors/report.json";
    /// @dev Where the contracts are put, so that the vectors outlive every change of the code.
    address private constant TARGET = address(0x00C0FfEE00000000000000000000000000000001);
    uint256 private constant NOW = 1_700_000_123;

    struct Case {
        uint64 chainId;
        uint256 configCount;
        uint256 n;
        uint8 f;
        uint32 signedBy;
    }

    function test_vectors() public {
        vm.warp(NOW);
        int64[] memory three = new int64[](3);
        (three[0], three[1], three[2]) = (-1, 250_012_345_678, type(int64).max);
        int64[] memory six = new int64[](6);
        (six[0], six[1], six[2], six[3], six[4], six[5]) = (type(int64).min, -5, -5, -4, 0, 1);
        int64[] memory all = new int64[](31);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = int64(int256(6_543_210_000_000 + 1111 * i));
        }
        string memory json = string.concat(
            "{\n  \"reports\": [\n",
            _reportCase(Case(138, 1, 4, 1, 0x3), three),
            ",\n",
            _reportCase(Case(1, 3, 7, 2, 0x52), six),
            ",\n",
            _reportCase(Case(4_294_967_297, 2, 31, 10, 0x7df01000), all),
            "\n  ],\n  \"batches\": [\n"
        );
        json = string.concat(
            json,
            _batchCase(Case(138, 1, 4, 1, 0xa), _entry(0, 250_012_345_678)),
            ",\n",
            _batchCase(
                Case(138, 2, 7, 2, 0x70),
                bytes.concat(_entry(1, -1), _entry(2, type(int64).min), _entry(9, type(int64).max))
            ),
            "\n  ]\n}\n"
        );
        if (vm.envOr("VECTORS_UPDATE", false)) {
            vm.writeFile(VECTORS, json);
        } else {
            vm.assertEq(json, vm.readFile(VECTORS), "vectors differ; VECTORS_UPDATE=true writes them");
        }
    }

    function _reportCase(Case memory given, int64[] memory answers) private returns (string memory) {
        ReportAggregator feed = ReportAggregator(_place(address(_reportAggregator(4, 1))));
        _configure(feed, given);
        bytes memory report = _report(1, NOW - 3, answers);
        string memory head =
            string.concat(_head(given), _field("roundId", "1"), _field("observedAt", vm.toString(NOW - 3)));
        string memory list;
        for (uint256 i = 0; i < answers.length; ++i) {
            list = string.concat(list, i == 0 ? "" : ", ", _quoted(vm.toString(int256(answers[i]))));
        }
        head = string.concat(head, _field("answers", string.concat("[", list, "]")));
        bytes memory data =
            bytes.concat(feed.transmit.selector, report, _attestBy(_digest(given, report), given.signedBy));
        _send(TARGET, data);
        head = string.concat(head, _field("answer", _quoted(vm.toString(feed.latestAnswer()))));
        return string.concat(head, _tail(given, report, data));
    }

    function _batchCase(Case memory given, bytes memory entries) private returns (string memory) {
        FeedStore store = FeedStore(_place(address(_store(0))));
        _configure(store, given);
        for (uint256 i = 0; i < 10; ++i) {
            _addFeed(store, type(int64).min, type(int64).max);
        }
        bytes memory report = _batch(1, NOW - 3, entries);
        string memory list;
        for (uint256 i = 0; i < entries.length; i += 10) {
            list = string.concat(list, i == 0 ? "" : ", ", _entryText(entries, i));
        }
        string memory head = string.concat(
            _head(given),
            _field("sequence", "1"),
            _field("observedAt", vm.toString(NOW - 3)),
            _field("entries", string.concat("[", list, "]")),
            _field("updateCalldata", _bytes(bytes.concat(store.update.selector, report)))
        );
        bytes memory data =
            bytes.concat(store.transmit.selector, report, _attestBy(_digest(given, report), given.signedBy));
        _send(TARGET, data);
        return string.concat(head, _tail(given, report, data));
    }

    /// @dev The contract's code at the address of the vectors, owned by the owner and otherwise empty.
    function _place(address template) private returns (address) {
        vm.etch(TARGET, template.code);
        for (uint256 i = 0; i < 16; ++i) {
            bool owner = vm.load(template, bytes32(i)) == bytes32(uint256(uint160(OWNER)));
            vm.store(TARGET, bytes32(i), owner ? bytes32(uint256(uint160(OWNER))) : bytes32(0));
        }
        return TARGET;
    }

    function _configure(ISignerSet target, Case memory given) private {
        vm.chainId(given.chainId);
        address[] memory signers = _signers(given.n);
        for (uint256 i = 0; i < given.configCount; ++i) {
            vm.prank(OWNER);
            target.setSigners(signers, given.f);
        }
        (uint256 configCount,, bytes32 domain) = target.configuration();
        vm.assertEq(configCount, given.configCount);
        vm.assertEq(domain, _domain(given));
    }

    function _domain(Case memory given) private pure returns (bytes32) {
        return _domainOf(given.chainId, TARGET, given.configCount, _signers(given.n), given.f);
    }

    function _digest(Case memory given, bytes memory report) private pure returns (bytes32) {
        return _digestOf(_domain(given), report);
    }

    function _head(Case memory given) private view returns (string memory) {
        string memory keys;
        string memory signers;
        for (uint256 i = 0; i < given.n; ++i) {
            string memory comma = i == 0 ? "" : ", ";
            keys = string.concat(keys, comma, _quoted(vm.toString(bytes32(i + 1))));
            signers = string.concat(signers, comma, _quoted(vm.toString(vm.addr(i + 1))));
        }
        string memory start = string.concat(
            "    {\n",
            _field("chainId", _quoted(vm.toString(uint256(given.chainId)))),
            _field("contract", _quoted(vm.toString(TARGET))),
            _field("configCount", vm.toString(given.configCount)),
            _field("f", vm.toString(uint256(given.f)))
        );
        start = string.concat(
            start,
            _field("signerKeys", string.concat("[", keys, "]")),
            _field("signers", string.concat("[", signers, "]"))
        );
        (, bytes32 configDigest, bytes32 domain) = ISignerSet(TARGET).configuration();
        return string.concat(
            start,
            _field("configDigest", _quoted(vm.toString(configDigest))),
            _field("domain", _quoted(vm.toString(domain)))
        );
    }

    function _tail(Case memory given, bytes memory report, bytes memory data)
        private
        pure
        returns (string memory)
    {
        bytes32 digest = _digest(given, report);
        string memory by;
        for (uint256 i = 0; i < given.n; ++i) {
            if (given.signedBy >> i & 1 == 0) continue;
            by = string.concat(by, bytes(by).length == 0 ? "" : ", ", vm.toString(i));
        }
        return string.concat(
            _field("report", _bytes(report)),
            _field("digest", _quoted(vm.toString(digest))),
            _field("signedBy", string.concat("[", by, "]")),
            _field("attestation", _bytes(_attestBy(digest, given.signedBy))),
            "      \"transmitCalldata\": ",
            _bytes(data),
            "\n    }"
        );
    }

    function _entryText(bytes memory entries, uint256 offset) private pure returns (string memory) {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(add(add(entries, 32), offset))
        }
        return string.concat(
            "{\"feed\": ",
            vm.toString(word >> 240),
            ", \"answer\": ",
            _quoted(vm.toString(int256(int64(uint64(word >> 176))))),
            "}"
        );
    }

    function _bytes(bytes memory value) private pure returns (string memory) {
        return _quoted(vm.toString(value));
    }

    function _quoted(string memory text) private pure returns (string memory) {
        return string.concat("\"", text, "\"");
    }

    function _field(string memory name, string memory value) private pure returns (string memory) {
        return string.concat("      \"", name, "\": ", value, ",\n");
    }
}
