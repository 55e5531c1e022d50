// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ITypeAndVersion} from "../ITypeAndVersion.sol";
import {ISignerSet} from "../report/ISignerSet.sol";

/// @title Many feeds, written in one transaction: by a transmitter, or by anybody with the signatures of a quorum.
/// @notice A report, packed and big-endian, and the call data it travels in (`ISignerSet` says how it is signed):
///
///     report   = sequence4 | observedAt4 | k x (feed2 | answer8)          k >= 1, feeds strictly rising
///     update   = selector4 | report
///     transmit = selector4 | report | attestation
///
/// Answers are 64-bit two's complement with the feed's decimal places. Each feed has its own rounds, numbered without
/// gaps from 1; consumers read them through a facade (`IFeedFacade`).
///
/// The sequence is the next one, by either way (compare and set): a report that is sent again, late or after a
/// reorganisation cannot double a round, and reports that depend on each other's order are not taken out of it. A
/// report that was not accepted has used up nothing; another one takes its number.
///
/// `observedAt` is neither later than the block nor more than `maxAgeSeconds` before it, and no round is written from
/// an observation before the feed's latest round was written. Times in storage are the chain's; an oracle whose clock
/// is ahead waits, and an oracle that names the time of the block in which it has read the sequence is never refused
/// for its clock. 2106-02-07 is the last day that four bytes can name; no report is accepted after it.
///
/// A report that is wrong as a whole reverts. An entry that is wrong by itself is skipped with an event and takes
/// nothing from the others; the sequence is used up even when every entry is skipped.
interface IFeedStore is ISignerSet, ITypeAndVersion {
    /// @notice Why an entry of an accepted report wrote no round.
    enum SkipReason {
        None,
        UnknownFeed,
        OutOfBounds,
        FeedPaused,
        /// Observed before the feed's latest round was written.
        Stale,
        /// The feed's 2,147,483,647 rounds are used up.
        Exhausted
    }

    /// @notice The sender may not update.
    error NotTransmitter(address sender);

    /// @notice A transmitter must be a real account.
    error InvalidTransmitter(address transmitter);

    /// @notice Reports are refused for now; reads go on.
    error Paused();

    /// @notice Reports have to be given some time to arrive.
    error InvalidMaxAge();

    /// @notice The call data is not one or more whole entries and, in `transmit`, the attestation of f + 1 signers.
    error WrongLength(uint256 given);

    /// @notice The named sequence is not the next one.
    error StaleSequence(uint256 given, uint256 expected);

    /// @notice The report is of a time to come.
    error ObservedInFuture(uint256 observedAt, uint256 timestamp);

    /// @notice The report is older than the maximum age.
    error ObservedTooEarly(uint256 observedAt, uint256 oldest);

    /// @notice An entry's feed does not come after the one before it.
    error FeedsNotRising(uint256 feed, uint256 previous);

    /// @notice The bounds are crossed, or wider than the 64 bits an answer has in a report.
    error InvalidBounds(int256 min, int256 max);

    /// @notice There is no such feed.
    error UnknownFeed(uint256 feed);

    /// @notice The account is not this feed's facade.
    error InvalidFacade(address facade);

    /// @notice A report was accepted; `report` is its bytes, without the attestation. An entry for which no
    /// `FeedSkipped` follows wrote the next round of its feed. An event for each entry would cost every feed 1,400 gas
    /// more; a feed whose readers follow events has its facade announce its rounds (`setAnnouncer`).
    event ReportAccepted(uint256 indexed sequence, bytes report);

    /// @notice An entry wrote no round.
    event FeedSkipped(uint256 indexed feed, uint256 indexed sequence, int256 answer, SkipReason reason);

    /// @notice A feed was added.
    event FeedAdded(
        uint256 indexed feed, uint8 decimals, string description, int256 minAnswer, int256 maxAnswer
    );

    /// @notice The feed's rounds are announced by this facade from now on; by none if it is the zero address.
    event AnnouncerChanged(uint256 indexed feed, address indexed facade);

    /// @notice An account was granted or refused the right to update.
    event TransmitterChanged(address indexed transmitter, bool authorised);

    /// @notice Reports were stopped or allowed again.
    event PauseChanged(bool paused, address indexed by);

    /// @notice A feed's entries are skipped, or no longer.
    event FeedPauseChanged(uint256 indexed feed, bool paused, address indexed by);

    /// @notice Writes rounds from a report in the call data. Only a transmitter.
    /// Refusals, in the order they are checked: `NotTransmitter`, `Paused`, `WrongLength`, `StaleSequence`,
    /// `ObservedInFuture`, `ObservedTooEarly`, `FeedsNotRising`; and the text "insufficient gas" when a round is to be
    /// announced and the gas left could not pay for it.
    function update() external;

    /// @notice Writes rounds from a report and its attestation in the call data. Anybody may send it.
    /// Refusals: `NoSigners`, then those of `update` from `Paused` on; after the times are checked
    /// `SignersOutOfRange`, `WrongSignatureCount`, `WrongSignature`.
    function transmit() external;

    /// @notice Adds a feed; its number is the count of feeds before. Only the owner.
    /// Refusals: `InvalidBounds`, and the text "Too many feeds" after 65,535 of them.
    /// @param decimals decimal places of every answer
    /// @param description what the feed prices, such as "ETH / USD"
    /// @param minAnswer the smallest answer accepted, not below -2^63
    /// @param maxAnswer the largest answer accepted, below 2^63
    /// @return feed the feed's number
    function addFeed(uint8 decimals, string calldata description, int256 minAnswer, int256 maxAnswer)
        external
        returns (uint256 feed);

    /// @notice Has a facade emit `NewRound` and `AnswerUpdated` for each round of its feed, which costs every such
    /// round about 7,300 gas; the zero address ends it. Only the owner. Refusals: `UnknownFeed`, `InvalidFacade`.
    function setAnnouncer(uint256 feed, address facade) external;

    /// @notice Grants or revokes the right to update. Only the owner.
    function setTransmitter(address transmitter, bool authorised) external;

    /// @notice Stops reports. Reads go on with their true times. Only the owner.
    function pause() external;

    /// @notice Allows reports again. Only the owner.
    function unpause() external;

    /// @notice Has a feed's entries skipped, or no longer. Only the owner. Refusal: `UnknownFeed`.
    function setFeedPaused(uint256 feed, bool paused_) external;

    /// @notice The latest round of a feed, zeros when there is none or no such feed.
    function latestRoundOf(uint256 feed)
        external
        view
        returns (uint256 roundId, int256 answer, uint256 updatedAt);

    /// @notice A round of a feed, zeros when there is none: a round that exists has a time.
    function roundOf(uint256 feed, uint256 roundId) external view returns (int256 answer, uint256 updatedAt);

    /// @notice What is known of a feed. Reverts `UnknownFeed`.
    /// @return decimals decimal places of every answer; constant
    /// @return description what the feed prices; constant
    /// @return minAnswer the smallest answer accepted; constant
    /// @return maxAnswer the largest answer accepted; constant
    /// @return paused_ whether its entries are skipped
    /// @return announcer the facade that announces its rounds, zero for none
    function feedInfo(uint256 feed)
        external
        view
        returns (
            uint8 decimals,
            string memory description,
            int256 minAnswer,
            int256 maxAnswer,
            bool paused_,
            address announcer
        );

    /// @notice How long before its block a report may have been observed, in seconds. Constant.
    function maxAgeSeconds() external view returns (uint32);

    /// @notice Whether the account may update.
    function isTransmitter(address account) external view returns (bool);

    /// @notice What a publisher needs to know before it makes a report, in one call. Never reverts.
    /// @param transmitter the account that is going to send it
    /// @return sequence the sequence of the last report; the next one's is one more
    /// @return feeds how many feeds there are
    /// @return paused_ whether reports are stopped
    /// @return authorised whether `transmitter` may update
    /// @return domain what stands before the next report when it is hashed
    function storeState(address transmitter)
        external
        view
        returns (uint256 sequence, uint256 feeds, bool paused_, bool authorised, bytes32 domain);
}
