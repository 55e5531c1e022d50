// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LinkToken} from "@chainlink/local/src/shared/LinkToken.sol";

import {Aggregator} from "../../src/Aggregator.sol";
import {AggregatorProxy} from "../../src/AggregatorProxy.sol";
import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {CcipFeedSender} from "../../src/ccip/CcipFeedSender.sol";
import {IAggregator} from "../../src/interfaces/IAggregator.sol";
import {Ccip} from "../../src/interfaces/ccip/Ccip.sol";
import {ICcipFeedSender} from "../../src/interfaces/ccip/ICcipFeedSender.sol";
import {ICcipLanes} from "../../src/interfaces/ccip/ICcipLanes.sol";
import {ICcipRouted} from "../../src/interfaces/ccip/ICcipRouted.sol";
import {IRouterClient} from "../../src/interfaces/ccip/IRouterClient.sol";
import {IWithdrawable} from "../../src/interfaces/ccip/IWithdrawable.sol";
import {ScriptedFeed} from "../base/ScriptedFeed.sol";
import {CcipFixture, ISimulatedRouter} from "./CcipFixture.sol";

/// @dev A router that says one fee and takes another, reaches one chain only, and shows what it was handed.
contract ScriptedRouter {
    uint64 private immutable _reached;
    uint256 public said;
    uint256 public taken;
    uint256 public received;
    bytes public sent;

    constructor(uint64 reached) {
        _reached = reached;
    }

    function setFees(uint256 said_, uint256 taken_) external {
        (said, taken) = (said_, taken_);
    }

    function isChainSupported(uint64 selector) external view returns (bool) {
        return selector == _reached;
    }

    function getFee(uint64, Ccip.EVM2AnyMessage memory) external view returns (uint256) {
        return said;
    }

    function ccipSend(uint64, Ccip.EVM2AnyMessage calldata message) external payable returns (bytes32) {
        if (msg.value < taken) revert IRouterClient.InsufficientFeeTokenAmount();
        received = msg.value;
        sent = abi.encode(message);
        return keccak256(sent);
    }
}

/// @title What every contract with lanes must do, whichever feed it publishes and whichever router it uses.
abstract contract CcipLanesSuite is CcipFixture {
    ICcipLanes internal lanes;
    /// @dev Where the rounds come from.
    Aggregator internal source;
    ISimulatedRouter internal router;
    CcipFeedReceiver internal receiver;
    LinkToken internal link;

    /// @dev Sets the contract under test, over that router, and the source of its rounds.
    function _deploy(address router_) internal virtual;

    /// @dev What a stranger's publication is refused with.
    function _refusal(address sender) internal pure virtual returns (bytes memory);

    /// @dev What stands before a round's number in the ids that are published.
    function _prefix() internal pure virtual returns (uint80) {
        return 0;
    }

    function setUp() public virtual {
        (router, link) = _generation1();
        _open(router);
    }

    function _open(ISimulatedRouter router_) private {
        router = router_;
        _deploy(address(router_));
        receiver = _receiver(router_);
        _allow(receiver, address(lanes));
        _setLane(lanes, _lane(address(receiver), _extraArgs2()));
    }

    function _publish() internal returns (bytes32) {
        vm.prank(TRANSMITTER);
        return lanes.publish(DESTINATION);
    }

    function _id(uint256 round) internal pure returns (uint80) {
        return _prefix() + uint80(round);
    }

    // ----------------------------------------------------------- publishing

    function test_publish_carriesTheRoundAsItIsRead() public {
        _seed(source, 2);
        uint256 time = block.timestamp;
        vm.warp(time + 1000);
        _publish();
        vm.assertEq(receiver.latestRound(), 1);
        vm.assertEq(receiver.latestAnswer(), source.latestAnswer());
        vm.assertEq(receiver.latestTimestamp(), time);
        vm.assertEq(receiver.latestSourceRound(), _id(2));
        vm.assertEq(lanes.lastPublished(DESTINATION), _id(2));
    }

    function test_publish_tellsTheMessage() public {
        _seed(source, 1);
        router.setFee(7);
        vm.deal(address(lanes), 7);
        Ccip.EVM2AnyMessage memory message = Ccip.EVM2AnyMessage(
            abi.encode(receiver),
            abi.encode(
                uint256(1), FEED, uint256(_id(1)), int256(1000e8), block.timestamp, block.timestamp, 8
            ),
            new Ccip.EVMTokenAmount[](0),
            address(0),
            _extraArgs2()
        );
        bytes32 expected = keccak256(abi.encode(message));
        vm.expectEmit(true, true, true, true, address(lanes));
        emit ICcipLanes.RoundPublished(DESTINATION, _id(1), expected, address(0), 7);
        vm.assertEq(_publish(), expected);
    }

    /// A resend must not pay twice.
    function test_publish_takesEachRoundOnce() public {
        _seed(source, 3);
        vm.prank(TRANSMITTER);
        lanes.publishRound(DESTINATION, _id(2));
        _alreadyPublished(_id(2), _id(2));
        _alreadyPublished(_id(1), _id(2));
        _publish();
        _alreadyPublished(_id(3), _id(3));
        vm.expectRevert(
            abi.encodeWithSelector(ICcipLanes.RoundAlreadyPublished.selector, DESTINATION, _id(3), _id(3))
        );
        _publish();
        vm.assertEq(receiver.latestRound(), 2);
    }

    /// A lane that is set anew sends a lost round again; the receiver drops what it has.
    function test_publish_againAfterTheLaneWasSet() public {
        _seed(source, 1);
        _publish();
        _setLane(lanes, _lane(address(receiver), _extraArgs1()));
        vm.assertEq(lanes.lastPublished(DESTINATION), 0);
        _publish();
        vm.assertEq(receiver.latestRound(), 1);
    }

    function test_publish_needsARound() public {
        vm.expectRevert(NO_DATA);
        _publish();
        _seed(source, 2);
        uint80[3] memory unknown = [0, _id(3), type(uint80).max];
        for (uint256 i = 0; i < unknown.length; ++i) {
            vm.expectRevert(NO_DATA);
            vm.prank(TRANSMITTER);
            lanes.publishRound(DESTINATION, unknown[i]);
        }
    }

    function testFuzz_publish_onlyByAPublisher(address sender) public {
        vm.assume(sender != TRANSMITTER);
        _seed(source, 1);
        vm.expectRevert(_refusal(sender));
        vm.prank(sender);
        lanes.publish(DESTINATION);
        vm.expectRevert(_refusal(sender));
        vm.prank(sender);
        lanes.publishRound(DESTINATION, _id(1));
    }

    /// The owner sets lanes and does not publish.
    function test_publish_notByTheOwner() public {
        testFuzz_publish_onlyByAPublisher(OWNER);
    }

    function test_publish_needsALane() public {
        _seed(source, 1);
        vm.expectRevert(abi.encodeWithSelector(ICcipLanes.UnknownLane.selector, 1));
        vm.prank(TRANSMITTER);
        lanes.publish(1);
        vm.prank(OWNER);
        lanes.removeLane(DESTINATION);
        vm.expectRevert(abi.encodeWithSelector(ICcipLanes.UnknownLane.selector, DESTINATION));
        _publish();
    }

    // ------------------------------------------------------------------ fees

    function test_fee_nativeIsForwardedExactly() public {
        _seed(source, 1);
        router.setFee(0.3 ether);
        vm.deal(address(lanes), 1 ether);
        vm.assertEq(lanes.publicationFee(DESTINATION), 0.3 ether);
        _publish();
        vm.assertEq(address(lanes).balance, 0.7 ether);
        vm.assertEq(address(router).balance, 0.3 ether);
    }

    function test_fee_linkIsForwardedExactly() public {
        _seed(source, 1);
        router.setFee(3 ether);
        ICcipLanes.Lane memory lane = _lane(address(receiver), _extraArgs2());
        lane.feeToken = address(link);
        lane.maxFee = 3 ether;
        _setLane(lanes, lane);
        _insufficient(address(link), 0, 3 ether);
        vm.assertTrue(link.transfer(address(lanes), 5 ether));
        _publish();
        vm.assertEq(link.balanceOf(address(lanes)), 2 ether);
        vm.assertEq(link.balanceOf(address(router)), 3 ether);
        vm.assertEq(link.allowance(address(lanes), address(router)), 0);
        vm.assertEq(receiver.latestRound(), 1);
    }

    function test_fee_aboveTheMaximumIsRefused() public {
        _seed(source, 1);
        vm.deal(address(lanes), 10 ether);
        router.setFee(1 ether + 1);
        vm.expectRevert(abi.encodeWithSelector(ICcipLanes.FeeTooHigh.selector, 1 ether + 1, 1 ether));
        _publish();
        vm.assertEq(lanes.lastPublished(DESTINATION), 0);
        router.setFee(1 ether);
        _publish();
        vm.assertEq(address(lanes).balance, 9 ether);
    }

    function test_fee_withoutFundsIsRefused() public {
        _seed(source, 1);
        router.setFee(5);
        vm.deal(address(lanes), 4);
        _insufficient(address(0), 4, 5);
        // Anybody may fill it up.
        vm.deal(STRANGER, 1);
        vm.prank(STRANGER);
        (bool sent,) = address(lanes).call{value: 1}("");
        vm.assertTrue(sent);
        _publish();
    }

    /// Publishing takes no value: there is no excess to lose.
    function test_fee_valueWithTheCallIsRefused() public {
        _seed(source, 1);
        vm.deal(TRANSMITTER, 1);
        vm.prank(TRANSMITTER);
        (bool ok,) = address(lanes).call{value: 1}(abi.encodeCall(lanes.publish, (DESTINATION)));
        vm.assertFalse(ok);
    }

    /// A router that asks more than it said takes nothing, and the round can still be published.
    function test_fee_tooLowForTheRouter() public {
        ScriptedRouter greedy = new ScriptedRouter(DESTINATION);
        _deploy(address(greedy));
        _setLane(lanes, _lane(SENDER, ""));
        _seed(source, 1);
        vm.deal(address(lanes), 1 ether);
        greedy.setFees(5, 6);
        vm.expectRevert(IRouterClient.InsufficientFeeTokenAmount.selector);
        _publish();
        vm.assertEq(lanes.lastPublished(DESTINATION), 0);
        greedy.setFees(6, 6);
        _publish();
        vm.assertEq(greedy.received(), 6);
    }

    // ------------------------------------------------------------ extra args

    /// Whatever the network's form of the day is, it passes through byte by byte.
    function test_extraArgs_areOpaque() public {
        ScriptedRouter scripted = new ScriptedRouter(DESTINATION);
        _deploy(address(scripted));
        _seed(source, 5);
        bytes[5] memory forms = [_extraArgs1(), _extraArgs2(), _extraArgs3(), bytes(""), hex"00ff42"];
        for (uint256 i = 0; i < forms.length; ++i) {
            _setLane(lanes, _lane(SENDER, forms[i]));
            _publish();
            Ccip.EVM2AnyMessage memory message = abi.decode(scripted.sent(), (Ccip.EVM2AnyMessage));
            vm.assertEq(message.extraArgs, forms[i]);
            vm.assertEq(message.receiver, abi.encode(SENDER));
            vm.assertEq(message.tokenAmounts.length, 0);
        }
    }

    /// The first generation's router takes V1 and V2, and refuses V3; then the round is not lost.
    function test_extraArgs_ofTheFirstGeneration() public {
        _seed(source, 2);
        _setLane(lanes, _lane(address(receiver), _extraArgs1()));
        vm.prank(TRANSMITTER);
        lanes.publishRound(DESTINATION, _id(1));
        _setLane(lanes, _lane(address(receiver), _extraArgs3()));
        vm.expectRevert(abi.encodeWithSignature("InvalidExtraArgsTag()"));
        _publish();
        _setLane(lanes, _lane(address(receiver), _extraArgs2()));
        _publish();
        vm.assertEq(receiver.latestRound(), 2);
    }

    function test_extraArgs_ofTheSecondGeneration() public {
        _open(_generation2());
        _seed(source, 3);
        bytes[3] memory forms = [_extraArgs1(), _extraArgs2(), _extraArgs3()];
        for (uint256 i = 0; i < forms.length; ++i) {
            _setLane(lanes, _lane(address(receiver), forms[i]));
            vm.prank(TRANSMITTER);
            lanes.publishRound(DESTINATION, _id(i + 1));
            vm.assertEq(receiver.latestRound(), i + 1);
        }
        vm.assertEq(receiver.latestAnswer(), source.latestAnswer());
    }

    // ----------------------------------------------------------------- lanes

    function test_setLane() public {
        ICcipLanes.Lane memory lane = ICcipLanes.Lane(abi.encode(SENDER), hex"1234", address(link), 9);
        vm.expectEmit(true, true, true, true, address(lanes));
        emit ICcipLanes.LaneSet(5, lane.receiver, lane.extraArgs, lane.feeToken, 9);
        vm.prank(OWNER);
        lanes.setLane(5, lane);
        vm.assertEq(abi.encode(lanes.lane(5)), abi.encode(lane));
        // The one before is not touched.
        vm.assertEq(lanes.lane(DESTINATION).receiver, abi.encode(receiver));
    }

    function test_setLane_isRefused() public {
        ICcipLanes.Lane memory lane = _lane(SENDER, "");
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        lanes.setLane(DESTINATION, lane);
        lane.feeToken = STRANGER;
        _invalid(lane);
        lane = _lane(SENDER, "");
        lane.receiver = "";
        _invalid(lane);
    }

    /// A chain id in place of a selector, as others have published for years without a round arriving.
    function test_setLane_needsAChainThatTheRouterReaches() public {
        _deploy(address(new ScriptedRouter(DESTINATION)));
        vm.expectRevert(abi.encodeWithSelector(ICcipLanes.ChainNotSupported.selector, 138));
        vm.prank(OWNER);
        lanes.setLane(138, _lane(SENDER, ""));
    }

    function test_removeLane() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        lanes.removeLane(DESTINATION);
        vm.expectRevert(abi.encodeWithSelector(ICcipLanes.UnknownLane.selector, 6));
        vm.prank(OWNER);
        lanes.removeLane(6);
        _seed(source, 1);
        _publish();
        vm.expectEmit(true, true, true, true, address(lanes));
        emit ICcipLanes.LaneRemoved(DESTINATION);
        vm.prank(OWNER);
        lanes.removeLane(DESTINATION);
        vm.assertEq(lanes.lane(DESTINATION).receiver.length, 0);
        vm.assertEq(lanes.lastPublished(DESTINATION), 0);
    }

    // ---------------------------------------------------------------- router

    function test_router_isReplacedInTwoSteps() public {
        ISimulatedRouter next = _generation2();
        vm.expectEmit(true, true, true, true, address(lanes));
        emit ICcipRouted.RouterProposed(address(router), address(next));
        vm.prank(OWNER);
        lanes.proposeRouter(address(next));
        vm.assertEq(lanes.router(), address(router));
        vm.assertEq(lanes.proposedRouter(), address(next));
        vm.expectRevert(
            abi.encodeWithSelector(ICcipRouted.NotProposedRouter.selector, address(link), address(next))
        );
        vm.prank(OWNER);
        lanes.confirmRouter(address(link));
        vm.expectEmit(true, true, true, true, address(lanes));
        emit ICcipRouted.RouterConfirmed(address(router), address(next));
        vm.prank(OWNER);
        lanes.confirmRouter(address(next));
        vm.assertEq(lanes.router(), address(next));
        vm.assertEq(lanes.proposedRouter(), address(0));
    }

    function test_router_isRefused() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        lanes.proposeRouter(address(link));
        vm.expectRevert(abi.encodeWithSelector(ICcipRouted.InvalidRouter.selector, STRANGER));
        vm.prank(OWNER);
        lanes.proposeRouter(STRANGER);
        // Without a proposal there is nothing to confirm, the zero address least of all.
        vm.expectRevert(abi.encodeWithSelector(ICcipRouted.InvalidRouter.selector, address(0)));
        vm.prank(OWNER);
        lanes.confirmRouter(address(0));
        vm.prank(OWNER);
        lanes.proposeRouter(address(link));
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        lanes.confirmRouter(address(link));
        vm.prank(OWNER);
        lanes.proposeRouter(address(0));
        vm.expectRevert(
            abi.encodeWithSelector(ICcipRouted.NotProposedRouter.selector, address(link), address(0))
        );
        vm.prank(OWNER);
        lanes.confirmRouter(address(link));
    }

    // ------------------------------------------------------------ withdrawal

    function test_withdraw() public {
        vm.deal(address(lanes), 5);
        vm.expectEmit(true, true, true, true, address(lanes));
        emit IWithdrawable.Withdrawn(address(0), STRANGER, 3);
        vm.prank(OWNER);
        lanes.withdraw(address(0), STRANGER, 3);
        vm.assertEq(STRANGER.balance, 3);
        vm.assertTrue(link.transfer(address(lanes), 9));
        vm.prank(OWNER);
        lanes.withdraw(address(link), STRANGER, 9);
        vm.assertEq(link.balanceOf(STRANGER), 9);
    }

    function test_withdraw_isRefused() public {
        vm.deal(address(lanes), 5);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        lanes.withdraw(address(0), TRANSMITTER, 1);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawable.InvalidRecipient.selector, address(0)));
        vm.prank(OWNER);
        lanes.withdraw(address(0), address(0), 1);
        // More than there is, and somebody who takes none.
        vm.expectRevert(abi.encodeWithSelector(IWithdrawable.WithdrawalFailed.selector, STRANGER, 6));
        vm.prank(OWNER);
        lanes.withdraw(address(0), STRANGER, 6);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawable.WithdrawalFailed.selector, address(link), 1));
        vm.prank(OWNER);
        lanes.withdraw(address(0), address(link), 1);
    }

    // --------------------------------------------------------------- helpers

    function _alreadyPublished(uint80 roundId, uint80 last) private {
        vm.expectRevert(
            abi.encodeWithSelector(ICcipLanes.RoundAlreadyPublished.selector, DESTINATION, roundId, last)
        );
        vm.prank(TRANSMITTER);
        lanes.publishRound(DESTINATION, roundId);
    }

    function _insufficient(address token, uint256 balance, uint256 fee) private {
        vm.expectRevert(abi.encodeWithSelector(ICcipLanes.InsufficientFunds.selector, token, balance, fee));
        _publish();
    }

    function _invalid(ICcipLanes.Lane memory lane) private {
        vm.expectRevert(abi.encodeWithSelector(ICcipLanes.InvalidLane.selector, DESTINATION));
        vm.prank(OWNER);
        lanes.setLane(DESTINATION, lane);
    }
}

/// @dev The feed and its lanes in one contract.
contract OracleWithCCIPTest is CcipLanesSuite {
    function _deploy(address router_) internal override {
        source = _oracle(IRouterClient(router_));
        lanes = ICcipLanes(address(source));
    }

    function _refusal(address sender) internal pure override returns (bytes memory) {
        return abi.encodeWithSelector(IAggregator.NotTransmitter.selector, sender);
    }

    function test_identity() public view {
        vm.assertEq(source.typeAndVersion(), "OracleWithCCIP 1.0.0");
        vm.assertEq(lanes.feedId(), FEED);
    }

    function test_constructor_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(ICcipRouted.InvalidRouter.selector, STRANGER));
        _oracle(IRouterClient(STRANGER));
    }

    /// What gave the reason to pause must not travel.
    function test_publish_notWhilePaused() public {
        _seed(source, 1);
        vm.prank(OWNER);
        source.pause();
        vm.expectRevert(IAggregator.Paused.selector);
        _publish();
        vm.prank(OWNER);
        source.unpause();
        _publish();
    }

    /// A submission costs the same whatever becomes of the lane: it does not know of it.
    function test_submit_doesNotKnowOfLanes() public {
        vm.prank(OWNER);
        lanes.proposeRouter(address(link));
        vm.prank(OWNER);
        lanes.confirmRouter(address(link));
        _seed(source, 3);
        vm.assertEq(source.latestRound(), 3);
        vm.expectRevert(bytes(""));
        _publish();
    }
}

/// @dev The feed behind a phase proxy, and the lanes beside it.
contract CcipFeedSenderTest is CcipLanesSuite {
    AggregatorProxy private proxy;

    function _deploy(address router_) internal override {
        source = _aggregator();
        proxy = new AggregatorProxy(address(source), OWNER);
        lanes = new CcipFeedSender(address(proxy), router_, FEED, OWNER, TRANSMITTER);
    }

    function _refusal(address sender) internal pure override returns (bytes memory) {
        return abi.encodeWithSelector(ICcipFeedSender.NotPublisher.selector, sender);
    }

    function _prefix() internal pure override returns (uint80) {
        return 1 << 64;
    }

    function _sender() private view returns (CcipFeedSender) {
        return CcipFeedSender(payable(address(lanes)));
    }

    function test_identity() public view {
        vm.assertEq(_sender().typeAndVersion(), "CcipFeedSender 1.0.0");
        vm.assertEq(_sender().feed(), address(proxy));
        vm.assertEq(lanes.feedId(), FEED);
    }

    /// The proxy's ids rise over phases, and so the lane and the receiver go on through one.
    function test_publish_overPhases() public {
        _seed(source, 3);
        _publish();
        source = _aggregator();
        _seed(source, 3);
        vm.prank(OWNER);
        proxy.proposeAggregator(address(source));
        vm.prank(OWNER);
        proxy.confirmAggregator(address(source));
        _publish();
        vm.assertEq(receiver.latestRound(), 2);
        vm.assertEq(receiver.latestSourceRound(), (2 << 64) + 3);
    }

    /// An aggregator of somebody else that gives zeros for a round it does not have.
    function test_publish_refusesZeros() public {
        ScriptedFeed foreign = new ScriptedFeed();
        lanes = new CcipFeedSender(address(foreign), address(router), FEED, OWNER, TRANSMITTER);
        _setLane(lanes, _lane(address(receiver), _extraArgs2()));
        vm.expectRevert(NO_DATA);
        _publish();
        vm.expectRevert(NO_DATA);
        vm.prank(TRANSMITTER);
        lanes.publishRound(DESTINATION, 3);
    }

    function test_constructor_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedSender.InvalidFeed.selector, STRANGER));
        new CcipFeedSender(STRANGER, address(router), FEED, OWNER, TRANSMITTER);
        vm.expectRevert(abi.encodeWithSelector(ICcipRouted.InvalidRouter.selector, STRANGER));
        new CcipFeedSender(address(proxy), STRANGER, FEED, OWNER, TRANSMITTER);
        CcipFeedSender nobodys = new CcipFeedSender(address(proxy), address(router), FEED, OWNER, address(0));
        vm.assertFalse(nobodys.isPublisher(address(0)));
    }

    function test_setPublisher() public {
        vm.expectEmit(true, true, true, true, address(lanes));
        emit ICcipFeedSender.PublisherChanged(STRANGER, true);
        vm.prank(OWNER);
        _sender().setPublisher(STRANGER, true);
        vm.assertTrue(_sender().isPublisher(STRANGER));
        vm.prank(OWNER);
        _sender().setPublisher(TRANSMITTER, false);
        _seed(source, 1);
        vm.expectRevert(_refusal(TRANSMITTER));
        _publish();
        vm.recordLogs();
        vm.prank(OWNER);
        _sender().setPublisher(STRANGER, true);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_setPublisher_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(ICcipFeedSender.InvalidPublisher.selector, address(0)));
        vm.prank(OWNER);
        _sender().setPublisher(address(0), true);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        _sender().setPublisher(STRANGER, true);
    }
}
