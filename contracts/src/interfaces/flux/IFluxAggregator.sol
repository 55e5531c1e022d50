// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IAggregatorV2V3} from "../IAggregatorV2V3.sol";
import {IOwned} from "../IOwned.sol";
import {ITypeAndVersion} from "../ITypeAndVersion.sol";

/// @title A feed that several oracles write, each in a transaction of its own, with the median taken on chain.
/// @notice The functions, events, refusals and results of Chainlink's FluxAggregator (version 3), so that what was
/// built for one runs on the other: a Flux Monitor job, a dashboard, a script. It pays nobody: see below.
///
/// A round is opened by an oracle or a requester, collects one submission of each oracle, has an answer from
/// `minSubmissions` on and closes at `maxSubmissions`; both are those that were set when it was opened. The next round
/// may be opened once the latest has an answer or has timed out. A round that has an answer and is not closed takes
/// submissions until the next one has an answer. While the latest round is unanswered, `latest*` reads show the last
/// answered one.
///
/// A round that timed out before it closed gets, when the next one is opened, the answer and the `answeredInRound` of
/// the round before it, with the present time as `updatedAt`; also when it had an answer of its own. So a consumer who
/// refuses `answeredInRound < roundId` sees no answer that the oracles did not complete.
///
/// Where it differs from the original, on purpose:
///  - Nobody is paid: the payment is 0 and the funds are 0, in every read. A payment other than 0 is refused with
///    the original's text for missing funds. LINK's functions (`linkToken`, `withdrawPayment`, `withdrawFunds`,
///    `updateAvailableFunds`, `onTokenTransfer`) and `AvailableFundsUpdated` do not exist.
///  - Round ids are compared in full width. The original cuts them to 32 bits, so that round 2^32 + 1 is round 1 to
///    it; here ids above 2^32 - 1 are "no longer allowed oracle" or "invalid round to report".
///  - A submission whose gas would starve the validator reverts "insufficient gas"; the original lets it starve. A
///    validator without code is ignored; it stops the original.
///  - A round without any answer to carry has no time either: `getTimestamp` and `latestTimestamp` are 0. The
///    original gives a time to answer 0, and the time of its deployment before the first round.
///  - `oracleRoundState` gives the timeout of the latest two rounds; the original also that of older rounds which were
///    never closed. No older round takes submissions.
///  - The owner is given at deployment, and cannot offer ownership to itself.
interface IFluxAggregator is IAggregatorV2V3, IOwned, ITypeAndVersion {
    /// @notice When a round between its minimum and its maximum takes a new median.
    /// `EverySubmission` is what Flux does. `MinimumAndMaximum` saves the medians in between: the answer of the
    /// minimum stays until the round closes.
    enum MedianMode {
        EverySubmission,
        MinimumAndMaximum
    }

    /// @notice The bounds are crossed, so that no answer could lie between them.
    error InvalidBounds(int256 min, int256 max);

    /// @notice What rounds are opened with from now on.
    /// @param paymentAmount always 0
    /// @param timeout seconds
    event RoundDetailsUpdated(
        uint128 indexed paymentAmount,
        uint32 indexed minSubmissionCount,
        uint32 indexed maxSubmissionCount,
        uint32 restartDelay,
        uint32 timeout
    );

    /// @notice An oracle was added or removed.
    event OraclePermissionsUpdated(address indexed oracle, bool indexed whitelisted);

    /// @notice An oracle has this admin from now on.
    event OracleAdminUpdated(address indexed oracle, address indexed newAdmin);

    /// @notice An oracle's admin offered its place to another account.
    event OracleAdminUpdateRequested(address indexed oracle, address admin, address newAdmin);

    /// @notice An oracle's submission was taken into a round.
    event SubmissionReceived(int256 indexed submission, uint32 indexed round, address indexed oracle);

    /// @notice An account may open rounds without being an oracle, or may no longer.
    /// @param delay rounds that it has to wait between two of its own
    event RequesterPermissionsSet(address indexed requester, bool authorized, uint32 delay);

    /// @notice The validator was replaced; zero is none.
    event ValidatorUpdated(address indexed previous, address indexed current);

    /// @notice Submits to a round, and opens it if it is the next one and the sender may.
    /// Emits `NewRound` if it opened the round, `SubmissionReceived`, and `AnswerUpdated` if the round has a new answer;
    /// then the validator is told of the answer.
    /// Refusals, in the order they are checked: "value below minSubmissionValue", "value above maxSubmissionValue",
    /// "not enabled oracle", "not yet enabled oracle", "no longer allowed oracle", "cannot report on previous rounds",
    /// "invalid round to report", "previous round not supersedable", "round not accepting submissions" (it is closed,
    /// timed out, or the sender has to wait before it may open another), "insufficient gas".
    /// @param roundId the latest round, the one after it, or the one before it while the latest has no answer
    /// @param submission the value with `decimals()` decimal places
    function submit(uint256 roundId, int256 submission) external;

    /// @notice Removes oracles, then adds oracles, then sets what rounds are opened with. Only the owner.
    /// A removed oracle may still submit to the next round; an added one starts with the next round.
    /// Refusals: "oracle not enabled", "need same oracle and admin count", "max oracles allowed" (77), "oracle already
    /// enabled", "cannot set admin to 0", "owner cannot overwrite admin", and those of `updateFutureRounds`.
    /// @param removed oracles to remove
    /// @param added oracles to add
    /// @param addedAdmins the admin of each added oracle; of one that was an oracle before, its present admin
    function changeOracles(
        address[] calldata removed,
        address[] calldata added,
        address[] calldata addedAdmins,
        uint32 minSubmissions,
        uint32 maxSubmissions,
        uint32 restartDelay_
    ) external;

    /// @notice Sets what rounds are opened with from now on. Only the owner.
    /// Refusals: "max must equal/exceed min", "max cannot exceed total", "delay cannot exceed total", "insufficient
    /// funds for payment", "min must be greater than 0".
    /// @param paymentAmount_ 0
    /// @param minSubmissions submissions from which on a round has an answer; 0 only without oracles
    /// @param maxSubmissions submissions at which a round closes, at most the number of oracles
    /// @param restartDelay_ rounds that an oracle has to wait between two that it opens
    /// @param timeout_ seconds after which an unfinished round may be left behind; 0 for never
    function updateFutureRounds(
        uint128 paymentAmount_,
        uint32 minSubmissions,
        uint32 maxSubmissions,
        uint32 restartDelay_,
        uint32 timeout_
    ) external;

    /// @notice Opens the next round. Only an authorised requester.
    /// Refusals: "not authorized requester", "prev round must be supersedable", "must delay requests".
    /// @return the round that was opened
    function requestNewRound() external returns (uint80);

    /// @notice Authorises an account to open rounds, or forgets it. Only the owner. Does nothing to an account that is
    /// authorised already: its delay changes by forgetting it first.
    /// @param delay rounds that it has to wait between two of its own
    function setRequesterPermissions(address requester, bool authorized, uint32 delay) external;

    /// @notice Names who is told of every answer, after it is stored, with 100,000 gas; zero for nobody. Only the owner.
    /// @dev Calls `IAggregatorValidator.validate` with the `answeredInRound` and the answer of the round before.
    function setValidator(address newValidator) external;

    /// @notice Offers the place of an oracle's admin to another account. Only the admin: "only callable by admin".
    function transferAdmin(address oracle, address newAdmin) external;

    /// @notice Takes the place that was offered. Only the account it was offered to: "only callable by pending admin".
    function acceptAdmin(address oracle) external;

    /// @notice All that an oracle needs to know before it submits. Only for reading off chain: the sender must be
    /// the origin, else "off-chain reading only".
    /// @param _oracle who is going to submit
    /// @param _queriedRoundId the round to ask for, 0 for the one the oracle should submit to
    /// @return _eligibleToSubmit whether its submission to `_roundId` would be taken now
    /// @return _roundId the round asked for or suggested
    /// @return _latestSubmission the oracle's latest submission, to whatever round
    /// @return _startedAt when the round was opened, 0 when it was not
    /// @return _timeout seconds, 0 when the round is closed or was never opened
    /// @return _availableFunds always 0
    /// @return _oracleCount the number of oracles
    /// @return _paymentAmount always 0. A Flux Monitor goes on when the funds suffice for this payment, which they
    /// do; its minimum payment has to be set to 0.
    function oracleRoundState(address _oracle, uint32 _queriedRoundId)
        external
        view
        returns (
            bool _eligibleToSubmit,
            uint32 _roundId,
            int256 _latestSubmission,
            uint64 _startedAt,
            uint64 _timeout,
            uint128 _availableFunds,
            uint8 _oracleCount,
            uint128 _paymentAmount
        );

    /// @notice The oracles, in no order of meaning.
    function getOracles() external view returns (address[] memory);

    /// @notice The number of oracles.
    function oracleCount() external view returns (uint8);

    /// @notice The admin of an oracle, also of a removed one; zero for an account that never was an oracle.
    function getAdmin(address oracle) external view returns (address);

    /// @notice Who is told of every answer, zero when there is nobody.
    function validator() external view returns (address);

    /// @notice Submissions from which on a round opened now has an answer.
    function minSubmissionCount() external view returns (uint32);

    /// @notice Submissions at which a round opened now closes.
    function maxSubmissionCount() external view returns (uint32);

    /// @notice Rounds that an oracle has to wait between two that it opens.
    function restartDelay() external view returns (uint32);

    /// @notice Seconds after which a round opened now may be left behind unfinished; 0 for never.
    function timeout() external view returns (uint32);

    /// @notice The smallest value that is accepted. Constant.
    function minSubmissionValue() external view returns (int256);

    /// @notice The largest value that is accepted. Constant.
    function maxSubmissionValue() external view returns (int256);

    /// @notice When a round takes a new median. Constant.
    function medianMode() external view returns (MedianMode);

    /// @notice What an oracle is paid for a submission: 0.
    function paymentAmount() external view returns (uint128);

    /// @notice Funds for payments to come: 0.
    function availableFunds() external view returns (uint128);

    /// @notice Funds owed to oracles: 0.
    function allocatedFunds() external view returns (uint128);

    /// @notice What an oracle has earned: 0.
    function withdrawablePayment(address oracle) external view returns (uint256);
}
