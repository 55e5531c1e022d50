// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {
    MockCCIPRouter as RouterOfGeneration2
} from "@chainlink/contracts-ccip-2/contracts/test/mocks/MockRouter.sol";
import {
    IRouterClient as IRouterOfGeneration1
} from "@chainlink/contracts-ccip/contracts/interfaces/IRouterClient.sol";
import {CCIPLocalSimulator} from "@chainlink/local/src/ccip/CCIPLocalSimulator.sol";
import {LinkToken} from "@chainlink/local/src/shared/LinkToken.sol";

import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {CcipRound} from "../../src/ccip/CcipRound.sol";
import {OracleWithCCIP} from "../../src/ccip/OracleWithCCIP.sol";
import {Ccip} from "../../src/interfaces/ccip/Ccip.sol";
import {ICcipLanes} from "../../src/interfaces/ccip/ICcipLanes.sol";
import {IRouterClient} from "../../src/interfaces/ccip/IRouterClient.sol";
import {Fixture} from "../base/Fixture.sol";

/// @dev What the routers of both simulators offer beside CCIP's own surface.
interface ISimulatedRouter is IRouterClient {
    /// @dev Delivers any message to anybody, with that much gas.
    function routeMessage(
        Ccip.Any2EVMMessage calldata message,
        uint16 gasForCallExactCheck,
        uint256 gasLimit,
        address receiver
    ) external returns (bool success, bytes memory retData, uint256 gasUsed);

    /// @dev What every message costs, in whatever token.
    function setFee(uint256 feeAmount) external;
}

/// @title The two chains of the tests, which are one, and the official simulators between them.
abstract contract CcipFixture is Fixture {
    /// @dev The only source that the simulators know.
    uint64 internal constant SOURCE = 16_015_286_601_757_825_753;
    uint64 internal constant DESTINATION = 3_734_403_246_176_062_136;
    bytes32 internal constant FEED = keccak256("ETH / USD");
    /// @dev A sender on the other chain, for messages that no lane of ours sent.
    address internal constant SENDER = address(0x5E4D);
    uint256 internal constant GAS_LIMIT = 300_000;

    /// @dev The router of CCIP 1.x, and the simulator's LINK, of which the test holds a thousand.
    function _generation1() internal returns (ISimulatedRouter router, LinkToken link) {
        CCIPLocalSimulator simulator = new CCIPLocalSimulator();
        IRouterOfGeneration1 source;
        (, source,,, link,,) = simulator.configuration();
        simulator.requestLinkFromFaucet(address(this), 1000 ether);
        return (ISimulatedRouter(address(source)), link);
    }

    /// @dev The router of CCIP 2.0.
    function _generation2() internal returns (ISimulatedRouter) {
        return ISimulatedRouter(address(new RouterOfGeneration2()));
    }

    /// @dev A receiver that accepts every answer that can be stored, and listens to nobody yet.
    function _receiver(IRouterClient router) internal returns (CcipFeedReceiver) {
        return new CcipFeedReceiver(
            address(router), FEED, 8, "ETH / USD", type(int176).min, type(int176).max, OWNER
        );
    }

    function _allow(CcipFeedReceiver receiver, address sender) internal {
        vm.prank(OWNER);
        receiver.setSource(SOURCE, sender, true);
    }

    function _oracle(IRouterClient router) internal returns (OracleWithCCIP) {
        return new OracleWithCCIP(
            8, "ETH / USD", type(int176).min, type(int176).max, OWNER, TRANSMITTER, 0, address(router), FEED
        );
    }

    /// @dev A lane that pays in the native token, at most 1 of it.
    function _lane(address receiver, bytes memory extraArgs) internal pure returns (ICcipLanes.Lane memory) {
        return ICcipLanes.Lane(abi.encode(receiver), extraArgs, address(0), 1 ether);
    }

    function _setLane(ICcipLanes lanes, ICcipLanes.Lane memory lane) internal {
        vm.prank(OWNER);
        lanes.setLane(DESTINATION, lane);
    }

    /// @dev V1 of the extra arguments: a gas limit.
    function _extraArgs1() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(0x97a657c9, GAS_LIMIT);
    }

    /// @dev V2: a gas limit, and that order does not matter.
    function _extraArgs2() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(0x181dcf10, GAS_LIMIT, true);
    }

    /// @dev V3 of CCIP 2.0 in its shortest form: packed, a gas limit, finality, and nothing else.
    function _extraArgs3() internal pure returns (bytes memory) {
        return abi.encodePacked(bytes4(0xa69dd4aa), uint32(GAS_LIMIT), bytes4(0), bytes7(0));
    }

    /// @dev The payload of an ordinary round.
    function _payload(uint256 sourceRound, int256 answer, uint256 time) internal pure returns (bytes memory) {
        return CcipRound.encode(CcipRound.Round(FEED, sourceRound, answer, time, time, 8));
    }

    /// @dev A message as a router delivers it; its id is the hash of what it carries.
    function _message(address sender, bytes memory payload)
        internal
        pure
        returns (Ccip.Any2EVMMessage memory)
    {
        return Ccip.Any2EVMMessage(
            keccak256(payload), SOURCE, abi.encode(sender), payload, new Ccip.EVMTokenAmount[](0)
        );
    }
}
