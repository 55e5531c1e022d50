// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Owned} from "../Owned.sol";
import {ExactGas} from "../hooks/ExactGas.sol";
import {ITypeAndVersion} from "../interfaces/ITypeAndVersion.sol";
import {IFeedFacade} from "../interfaces/store/IFeedFacade.sol";
import {IFeedStore} from "../interfaces/store/IFeedStore.sol";
import {SignerSet} from "../report/SignerSet.sol";
import {FeedHistory} from "./FeedHistory.sol";
import {FeedTable} from "./FeedTable.sol";

/// @title Many feeds in one transaction, with every round of each kept.
/// @notice What a report costs beside its rounds is read once: the slot of the configuration, which also holds the
/// sequence and the pause bit; the signers; a page of bounds; a slot of counters for eight feeds.
///
/// The 64 bits of the configuration's slot that are the store's:
///
///     paused1 [63] | sequence31 [62:32] | acceptedAt32 [31:0]
///
/// `acceptedAt` is when the last report was accepted. What was observed no earlier is not stale for any feed; only the
/// entries of another report are each held against their feed's latest round.
contract FeedStore is IFeedStore, SignerSet, FeedHistory, FeedTable {
    uint256 private constant TRANSMITTER = 1;
    uint256 private constant SEQUENCE_SHIFT = 32;
    uint256 private constant PAUSED_SHIFT = 63;
    uint256 private constant SEQUENCE_MAX = type(uint32).max >> 1;
    /// @dev No feed has these counters.
    uint256 private constant NO_LANES = type(uint256).max;
    uint256 private constant ENTRIES_START = 12;
    uint256 private constant ENTRY_BYTES = 10;
    /// @dev Twice what a facade needs for its two events.
    uint256 private constant ANNOUNCEMENT_GAS = 10_000;

    /// @dev What a feed is, beside its line in the table.
    struct Feed {
        uint8 decimals;
        string description;
    }

    /// @dev A report on its way through the feeds, and what neighbouring feeds share.
    struct Batch {
        uint256 sequence;
        uint256 observedAt;
        /// The report was observed before the last one was accepted.
        bool late;
        /// The page at hand, and the feed after the last one on it.
        bytes page;
        uint256 pageEnd;
        /// The slot of counters at hand.
        uint256 lanes;
        uint256 counters;
        uint256 announced;
        /// announcer160 | round32 | offset of the entry in the call data
        uint256[] announcements;
    }

    /// @inheritdoc IFeedStore
    uint32 public immutable override maxAgeSeconds;

    /// @inheritdoc ITypeAndVersion
    string public constant override typeAndVersion = "FeedStore 1.0.0";

    /// @dev Flags of each account; bit 0 is the right to update.
    mapping(address account => uint256 flags) private _roles;
    mapping(uint256 feed => Feed) private _texts;

    /// @notice A store without feeds and signers.
    /// @param maxAgeSeconds_ how long before its block a report may have been observed
    /// @param owner_ who administers the store
    /// @param transmitter who may update from the start; zero for nobody
    constructor(uint32 maxAgeSeconds_, address owner_, address transmitter) Owned(owner_) {
        if (maxAgeSeconds_ == 0) revert InvalidMaxAge();
        maxAgeSeconds = maxAgeSeconds_;
        if (transmitter != address(0)) _setTransmitter(transmitter, true);
    }

    /// @inheritdoc IFeedStore
    function update() external override {
        if (_roles[msg.sender] & TRANSMITTER == 0) revert NotTransmitter(msg.sender);
        uint256 config = _loadConfiguration();
        _examine(config, msg.data.length);
        _accept(config, msg.data.length);
    }

    /// @inheritdoc IFeedStore
    function transmit() external override {
        uint256 config = _loadConfiguration();
        uint256 attestation = _attestationBytes(config);
        uint256 end = msg.data.length < attestation ? 0 : msg.data.length - attestation;
        _examine(config, end);
        _checkQuorum(config, end);
        _accept(config, end);
    }

    /// @inheritdoc IFeedStore
    function addFeed(uint8 decimals, string calldata description, int256 minAnswer, int256 maxAnswer)
        external
        override
        onlyOwner
        returns (uint256 feed)
    {
        bool reachable = minAnswer >= type(int64).min && maxAnswer <= type(int64).max;
        if (!reachable || minAnswer > maxAnswer) revert InvalidBounds(minAnswer, maxAnswer);
        feed = _addLine(int64(minAnswer), int64(maxAnswer));
        require(feed <= type(uint16).max, "Too many feeds");
        _texts[feed] = Feed(decimals, description);
        emit FeedAdded(feed, decimals, description, minAnswer, maxAnswer);
    }

    /// @inheritdoc IFeedStore
    function setAnnouncer(uint256 feed, address facade) external override onlyOwner {
        _requireFeed(feed);
        if (facade != address(0)) {
            bool fits = facade.code.length != 0 && IFeedFacade(facade).store() == address(this)
                && IFeedFacade(facade).feedId() == feed;
            if (!fits) revert InvalidFacade(facade);
        }
        _changeAnnouncer(feed, facade);
        emit AnnouncerChanged(feed, facade);
    }

    /// @inheritdoc IFeedStore
    function setTransmitter(address transmitter, bool authorised) external override onlyOwner {
        if (transmitter == address(0)) revert InvalidTransmitter(transmitter);
        if (isTransmitter(transmitter) != authorised) _setTransmitter(transmitter, authorised);
    }

    /// @inheritdoc IFeedStore
    function pause() external override onlyOwner {
        _changePause(true);
    }

    /// @inheritdoc IFeedStore
    function unpause() external override onlyOwner {
        _changePause(false);
    }

    /// @inheritdoc IFeedStore
    function setFeedPaused(uint256 feed, bool paused_) external override onlyOwner {
        _requireFeed(feed);
        uint256 word = _counters[feed >> 3];
        if ((_lane(word, feed) >= PAUSED_BIT) == paused_) return;
        _counters[feed >> 3] = word ^ (PAUSED_BIT << _laneShift(feed));
        emit FeedPauseChanged(feed, paused_, msg.sender);
    }

    /// @inheritdoc IFeedStore
    function latestRoundOf(uint256 feed)
        external
        view
        override
        returns (uint256 roundId, int256 answer, uint256 updatedAt)
    {
        roundId = _countOf(feed);
        if (roundId != 0) (answer, updatedAt) = _round(feed, roundId);
    }

    /// @inheritdoc IFeedStore
    function roundOf(uint256 feed, uint256 roundId)
        external
        view
        override
        returns (int256 answer, uint256 updatedAt)
    {
        // Compared in full width: a cut id would name another round.
        if (roundId != 0 && roundId <= _countOf(feed)) return _round(feed, roundId);
    }

    /// @inheritdoc IFeedStore
    function feedInfo(uint256 feed)
        external
        view
        override
        returns (
            uint8 decimals,
            string memory description,
            int256 minAnswer,
            int256 maxAnswer,
            bool paused_,
            address announcer
        )
    {
        _requireFeed(feed);
        decimals = _texts[feed].decimals;
        description = _texts[feed].description;
        (bytes memory page,) = _pageOf(feed);
        (minAnswer, maxAnswer, announcer) = _line(page, feed);
        paused_ = _lane(_counters[feed >> 3], feed) >= PAUSED_BIT;
    }

    /// @inheritdoc IFeedStore
    function storeState(address transmitter)
        external
        view
        override
        returns (uint256 sequence, uint256 feeds, bool paused_, bool authorised, bytes32 domain)
    {
        uint256 config = _loadConfiguration();
        sequence = _sequenceOf(config);
        feeds = _feeds();
        paused_ = _isPaused(config);
        authorised = isTransmitter(transmitter);
        domain = _domain(config);
    }

    /// @inheritdoc IFeedStore
    function isTransmitter(address account) public view override returns (bool) {
        return _roles[account] & TRANSMITTER != 0;
    }

    /// @dev Reverts unless the report that ends at `end` in the call data may be accepted as a whole.
    function _examine(uint256 config, uint256 end) private view {
        if (_isPaused(config)) revert Paused();
        unchecked {
            bool whole = end > ENTRIES_START && (end - ENTRIES_START) % ENTRY_BYTES == 0;
            if (!whole) revert WrongLength(msg.data.length);
            uint256 head = _word(REPORT_START);
            uint256 expected = _sequenceOf(config) + 1;
            if (head >> 224 != expected) revert StaleSequence(head >> 224, expected);
            require(expected <= SEQUENCE_MAX, "Sequences exhausted");
            uint256 observedAt = uint32(head >> 192);
            if (observedAt > block.timestamp) revert ObservedInFuture(observedAt, block.timestamp);
            if (block.timestamp - observedAt > maxAgeSeconds) {
                revert ObservedTooEarly(observedAt, block.timestamp - maxAgeSeconds);
            }
        }
    }

    /// @dev Writes the rounds of a report that was examined. Whoever is called is called when all is written.
    function _accept(uint256 config, uint256 end) private {
        unchecked {
            Batch memory batch;
            batch.sequence = _sequenceOf(config) + 1;
            batch.observedAt = uint32(_word(REPORT_START) >> 192);
            batch.late = batch.observedAt < uint32(config);
            batch.lanes = NO_LANES;
            _keep(config, uint64(batch.sequence << SEQUENCE_SHIFT | block.timestamp));
            emit ReportAccepted(batch.sequence, msg.data[REPORT_START:end]);

            uint256 next = 0;
            for (uint256 offset = ENTRIES_START; offset < end; offset += ENTRY_BYTES) {
                (uint256 feed, int256 answer) = _entryAt(offset);
                if (feed < next) revert FeedsNotRising(feed, next - 1);
                next = feed + 1;
                SkipReason reason = _write(batch, feed, answer, offset, end);
                if (reason != SkipReason.None) emit FeedSkipped(feed, batch.sequence, answer, reason);
            }
            if (batch.lanes != NO_LANES) _counters[batch.lanes] = batch.counters;
            if (batch.announced != 0) _announce(batch);
        }
    }

    /// @dev Writes the next round of one feed, or says why not.
    function _write(Batch memory batch, uint256 feed, int256 answer, uint256 offset, uint256 end)
        private
        returns (SkipReason)
    {
        unchecked {
            if (feed >= batch.pageEnd) {
                (batch.page, batch.pageEnd) = _pageOf(feed);
                if (feed >= batch.pageEnd) return SkipReason.UnknownFeed;
            }
            (int256 min, int256 max, address announcer) = _line(batch.page, feed);
            if (answer < min || answer > max) return SkipReason.OutOfBounds;
            if (feed >> 3 != batch.lanes) {
                if (batch.lanes != NO_LANES) _counters[batch.lanes] = batch.counters;
                batch.lanes = feed >> 3;
                batch.counters = _counters[batch.lanes];
            }
            uint256 count = _lane(batch.counters, feed);
            if (count >= ROUND_MAX) return count == ROUND_MAX ? SkipReason.Exhausted : SkipReason.FeedPaused;
            if (batch.late && _isStale(feed, count, batch.observedAt)) return SkipReason.Stale;
            batch.counters += 1 << _laneShift(feed);
            _append(feed, count, answer);
            if (announcer != address(0)) {
                if (batch.announced == 0) batch.announcements = new uint256[]((end - offset) / ENTRY_BYTES);
                batch.announcements[batch.announced++] =
                    uint256(uint160(announcer)) << 96 | (count + 1) << 64 | offset;
            }
            return SkipReason.None;
        }
    }

    /// @dev Whether the feed's latest round was written after the report was observed.
    function _isStale(uint256 feed, uint256 count, uint256 observedAt) private view returns (bool) {
        if (count == 0) return false;
        (, uint256 time) = _round(feed, count);
        return observedAt < time;
    }

    /// @dev Has the facades emit their events. One that fails keeps nobody from anything.
    function _announce(Batch memory batch) private {
        for (uint256 i = 0; i < batch.announced; ++i) {
            uint256 item = batch.announcements[i];
            (, int256 answer) = _entryAt(uint64(item));
            ExactGas.callWithExactGas(
                address(uint160(item >> 96)),
                ANNOUNCEMENT_GAS,
                abi.encodeCall(IFeedFacade.announce, (uint32(item >> 64), answer))
            );
        }
    }

    function _requireFeed(uint256 feed) private view {
        if (feed >= _feeds()) revert UnknownFeed(feed);
    }

    function _setTransmitter(address transmitter, bool authorised) private {
        _roles[transmitter] = authorised ? TRANSMITTER : 0;
        emit TransmitterChanged(transmitter, authorised);
    }

    function _changePause(bool paused_) private {
        uint256 config = _loadConfiguration();
        if (_isPaused(config) == paused_) return;
        _keep(config, uint64(config ^ (1 << PAUSED_SHIFT)));
        emit PauseChanged(paused_, msg.sender);
    }

    function _entryAt(uint256 offset) private pure returns (uint256 feed, int256 answer) {
        uint256 entry = _word(offset);
        feed = entry >> 240;
        answer = int256(entry << 16) >> 192;
    }

    function _sequenceOf(uint256 config) private pure returns (uint256) {
        return uint32(config >> SEQUENCE_SHIFT) & SEQUENCE_MAX;
    }

    function _isPaused(uint256 config) private pure returns (bool) {
        return config >> PAUSED_SHIFT & 1 != 0;
    }
}
