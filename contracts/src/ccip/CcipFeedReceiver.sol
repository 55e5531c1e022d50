// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {Owned} from "../Owned.sol";
import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {Ccip} from "../interfaces/ccip/Ccip.sol";
import {IAny2EVMMessageReceiver} from "../interfaces/ccip/IAny2EVMMessageReceiver.sol";
import {IAny2EVMMessageReceiverV2} from "../interfaces/ccip/IAny2EVMMessageReceiverV2.sol";
import {ICcipFeedReceiver} from "../interfaces/ccip/ICcipFeedReceiver.sol";
import {CcipRound} from "./CcipRound.sol";
import {CcipRouted} from "./CcipRouted.sol";
import {SourceHistory} from "./SourceHistory.sol";
import {Withdrawable} from "./Withdrawable.sol";

/// @title A feed whose rounds come from another chain.
/// @notice No list of messages is kept but of those that failed: a round is taken only when it is newer than the
/// latest, so that no message, whether it was taken, dropped or recovered, can make a second one.
contract CcipFeedReceiver is ICcipFeedReceiver, SourceHistory, CcipRouted, Withdrawable, IERC165 {
    /// @dev Gas kept back from processing: a fresh slot, the event with a payload, the hash of the message.
    uint256 private constant FAILURE_GAS = 60_000;

    /// @dev A message that could not be taken, in one slot: 28 bytes of the hash of its parts say which one it was.
    struct Failure {
        bytes28 digest;
        bytes4 reason;
    }

    /// @inheritdoc IAggregatorV2V3
    uint8 public immutable override decimals;
    /// @inheritdoc ICcipFeedReceiver
    bytes32 public immutable override feedId;
    /// @inheritdoc ICcipFeedReceiver
    int256 public immutable override minAnswer;
    /// @inheritdoc ICcipFeedReceiver
    int256 public immutable override maxAnswer;

    /// @inheritdoc IAggregatorV2V3
    uint256 public constant override version = 1;
    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "CcipFeedReceiver 1.0.0";

    /// @inheritdoc IAggregatorV2V3
    string public override description;

    /// @dev By the hash of the sender as its chain encodes it, so that nothing of a stranger is decoded.
    mapping(uint64 selector => mapping(bytes32 senderHash => bool)) private _sources;
    mapping(bytes32 messageId => Failure) private _failures;

    /// @param router_ the CCIP router of this chain
    /// @param feedId_ what the sender knows the feed by
    /// @param decimals_ decimal places of every answer, here and at the source
    /// @param description_ what the feed prices, such as "ETH / USD"
    /// @param minAnswer_ the smallest answer accepted
    /// @param maxAnswer_ the largest answer accepted
    /// @param owner_ who administers the feed
    constructor(
        address router_,
        bytes32 feedId_,
        uint8 decimals_,
        string memory description_,
        int256 minAnswer_,
        int256 maxAnswer_,
        address owner_
    ) Owned(owner_) CcipRouted(router_) {
        bool storable = minAnswer_ >= type(int176).min && maxAnswer_ <= type(int176).max;
        if (!storable || minAnswer_ > maxAnswer_) revert InvalidBounds(minAnswer_, maxAnswer_);
        feedId = feedId_;
        decimals = decimals_;
        minAnswer = minAnswer_;
        maxAnswer = maxAnswer_;
        description = description_;
    }

    /// @inheritdoc IAny2EVMMessageReceiver
    function ccipReceive(Ccip.Any2EVMMessage calldata message) external override {
        if (msg.sender != router) revert NotRouter(msg.sender);
        _demandSource(message.sourceChainSelector, message.sender);
        if (_failures[message.messageId].digest != 0) {
            emit MessageRepeated(message.messageId);
            return;
        }
        uint256 left = gasleft();
        require(left > FAILURE_GAS, "insufficient gas");
        // Nothing is left to do after a success.
        // solhint-disable-next-line no-empty-blocks
        try this.process{gas: left - FAILURE_GAS}(message.messageId, message.data) {}
        catch (bytes memory reason) {
            _keep(message, reason);
        }
    }

    /// @inheritdoc ICcipFeedReceiver
    function process(bytes32 messageId, bytes calldata payload) external override {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _process(messageId, payload);
    }

    /// @inheritdoc ICcipFeedReceiver
    function retry(bytes32 messageId, uint64 selector, bytes calldata sender, bytes calldata payload)
        external
        override
        onlyOwner
    {
        bytes28 digest = _failures[messageId].digest;
        if (digest == 0 || digest != _digest(selector, sender, payload)) revert NotFailed(messageId);
        _demandSource(selector, sender);
        delete _failures[messageId];
        _process(messageId, payload);
        emit MessageRecovered(messageId);
    }

    /// @inheritdoc ICcipFeedReceiver
    function setSource(uint64 selector, address sender, bool allowed) external override onlyOwner {
        if (selector == 0 || sender == address(0)) revert InvalidSource(selector, sender);
        _sources[selector][_hashOf(sender)] = allowed;
        emit SourceChanged(selector, sender, allowed);
    }

    /// @inheritdoc ICcipFeedReceiver
    function isSource(uint64 selector, address sender) external view override returns (bool) {
        return _sources[selector][_hashOf(sender)];
    }

    /// @inheritdoc ICcipFeedReceiver
    function failure(bytes32 messageId) external view override returns (bool failed, bytes4 reason) {
        Failure memory kept = _failures[messageId];
        return (kept.digest != 0, kept.reason);
    }

    /// @inheritdoc ICcipFeedReceiver
    function latestSourceRound() external view override returns (uint80) {
        return _latestSource();
    }

    /// @inheritdoc IAny2EVMMessageReceiverV2
    /// @dev The lane's own verifiers, and nothing less than finality: a round that is taken back at its source would
    /// stay here.
    function getCCVsAndFinalityConfig(uint64, bytes calldata)
        external
        pure
        override
        returns (address[] memory requiredCCVs, address[] memory optionalCCVs, uint8, bytes4)
    {
        return (requiredCCVs, optionalCCVs, 0, 0);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure override returns (bool) {
        return interfaceId == type(IERC165).interfaceId
            || interfaceId == type(IAny2EVMMessageReceiver).interfaceId
            || interfaceId == type(IAny2EVMMessageReceiverV2).interfaceId;
    }

    function _process(bytes32 messageId, bytes calldata payload) private {
        if (payload.length != CcipRound.LENGTH) revert PayloadLength(payload.length, CcipRound.LENGTH);
        (uint256 form, CcipRound.Round memory round) = CcipRound.decode(payload);
        if (form != CcipRound.VERSION) revert PayloadVersion(form, CcipRound.VERSION);
        if (round.feedId != feedId) revert WrongFeed(round.feedId, feedId);
        if (round.decimals != decimals) revert WrongDecimals(round.decimals, decimals);
        if (round.roundId == 0 || round.roundId > type(uint80).max || round.updatedAt == 0) {
            revert InvalidRound(round.roundId, round.updatedAt);
        }
        uint80 source = uint80(round.roundId);
        uint80 latest = _latestSource();
        if (source <= latest) {
            emit RoundDropped(source, messageId, latest);
            return;
        }
        if (round.answer < minAnswer || round.answer > maxAnswer) {
            revert AnswerOutOfBounds(round.answer, minAnswer, maxAnswer);
        }
        uint256 roundId = _append(source, round.answer, round.startedAt, round.updatedAt);
        emit RoundReceived(roundId, source, messageId);
    }

    function _keep(Ccip.Any2EVMMessage calldata message, bytes memory reason) private {
        uint64 selector = message.sourceChainSelector;
        _failures[message.messageId] =
            Failure(_digest(selector, message.sender, message.data), bytes4(reason));
        bytes calldata payload = message.data.length == CcipRound.LENGTH ? message.data : message.data[:0];
        emit MessageFailed(message.messageId, selector, message.sender, payload, reason);
    }

    function _demandSource(uint64 selector, bytes calldata sender) private view {
        if (!_sources[selector][keccak256(sender)]) revert SourceNotAllowed(selector, sender);
    }

    function _hashOf(address sender) private pure returns (bytes32) {
        return keccak256(abi.encode(sender));
    }

    function _digest(uint64 selector, bytes calldata sender, bytes calldata payload)
        private
        pure
        returns (bytes28)
    {
        return bytes28(keccak256(abi.encode(selector, sender, payload)));
    }
}
