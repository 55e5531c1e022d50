// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {UpgradeableAggregator} from "../../src/standard/UpgradeableAggregator.sol";
import {UpgradeableProxy} from "../../src/standard/UpgradeableProxy.sol";
import {WETH9} from "../../src/standard/WETH9.sol";
import {GasSuite} from "../base/GasSuite.sol";

/// @title What upgradeability costs, on every write and every read.
contract StandardGasTest is GasSuite {
    /// @dev A whole number of groups.
    uint256 private constant ROUNDS = 30;

    function test_snapshot() public {
        (address code, uint256 forImplementation) = _deploy(
            type(UpgradeableAggregator).creationCode, abi.encode(uint8(8), int256(1), int256(1e15), uint32(0))
        );
        (address proxy, uint256 forProxy) = _deploy(
            type(UpgradeableProxy).creationCode,
            abi.encode(
                code, abi.encodeCall(UpgradeableAggregator.initialize, ("ETH / USD", OWNER, TRANSMITTER))
            )
        );
        (, uint256 forWeth) = _deploy(type(WETH9).creationCode, "");
        UpgradeableAggregator feed = UpgradeableAggregator(proxy);
        _seed(feed, 3);
        Tally memory tally;
        for (uint256 i = 0; i < ROUNDS; ++i) {
            vm.warp(block.timestamp + 60);
            _submit(feed, int256((2000 + i) * 1e8 + 123));
            _count(tally);
        }
        _settle(
            "gas/standard.json",
            _file(
                string.concat(
                    _object(
                        "deploy",
                        string.concat(
                            _field("UpgradeableAggregator", forImplementation),
                            ", ",
                            _field("UpgradeableProxy", forProxy),
                            ", ",
                            _field("WETH9", forWeth)
                        )
                    ),
                    ",\n",
                    _object("submit", _fields(tally)),
                    ",\n",
                    _object(
                        "coldRead",
                        _field(
                            "latestRoundData", consumer.cost(proxy, abi.encodeCall(feed.latestRoundData, ()))
                        )
                    )
                )
            )
        );
    }
}
