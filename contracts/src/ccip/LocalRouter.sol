// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";

import {Owned} from "../Owned.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {Ccip} from "../interfaces/ccip/Ccip.sol";
import {IAny2EVMMessageReceiver} from "../interfaces/ccip/IAny2EVMMessageReceiver.sol";
import {ILocalRouter} from "../interfaces/ccip/ILocalRouter.sol";
import {IRouterClient} from "../interfaces/ccip/IRouterClient.sol";
import {Withdrawable} from "./Withdrawable.sol";

/// @title A router that its operator runs, for chains that no public lane reaches.
/// @notice The same contract sends on one side and delivers on the other.
contract LocalRouter is ILocalRouter, Withdrawable {
    /// @dev The tags of CCIP's extra arguments. In V1 and V2 the gas limit is the first word, in V3 the first four
    /// bytes.
    bytes4 private constant EXTRA_ARGS_V1 = 0x97a657c9;
    bytes4 private constant EXTRA_ARGS_V2 = 0x181dcf10;
    bytes4 private constant EXTRA_ARGS_V3 = 0xa69dd4aa;
    uint256 private constant DEFAULT_GAS_LIMIT = 200_000;
    /// @dev Covers what happens between the check of the gas and the call.
    uint256 private constant CUSHION = 5000;
    uint256 private constant REASON_MAX = 256;

    struct Remote {
        uint256 chainId;
        address router;
    }

    struct Fee {
        bool accepted;
        uint96 amount;
    }

    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "LocalRouter 1.0.0";

    /// @inheritdoc ILocalRouter
    uint64 public immutable override localSelector;

    /// @inheritdoc ILocalRouter
    uint64 public override nonce;
    /// @inheritdoc ILocalRouter
    uint256 public override epoch;
    /// @inheritdoc ILocalRouter
    uint256 public override quorum;

    /// @inheritdoc ILocalRouter
    mapping(uint64 selector => Remote) public override remote;
    /// @inheritdoc ILocalRouter
    mapping(uint64 selector => mapping(address feeToken => Fee)) public override feeOf;
    /// @inheritdoc ILocalRouter
    mapping(bytes32 messageId => bool) public override delivered;

    mapping(uint256 epoch => mapping(address account => bool)) private _relayers;
    mapping(uint256 epoch => mapping(bytes32 messageId => uint256)) private _votes;
    mapping(uint256 epoch => mapping(bytes32 messageId => mapping(address relayer => bool))) private _voted;

    /// @param localSelector_ the selector of this chain
    /// @param owner_ who administers the router
    constructor(uint64 localSelector_, address owner_) Owned(owner_) {
        if (localSelector_ == 0) revert InvalidRemote(0, block.chainid, address(this));
        localSelector = localSelector_;
    }

    /// @inheritdoc IRouterClient
    function ccipSend(uint64 selector, Ccip.EVM2AnyMessage calldata message)
        external
        payable
        override
        returns (bytes32 messageId)
    {
        uint256 fee = getFee(selector, message);
        if (message.feeToken == address(0)) {
            if (msg.value < fee) revert InsufficientFeeTokenAmount();
            if (msg.value > fee) revert InvalidMsgValue();
        } else if (msg.value != 0) {
            revert InvalidMsgValue();
        }
        Packet memory packet = Packet({
            sourceChainId: block.chainid,
            sourceRouter: address(this),
            sourceSelector: localSelector,
            destinationSelector: selector,
            nonce: ++nonce,
            sender: msg.sender,
            receiver: abi.decode(message.receiver, (address)),
            gasLimit: _gasLimitOf(message.extraArgs),
            data: message.data
        });
        messageId = _idOf(packet);
        emit MessageSent(messageId, selector, msg.sender, packet);
        if (message.feeToken != address(0)) {
            SafeERC20.safeTransferFrom(IERC20(message.feeToken), msg.sender, address(this), fee);
        }
    }

    /// @inheritdoc ILocalRouter
    function deliver(Packet calldata packet) external override returns (bool executed) {
        uint256 present = epoch;
        if (!_relayers[present][msg.sender]) revert NotRelayer(msg.sender);
        Remote memory source = remote[packet.sourceSelector];
        if (
            source.router == address(0) || source.router != packet.sourceRouter
                || source.chainId != packet.sourceChainId || packet.destinationSelector != localSelector
        ) revert WrongLane(packet.sourceSelector, packet.destinationSelector);

        bytes32 messageId = _idOf(packet);
        if (delivered[messageId]) return true;
        uint256 votes = _votes[present][messageId];
        bool voted = _voted[present][messageId][msg.sender];
        if (!voted) emit MessageConfirmed(messageId, msg.sender, ++votes);
        if (votes < quorum) {
            // The vote that makes the quorum is not kept: it either executes the message or reverts.
            if (!voted) {
                _voted[present][messageId][msg.sender] = true;
                _votes[present][messageId] = votes;
            }
            return false;
        }
        delivered[messageId] = true;
        emit MessageDelivered(messageId, packet.sourceSelector, packet.receiver);
        _execute(messageId, packet);
        return true;
    }

    /// @inheritdoc ILocalRouter
    function setRelayers(address[] calldata relayers, uint256 quorum_) external override onlyOwner {
        if (quorum_ == 0 || quorum_ > relayers.length) revert InvalidRelayers();
        uint256 next = epoch + 1;
        epoch = next;
        quorum = quorum_;
        for (uint256 i = 0; i < relayers.length; ++i) {
            address relayer = relayers[i];
            if (relayer == address(0) || _relayers[next][relayer]) revert InvalidRelayers();
            _relayers[next][relayer] = true;
        }
        emit RelayersSet(next, relayers, quorum_);
    }

    /// @inheritdoc ILocalRouter
    function setRemote(uint64 selector, uint256 chainId, address router) external override onlyOwner {
        bool cut = router == address(0);
        if (selector == 0 || selector == localSelector || (chainId == 0) != cut) {
            revert InvalidRemote(selector, chainId, router);
        }
        remote[selector] = Remote(chainId, router);
        emit RemoteSet(selector, chainId, router);
    }

    /// @inheritdoc ILocalRouter
    function setFee(uint64 selector, address feeToken, bool accepted, uint96 fee)
        external
        override
        onlyOwner
    {
        feeOf[selector][feeToken] = Fee(accepted, fee);
        emit FeeSet(selector, feeToken, accepted, fee);
    }

    /// @inheritdoc ILocalRouter
    function isRelayer(address account) external view override returns (bool) {
        return _relayers[epoch][account];
    }

    /// @inheritdoc ILocalRouter
    function confirmations(bytes32 messageId) external view override returns (uint256) {
        return _votes[epoch][messageId];
    }

    /// @inheritdoc ILocalRouter
    function messageIdOf(Packet calldata packet) external pure override returns (bytes32) {
        return _idOf(packet);
    }

    /// @inheritdoc IRouterClient
    function getFee(uint64 selector, Ccip.EVM2AnyMessage memory message)
        public
        view
        override
        returns (uint256)
    {
        if (!isChainSupported(selector)) revert UnsupportedDestinationChain(selector);
        if (message.tokenAmounts.length != 0) revert TokensNotSupported();
        _demandAddress(message.receiver);
        _gasLimitOf(message.extraArgs);
        Fee memory fee = feeOf[selector][message.feeToken];
        if (!fee.accepted) revert UnsupportedFeeToken(selector, message.feeToken);
        return fee.amount;
    }

    /// @inheritdoc IRouterClient
    function isChainSupported(uint64 selector) public view override returns (bool) {
        return remote[selector].router != address(0);
    }

    /// @dev Calls the receiver with exactly the gas that its sender asked for, or reverts.
    function _execute(bytes32 messageId, Packet calldata packet) private {
        address receiver = packet.receiver;
        if (!ERC165Checker.supportsInterface(receiver, type(IAny2EVMMessageReceiver).interfaceId)) {
            revert NotAReceiver(receiver);
        }
        Ccip.Any2EVMMessage memory message = Ccip.Any2EVMMessage({
            messageId: messageId,
            sourceChainSelector: packet.sourceSelector,
            sender: abi.encode(packet.sender),
            data: packet.data,
            destTokenAmounts: new Ccip.EVMTokenAmount[](0)
        });
        bytes memory data = abi.encodeCall(IAny2EVMMessageReceiver.ccipReceive, (message));
        uint256 gasLimit = packet.gasLimit;
        uint256 left = gasleft();
        require(left > CUSHION && (left - CUSHION) - (left - CUSHION) / 64 > gasLimit, "insufficient gas");
        bool done;
        bytes memory reason;
        assembly ("memory-safe") {
            done := call(gasLimit, receiver, 0, add(data, 0x20), mload(data), 0, 0)
            if iszero(done) {
                // As much of the reason as a relayer can be asked to pay for.
                let length := returndatasize()
                if gt(length, REASON_MAX) { length := REASON_MAX }
                reason := mload(0x40)
                mstore(reason, length)
                returndatacopy(add(reason, 0x20), 0, length)
                mstore(0x40, add(add(reason, 0x20), REASON_MAX))
            }
        }
        if (!done) revert ReceiverFailed(messageId, reason);
    }

    function _demandAddress(bytes memory receiver) private pure {
        if (receiver.length != 32 || uint256(bytes32(receiver)) > type(uint160).max) {
            revert InvalidReceiver(receiver);
        }
    }

    function _gasLimitOf(bytes memory extraArgs) private pure returns (uint256 gasLimit) {
        if (extraArgs.length == 0) return DEFAULT_GAS_LIMIT;
        bytes4 tag = bytes4(extraArgs);
        uint256 word;
        // What lies beyond the end is cut or refused below.
        assembly ("memory-safe") {
            word := mload(add(extraArgs, 0x24))
        }
        bool known = extraArgs.length >= 36 && (tag == EXTRA_ARGS_V1 || tag == EXTRA_ARGS_V2);
        if (known) {
            gasLimit = word;
        } else {
            known = extraArgs.length >= 8 && tag == EXTRA_ARGS_V3;
            gasLimit = word >> 224;
        }
        if (!known || gasLimit > type(uint32).max) revert InvalidExtraArgs(extraArgs);
    }

    function _idOf(Packet memory packet) private pure returns (bytes32) {
        return keccak256(abi.encode(packet));
    }
}
