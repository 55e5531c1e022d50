// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LinkToken} from "@chainlink/local/src/shared/LinkToken.sol";

import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {CcipFeedSender} from "../../src/ccip/CcipFeedSender.sol";
import {CcipRound} from "../../src/ccip/CcipRound.sol";
import {LocalRouter} from "../../src/ccip/LocalRouter.sol";
import {OracleWithCCIP} from "../../src/ccip/OracleWithCCIP.sol";
import {Ccip} from "../../src/interfaces/ccip/Ccip.sol";
import {ICcipLanes} from "../../src/interfaces/ccip/ICcipLanes.sol";
import {ILocalRouter} from "../../src/interfaces/ccip/ILocalRouter.sol";
import {GasSuite} from "../base/GasSuite.sol";
import {CcipFixture} from "./CcipFixture.sol";

/// @dev A router that does as little as a router can: publishing over it costs what the sender costs.
contract FreeRouter {
    uint256 public said;

    function setFee(uint256 said_) external {
        said = said_;
    }

    function isChainSupported(uint64) external pure returns (bool) {
        return true;
    }

    function getFee(uint64, Ccip.EVM2AnyMessage calldata) external view returns (uint256) {
        return said;
    }

    function ccipSend(uint64, Ccip.EVM2AnyMessage calldata) external payable returns (bytes32) {
        return bytes32(uint256(1));
    }

    /// @return used the gas of the call alone: what a lane's gas limit has to cover
    function call(CcipFeedReceiver receiver, Ccip.Any2EVMMessage calldata message)
        external
        returns (uint256 used)
    {
        bytes memory data = abi.encodeCall(receiver.ccipReceive, (message));
        bool ok;
        assembly ("memory-safe") {
            let before := gas()
            ok := call(gas(), receiver, 0, add(data, 32), mload(data), 0, 0)
            used := sub(before, gas())
        }
        require(ok, "the receiver reverted");
    }
}

/// @title What a lane costs on both sides.
contract CcipGasTest is CcipFixture, GasSuite {
    /// @dev What the examples of a lane's extra arguments ask for.
    uint256 private constant LANE_GAS_LIMIT = 200_000;
    /// @dev The receiver keeps this back from processing, and needs it beyond the dearest round.
    uint256 private constant FAILURE_GAS = 60_000;

    FreeRouter private router;
    OracleWithCCIP private oracle;
    CcipFeedReceiver private receiver;
    uint256 private sourceRound;

    function test_snapshot() public {
        router = new FreeRouter();
        _settle(
            "gas/ccip.json",
            _file(
                string.concat(
                    _object("deploy", _deployments()),
                    ",\n",
                    _object("publish", _publications()),
                    ",\n",
                    _object("ccipReceive", _deliveries()),
                    ",\n",
                    _object("localRouter", _local())
                )
            )
        );
    }

    function _deployments() private returns (string memory) {
        (address created, uint256 forOracle) = _deploy(
            type(OracleWithCCIP).creationCode,
            abi.encode(
                uint8(8), "ETH / USD", int256(1), int256(1e15), OWNER, TRANSMITTER, uint32(0), router, FEED
            )
        );
        oracle = OracleWithCCIP(payable(created));
        (, uint256 forSender) =
            _deploy(type(CcipFeedSender).creationCode, abi.encode(oracle, router, FEED, OWNER, TRANSMITTER));
        (address created2, uint256 forReceiver) = _deploy(
            type(CcipFeedReceiver).creationCode,
            abi.encode(router, FEED, uint8(8), "ETH / USD", int256(1), int256(1e15), OWNER)
        );
        receiver = CcipFeedReceiver(created2);
        (, uint256 forRouter) = _deploy(type(LocalRouter).creationCode, abi.encode(uint64(1), OWNER));
        return string.concat(
            _field("OracleWithCCIP", forOracle),
            ", ",
            _field("CcipFeedSender", forSender),
            ", ",
            _field("CcipFeedReceiver", forReceiver),
            ", ",
            _field("LocalRouter", forRouter)
        );
    }

    /// @dev Without what the router itself does, which is the network's.
    function _publications() private returns (string memory) {
        _setLane(oracle, _lane(address(receiver), _extraArgs3()));
        _seed(oracle, 4);
        uint256 first = _publish(1);
        uint256 typical = _publish(2);
        router.setFee(5);
        vm.deal(address(oracle), 100);
        uint256 native = _publish(3);
        (, LinkToken link) = _generation1();
        vm.assertTrue(link.transfer(address(oracle), 100));
        ICcipLanes.Lane memory lane = _lane(address(receiver), _extraArgs3());
        lane.feeToken = address(link);
        _setLane(oracle, lane);
        return string.concat(
            _field("first", first),
            ", ",
            _field("typicalWithoutFee", typical),
            ", ",
            _field("typicalWithNativeFee", native),
            ", ",
            _field("firstWithTokenFee", _publish(4))
        );
    }

    function _publish(uint80 round) private returns (uint256) {
        vm.prank(TRANSMITTER);
        oracle.publishRound(DESTINATION, round);
        return vm.lastCallGas().gasTotalUsed;
    }

    /// @dev The call alone, from cold, as a lane's gas limit counts it.
    function _deliveries() private returns (string memory) {
        _allow(receiver, address(oracle));
        uint256 first = _deliver(2000e8, 8);
        uint256 typical = _deliver(2001e8, 8);
        // Every word of the payload full of bytes that are not zero, and late, and older than the one before.
        uint256 wrongDecimals = _deliver(2002e8, 9);
        sourceRound -= 2;
        uint256 dropped = _deliver(2003e8, 8);
        vm.assertLe(first + FAILURE_GAS, LANE_GAS_LIMIT, "the lane's gas limit covers the dearest round");
        vm.assertLe(wrongDecimals, LANE_GAS_LIMIT, "the lane's gas limit covers a failure");
        return string.concat(
            _field("first", first),
            ", ",
            _field("typical", typical),
            ", ",
            _field("dropped", dropped),
            ", ",
            _field("failed", wrongDecimals),
            ", ",
            _field("gasLimitNeeded", _gasLimitNeeded())
        );
    }

    function _deliver(int256 answer, uint256 decimals) private returns (uint256) {
        vm.warp(block.timestamp + 60);
        ++sourceRound;
        return router.call(
            receiver,
            _message(
                address(oracle),
                CcipRound.encode(
                    CcipRound.Round(FEED, sourceRound, answer, block.timestamp, block.timestamp, decimals)
                )
            )
        );
    }

    /// @dev The least gas limit with which a round is taken rather than kept, to the nearest 100 above.
    function _gasLimitNeeded() private returns (uint256 gasLimit) {
        sourceRound += 5;
        Ccip.Any2EVMMessage memory message =
            _message(address(oracle), _payload(sourceRound, 2004e8, block.timestamp));
        for (gasLimit = FAILURE_GAS; gasLimit < LANE_GAS_LIMIT; gasLimit += 100) {
            uint256 snapshot = vm.snapshotState();
            uint256 before = receiver.latestRound();
            vm.prank(address(router));
            (bool ok,) =
                address(receiver).call{gas: gasLimit}(abi.encodeCall(receiver.ccipReceive, (message)));
            bool taken = ok && receiver.latestRound() != before;
            vm.revertToState(snapshot);
            if (taken) return gasLimit;
        }
    }

    /// @dev One relayer, the first message and one like it.
    function _local() private returns (string memory) {
        LocalRouter home = new LocalRouter(1, OWNER);
        LocalRouter away = new LocalRouter(2, OWNER);
        vm.prank(OWNER);
        home.setRemote(2, block.chainid, address(away));
        vm.prank(OWNER);
        away.setRemote(1, block.chainid, address(home));
        vm.prank(OWNER);
        home.setFee(2, address(0), true, 0);
        address[] memory relayers = new address[](1);
        relayers[0] = TRANSMITTER;
        vm.prank(OWNER);
        away.setRelayers(relayers, 1);
        CcipFeedReceiver target = _receiver(away);
        vm.prank(OWNER);
        target.setSource(1, SENDER, true);
        uint256 send;
        uint256 deliver;
        for (uint64 i = 1; i <= 2; ++i) {
            bytes memory payload = _payload(i, 2000e8, block.timestamp);
            vm.prank(SENDER);
            home.ccipSend(
                2,
                Ccip.EVM2AnyMessage(
                    abi.encode(target), payload, new Ccip.EVMTokenAmount[](0), address(0), _extraArgs3()
                )
            );
            send = vm.lastCallGas().gasTotalUsed;
            vm.prank(TRANSMITTER);
            away.deliver(
                ILocalRouter.Packet(
                    block.chainid, address(home), 1, 2, i, SENDER, address(target), GAS_LIMIT, payload
                )
            );
            deliver = vm.lastCallGas().gasTotalUsed;
        }
        vm.assertEq(target.latestRound(), 2);
        return string.concat(_field("ccipSend", send), ", ", _field("deliver", deliver));
    }
}
