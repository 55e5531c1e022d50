// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {Ccip} from "../interfaces/ccip/Ccip.sol";
import {ICcipLanes} from "../interfaces/ccip/ICcipLanes.sol";
import {IRouterClient} from "../interfaces/ccip/IRouterClient.sol";
import {CcipRound} from "./CcipRound.sol";
import {CcipRouted} from "./CcipRouted.sol";
import {Withdrawable} from "./Withdrawable.sol";

/// @title The lanes of a feed, and the way of a round into them.
/// @notice It reads the feed through the same calls as any consumer, so that what leaves is what everybody here reads.
/// It does not decide who may publish, nor which feed: that is the deriving contract's.
abstract contract CcipLanes is ICcipLanes, CcipRouted, Withdrawable {
    /// @inheritdoc ICcipLanes
    bytes32 public immutable override feedId;

    mapping(uint64 selector => Lane) private _lanes;
    /// @inheritdoc ICcipLanes
    mapping(uint64 selector => uint80 roundId) public override lastPublished;

    constructor(address router_, bytes32 feedId_) CcipRouted(router_) {
        feedId = feedId_;
    }

    /// @notice Takes native funds for fees.
    receive() external payable {}

    /// @inheritdoc ICcipLanes
    function setLane(uint64 selector, Lane calldata lane_) external override onlyOwner {
        bool payable_ = lane_.feeToken == address(0) || lane_.feeToken.code.length != 0;
        if (lane_.receiver.length == 0 || !payable_) revert InvalidLane(selector);
        if (!IRouterClient(router).isChainSupported(selector)) revert ChainNotSupported(selector);
        _lanes[selector] = lane_;
        delete lastPublished[selector];
        emit LaneSet(selector, lane_.receiver, lane_.extraArgs, lane_.feeToken, lane_.maxFee);
    }

    /// @inheritdoc ICcipLanes
    function removeLane(uint64 selector) external override onlyOwner {
        _known(selector);
        delete _lanes[selector];
        delete lastPublished[selector];
        emit LaneRemoved(selector);
    }

    /// @inheritdoc ICcipLanes
    function publish(uint64 selector) external override returns (bytes32 messageId) {
        _authorise(msg.sender);
        Lane memory lane_ = _known(selector);
        return _send(selector, lane_, _latest());
    }

    /// @inheritdoc ICcipLanes
    function publishRound(uint64 selector, uint80 roundId) external override returns (bytes32 messageId) {
        _authorise(msg.sender);
        Lane memory lane_ = _known(selector);
        return _send(selector, lane_, _stored(roundId));
    }

    /// @inheritdoc ICcipLanes
    function publicationFee(uint64 selector) external view override returns (uint256) {
        Lane memory lane_ = _known(selector);
        return IRouterClient(router).getFee(selector, _message(lane_, _latest()));
    }

    /// @inheritdoc ICcipLanes
    function lane(uint64 selector) external view override returns (Lane memory) {
        return _lanes[selector];
    }

    /// @dev Reverts unless the account may publish now.
    function _authorise(address sender) internal view virtual;

    /// @dev The feed whose rounds are published.
    function _feed() internal view virtual returns (IAggregatorV2V3);

    function _send(uint64 selector, Lane memory lane_, CcipRound.Round memory round)
        private
        returns (bytes32 messageId)
    {
        // The feed numbers its rounds in 80 bits; both reads give no wider id.
        uint80 roundId = uint80(round.roundId);
        uint80 last = lastPublished[selector];
        if (roundId <= last) revert RoundAlreadyPublished(selector, roundId, last);
        lastPublished[selector] = roundId;

        Ccip.EVM2AnyMessage memory message = _message(lane_, round);
        IRouterClient target = IRouterClient(router);
        uint256 fee = target.getFee(selector, message);
        if (fee > lane_.maxFee) revert FeeTooHigh(fee, lane_.maxFee);
        if (lane_.feeToken == address(0)) {
            _hold(address(0), address(this).balance, fee);
            messageId = target.ccipSend{value: fee}(selector, message);
        } else {
            IERC20 token = IERC20(lane_.feeToken);
            _hold(lane_.feeToken, token.balanceOf(address(this)), fee);
            SafeERC20.forceApprove(token, address(target), fee);
            messageId = target.ccipSend(selector, message);
        }
        emit RoundPublished(selector, roundId, messageId, lane_.feeToken, fee);
    }

    function _latest() private view returns (CcipRound.Round memory) {
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt,) = _feed().latestRoundData();
        return _round(roundId, answer, startedAt, updatedAt);
    }

    function _stored(uint80 roundId_) private view returns (CcipRound.Round memory) {
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt,) =
            _feed().getRoundData(roundId_);
        return _round(roundId, answer, startedAt, updatedAt);
    }

    function _round(uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt)
        private
        view
        returns (CcipRound.Round memory)
    {
        // Aggregators of others give zeros where ours revert.
        require(updatedAt != 0, "No data present");
        return CcipRound.Round({
            feedId: feedId,
            roundId: roundId,
            answer: answer,
            startedAt: startedAt,
            updatedAt: updatedAt,
            decimals: _feed().decimals()
        });
    }

    function _known(uint64 selector) private view returns (Lane memory lane_) {
        lane_ = _lanes[selector];
        if (lane_.receiver.length == 0) revert UnknownLane(selector);
    }

    function _message(Lane memory lane_, CcipRound.Round memory round)
        private
        pure
        returns (Ccip.EVM2AnyMessage memory)
    {
        return Ccip.EVM2AnyMessage({
            receiver: lane_.receiver,
            data: CcipRound.encode(round),
            tokenAmounts: new Ccip.EVMTokenAmount[](0),
            feeToken: lane_.feeToken,
            extraArgs: lane_.extraArgs
        });
    }

    function _hold(address feeToken, uint256 balance, uint256 fee) private pure {
        if (balance < fee) revert InsufficientFunds(feeToken, balance, fee);
    }
}
