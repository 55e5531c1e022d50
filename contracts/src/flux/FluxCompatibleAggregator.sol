// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {ExactGas} from "../hooks/ExactGas.sol";
import {IAggregatorV2V3} from "../interfaces/IAggregatorV2V3.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {IFluxAggregator} from "../interfaces/flux/IFluxAggregator.sol";
import {IAggregatorValidator} from "../interfaces/hooks/IAggregatorValidator.sol";
import {FluxOracles} from "./FluxOracles.sol";
import {FluxRounds} from "./FluxRounds.sol";

/// @title A feed that several oracles write, as Chainlink's FluxAggregator, at less than half its gas and without LINK.
/// @notice A submission reads and writes two slots, the oracle's and the round's, and a third one unless it is the
/// first or the last of its round. How rounds are packed is in `FluxRounds`, what oracles are in `FluxOracles`.
contract FluxCompatibleAggregator is FluxRounds, FluxOracles, Owned {
    /// @dev Why an oracle may not submit to a round, in the order that it is looked at.
    enum Refusal {
        None,
        NotEnabled,
        NotYetEnabled,
        NoLongerAllowed,
        Reported,
        InvalidRound,
        TooEarly
    }

    /// @dev What rounds are opened with, and whom to tell of answers, in one slot.
    struct Settings {
        address validator;
        uint32 timeout;
        uint32 restartDelay;
        uint8 minSubmissions;
        uint8 maxSubmissions;
    }

    uint256 private constant VALIDATOR_GAS = 100_000;

    /// @inheritdoc IAggregatorV2V3
    uint8 public immutable override decimals;
    /// @inheritdoc IFluxAggregator
    int256 public immutable override minSubmissionValue;
    /// @inheritdoc IFluxAggregator
    int256 public immutable override maxSubmissionValue;
    /// @inheritdoc IFluxAggregator
    MedianMode public immutable override medianMode;

    /// @inheritdoc IAggregatorV2V3
    uint256 public constant override version = 3;
    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "FluxCompatibleAggregator 1.0.0";
    /// @inheritdoc IFluxAggregator
    uint128 public constant override paymentAmount = 0;
    /// @inheritdoc IFluxAggregator
    uint128 public constant override availableFunds = 0;
    /// @inheritdoc IFluxAggregator
    uint128 public constant override allocatedFunds = 0;

    /// @inheritdoc IAggregatorV2V3
    string public override description;

    Settings private _settings;

    /// @param timeout_ seconds after which an unfinished round may be left behind; 0 for never
    /// @param validator_ who is told of every answer, zero for nobody
    /// @param minSubmissionValue_ the smallest value accepted
    /// @param maxSubmissionValue_ the largest value accepted
    /// @param decimals_ decimal places of every answer
    /// @param description_ what the feed prices, such as "ETH / USD"
    /// @param medianMode_ when a round takes a new median; `EverySubmission` is what Flux does
    /// @param owner_ who administers the feed
    constructor(
        uint32 timeout_,
        address validator_,
        int256 minSubmissionValue_,
        int256 maxSubmissionValue_,
        uint8 decimals_,
        string memory description_,
        MedianMode medianMode_,
        address owner_
    ) FluxRounds(medianMode_ == MedianMode.EverySubmission) Owned(owner_) {
        if (minSubmissionValue_ > maxSubmissionValue_) {
            revert InvalidBounds(minSubmissionValue_, maxSubmissionValue_);
        }
        minSubmissionValue = minSubmissionValue_;
        maxSubmissionValue = maxSubmissionValue_;
        decimals = decimals_;
        description = description_;
        medianMode = medianMode_;
        _update(0, 0, 0, 0, timeout_);
        _setValidator(validator_);
    }

    // ------------------------------------------------------------------ submitting

    /// @inheritdoc IFluxAggregator
    function submit(uint256 roundId, int256 submission) external override {
        require(submission >= minSubmissionValue, "value below minSubmissionValue");
        require(submission <= maxSubmissionValue, "value above maxSubmissionValue");
        uint256 oracle = _loadOracle(msg.sender);
        uint256 round = _load();
        Refusal refusal = _refusal(oracle, round, roundId);
        if (refusal != Refusal.None) revert(_textOf(refusal));

        unchecked {
            if (roundId == _idOf(round) + 1 && _mayOpen(oracle, roundId, _settings.restartDelay)) {
                round = _openNext(round);
                oracle = _withStarted(oracle, roundId);
            }
        }
        (bool answered, int256 answer) = _take(round, roundId, submission);
        _keepReport(msg.sender, oracle, roundId, _pack(_wideKeyOf(msg.sender), submission));
        emit SubmissionReceived(submission, uint32(roundId), msg.sender);
        if (answered) {
            emit AnswerUpdated(answer, roundId, block.timestamp);
            if (_flagOf(round)) _validate(roundId, answer);
        }
    }

    /// @inheritdoc IFluxAggregator
    function requestNewRound() external override returns (uint80) {
        Requester storage requester = _requester(msg.sender);
        require(requester.authorized, "not authorized requester");
        uint256 round = _load();
        require(_isSupersedable(round), "prev round must be supersedable");
        uint256 roundId = _idOf(round) + 1;
        require(roundId <= ROUND_MAX, "invalid round to report");
        uint256 last = requester.lastStarted;
        require(last == 0 || roundId > last + requester.delay, "must delay requests");
        requester.lastStarted = uint32(roundId);
        _keep(_openNext(round));
        return uint80(roundId);
    }

    /// @dev Opens the round after `round` with the present settings.
    function _openNext(uint256 round) private returns (uint256 next) {
        Settings memory settings = _settings;
        next = _open(round, settings.timeout, settings.minSubmissions, settings.maxSubmissions);
        emit NewRound(_idOf(next), msg.sender, block.timestamp);
    }

    /// @dev Why an oracle may not submit to a round, if it may not. Numbers are compared in full width.
    function _refusal(uint256 oracle, uint256 round, uint256 roundId) private view returns (Refusal) {
        uint256 starting = _startingOf(oracle);
        if (starting == 0) return Refusal.NotEnabled;
        if (starting > roundId) return Refusal.NotYetEnabled;
        uint256 ending = _endingOf(oracle);
        // An oracle without end ends at the last round there can be, which is another refusal.
        if (ending < roundId && ending != ROUND_MAX) return Refusal.NoLongerAllowed;
        if (_reportedOf(oracle) >= roundId) return Refusal.Reported;
        uint256 current = _idOf(round);
        unchecked {
            if (roundId == current) return Refusal.None;
            // Before the latest round every round was superseded; only the next one may be too early.
            if (roundId == current + 1 && roundId <= ROUND_MAX) {
                return _isSupersedable(round) ? Refusal.None : Refusal.TooEarly;
            }
            bool late = roundId + 1 == current && _answeredOf(round) != current;
            return late ? Refusal.None : Refusal.InvalidRound;
        }
    }

    function _textOf(Refusal refusal) private pure returns (string memory) {
        if (refusal == Refusal.NotEnabled) return "not enabled oracle";
        if (refusal == Refusal.NotYetEnabled) return "not yet enabled oracle";
        if (refusal == Refusal.NoLongerAllowed) return "no longer allowed oracle";
        if (refusal == Refusal.Reported) return "cannot report on previous rounds";
        if (refusal == Refusal.InvalidRound) return "invalid round to report";
        return "previous round not supersedable";
    }

    /// @dev Whether an oracle may open a round: it opened none, or waited long enough since.
    function _mayOpen(uint256 oracle, uint256 roundId, uint256 delay) private pure returns (bool) {
        uint256 last = _startedBy(oracle);
        return last == 0 || roundId > last + delay;
    }

    /// @dev Tells the validator. It can neither stop the submission nor be starved by it.
    function _validate(uint256 roundId, int256 answer) private {
        (int256 previous, uint256 answeredIn) = _readPast(roundId - 1);
        ExactGas.callWithExactGas(
            _settings.validator,
            VALIDATOR_GAS,
            abi.encodeCall(IAggregatorValidator.validate, (answeredIn, previous, roundId, answer))
        );
    }

    // ------------------------------------------------------------------ administration

    /// @inheritdoc IFluxAggregator
    function changeOracles(
        address[] calldata removed,
        address[] calldata added,
        address[] calldata addedAdmins,
        uint32 minSubmissions,
        uint32 maxSubmissions,
        uint32 restartDelay_
    ) external override onlyOwner {
        _change(uint32(_idOf(_load())), removed, added, addedAdmins);
        _update(0, minSubmissions, maxSubmissions, restartDelay_, _settings.timeout);
    }

    /// @inheritdoc IFluxAggregator
    function updateFutureRounds(
        uint128 paymentAmount_,
        uint32 minSubmissions,
        uint32 maxSubmissions,
        uint32 restartDelay_,
        uint32 timeout_
    ) external override onlyOwner {
        _update(paymentAmount_, minSubmissions, maxSubmissions, restartDelay_, timeout_);
    }

    /// @inheritdoc IFluxAggregator
    function setRequesterPermissions(address requester, bool authorized, uint32 delay)
        external
        override
        onlyOwner
    {
        _setRequester(requester, authorized, delay);
    }

    /// @inheritdoc IFluxAggregator
    function setValidator(address newValidator) external override onlyOwner {
        _setValidator(newValidator);
    }

    function _update(
        uint128 payment,
        uint32 minSubmissions,
        uint32 maxSubmissions,
        uint32 restartDelay_,
        uint32 timeout_
    ) private {
        uint256 oracles = oracleCount();
        require(maxSubmissions >= minSubmissions, "max must equal/exceed min");
        require(oracles >= maxSubmissions, "max cannot exceed total");
        require(oracles == 0 || oracles > restartDelay_, "delay cannot exceed total");
        require(payment == 0, "insufficient funds for payment");
        require(oracles == 0 || minSubmissions > 0, "min must be greater than 0");
        Settings storage settings = _settings;
        settings.timeout = timeout_;
        settings.restartDelay = restartDelay_;
        settings.minSubmissions = uint8(minSubmissions);
        settings.maxSubmissions = uint8(maxSubmissions);
        emit RoundDetailsUpdated(payment, minSubmissions, maxSubmissions, restartDelay_, timeout_);
    }

    /// @dev Whether there is one is also noted in the round's word, so that a feed without one need not look.
    function _setValidator(address newValidator) private {
        address previous = _settings.validator;
        if (previous == newValidator) return;
        _settings.validator = newValidator;
        _setFlag(newValidator != address(0));
        emit ValidatorUpdated(previous, newValidator);
    }

    // ------------------------------------------------------------------ reading rounds

    /// @inheritdoc IAggregatorV2V3
    function latestRoundData()
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint256 round = _load();
        return _roundData(round, _answeredOf(round));
    }

    /// @inheritdoc IAggregatorV2V3
    function getRoundData(uint80 roundId_)
        external
        view
        override
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _roundData(_load(), roundId_);
    }

    /// @inheritdoc IAggregatorV2V3
    function latestAnswer() external view override returns (int256 answer) {
        uint256 round = _load();
        (answer,,,) = _read(round, _answeredOf(round));
    }

    /// @inheritdoc IAggregatorV2V3
    function latestTimestamp() external view override returns (uint256 updatedAt) {
        uint256 round = _load();
        (,, updatedAt,) = _read(round, _answeredOf(round));
    }

    /// @inheritdoc IAggregatorV2V3
    function latestRound() external view override returns (uint256) {
        return _answeredOf(_load());
    }

    /// @inheritdoc IAggregatorV2V3
    function getAnswer(uint256 roundId) external view override returns (int256 answer) {
        (answer,,,) = _read(_load(), roundId);
    }

    /// @inheritdoc IAggregatorV2V3
    function getTimestamp(uint256 roundId) external view override returns (uint256 updatedAt) {
        (,, updatedAt,) = _read(_load(), roundId);
    }

    function _roundData(uint256 round, uint256 id)
        private
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint256 answeredIn;
        (answer, startedAt, updatedAt, answeredIn) = _read(round, id);
        require(answeredIn != 0, "No data present");
        return (uint80(id), answer, startedAt, updatedAt, uint80(answeredIn));
    }

    // ------------------------------------------------------------------ reading for oracles

    /// @inheritdoc IFluxAggregator
    function oracleRoundState(address _oracle, uint32 _queriedRoundId)
        external
        view
        override
        returns (
            bool _eligibleToSubmit,
            uint32 _roundId,
            int256 _latestSubmission,
            uint64 _startedAt,
            uint64 _timeout,
            uint128 _availableFunds,
            uint8 _oracleCount,
            uint128 _paymentAmount
        )
    {
        // Who reads it in a transaction could not tell what another one in the same block changes.
        // solhint-disable-next-line avoid-tx-origin
        require(msg.sender == tx.origin, "off-chain reading only");
        uint256 oracle = _loadOracle(_oracle);
        (_eligibleToSubmit, _roundId, _startedAt, _timeout) = _roundState(oracle, _queriedRoundId);
        _latestSubmission = _unpack(_wideKeyOf(_oracle), _latestOf(oracle));
        _availableFunds = availableFunds;
        _oracleCount = oracleCount();
        _paymentAmount = paymentAmount;
    }

    function _roundState(uint256 oracle, uint256 roundId)
        private
        view
        returns (bool eligible, uint32, uint64, uint64)
    {
        uint256 round = _load();
        if (roundId == 0) roundId = _suggestion(oracle, round);
        uint256 asked = roundId == _idOf(round) ? round : _loadOpen(roundId);
        (, uint256 startedAt,,) = _read(round, roundId);
        // A round that was opened has to take submissions, any other has to be one that the oracle may open.
        eligible = startedAt != 0 ? _isOpen(asked) : _mayOpen(oracle, roundId, _settings.restartDelay);
        eligible = eligible && _refusal(oracle, round, roundId) == Refusal.None;
        return (eligible, uint32(roundId), uint64(startedAt), uint64(_timeoutOf(asked)));
    }

    /// @dev The round an oracle should submit to: the latest, or the next one if that may be opened and the oracle is
    /// done with the latest.
    function _suggestion(uint256 oracle, uint256 round) private view returns (uint256 roundId) {
        roundId = _idOf(round);
        bool done = _reportedOf(oracle) == roundId || !_isOpen(round);
        if (done && _isSupersedable(round)) ++roundId;
    }

    /// @inheritdoc IFluxAggregator
    function withdrawablePayment(address) external pure override returns (uint256) {
        return 0;
    }

    /// @inheritdoc IFluxAggregator
    function validator() external view override returns (address) {
        return _settings.validator;
    }

    /// @inheritdoc IFluxAggregator
    function minSubmissionCount() external view override returns (uint32) {
        return _settings.minSubmissions;
    }

    /// @inheritdoc IFluxAggregator
    function maxSubmissionCount() external view override returns (uint32) {
        return _settings.maxSubmissions;
    }

    /// @inheritdoc IFluxAggregator
    function restartDelay() external view override returns (uint32) {
        return _settings.restartDelay;
    }

    /// @inheritdoc IFluxAggregator
    function timeout() external view override returns (uint32) {
        return _settings.timeout;
    }
}
