// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Aggregator} from "../src/Aggregator.sol";
import {AggregatorProxy} from "../src/AggregatorProxy.sol";
import {Fixture} from "./base/Fixture.sol";

/// @dev Reads as a consumer does: from another contract, in a transaction that has touched nothing before.
contract Consumer {
    /// @return used the gas of the call, the cold account access among it
    function cost(address feed, bytes calldata call) external view returns (uint256 used) {
        bytes memory data = call;
        bool ok;
        assembly ("memory-safe") {
            let before := gas()
            ok := staticcall(gas(), feed, add(data, 32), mload(data), 0, 0)
            used := sub(before, gas())
        }
        require(ok, "the read reverted");
    }
}

/// @dev Creates what it is sent, because forge keeps no account of a creation's gas. 0.1 % above a transaction
/// that creates the contract itself.
contract Factory {
    fallback() external {
        assembly ("memory-safe") {
            let code := mload(0x40)
            calldatacopy(code, 0, calldatasize())
            mstore(0, create(0, code, calldatasize()))
            return(0, 32)
        }
    }
}

/// @title The gas snapshot: measured here, compared with `gas.json`, held under the targets.
/// @notice `GAS_UPDATE=true` writes the file instead. Each call is a transaction of its own (`isolate`), so the
/// figures of a submission include the 21,000 and the calldata.
contract GasTest is Fixture {
    string private constant SNAPSHOT = "gas.json";
    /// @dev A whole number of groups, after the first one: every slot of the hot path is warm from nothing.
    uint256 private constant ROUNDS = 30;

    uint256 private constant AVERAGE_MAX = 43_000;
    uint256 private constant TYPICAL_MAX = 36_000;
    uint256 private constant PROXIED_READ_MAX = 11_000;
    uint256 private constant DEPLOYMENT_MAX = 1_500_000;

    Aggregator private feed;
    AggregatorProxy private proxy;
    Consumer private consumer;
    Factory private factory;
    uint256 private deployAggregator;
    uint256 private deployProxy;

    function setUp() public {
        consumer = new Consumer();
        factory = new Factory();
    }

    function test_snapshot() public {
        bytes memory feedArguments =
            abi.encode(uint8(8), "ETH / USD", int256(1), int256(1e15), OWNER, TRANSMITTER, uint32(0));
        feed = Aggregator(_deploy(type(Aggregator).creationCode, feedArguments));
        deployAggregator = vm.lastCallGas().gasTotalUsed;
        proxy = AggregatorProxy(_deploy(type(AggregatorProxy).creationCode, abi.encode(feed, OWNER)));
        deployProxy = vm.lastCallGas().gasTotalUsed;
        vm.assertLe(deployAggregator, DEPLOYMENT_MAX, "deploy aggregator");

        _seed(feed, 3);
        string memory json = string.concat(
            "{\n  \"deploy\": {",
            _field("Aggregator", deployAggregator),
            ", ",
            _field("AggregatorProxy", deployProxy),
            "},\n  \"submit\": {",
            _submissions(),
            "},\n  \"coldRead\": {",
            _reads(),
            "}\n}\n"
        );
        if (vm.envOr("GAS_UPDATE", false)) {
            vm.writeFile(SNAPSHOT, json);
        } else {
            vm.assertEq(json, vm.readFile(SNAPSHOT), "gas.json differs; GAS_UPDATE=true writes it");
        }
    }

    function _deploy(bytes memory code, bytes memory arguments) private returns (address) {
        (bool ok, bytes memory created) = address(factory).call(bytes.concat(code, arguments));
        vm.assertTrue(ok, "deployment");
        return abi.decode(created, (address));
    }

    function _submissions() private returns (string memory) {
        uint256 best = type(uint256).max;
        uint256 worst;
        uint256 sum;
        uint256 typical;
        for (uint256 i = 0; i < ROUNDS; ++i) {
            vm.warp(block.timestamp + 60);
            _submit(feed, int256((2000 + i) * 1e8 + 123));
            uint256 used = vm.lastCallGas().gasTotalUsed;
            sum += used;
            if (used < best) best = used;
            if (used > worst) worst = used;
            if (used <= TYPICAL_MAX) ++typical;
        }
        vm.assertLe(sum / ROUNDS, AVERAGE_MAX, "average submission");
        vm.assertEq(typical, ROUNDS / 3 * 2, "two submissions of three are cheap");
        return string.concat(
            _field("average", sum / ROUNDS),
            ", ",
            _field("best", best),
            ", ",
            _field("worst", worst),
            ", ",
            _field("worstWithEscape", _worstWithEscape())
        );
    }

    /// @dev The dearest round there is: it moves a full group to the archive, does not fit its entry, and the calldata
    /// of its answer holds no zero byte. What a publisher's gas limit has to cover.
    function _worstWithEscape() private returns (uint256) {
        Aggregator wide = _aggregator();
        _seed(wide, 3);
        _submit(wide, -0x01010101010101010101010101010101010101010101);
        return vm.lastCallGas().gasTotalUsed;
    }

    function _reads() private view returns (string memory) {
        bytes memory latest = abi.encodeCall(feed.latestRoundData, ());
        uint256 proxied = consumer.cost(address(proxy), latest);
        vm.assertLe(proxied, PROXIED_READ_MAX, "proxied read");
        return string.concat(
            _field("latestRoundData", consumer.cost(address(feed), latest)),
            ", ",
            _field("latestRoundDataProxied", proxied),
            ", ",
            _field(
                "getRoundDataArchived", consumer.cost(address(feed), abi.encodeCall(feed.getRoundData, (1)))
            ),
            ", ",
            _field(
                "getRoundDataArchivedProxied",
                consumer.cost(address(proxy), abi.encodeCall(feed.getRoundData, (1 << 64 | 1)))
            )
        );
    }

    function _field(string memory name, uint256 value) private pure returns (string memory) {
        return string.concat("\"", name, "\": ", vm.toString(value));
    }
}
