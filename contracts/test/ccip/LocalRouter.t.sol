// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LinkToken} from "@chainlink/local/src/shared/LinkToken.sol";

import {CcipFeedReceiver} from "../../src/ccip/CcipFeedReceiver.sol";
import {LocalRouter} from "../../src/ccip/LocalRouter.sol";
import {OracleWithCCIP} from "../../src/ccip/OracleWithCCIP.sol";
import {Ccip} from "../../src/interfaces/ccip/Ccip.sol";
import {ICcipLanes} from "../../src/interfaces/ccip/ICcipLanes.sol";
import {ILocalRouter} from "../../src/interfaces/ccip/ILocalRouter.sol";
import {IRouterClient} from "../../src/interfaces/ccip/IRouterClient.sol";
import {IWithdrawable} from "../../src/interfaces/ccip/IWithdrawable.sol";
import {Vm} from "../base/Vm.sol";
import {CcipFixture} from "./CcipFixture.sol";

/// @dev A receiver that does what the test asks of it.
contract ScriptedReceiver {
    enum Mood {
        Take,
        Refuse,
        Bomb,
        Reenter
    }

    Mood public mood;
    ILocalRouter.Packet private _packet;
    uint256 public calls;
    uint256 public gasGiven;
    /// @dev Hash of the message that came last.
    bytes32 public last;

    function setMood(Mood mood_) external {
        mood = mood_;
    }

    function setPacket(ILocalRouter.Packet calldata packet) external {
        _packet = packet;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0x85572ffb;
    }

    function ccipReceive(Ccip.Any2EVMMessage calldata message) external {
        uint256 left = gasleft();
        if (mood == Mood.Refuse) revert("not today");
        if (mood == Mood.Bomb) {
            assembly ("memory-safe") {
                revert(0x2000, 100000)
            }
        }
        if (mood == Mood.Reenter) require(LocalRouter(msg.sender).deliver(_packet));
        gasGiven = left;
        ++calls;
        last = keccak256(abi.encode(message));
    }
}

/// @title Two routers on two chains, which are one with two ids, and three relayers of whom two must agree.
abstract contract LocalRouterFixture is CcipFixture {
    uint256 internal constant HOME_CHAIN = 138;
    uint256 internal constant AWAY_CHAIN = 2018;
    uint64 internal constant HOME = uint64(uint256(keccak256("the chain without a selector")));
    address internal constant ANN = address(0xA1);
    address internal constant BEN = address(0xB2);
    address internal constant CAT = address(0xC3);

    LocalRouter internal home;
    LocalRouter internal away;

    function setUp() public virtual {
        vm.chainId(HOME_CHAIN);
        home = new LocalRouter(HOME, OWNER);
        away = new LocalRouter(SOURCE, OWNER);
        vm.prank(OWNER);
        home.setRemote(SOURCE, AWAY_CHAIN, address(away));
        vm.prank(OWNER);
        away.setRemote(HOME, HOME_CHAIN, address(home));
        vm.prank(OWNER);
        home.setFee(SOURCE, address(0), true, 0);
        _setRelayers(2);
    }

    function _setRelayers(uint256 quorum) internal {
        address[] memory relayers = new address[](3);
        (relayers[0], relayers[1], relayers[2]) = (ANN, BEN, CAT);
        vm.prank(OWNER);
        away.setRelayers(relayers, quorum);
    }

    /// @dev Delivers as a relayer, on the other chain.
    function _deliver(address relayer, ILocalRouter.Packet memory packet) internal returns (bool executed) {
        vm.chainId(AWAY_CHAIN);
        vm.prank(relayer);
        executed = away.deliver(packet);
        vm.chainId(HOME_CHAIN);
    }

    /// @dev The message that was sent last, out of the logs that are being recorded.
    function _sentPacket() internal returns (ILocalRouter.Packet memory packet) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == ILocalRouter.MessageSent.selector) {
                packet = abi.decode(logs[i].data, (ILocalRouter.Packet));
                vm.assertEq(logs[i].topics[1], keccak256(abi.encode(packet)));
            }
        }
        vm.assertTrue(packet.nonce != 0);
    }

    function _outgoing(address receiver) internal pure returns (Ccip.EVM2AnyMessage memory) {
        return Ccip.EVM2AnyMessage(
            abi.encode(receiver), hex"c0ffee", new Ccip.EVMTokenAmount[](0), address(0), _extraArgs2()
        );
    }

    function _send(Ccip.EVM2AnyMessage memory message) internal returns (ILocalRouter.Packet memory) {
        vm.recordLogs();
        vm.prank(SENDER);
        home.ccipSend(SOURCE, message);
        return _sentPacket();
    }
}

contract LocalRouterSendTest is LocalRouterFixture {
    LinkToken private link;

    function setUp() public override {
        super.setUp();
        (, link) = _generation1();
    }

    function test_constructor() public {
        vm.assertEq(home.typeAndVersion(), "LocalRouter 1.0.0");
        vm.assertEq(home.localSelector(), HOME);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILocalRouter.InvalidRemote.selector,
                0,
                HOME_CHAIN,
                vm.computeCreateAddress(address(this), vm.getNonce(address(this)))
            )
        );
        new LocalRouter(0, OWNER);
    }

    /// The event is all a relayer needs, and the id is the hash of all of it.
    function test_send_tellsTheWholeMessage() public {
        ILocalRouter.Packet memory expected = ILocalRouter.Packet(
            HOME_CHAIN, address(home), HOME, SOURCE, 1, SENDER, STRANGER, GAS_LIMIT, hex"c0ffee"
        );
        bytes32 messageId = keccak256(abi.encode(expected));
        vm.expectEmit(true, true, true, true, address(home));
        emit ILocalRouter.MessageSent(messageId, SOURCE, SENDER, expected);
        vm.prank(SENDER);
        vm.assertEq(home.ccipSend(SOURCE, _outgoing(STRANGER)), messageId);
        vm.assertEq(home.messageIdOf(expected), messageId);
        vm.assertEq(home.nonce(), 1);
    }

    /// Equal messages are two messages; another chain, router or sender makes another one.
    function testFuzz_send_idsDiffer(uint8 part, bytes32 salt) public {
        ILocalRouter.Packet memory packet = _send(_outgoing(STRANGER));
        bytes32 id = home.messageIdOf(packet);
        vm.assertTrue(id != home.messageIdOf(_send(_outgoing(STRANGER))));
        part %= 9;
        uint256 word = uint256(salt) | 1;
        if (part == 0) packet.sourceChainId ^= word;
        if (part == 1) packet.sourceRouter = address(uint160(packet.sourceRouter) ^ uint160(word));
        if (part == 2) packet.sourceSelector ^= uint64(word);
        if (part == 3) packet.destinationSelector ^= uint64(word);
        if (part == 4) packet.nonce ^= uint64(word);
        if (part == 5) packet.sender = address(uint160(packet.sender) ^ uint160(word));
        if (part == 6) packet.receiver = address(uint160(packet.receiver) ^ uint160(word));
        if (part == 7) packet.gasLimit ^= word;
        if (part == 8) packet.data = bytes.concat(packet.data, salt);
        vm.assertTrue(id != home.messageIdOf(packet));
    }

    function test_send_readsTheGasLimitOfEveryForm() public {
        bytes[4] memory forms = [_extraArgs1(), _extraArgs2(), _extraArgs3(), bytes("")];
        for (uint256 i = 0; i < forms.length; ++i) {
            Ccip.EVM2AnyMessage memory message = _outgoing(STRANGER);
            message.extraArgs = forms[i];
            vm.assertEq(_send(message).gasLimit, i < 3 ? GAS_LIMIT : 200_000);
        }
    }

    function test_send_refusesOtherForms() public {
        bytes[7] memory forms = [
            bytes(hex"97a657"),
            hex"97a657c9",
            abi.encodePacked(bytes4(0x97a657c9), uint248(1)),
            abi.encodeWithSelector(0x97a657c9, uint256(1) << 32),
            hex"a69dd4aa000000",
            // The draft of V3 that was never used, and a chain that is no EVM.
            abi.encodeWithSelector(0x302326cb, GAS_LIMIT),
            abi.encodeWithSelector(0x1f3b3aba, GAS_LIMIT)
        ];
        for (uint256 i = 0; i < forms.length; ++i) {
            Ccip.EVM2AnyMessage memory message = _outgoing(STRANGER);
            message.extraArgs = forms[i];
            _refused(message, abi.encodeWithSelector(ILocalRouter.InvalidExtraArgs.selector, forms[i]));
        }
    }

    function test_send_refusesReceivers() public {
        bytes[4] memory receivers = [
            bytes(""),
            abi.encodePacked(STRANGER),
            abi.encode(uint256(1) << 160),
            abi.encode(STRANGER, STRANGER)
        ];
        for (uint256 i = 0; i < receivers.length; ++i) {
            Ccip.EVM2AnyMessage memory message = _outgoing(STRANGER);
            message.receiver = receivers[i];
            _refused(message, abi.encodeWithSelector(ILocalRouter.InvalidReceiver.selector, receivers[i]));
        }
    }

    function test_send_refusesTokensAndUnknownChains() public {
        Ccip.EVM2AnyMessage memory message = _outgoing(STRANGER);
        message.tokenAmounts = new Ccip.EVMTokenAmount[](1);
        _refused(message, abi.encodeWithSelector(ILocalRouter.TokensNotSupported.selector));
        vm.assertFalse(home.isChainSupported(138));
        vm.expectRevert(abi.encodeWithSelector(IRouterClient.UnsupportedDestinationChain.selector, 138));
        home.ccipSend(138, _outgoing(STRANGER));
        // Cut off.
        vm.prank(OWNER);
        home.setRemote(SOURCE, 0, address(0));
        _refused(
            _outgoing(STRANGER),
            abi.encodeWithSelector(IRouterClient.UnsupportedDestinationChain.selector, SOURCE)
        );
    }

    // ------------------------------------------------------------------ fees

    function test_fee_native() public {
        vm.prank(OWNER);
        home.setFee(SOURCE, address(0), true, 10);
        vm.assertEq(home.getFee(SOURCE, _outgoing(STRANGER)), 10);
        vm.deal(SENDER, 100);
        vm.expectRevert(IRouterClient.InsufficientFeeTokenAmount.selector);
        vm.prank(SENDER);
        home.ccipSend{value: 9}(SOURCE, _outgoing(STRANGER));
        vm.expectRevert(IRouterClient.InvalidMsgValue.selector);
        vm.prank(SENDER);
        home.ccipSend{value: 11}(SOURCE, _outgoing(STRANGER));
        vm.prank(SENDER);
        home.ccipSend{value: 10}(SOURCE, _outgoing(STRANGER));
        vm.assertEq(address(home).balance, 10);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(SENDER);
        home.withdraw(address(0), SENDER, 10);
        vm.prank(OWNER);
        home.withdraw(address(0), STRANGER, 10);
        vm.assertEq(STRANGER.balance, 10);
    }

    function test_fee_token() public {
        Ccip.EVM2AnyMessage memory message = _outgoing(STRANGER);
        message.feeToken = address(link);
        _refused(
            message, abi.encodeWithSelector(ILocalRouter.UnsupportedFeeToken.selector, SOURCE, address(link))
        );
        vm.prank(OWNER);
        home.setFee(SOURCE, address(link), true, 7);
        vm.assertTrue(link.transfer(SENDER, 7));
        vm.deal(SENDER, 1);
        vm.expectRevert(IRouterClient.InvalidMsgValue.selector);
        vm.prank(SENDER);
        home.ccipSend{value: 1}(SOURCE, message);
        // Without an allowance nothing is sent.
        vm.prank(SENDER);
        (bool ok,) = address(home).call(abi.encodeCall(home.ccipSend, (SOURCE, message)));
        vm.assertFalse(ok);
        vm.assertEq(home.nonce(), 0);
        vm.prank(SENDER);
        link.approve(address(home), 7);
        _send(message);
        vm.assertEq(link.balanceOf(address(home)), 7);
        vm.prank(OWNER);
        home.setFee(SOURCE, address(link), false, 7);
        _refused(
            message, abi.encodeWithSelector(ILocalRouter.UnsupportedFeeToken.selector, SOURCE, address(link))
        );
    }

    // ---------------------------------------------------------------- owner's

    function test_owner_sets() public {
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        home.setFee(SOURCE, address(0), true, 1);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        home.setRemote(SOURCE, 1, STRANGER);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(STRANGER);
        home.setRelayers(new address[](1), 1);
        vm.expectEmit(true, true, true, true, address(home));
        emit ILocalRouter.RemoteSet(9, 5, STRANGER);
        vm.prank(OWNER);
        home.setRemote(9, 5, STRANGER);
        (uint256 chainId, address router) = home.remote(9);
        vm.assertEq(chainId, 5);
        vm.assertEq(router, STRANGER);
        _remoteRefused(0, 5, STRANGER);
        _remoteRefused(HOME, 5, STRANGER);
        _remoteRefused(9, 0, STRANGER);
        _remoteRefused(9, 5, address(0));
    }

    function test_owner_setsRelayers() public {
        address[] memory relayers = new address[](2);
        (relayers[0], relayers[1]) = (ANN, BEN);
        _relayersRefused(relayers, 0);
        _relayersRefused(relayers, 3);
        relayers[1] = ANN;
        _relayersRefused(relayers, 2);
        relayers[1] = address(0);
        _relayersRefused(relayers, 1);
        relayers[1] = BEN;
        vm.expectEmit(true, true, true, true, address(home));
        emit ILocalRouter.RelayersSet(1, relayers, 2);
        vm.prank(OWNER);
        home.setRelayers(relayers, 2);
        vm.assertTrue(home.isRelayer(ANN) && home.isRelayer(BEN) && !home.isRelayer(CAT));
        vm.assertEq(home.quorum(), 2);
        vm.assertEq(home.epoch(), 1);
    }

    function _refused(Ccip.EVM2AnyMessage memory message, bytes memory reason) private {
        vm.expectRevert(reason);
        home.getFee(SOURCE, message);
        vm.expectRevert(reason);
        vm.prank(SENDER);
        home.ccipSend(SOURCE, message);
    }

    function _remoteRefused(uint64 selector, uint256 chainId, address router) private {
        vm.expectRevert(
            abi.encodeWithSelector(ILocalRouter.InvalidRemote.selector, selector, chainId, router)
        );
        vm.prank(OWNER);
        home.setRemote(selector, chainId, router);
    }

    function _relayersRefused(address[] memory relayers, uint256 quorum) private {
        vm.expectRevert(ILocalRouter.InvalidRelayers.selector);
        vm.prank(OWNER);
        home.setRelayers(relayers, quorum);
    }
}

contract LocalRouterDeliverTest is LocalRouterFixture {
    ScriptedReceiver private receiver;
    ILocalRouter.Packet private packet;
    bytes32 private messageId;

    function setUp() public override {
        super.setUp();
        receiver = new ScriptedReceiver();
        packet = _send(_outgoing(address(receiver)));
        messageId = away.messageIdOf(packet);
    }

    function test_deliver_atTheQuorum() public {
        vm.expectEmit(true, true, true, true, address(away));
        emit ILocalRouter.MessageConfirmed(messageId, ANN, 1);
        vm.assertFalse(_deliver(ANN, packet));
        vm.assertEq(receiver.calls(), 0);
        vm.assertEq(away.confirmations(messageId), 1);
        vm.assertFalse(away.delivered(messageId));
        vm.expectEmit(true, true, true, true, address(away));
        emit ILocalRouter.MessageDelivered(messageId, HOME, address(receiver));
        vm.assertTrue(_deliver(CAT, packet));
        vm.assertTrue(away.delivered(messageId));
        Ccip.Any2EVMMessage memory expected = Ccip.Any2EVMMessage(
            messageId, HOME, abi.encode(SENDER), hex"c0ffee", new Ccip.EVMTokenAmount[](0)
        );
        vm.assertEq(receiver.last(), keccak256(abi.encode(expected)));
    }

    /// One relayer is one vote, however often it asks.
    function test_deliver_countsEachRelayerOnce() public {
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertFalse(_deliver(ANN, packet));
        }
        vm.assertEq(away.confirmations(messageId), 1);
        vm.assertEq(receiver.calls(), 0);
    }

    function test_deliver_isExactlyOnce() public {
        _deliver(ANN, packet);
        _deliver(BEN, packet);
        vm.recordLogs();
        vm.assertTrue(_deliver(BEN, packet));
        vm.assertTrue(_deliver(CAT, packet));
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.assertEq(receiver.calls(), 1);
        // Nor under another set of relayers.
        _setRelayers(1);
        vm.assertTrue(_deliver(CAT, packet));
        vm.assertEq(receiver.calls(), 1);
    }

    function testFuzz_deliver_onlyByARelayer(address sender) public {
        vm.assume(sender != ANN && sender != BEN && sender != CAT);
        vm.expectRevert(abi.encodeWithSelector(ILocalRouter.NotRelayer.selector, sender));
        vm.prank(sender);
        away.deliver(packet);
    }

    /// A vote for a message is a vote for all of it: another content is another message.
    function test_deliver_votesAreForTheContent() public {
        _deliver(ANN, packet);
        ILocalRouter.Packet memory forged = packet;
        forged.data = hex"bad0";
        vm.assertFalse(_deliver(BEN, forged));
        forged.data = hex"c0ffee";
        forged.sender = STRANGER;
        vm.assertFalse(_deliver(CAT, forged));
        vm.assertEq(receiver.calls(), 0);
    }

    /// Votes of a set that was replaced, perhaps because a key was stolen, count no more.
    function test_deliver_votesEndWithTheirSet() public {
        _deliver(ANN, packet);
        _setRelayers(2);
        vm.assertEq(away.confirmations(messageId), 0);
        vm.assertFalse(_deliver(BEN, packet));
        vm.assertTrue(_deliver(ANN, packet));
        vm.assertEq(receiver.calls(), 1);
    }

    function test_deliver_onlyFromTheKnownRouterToThisChain() public {
        ILocalRouter.Packet memory forged = packet;
        forged.sourceRouter = address(away);
        _wrongLane(forged);
        forged = packet;
        forged.sourceChainId = AWAY_CHAIN;
        _wrongLane(forged);
        forged = packet;
        forged.sourceSelector = DESTINATION;
        _wrongLane(forged);
        // A chain that is not connected has the zero router, which is no router.
        forged.sourceRouter = address(0);
        forged.sourceChainId = 0;
        _wrongLane(forged);
        forged = packet;
        forged.destinationSelector = DESTINATION;
        _wrongLane(forged);
    }

    /// A public router would report success here, and the message would be lost.
    function test_deliver_neverLosesAMessageToAWrongReceiver() public {
        address[2] memory receivers = [STRANGER, address(away)];
        for (uint256 i = 0; i < receivers.length; ++i) {
            ILocalRouter.Packet memory lost = _send(_outgoing(receivers[i]));
            _deliver(ANN, lost);
            vm.expectRevert(abi.encodeWithSelector(ILocalRouter.NotAReceiver.selector, receivers[i]));
            vm.prank(BEN);
            away.deliver(lost);
            vm.assertFalse(away.delivered(away.messageIdOf(lost)));
        }
    }

    function test_deliver_againAfterTheReceiverReverted() public {
        _deliver(ANN, packet);
        receiver.setMood(ScriptedReceiver.Mood.Refuse);
        vm.expectRevert(
            abi.encodeWithSelector(ILocalRouter.ReceiverFailed.selector, messageId, _text("not today"))
        );
        vm.prank(BEN);
        away.deliver(packet);
        vm.assertFalse(away.delivered(messageId));
        receiver.setMood(ScriptedReceiver.Mood.Take);
        vm.assertTrue(_deliver(BEN, packet));
        vm.assertEq(receiver.calls(), 1);
    }

    /// A long reason is cut: relayers do not pay for copying it.
    function test_deliver_cutsLongReasons() public {
        _deliver(ANN, packet);
        receiver.setMood(ScriptedReceiver.Mood.Bomb);
        vm.expectRevert(
            abi.encodeWithSelector(ILocalRouter.ReceiverFailed.selector, messageId, new bytes(256))
        );
        vm.prank(BEN);
        away.deliver(packet);
    }

    /// A receiver that is a relayer and delivers its own message again finds it executed.
    function test_deliver_isNotReentered() public {
        address[] memory relayers = new address[](2);
        (relayers[0], relayers[1]) = (ANN, address(receiver));
        vm.prank(OWNER);
        away.setRelayers(relayers, 1);
        receiver.setPacket(packet);
        receiver.setMood(ScriptedReceiver.Mood.Reenter);
        vm.assertTrue(_deliver(ANN, packet));
        vm.assertEq(receiver.calls(), 1);
    }

    /// The receiver gets what its sender asked for, or the delivery reverts: a relayer cannot starve it.
    function test_deliver_givesExactlyTheGas() public {
        _setRelayers(1);
        bool executed;
        bool refused;
        for (uint256 gasLimit = 200_000; gasLimit < 460_000; gasLimit += 2000) {
            uint256 snapshot = vm.snapshotState();
            vm.prank(ANN);
            try away.deliver{gas: gasLimit}(packet) returns (bool done) {
                vm.assertTrue(done);
                vm.assertEq(receiver.calls(), 1);
                // What the call itself and the dispatch cost before the first line of the receiver.
                vm.assertLe(GAS_LIMIT - 2500, receiver.gasGiven());
                vm.assertLe(receiver.gasGiven(), GAS_LIMIT);
                executed = true;
            } catch {
                vm.assertFalse(executed);
                refused = true;
            }
            vm.revertToState(snapshot);
        }
        vm.assertTrue(executed && refused);
    }

    function _wrongLane(ILocalRouter.Packet memory forged) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                ILocalRouter.WrongLane.selector, forged.sourceSelector, forged.destinationSelector
            )
        );
        vm.prank(ANN);
        away.deliver(forged);
    }
}

/// @dev A feed of a chain without a selector, read on another one: the whole way over routers of our own.
contract LocalRouterFeedTest is LocalRouterFixture {
    OracleWithCCIP private oracle;
    CcipFeedReceiver private receiver;

    function setUp() public override {
        super.setUp();
        oracle = _oracle(home);
        receiver = _receiver(away);
        vm.prank(OWNER);
        receiver.setSource(HOME, address(oracle), true);
        vm.prank(OWNER);
        oracle.setLane(SOURCE, _lane(address(receiver), _extraArgs3()));
    }

    function test_feed_arrives() public {
        _seed(oracle, 3);
        ILocalRouter.Packet memory packet = _publish(3);
        uint256 time = block.timestamp;
        vm.warp(time + 60);
        _deliver(BEN, packet);
        _deliver(ANN, packet);
        vm.assertEq(receiver.latestAnswer(), oracle.latestAnswer());
        vm.assertEq(receiver.latestTimestamp(), time);
        vm.assertEq(receiver.latestSourceRound(), 3);
    }

    /// Relayers deliver in whatever order they come to it.
    function test_feed_arrivesOutOfOrder() public {
        _seed(oracle, 2);
        ILocalRouter.Packet memory first = _publish(1);
        ILocalRouter.Packet memory second = _publish(2);
        _deliver(ANN, second);
        _deliver(BEN, second);
        _deliver(ANN, first);
        vm.assertTrue(_deliver(BEN, first));
        vm.assertEq(receiver.latestRound(), 1);
        vm.assertEq(receiver.latestAnswer(), oracle.latestAnswer());
    }

    function _publish(uint80 round) private returns (ILocalRouter.Packet memory) {
        vm.recordLogs();
        vm.prank(TRANSMITTER);
        oracle.publishRound(SOURCE, round);
        return _sentPacket();
    }
}
