// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {ReportAggregator} from "../../src/report/ReportAggregator.sol";
import {Consumer, Factory} from "../base/GasSuite.sol";
import {Signing} from "./Signing.sol";

/// @title The gas snapshot of reports, as that of the aggregator: `gas/report.json`.
contract ReportGasTest is Signing {
    string private constant SNAPSHOT = "gas/report.json";
    /// @dev A whole number of groups.
    uint256 private constant ROUNDS = 12;
    uint256 private constant FOUR_SIGNERS_MAX = 60_000;
    uint256 private constant THIRTY_ONE_SIGNERS_MAX = 110_000;

    function test_reportSnapshot() public {
        string memory json = string.concat(
            "{\n",
            _mode(4, 1, FOUR_SIGNERS_MAX),
            ",\n",
            _mode(7, 2, type(uint256).max),
            ",\n",
            _mode(16, 5, type(uint256).max),
            ",\n",
            _mode(31, 10, THIRTY_ONE_SIGNERS_MAX),
            "\n}\n"
        );
        if (vm.envOr("GAS_UPDATE", false)) {
            vm.writeFile(SNAPSHOT, json);
        } else {
            vm.assertEq(json, vm.readFile(SNAPSHOT), "gas/report.json differs; GAS_UPDATE=true writes it");
        }
    }

    function _mode(uint256 n, uint8 f, uint256 averageMax) private returns (string memory) {
        Factory factory = new Factory();
        bytes memory arguments = abi.encode(
            uint8(8), "ETH / USD", int256(1), int256(1e15), uint32(MAX_AGE), OWNER, _signers(n), f
        );
        (bool ok, bytes memory created) =
            address(factory).call(bytes.concat(type(ReportAggregator).creationCode, arguments));
        uint256 deploy = vm.lastCallGas().gasTotalUsed;
        vm.assertTrue(ok, "deployment");
        ReportAggregator feed = ReportAggregator(abi.decode(created, (address)));
        return string.concat(
            "  \"",
            vm.toString(n),
            "Signers\": {",
            _field("deploy", deploy),
            ", ",
            _transmissions(feed, n, averageMax),
            ", ",
            _field("worstWithEscape", _worstWithEscape(n, f)),
            ", ",
            _reads(feed),
            "}"
        );
    }

    /// @dev Every signer's answer is in the report, and f + 1 sign it.
    function _transmissions(ReportAggregator feed, uint256 n, uint256 averageMax)
        private
        returns (string memory)
    {
        uint256 best = type(uint256).max;
        uint256 worst;
        uint256 sum;
        for (uint256 i = 0; i < ROUNDS + 3; ++i) {
            vm.warp(block.timestamp + 60);
            bytes memory report = _report(i + 1, block.timestamp - 2, n, int256((2000 + i) * 1e8 + 123));
            _transmit(feed, feed.transmit.selector, report);
            if (i < 3) continue;
            uint256 used = vm.lastCallGas().gasTotalUsed;
            sum += used;
            if (used < best) best = used;
            if (used > worst) worst = used;
        }
        vm.assertLe(sum / ROUNDS, averageMax, "average report");
        return string.concat(
            _field("average", sum / ROUNDS), ", ", _field("best", best), ", ", _field("worst", worst)
        );
    }

    /// @dev The dearest round there is: it moves a full group to the archive, does not fit its entry, and the call data of
    /// its answers hold no zero byte. What a publisher's gas limit has to cover.
    function _worstWithEscape(uint256 n, uint8 f) private returns (uint256) {
        ReportAggregator wide = _reportAggregator(n, f);
        for (uint256 i = 0; i < 3; ++i) {
            vm.warp(block.timestamp + 60);
            _transmitRound(wide, 1);
        }
        _transmit(wide, wide.transmit.selector, _report(4, block.timestamp, n, -0x0101010101010101));
        return vm.lastCallGas().gasTotalUsed;
    }

    function _reads(ReportAggregator feed) private returns (string memory) {
        AggregatorProxy proxy = new AggregatorProxy(address(feed), OWNER);
        Consumer consumer = new Consumer();
        bytes memory latest = abi.encodeCall(feed.latestRoundData, ());
        return string.concat(
            _field("latestRoundData", consumer.cost(address(feed), latest)),
            ", ",
            _field("latestRoundDataProxied", consumer.cost(address(proxy), latest))
        );
    }

    function _field(string memory name, uint256 value) private pure returns (string memory) {
        return string.concat("\"", name, "\": ", vm.toString(value));
    }
}
