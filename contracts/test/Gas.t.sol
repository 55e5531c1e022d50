// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AccessControlledAggregatorProxy} from "../src/AccessControlledAggregatorProxy.sol";
import {Aggregator} from "../src/Aggregator.sol";
import {AggregatorProxy} from "../src/AggregatorProxy.sol";
import {DeviationFlaggingValidator} from "../src/hooks/DeviationFlaggingValidator.sol";
import {Flags} from "../src/hooks/Flags.sol";
import {GasSuite} from "./base/GasSuite.sol";

/// @dev What the snapshots of the single-transmitter feed share.
abstract contract AggregatorGas is GasSuite {
    /// @dev A whole number of groups.
    uint256 internal constant ROUNDS = 30;
    uint256 internal constant TYPICAL_MAX = 36_000;

    Aggregator internal feed;

    /// @return used the gas of the deployment
    function _deployFeed(uint32 archivedGroups) internal returns (uint256 used) {
        address created;
        (created, used) = _deploy(
            type(Aggregator).creationCode,
            abi.encode(uint8(8), "ETH / USD", int256(1), int256(1e15), OWNER, TRANSMITTER, archivedGroups)
        );
        feed = Aggregator(created);
    }

    /// @return typical how many of the rounds stayed below the target of a typical one
    function _submissions(Tally memory tally) internal returns (uint256 typical) {
        for (uint256 i = 0; i < ROUNDS; ++i) {
            vm.warp(block.timestamp + 60);
            _submit(feed, int256((2000 + i) * 1e8 + 123));
            if (_count(tally) <= TYPICAL_MAX) ++typical;
        }
    }

    /// @dev The dearest round there is: it moves a full group to the archive, does not fit its entry, and the calldata
    /// of its answer holds no zero byte. What a publisher's gas limit has to cover.
    function _dearest(Aggregator wide) internal returns (uint256) {
        _submit(wide, -0x01010101010101010101010101010101010101010101);
        return vm.lastCallGas().gasTotalUsed;
    }

    function _cost(address target, bytes memory call) internal view returns (uint256) {
        return consumer.cost(target, call);
    }
}

/// @title The feed as it is by default, and the proxy, held under the targets.
contract AggregatorGasTest is AggregatorGas {
    uint256 private constant AVERAGE_MAX = 43_000;
    uint256 private constant PROXIED_READ_MAX = 11_000;
    uint256 private constant DEPLOYMENT_MAX = 1_500_000;

    AggregatorProxy private proxy;

    function test_snapshot() public {
        uint256 deployFeed = _deployFeed(0);
        vm.assertLe(deployFeed, DEPLOYMENT_MAX, "deploy aggregator");
        (address created, uint256 deployProxy) =
            _deploy(type(AggregatorProxy).creationCode, abi.encode(feed, OWNER));
        proxy = AggregatorProxy(created);

        // After the first group every slot of the hot path is warm from nothing.
        _seed(feed, 3);
        Tally memory tally;
        uint256 typical = _submissions(tally);
        vm.assertLe(_average(tally), AVERAGE_MAX, "average submission");
        vm.assertEq(typical, ROUNDS / 3 * 2, "two submissions of three are cheap");
        Aggregator wide = _aggregator();
        _seed(wide, 3);

        string memory deploy =
            string.concat(_field("Aggregator", deployFeed), ", ", _field("AggregatorProxy", deployProxy));
        string memory submit = string.concat(_fields(tally), ", ", _field("worstWithEscape", _dearest(wide)));
        _settle(
            "gas.json",
            _file(
                string.concat(
                    _object("deploy", deploy),
                    ",\n",
                    _object("submit", submit),
                    ",\n",
                    _object("coldRead", _reads())
                )
            )
        );
    }

    function _reads() private view returns (string memory) {
        bytes memory latest = abi.encodeCall(feed.latestRoundData, ());
        uint256 proxied = _cost(address(proxy), latest);
        vm.assertLe(proxied, PROXIED_READ_MAX, "proxied read");
        uint256 archived = _cost(address(feed), abi.encodeCall(feed.getRoundData, (1)));
        uint256 archivedProxied = _cost(address(proxy), abi.encodeCall(feed.getRoundData, (1 << 64 | 1)));
        return string.concat(
            _field("latestRoundData", _cost(address(feed), latest)),
            ", ",
            _field("latestRoundDataProxied", proxied),
            ", ",
            _field("getRoundDataArchived", archived),
            ", ",
            _field("getRoundDataArchivedProxied", archivedProxied)
        );
    }
}

/// @title A feed with a bounded history, before and after its ring came round.
contract RingGasTest is AggregatorGas {
    function test_snapshot() public {
        uint256 deployFeed = _deployFeed(8);
        _seed(feed, 3);
        Tally memory firstLap;
        _submissions(firstLap);
        Tally memory later;
        uint256 typical = _submissions(later);
        vm.assertEq(typical, ROUNDS / 3 * 2, "two submissions of three are cheap");
        vm.assertLe(later.worst + 17_000, firstLap.worst, "a slot that is written again is cheap");

        Aggregator wide = _ring(4);
        _seed(wide, 3);
        uint256 fresh = _dearest(wide);
        // Two laps of the sixteen wide slots, to the end of a group.
        for (uint256 i = 0; i < 35; ++i) {
            _dearest(wide);
        }
        uint256 again = _dearest(wide);

        bytes memory archived = abi.encodeCall(feed.getRoundData, (uint80(feed.latestRound()) - 3));
        bytes memory latest = abi.encodeCall(feed.latestRoundData, ());
        _settle(
            "gas/ring.json",
            _file(
                string.concat(
                    _object("deploy", _field("Aggregator", deployFeed)),
                    ",\n",
                    _object(
                        "submitFirstLap",
                        string.concat(_fields(firstLap), ", ", _field("worstWithEscape", fresh))
                    ),
                    ",\n",
                    _object("submit", string.concat(_fields(later), ", ", _field("worstWithEscape", again))),
                    ",\n",
                    _object(
                        "coldRead",
                        string.concat(
                            _field("latestRoundData", _cost(address(feed), latest)),
                            ", ",
                            _field("getRoundDataArchived", _cost(address(feed), archived))
                        )
                    )
                )
            )
        );
    }
}

/// @title A feed whose rounds are looked at by a validator.
contract ValidatorGasTest is AggregatorGas {
    function test_snapshot() public {
        _deployFeed(0);
        (address flags, uint256 deployFlags) = _deploy(type(Flags).creationCode, abi.encode(OWNER));
        (address validator, uint256 deployValidator) =
            _deploy(type(DeviationFlaggingValidator).creationCode, abi.encode(flags, uint24(5000), OWNER));
        vm.prank(OWNER);
        Flags(flags).setRaiser(validator, true);
        vm.prank(OWNER);
        feed.setValidator(validator, 100_000);
        _seed(feed, 2);
        _submit(feed, 2000e8);
        _lower(flags);
        Tally memory tally;
        _submissions(tally);
        vm.assertFalse(Flags(flags).getFlag(address(feed)));
        _submit(feed, 1e12);
        uint256 flagging = vm.lastCallGas().gasTotalUsed;
        vm.assertTrue(Flags(flags).getFlag(address(feed)));

        _settle(
            "gas/validator.json",
            _file(
                string.concat(
                    _object(
                        "deploy",
                        string.concat(
                            _field("Flags", deployFlags),
                            ", ",
                            _field("DeviationFlaggingValidator", deployValidator)
                        )
                    ),
                    ",\n",
                    _object("submit", string.concat(_fields(tally), ", ", _field("flagging", flagging)))
                )
            )
        );
    }

    function _lower(address flags) private {
        address[] memory subjects = new address[](1);
        subjects[0] = address(feed);
        vm.prank(OWNER);
        Flags(flags).lowerFlags(subjects);
    }
}

/// @title The proxy that asks who reads.
contract AccessControlledGasTest is AggregatorGas {
    function test_snapshot() public {
        _deployFeed(0);
        _seed(feed, 4);
        (address created, uint256 deployProxy) =
            _deploy(type(AccessControlledAggregatorProxy).creationCode, abi.encode(feed, OWNER));
        AccessControlledAggregatorProxy proxy = AccessControlledAggregatorProxy(created);
        bytes memory latest = abi.encodeCall(feed.latestRoundData, ());
        vm.prank(OWNER);
        proxy.addAccess(address(consumer));
        uint256 listed = _cost(created, latest);
        vm.prank(OWNER);
        proxy.removeAccess(address(consumer));
        vm.prank(OWNER);
        proxy.disableAccessCheck();
        uint256 unchecked_ = _cost(created, latest);
        _settle(
            "gas/access-controlled.json",
            _file(
                string.concat(
                    _object("deploy", _field("AccessControlledAggregatorProxy", deployProxy)),
                    ",\n",
                    _object(
                        "coldRead",
                        string.concat(
                            _field("latestRoundDataListed", listed),
                            ", ",
                            _field("latestRoundDataUnchecked", unchecked_)
                        )
                    )
                )
            )
        );
    }
}
