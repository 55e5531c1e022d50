// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FluxCompatibleAggregator} from "../../src/flux/FluxCompatibleAggregator.sol";
import {IFluxAggregator} from "../../src/interfaces/flux/IFluxAggregator.sol";
import {Consumer, Factory} from "../base/GasSuite.sol";
import {FluxFixture} from "./FluxFixture.sol";

/// @dev A token of which everybody has plenty: what the original reads of LINK.
contract PlentifulToken {
    function balanceOf(address) external pure returns (uint256) {
        return 1e27;
    }
}

interface IFunded {
    function updateAvailableFunds() external;
}

/// @title The gas snapshot of the Flux-compatible mode, beside Chainlink's FluxAggregator measured in the same run.
/// @notice `GAS_UPDATE=true` writes `gas/flux.json` instead of comparing with it. Each submission is a transaction of
/// its own, in rounds that find every slot used before; a round's figure is the mean of an even and an odd one. The
/// minimum is two thirds of the oracles, rounded up, the maximum all of them. `flux` pays its oracles, as it is
/// deployed; `fluxUnpaid` has a payment of 0.
contract FluxGasTest is FluxFixture {
    string private constant SNAPSHOT = "gas/flux.json";
    uint256 private constant WARMING = 3;
    uint256 private constant ROUNDS = 2;
    uint256 private constant DEPLOYMENT_MAX = 4_000_000;

    struct Cost {
        uint256 round;
        uint256 first;
        uint256 worst;
    }

    Factory private factory;

    function setUp() public {
        factory = new Factory();
    }

    function test_snapshot() public {
        string memory json = string.concat("{\n  \"deploy\": ", vm.toString(_deployment()), ",\n");
        json = string.concat(json, "  \"coldRead\": {", _reads(), "},\n  \"rounds\": [\n");
        uint256[6] memory counts = [uint256(1), 3, 4, 7, 16, 31];
        for (uint256 i = 0; i < counts.length; ++i) {
            json = string.concat(json, _line(counts[i]), i + 1 == counts.length ? "\n" : ",\n");
        }
        json = string.concat(json, "  ]\n}\n");
        if (vm.envOr("GAS_UPDATE", false)) {
            vm.writeFile(SNAPSHOT, json);
        } else {
            vm.assertEq(json, vm.readFile(SNAPSHOT), "gas/flux.json differs; GAS_UPDATE=true writes it");
        }
    }

    function _line(uint256 oracles) private returns (string memory) {
        Cost memory strict = _cost(_flux(TIMEOUT, IFluxAggregator.MedianMode.EverySubmission), oracles);
        Cost memory sparing = _cost(_flux(TIMEOUT, IFluxAggregator.MedianMode.MinimumAndMaximum), oracles);
        IFluxAggregator paying =
            _original(address(new PlentifulToken()), 0, TIMEOUT, type(int256).min, type(int256).max);
        IFunded(address(paying)).updateAvailableFunds();
        vm.prank(OWNER);
        paying.updateFutureRounds(1e17, 0, 0, 0, TIMEOUT);
        Cost memory flux = _cost(paying, oracles);
        Cost memory unpaid =
            _cost(_original(address(0), 0, TIMEOUT, type(int256).min, type(int256).max), oracles);
        vm.assertLe(strict.round * 21, flux.round * 10, "less than half of Flux");
        return string.concat(
            "    {\"oracles\": ",
            vm.toString(oracles),
            _fields("everySubmission", strict),
            _fields("minimumAndMaximum", sparing),
            _fields("flux", flux),
            _fields("fluxUnpaid", unpaid),
            "}"
        );
    }

    function _fields(string memory name, Cost memory cost) private pure returns (string memory) {
        return string.concat(
            ", \"",
            name,
            "\": {\"round\": ",
            vm.toString(cost.round),
            ", \"first\": ",
            vm.toString(cost.first),
            ", \"worst\": ",
            vm.toString(cost.worst),
            "}"
        );
    }

    /// @dev Mean cost of a round, and the dearest opening and the dearest submission of all.
    function _cost(IFluxAggregator feed, uint256 oracles) private returns (Cost memory cost) {
        _addOracles(feed, 0, oracles, uint32((2 * oracles + 2) / 3), uint32(oracles));
        for (uint256 round = 1; round <= WARMING + ROUNDS; ++round) {
            vm.warp(block.timestamp + 60);
            for (uint256 i = 0; i < oracles; ++i) {
                int256 value = int256(2000e8 + uint256(keccak256(abi.encode(round, i))) % 1e8);
                vm.prank(_oracle(i));
                feed.submit(round, value);
                uint256 used = vm.lastCallGas().gasTotalUsed;
                if (round <= WARMING) continue;
                cost.round += used;
                if (i == 0 && used > cost.first) cost.first = used;
                if (used > cost.worst) cost.worst = used;
            }
        }
        cost.round /= ROUNDS;
    }

    function _deployment() private returns (uint256 used) {
        bytes memory arguments = abi.encode(
            TIMEOUT,
            address(0),
            int256(1),
            int256(1e15),
            uint8(8),
            "ETH / USD",
            IFluxAggregator.MedianMode.EverySubmission,
            OWNER
        );
        (bool ok,) =
            address(factory).call(bytes.concat(type(FluxCompatibleAggregator).creationCode, arguments));
        vm.assertTrue(ok, "deployment");
        used = vm.lastCallGas().gasTotalUsed;
        vm.assertLe(used, DEPLOYMENT_MAX, "deployment");
    }

    /// @dev A consumer's cold reads, of ours and of the original: the latest round and an old one.
    function _reads() private returns (string memory) {
        IFluxAggregator ours = _flux(TIMEOUT, IFluxAggregator.MedianMode.EverySubmission);
        IFluxAggregator original = _original(address(0), 0, TIMEOUT, type(int256).min, type(int256).max);
        _cost(ours, 3);
        _cost(original, 3);
        Consumer consumer = new Consumer();
        bytes memory latest = abi.encodeCall(ours.latestRoundData, ());
        bytes memory old = abi.encodeCall(ours.getRoundData, (1));
        return string.concat(
            "\"latestRoundData\": ",
            vm.toString(consumer.cost(address(ours), latest)),
            ", \"getRoundData\": ",
            vm.toString(consumer.cost(address(ours), old)),
            ", \"fluxLatestRoundData\": ",
            vm.toString(consumer.cost(address(original), latest)),
            ", \"fluxGetRoundData\": ",
            vm.toString(consumer.cost(address(original), old))
        );
    }
}
