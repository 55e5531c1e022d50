// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Deviation} from "./Deviation.sol";
import {Owned} from "./Owned.sol";
import {IAggregatorProxy} from "./interfaces/IAggregatorProxy.sol";
import {IAggregatorV2V3} from "./interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "./interfaces/ITypeAndVersion.sol";

/// @title The phase proxy.
/// @notice Reads are calls, never delegate calls: the proxy has no rounds of its own to be mistaken for the
/// aggregator's. A read costs one slot and one call more than the aggregator's own.
contract AggregatorProxy is IAggregatorProxy, Owned {
    uint256 private constant PHASE_SHIFT = 64;
    uint256 private constant ADDRESS_BITS = 160;
    uint256 private constant LATEST_ROUND_DATA = 0xfeaf968c;
    uint256 private constant GET_ROUND_DATA = 0x9a6fc8f5;
    uint256 private constant ROUNDS_REQUIRED = 3;
    uint256 private constant BPS = 10_000;
    uint32 private constant DEFAULT_MAX_AGE_SECONDS = 1 days;
    uint32 private constant DEFAULT_MAX_DEVIATION_BPS = 1000;
    uint32 private constant NO_COMPARISON = type(uint32).max;

    /// @dev An aggregator that awaits confirmation and what is demanded of it, in one slot.
    struct Proposal {
        address aggregator;
        uint32 maxAgeSeconds;
        uint32 maxDeviationBps;
    }

    /// @inheritdoc IAggregatorV2V3
    /// @dev Taken from the first aggregator and demanded of every later one.
    uint8 public immutable override decimals;

    /// @dev What a read needs, in one slot: phase16 [175:160] | aggregator160 [159:0].
    uint256 private _current;
    Proposal private _proposal;

    /// @inheritdoc IAggregatorProxy
    mapping(uint16 phase => address aggregator) public override phaseAggregators;

    /// @param first the first aggregator; nobody depends on it yet, so it may be without rounds
    /// @param owner_ who administers the proxy
    constructor(address first, address owner_) Owned(owner_) {
        if (first.code.length == 0) revert NotAContract(first);
        decimals = IAggregatorV2V3(first).decimals();
        _enter(first);
    }

    /// @inheritdoc IAggregatorProxy
    function proposeAggregator(address proposed) external override onlyOwner {
        _propose(proposed, DEFAULT_MAX_AGE_SECONDS, DEFAULT_MAX_DEVIATION_BPS);
    }

    /// @inheritdoc IAggregatorProxy
    function proposeAggregatorWithBounds(address proposed, uint32 maxAgeSeconds, uint32 maxDeviationBps)
        external
        override
        onlyOwner
    {
        _propose(proposed, maxAgeSeconds, maxDeviationBps);
    }

    /// @inheritdoc IAggregatorProxy
    function confirmAggregator(address proposed) external override onlyOwner {
        Proposal memory proposal = _proposal;
        require(proposal.aggregator != address(0), "No proposed aggregator present");
        require(proposal.aggregator == proposed, "Invalid proposed aggregator");
        _examine(proposal);
        delete _proposal;
        _enter(proposed);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRoundData()
        public
        view
        virtual
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint256 current = _current;
        return _relay(_aggregatorOf(current), _phaseOf(current), LATEST_ROUND_DATA, 0, 4);
    }

    /// @inheritdoc IAggregatorV2V3
    function getRoundData(uint80 roundId_)
        public
        view
        virtual
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint16 phase = uint16(roundId_ >> PHASE_SHIFT);
        address source = phaseAggregators[phase];
        require(source != address(0), "No data present");
        return _relay(source, phase, GET_ROUND_DATA, uint64(roundId_), 36);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestAnswer() public view virtual override returns (int256) {
        return IAggregatorV2V3(_aggregatorOf(_current)).latestAnswer();
    }

    /// @inheritdoc IAggregatorV2V3
    function latestTimestamp() public view virtual override returns (uint256) {
        return IAggregatorV2V3(_aggregatorOf(_current)).latestTimestamp();
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRound() public view virtual override returns (uint256) {
        uint256 current = _current;
        return _proxied(_phaseOf(current), IAggregatorV2V3(_aggregatorOf(current)).latestRound());
    }

    /// @inheritdoc IAggregatorV2V3
    function getAnswer(uint256 roundId) public view virtual override returns (int256) {
        address source = _sourceOf(roundId);
        return source == address(0) ? int256(0) : IAggregatorV2V3(source).getAnswer(uint64(roundId));
    }

    /// @inheritdoc IAggregatorV2V3
    function getTimestamp(uint256 roundId) public view virtual override returns (uint256) {
        address source = _sourceOf(roundId);
        return source == address(0) ? 0 : IAggregatorV2V3(source).getTimestamp(uint64(roundId));
    }

    /// @inheritdoc IAggregatorV2V3
    function description() external view override returns (string memory) {
        return IAggregatorV2V3(_aggregatorOf(_current)).description();
    }

    /// @inheritdoc IAggregatorV2V3
    function version() external view override returns (uint256) {
        return IAggregatorV2V3(_aggregatorOf(_current)).version();
    }

    /// @inheritdoc ITypeAndVersion
    function typeAndVersion() external pure virtual override returns (string memory) {
        return "AggregatorProxy 1.0.0";
    }

    /// @inheritdoc IAggregatorProxy
    function aggregator() external view override returns (address) {
        return _aggregatorOf(_current);
    }

    /// @inheritdoc IAggregatorProxy
    function phaseId() external view override returns (uint16) {
        return _phaseOf(_current);
    }

    /// @inheritdoc IAggregatorProxy
    function proposedAggregator() external view override returns (address) {
        return _proposal.aggregator;
    }

    /// @inheritdoc IAggregatorProxy
    function proposalBounds() external view override returns (uint32 maxAgeSeconds, uint32 maxDeviationBps) {
        return (_proposal.maxAgeSeconds, _proposal.maxDeviationBps);
    }

    /// @inheritdoc IAggregatorProxy
    function proposedGetRoundData(uint80 roundId_)
        public
        view
        virtual
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _proposed().getRoundData(roundId_);
    }

    /// @inheritdoc IAggregatorProxy
    function proposedLatestRoundData()
        public
        view
        virtual
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _proposed().latestRoundData();
    }

    /// @dev Ends the present call with the round that the aggregator returns, the phase put before both ids: it
    /// returns to no caller. In assembly, because decoding five words to encode them again costs 700 gas a read.
    /// @param query bytes of the query: 4 for a selector alone, 36 with its argument
    function _relay(address source, uint256 phase, uint256 selector, uint256 argument, uint256 query)
        private
        view
        returns (uint80, int256, uint256, uint256, uint80)
    {
        uint256 fault;
        assembly ("memory-safe") {
            let round := mload(0x40)
            mstore(0x00, selector)
            mstore(0x20, argument)
            if iszero(staticcall(gas(), source, 0x1c, query, round, 0xa0)) {
                returndatacopy(round, 0, returndatasize())
                revert(round, returndatasize())
            }
            // Too short for a round, as from an account without code.
            if lt(returndatasize(), 0xa0) { revert(0, 0) }
            // A round without a time is no round; its fault stays 0. Else it is the first id that is too wide.
            if mload(add(round, 0x60)) {
                fault := mload(round)
                if iszero(shr(PHASE_SHIFT, fault)) { fault := mload(add(round, 0x80)) }
                if iszero(shr(PHASE_SHIFT, fault)) {
                    phase := shl(PHASE_SHIFT, phase)
                    mstore(round, or(phase, mload(round)))
                    mstore(add(round, 0x80), or(phase, fault))
                    return(round, 0xa0)
                }
            }
        }
        if (fault == 0) revert("No data present");
        revert RoundIdTooWide(fault);
    }

    function _aggregatorOf(uint256 current) private pure returns (address) {
        return address(uint160(current));
    }

    function _phaseOf(uint256 current) private pure returns (uint16) {
        return uint16(current >> ADDRESS_BITS);
    }

    function _propose(address proposed, uint32 maxAgeSeconds, uint32 maxDeviationBps) private {
        if (proposed == address(0)) {
            delete _proposal;
        } else {
            if (proposed.code.length == 0) revert NotAContract(proposed);
            _proposal = Proposal(proposed, maxAgeSeconds, maxDeviationBps);
            emit ProposalBounds(proposed, maxAgeSeconds, maxDeviationBps);
        }
        emit AggregatorProposed(_aggregatorOf(_current), proposed);
    }

    function _enter(address next) private {
        uint256 previous = _current;
        uint16 id = _phaseOf(previous) + 1;
        _current = uint256(id) << ADDRESS_BITS | uint160(next);
        phaseAggregators[id] = next;
        emit AggregatorConfirmed(_aggregatorOf(previous), next);
    }

    /// @dev Reverts unless consumers can go on reading, over the proposed aggregator, what they read before.
    function _examine(Proposal memory proposal) private view {
        IAggregatorV2V3 proposed = IAggregatorV2V3(proposal.aggregator);
        // A contract can be gone by the time its proposal is confirmed.
        if (proposal.aggregator.code.length == 0) revert NotAContract(proposal.aggregator);
        uint8 given = proposed.decimals();
        if (given != decimals) revert DecimalsDiffer(given, decimals);

        uint256 latest = proposed.latestRound();
        if (latest < ROUNDS_REQUIRED) revert TooFewRounds(latest, ROUNDS_REQUIRED);
        (uint80 roundId, int256 answer,, uint256 updatedAt,) = proposed.latestRoundData();
        _proxied(0, roundId);
        for (uint80 back = 1; back < ROUNDS_REQUIRED; ++back) {
            (,,, uint256 earlier,) = proposed.getRoundData(roundId - back);
            require(earlier != 0, "No data present");
        }
        if (updatedAt > block.timestamp) revert RoundInFuture(updatedAt, block.timestamp);
        uint256 oldest =
            block.timestamp < proposal.maxAgeSeconds ? 0 : block.timestamp - proposal.maxAgeSeconds;
        if (updatedAt < oldest) revert RoundTooOld(updatedAt, oldest);

        if (proposal.maxDeviationBps == NO_COMPARISON) return;
        (, int256 present,,,) = IAggregatorV2V3(_aggregatorOf(_current)).latestRoundData();
        if (!Deviation.within(answer, present, proposal.maxDeviationBps, BPS)) {
            revert AnswerTooFar(answer, present, proposal.maxDeviationBps);
        }
    }

    function _proposed() private view returns (IAggregatorV2V3) {
        address proposed = _proposal.aggregator;
        require(proposed != address(0), "No proposed aggregator present");
        return IAggregatorV2V3(proposed);
    }

    /// @dev The aggregator a proxied id points to, zero for an unknown phase or an id of more than 80 bits.
    function _sourceOf(uint256 roundId) private view returns (address) {
        if (roundId > type(uint80).max) return address(0);
        return phaseAggregators[uint16(roundId >> PHASE_SHIFT)];
    }

    /// @dev The proxied id of an aggregator's round.
    function _proxied(uint256 phase, uint256 roundId) private pure returns (uint256) {
        if (roundId > type(uint64).max) revert RoundIdTooWide(roundId);
        return phase << PHASE_SHIFT | roundId;
    }
}
