// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AccessControlledAggregatorProxy} from "../src/AccessControlledAggregatorProxy.sol";
import {Aggregator} from "../src/Aggregator.sol";
import {AggregatorProxy} from "../src/AggregatorProxy.sol";
import {IAggregatorProxy} from "../src/interfaces/IAggregatorProxy.sol";
import {Fixture} from "./base/Fixture.sol";
import {LongMath} from "./base/LongMath.sol";
import {ScriptedFeed} from "./base/ScriptedFeed.sol";

/// @dev A proxy over a first aggregator with five rounds, the latest of them 1004.
abstract contract ProxyFixture is Fixture {
    uint32 internal constant AGE = 600;
    uint32 internal constant BPS = 1000;
    uint32 internal constant NO_COMPARISON = type(uint32).max;

    Aggregator internal first;
    AggregatorProxy internal proxy;

    function setUp() public virtual {
        first = _aggregator();
        proxy = _proxyOver(address(first));
        _seed(first, 5);
    }

    /// @dev The proxy under test.
    function _proxyOver(address aggregator) internal virtual returns (AggregatorProxy) {
        return new AggregatorProxy(aggregator, OWNER);
    }

    /// @dev The variant for listed readers, with the test and itself on its list.
    function _listedProxyOver(address aggregator) internal returns (AggregatorProxy) {
        AccessControlledAggregatorProxy made = new AccessControlledAggregatorProxy(aggregator, OWNER);
        // A creation that is expected to fail goes on without a contract.
        if (address(made).code.length == 0) return made;
        vm.prank(OWNER);
        made.addAccess(address(this));
        vm.prank(OWNER);
        made.addAccess(address(made));
        return made;
    }

    function _propose(address aggregator, uint32 maxDeviationBps) internal {
        vm.prank(OWNER);
        proxy.proposeAggregatorWithBounds(aggregator, AGE, maxDeviationBps);
    }

    function _confirm(address aggregator) internal {
        vm.prank(OWNER);
        proxy.confirmAggregator(aggregator);
    }

    function _refusesToConfirm(address aggregator, bytes memory reason) internal {
        address before = proxy.aggregator();
        uint16 phase = proxy.phaseId();
        vm.expectRevert(reason);
        vm.prank(OWNER);
        proxy.confirmAggregator(aggregator);
        vm.assertEq(proxy.aggregator(), before);
        vm.assertEq(proxy.phaseId(), phase);
    }

    /// @dev A second aggregator whose last of three rounds is 1002.
    function _second() internal returns (Aggregator second) {
        second = _aggregator();
        _seed(second, 3);
    }
}

contract ProxyConstructorTest is ProxyFixture {
    function test_constructor() public {
        vm.expectEmit(true, true, false, true, _next());
        emit IAggregatorProxy.AggregatorConfirmed(address(0), address(first));
        proxy = _proxyOver(address(first));
        vm.assertEq(proxy.aggregator(), address(first));
        vm.assertEq(proxy.phaseId(), 1);
        vm.assertEq(proxy.phaseAggregators(1), address(first));
        vm.assertEq(proxy.phaseAggregators(0), address(0));
        vm.assertEq(proxy.phaseAggregators(2), address(0));
        vm.assertEq(proxy.proposedAggregator(), address(0));
        vm.assertEq(proxy.typeAndVersion(), _typeAndVersion());
    }

    function test_constructor_refusesAnAccountWithoutCode() public {
        vm.expectRevert(abi.encodeWithSelector(IAggregatorProxy.NotAContract.selector, STRANGER));
        _proxyOver(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IAggregatorProxy.NotAContract.selector, address(0)));
        _proxyOver(address(0));
    }

    /// Existing tools call these by their four bytes.
    function test_constructor_selectorsAreChainlinks() public pure {
        vm.assertEq(bytes32(IAggregatorProxy.proposeAggregator.selector), bytes32(bytes4(0xf8a2abd3)));
        vm.assertEq(bytes32(IAggregatorProxy.confirmAggregator.selector), bytes32(bytes4(0xa928c096)));
        vm.assertEq(bytes32(IAggregatorProxy.proposedAggregator.selector), bytes32(bytes4(0xe8c4be30)));
        vm.assertEq(bytes32(IAggregatorProxy.proposedLatestRoundData.selector), bytes32(bytes4(0x8f6b4d91)));
        vm.assertEq(bytes32(IAggregatorProxy.proposedGetRoundData.selector), bytes32(bytes4(0x6001ac53)));
        vm.assertEq(bytes32(IAggregatorProxy.phaseId.selector), bytes32(bytes4(0x58303b10)));
        vm.assertEq(bytes32(IAggregatorProxy.aggregator.selector), bytes32(bytes4(0x245a7bfc)));
        vm.assertEq(bytes32(IAggregatorProxy.phaseAggregators.selector), bytes32(bytes4(0xc1597304)));
    }

    function _typeAndVersion() internal pure virtual returns (string memory) {
        return "AggregatorProxy 1.0.0";
    }

    /// @dev Where this contract's next deployment goes.
    function _next() private view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
    }
}

contract ProxyProposeTest is ProxyFixture {
    function test_propose_readsTheProposedBeforeItIsConfirmed() public {
        Aggregator second = _second();
        vm.expectEmit(true, true, true, true, address(proxy));
        emit IAggregatorProxy.ProposalBounds(address(second), AGE, BPS);
        vm.expectEmit(true, true, true, true, address(proxy));
        emit IAggregatorProxy.AggregatorProposed(address(first), address(second));
        _propose(address(second), BPS);
        vm.assertEq(proxy.proposedAggregator(), address(second));
        (uint32 age, uint32 bps) = proxy.proposalBounds();
        vm.assertEq(age, AGE);
        vm.assertEq(bps, BPS);

        // With the proposed aggregator's own ids; consumers go on reading the present one.
        (uint80 id, int256 answer,,, uint80 answeredIn) = proxy.proposedLatestRoundData();
        vm.assertTrue(id == 3 && answeredIn == 3 && answer == 1002e8);
        (id, answer,,,) = proxy.proposedGetRoundData(2);
        vm.assertTrue(id == 2 && answer == 1001e8);
        vm.assertEq(proxy.latestAnswer(), int256(1004e8));
    }

    function test_propose_chainlinksFormHasStrictBounds() public {
        Aggregator second = _second();
        vm.prank(OWNER);
        proxy.proposeAggregator(address(second));
        (uint32 age, uint32 bps) = proxy.proposalBounds();
        vm.assertEq(age, 1 days);
        vm.assertEq(bps, 1000);
        _confirm(address(second));
        vm.assertEq(proxy.aggregator(), address(second));
    }

    function test_propose_zeroWithdraws() public {
        _propose(address(_second()), BPS);
        vm.expectEmit(true, true, true, true, address(proxy));
        emit IAggregatorProxy.AggregatorProposed(address(first), address(0));
        vm.prank(OWNER);
        proxy.proposeAggregator(address(0));
        vm.assertEq(proxy.proposedAggregator(), address(0));
        (uint32 age, uint32 bps) = proxy.proposalBounds();
        vm.assertTrue(age == 0 && bps == 0);
        vm.expectRevert(_text("No proposed aggregator present"));
        proxy.proposedLatestRoundData();
        vm.expectRevert(_text("No proposed aggregator present"));
        proxy.proposedGetRoundData(1);
    }

    function test_propose_isRefused() public {
        Aggregator second = _second();
        vm.expectRevert(abi.encodeWithSelector(IAggregatorProxy.NotAContract.selector, STRANGER));
        vm.prank(OWNER);
        proxy.proposeAggregator(STRANGER);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        proxy.proposeAggregator(address(second));
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        proxy.proposeAggregatorWithBounds(address(second), AGE, BPS);
    }
}

contract ProxyConfirmTest is ProxyFixture {
    function test_confirm_opensTheNextPhase() public {
        Aggregator second = _second();
        _propose(address(second), BPS);
        vm.expectEmit(true, true, true, true, address(proxy));
        emit IAggregatorProxy.AggregatorConfirmed(address(first), address(second));
        _confirm(address(second));
        vm.assertEq(proxy.aggregator(), address(second));
        vm.assertEq(proxy.phaseId(), 2);
        vm.assertEq(proxy.phaseAggregators(2), address(second));
        vm.assertEq(proxy.proposedAggregator(), address(0));
        // The same confirmation again finds no proposal.
        _refusesToConfirm(address(second), _text("No proposed aggregator present"));
    }

    /// What consumers walk over after the change: three rounds of the new phase, and all of the old one.
    function test_confirm_keepsOldRoundsAndIdsGrow() public {
        uint256 before = proxy.latestRound();
        bytes[5] memory old;
        for (uint80 round = 1; round <= 5; ++round) {
            old[round - 1] = _outcome(address(proxy), abi.encodeCall(proxy.getRoundData, (1 << 64 | round)));
        }
        Aggregator second = _second();
        _propose(address(second), BPS);
        _confirm(address(second));

        vm.assertTrue(proxy.latestRound() > before);
        vm.assertEq(proxy.latestRound(), uint256(2) << 64 | 3);
        (uint80 id, int256 answer,,, uint80 answeredIn) = proxy.latestRoundData();
        vm.assertTrue(id == answeredIn && id == uint80(2) << 64 | 3 && answer == 1002e8);
        for (uint80 round = 1; round <= 5; ++round) {
            uint80 oldId = 1 << 64 | round;
            vm.assertEq(_outcome(address(proxy), abi.encodeCall(proxy.getRoundData, (oldId))), old[round - 1]);
            vm.assertEq(proxy.getAnswer(oldId), first.getAnswer(round));
            vm.assertEq(proxy.getTimestamp(oldId), first.getTimestamp(round));
        }
        for (uint80 back = 0; back < 3; ++back) {
            (id, answer,,,) = proxy.getRoundData(uint80(proxy.latestRound()) - back);
            vm.assertEq(answer, second.getAnswer(3 - back));
        }
        // A round of the old phase that nobody wrote is no round of the new one.
        vm.expectRevert(NO_DATA);
        proxy.getRoundData(1 << 64 | 6);
        vm.assertEq(proxy.getAnswer(1 << 64 | 6), int256(0));
    }

    function test_confirm_unknownPhases() public {
        uint80[4] memory phases = [uint80(0), 2, 3, type(uint16).max];
        for (uint256 i = 0; i < phases.length; ++i) {
            uint80 id = phases[i] << 64 | 1;
            vm.expectRevert(NO_DATA);
            proxy.getRoundData(id);
            vm.assertEq(proxy.getAnswer(id), int256(0));
            vm.assertEq(proxy.getTimestamp(id), 0);
        }
    }

    function test_confirm_onlyByTheOwner() public {
        Aggregator second = _second();
        _propose(address(second), BPS);
        vm.expectRevert(ONLY_OWNER);
        vm.prank(TRANSMITTER);
        proxy.confirmAggregator(address(second));
    }

    /// Chainlink's proxy takes `confirmAggregator(0)` without a proposal and reads the zero address from then on.
    function test_confirm_needsTheProposal() public {
        Aggregator second = _second();
        Aggregator third = _second();
        _refusesToConfirm(address(0), _text("No proposed aggregator present"));
        _refusesToConfirm(address(second), _text("No proposed aggregator present"));
        _propose(address(second), BPS);
        _refusesToConfirm(address(0), _text("Invalid proposed aggregator"));
        _refusesToConfirm(address(third), _text("Invalid proposed aggregator"));
    }

    /// With fewer than three rounds Liquity leaves the feed for good and GMX stops.
    function test_confirm_needsThreeRounds() public {
        Aggregator second = _aggregator();
        _propose(address(second), BPS);
        for (uint256 rounds = 0; rounds < 3; ++rounds) {
            _refusesToConfirm(
                address(second), abi.encodeWithSelector(IAggregatorProxy.TooFewRounds.selector, rounds, 3)
            );
            _seed(second, 1);
        }
        _confirm(address(second));
    }

    function test_confirm_needsTheSameDecimals() public {
        Aggregator second = _aggregator(18, 0, type(int176).max);
        _seed(second, 3);
        _propose(address(second), NO_COMPARISON);
        _refusesToConfirm(
            address(second), abi.encodeWithSelector(IAggregatorProxy.DecimalsDiffer.selector, 18, 8)
        );
    }

    function test_confirm_needsAFreshRound() public {
        Aggregator second = _second();
        uint256 updatedAt = block.timestamp;
        _propose(address(second), NO_COMPARISON);
        vm.warp(updatedAt + AGE + 1);
        _refusesToConfirm(
            address(second),
            abi.encodeWithSelector(IAggregatorProxy.RoundTooOld.selector, updatedAt, updatedAt + 1)
        );
        vm.warp(updatedAt + AGE);
        _confirm(address(second));
    }

    /// An age that reaches back before 1970 allows every round.
    function test_confirm_takesAnyAgeWhenAsked() public {
        Aggregator second = _second();
        vm.prank(OWNER);
        proxy.proposeAggregatorWithBounds(address(second), type(uint32).max, BPS);
        vm.warp(block.timestamp + 10 * 365 days);
        _confirm(address(second));
        vm.assertEq(proxy.aggregator(), address(second));
    }

    /// The bound is a share of the present price; the price at the bound passes, one unit further does not.
    function test_confirm_needsANearPrice() public {
        Aggregator second = _second();
        _propose(address(second), BPS);
        // 1004e8 plus and minus ten percent.
        _tooFar(second, 110_440_000_001);
        _tooFar(second, 90_359_999_999);
        _submit(second, 90_360_000_000);
        uint256 state = vm.snapshotState();
        _confirm(address(second));
        vm.assertTrue(vm.revertToState(state));
        _submit(second, 110_440_000_000);
        _confirm(address(second));
    }

    function test_confirm_comparesAcrossZero() public {
        _submit(first, -100);
        Aggregator second = _second();
        _propose(address(second), BPS);
        _tooFar(second, 100);
        _tooFar(second, -111);
        _tooFar(second, -89);
        _submit(second, -110);
        _confirm(address(second));
    }

    /// Of nothing every share is nothing: only the same answer is near to 0.
    function test_confirm_comparesWithZero() public {
        _submit(first, 0);
        Aggregator second = _second();
        _propose(address(second), NO_COMPARISON - 1);
        _tooFar(second, 1);
        _submit(second, 0);
        _confirm(address(second));
    }

    /// Leaving a broken aggregator takes the word of the owner that no comparison is wanted.
    function test_confirm_leavesABrokenAggregatorOnlyWithoutComparison() public {
        ScriptedFeed broken = new ScriptedFeed();
        proxy = _proxyOver(address(broken));
        broken.setBroken(true);
        Aggregator second = _second();
        _propose(address(second), NO_COMPARISON - 1);
        _refusesToConfirm(address(second), _text("broken"));
        _propose(address(second), NO_COMPARISON);
        _confirm(address(second));
        vm.assertEq(proxy.latestAnswer(), int256(1002e8));
    }

    /// An empty first aggregator has no price to compare with.
    function test_confirm_leavesAnEmptyAggregatorOnlyWithoutComparison() public {
        proxy = _proxyOver(address(_aggregator()));
        Aggregator second = _second();
        _propose(address(second), NO_COMPARISON - 1);
        _refusesToConfirm(address(second), NO_DATA);
        _propose(address(second), NO_COMPARISON);
        _confirm(address(second));
    }

    function test_confirm_phasesDoNotWrap() public {
        Aggregator second = _second();
        _propose(address(second), BPS);
        bytes32 slot = bytes32(uint256(2));
        uint256 word = uint256(vm.load(address(proxy), slot));
        vm.assertEq(word, uint256(1) << 160 | uint160(address(first)));
        vm.store(address(proxy), slot, bytes32(uint256(type(uint16).max) << 160 | uint160(address(first))));
        _refusesToConfirm(address(second), abi.encodeWithSignature("Panic(uint256)", 0x11));
    }

    function _tooFar(Aggregator second, int256 answer) private {
        _submit(second, answer);
        _refusesToConfirm(
            address(second),
            abi.encodeWithSelector(
                IAggregatorProxy.AnswerTooFar.selector, answer, first.latestAnswer(), uint256(_bps())
            )
        );
    }

    function _bps() private view returns (uint32 bps) {
        (, bps) = proxy.proposalBounds();
    }
}

/// @dev The proxy in front of aggregators that are not ours.
contract ProxyForeignAggregatorTest is ProxyFixture {
    ScriptedFeed private foreign;

    function setUp() public override {
        super.setUp();
        foreign = new ScriptedFeed();
        foreign.setRounds(1004e8, block.timestamp);
    }

    function test_foreign_isRelayedWordByWord() public {
        foreign.setRound(3, ScriptedFeed.Round(3, -7, 11, 12, 2));
        proxy = _proxyOver(address(foreign));
        (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
            proxy.latestRoundData();
        vm.assertEq(id, uint80(1) << 64 | 3);
        vm.assertEq(answer, int256(-7));
        vm.assertEq(startedAt, 11);
        vm.assertEq(updatedAt, 12);
        vm.assertEq(answeredIn, uint80(1) << 64 | 2);
        vm.assertEq(
            _outcome(address(proxy), abi.encodeCall(proxy.getRoundData, (uint80(1) << 64 | 3))),
            _outcome(address(proxy), abi.encodeCall(proxy.latestRoundData, ()))
        );
    }

    /// Chainlink's OCR aggregators answer zeros for a round that they do not have; a zero is no price.
    function test_foreign_zerosBecomeNoData() public {
        proxy = _proxyOver(address(foreign));
        vm.expectRevert(NO_DATA);
        proxy.getRoundData(uint80(1) << 64 | 4);
        foreign.setRound(3, ScriptedFeed.Round(3, 1004e8, 0, 0, 3));
        vm.expectRevert(NO_DATA);
        proxy.latestRoundData();
    }

    /// An id that does not fit behind the phase reverts instead of being cut to another round's.
    function test_foreign_wideIdsRevert() public {
        proxy = _proxyOver(address(foreign));
        uint256 wide = uint256(1) << 64 | 2;
        bytes memory refused = abi.encodeWithSelector(IAggregatorProxy.RoundIdTooWide.selector, wide);
        foreign.setRound(3, ScriptedFeed.Round(wide, 1, 1, 1, 3));
        vm.expectRevert(refused);
        proxy.latestRoundData();
        foreign.setRound(3, ScriptedFeed.Round(3, 1, 1, 1, wide));
        vm.expectRevert(refused);
        proxy.latestRoundData();
        vm.expectRevert(refused);
        proxy.getRoundData(uint80(1) << 64 | 3);
        foreign.setLatestRound(wide);
        vm.expectRevert(refused);
        proxy.latestRound();
        // The widest that fits does.
        foreign.setRound(wide, ScriptedFeed.Round(type(uint64).max, 1, 1, 1, type(uint64).max));
        (uint80 id,,,,) = proxy.latestRoundData();
        vm.assertEq(id, uint256(1) << 64 | type(uint64).max);
    }

    function test_foreign_revertsAreHandedOn() public {
        proxy = _proxyOver(address(foreign));
        foreign.setBroken(true);
        vm.expectRevert(_text("broken"));
        proxy.latestRoundData();
        vm.expectRevert(_text("broken"));
        proxy.getRoundData(uint80(1) << 64 | 3);
    }

    /// A phase whose contract is gone, or that answers too little, must not read as a round of zeros.
    function test_foreign_shortAnswersRevert() public {
        proxy = _proxyOver(address(foreign));
        vm.etch(address(foreign), "");
        vm.expectRevert(bytes(""));
        proxy.latestRoundData();
        // Returns 128 bytes of ones.
        vm.etch(address(foreign), hex"600160005260016020526001604052600160605260806000f3");
        vm.expectRevert(bytes(""));
        proxy.latestRoundData();
    }

    function test_foreign_confirmRefusesAContractThatIsGone() public {
        _propose(address(foreign), BPS);
        vm.etch(address(foreign), "");
        _refusesToConfirm(
            address(foreign), abi.encodeWithSelector(IAggregatorProxy.NotAContract.selector, address(foreign))
        );
    }

    function test_foreign_confirmRefusesTimesToCome() public {
        _propose(address(foreign), BPS);
        uint256 later = block.timestamp + 1;
        foreign.setRounds(1004e8, later);
        _refusesToConfirm(
            address(foreign),
            abi.encodeWithSelector(IAggregatorProxy.RoundInFuture.selector, later, block.timestamp)
        );
    }

    function test_foreign_confirmRefusesHolesInTheHistory() public {
        _propose(address(foreign), BPS);
        for (uint256 missing = 1; missing < 3; ++missing) {
            foreign.setRounds(1004e8, block.timestamp);
            foreign.setRound(missing, ScriptedFeed.Round(0, 0, 0, 0, 0));
            _refusesToConfirm(address(foreign), NO_DATA);
        }
    }

    function test_foreign_confirmRefusesWideIds() public {
        _propose(address(foreign), BPS);
        uint256 wide = uint256(1) << 64 | 3;
        foreign.setRound(3, ScriptedFeed.Round(wide, 1004e8, 1, block.timestamp, 3));
        _refusesToConfirm(
            address(foreign), abi.encodeWithSelector(IAggregatorProxy.RoundIdTooWide.selector, wide)
        );
    }

    /// Behind itself a proxy would answer no read at all.
    function test_foreign_confirmRefusesTheProxyItself() public {
        _propose(address(proxy), BPS);
        _refusesToConfirm(
            address(proxy),
            abi.encodeWithSelector(IAggregatorProxy.RoundIdTooWide.selector, uint256(1) << 64 | 5)
        );
    }

    /// `|proposed - present| * 10,000 <= |present| * bps`, for numbers whose products do not fit a word.
    function testFuzz_foreign_deviation(int256 present, int256 proposed, uint32 bps) public {
        vm.assume(bps != NO_COMPARISON);
        ScriptedFeed current = new ScriptedFeed();
        current.setRounds(present, block.timestamp);
        proxy = _proxyOver(address(current));
        foreign.setRounds(proposed, block.timestamp);
        _propose(address(foreign), bps);
        if (LongMath.near(present, proposed, bps, 10_000)) {
            _confirm(address(foreign));
            vm.assertEq(proxy.aggregator(), address(foreign));
        } else {
            _refusesToConfirm(
                address(foreign),
                abi.encodeWithSelector(
                    IAggregatorProxy.AnswerTooFar.selector, proposed, present, uint256(bps)
                )
            );
        }
    }

    /// The same with numbers close to each other, where the fuzzer alone would hardly get.
    function testFuzz_foreign_smallDeviation(int64 present, int24 step, uint16 bps) public {
        testFuzz_foreign_deviation(present, int256(present) + step, bps);
    }

    function test_foreign_deviationAtTheEndsOfTheNumbers() public {
        int256[5] memory numbers =
            [type(int256).min, type(int256).max, int256(0), int256(1) << 242, -(int256(1) << 225)];
        uint32[4] memory bounds = [uint32(0), 1, 10_000, NO_COMPARISON - 1];
        for (uint256 i = 0; i < 5; ++i) {
            for (uint256 j = 0; j < 5; ++j) {
                for (uint256 k = 0; k < 4; ++k) {
                    testFuzz_foreign_deviation(numbers[i], numbers[j], bounds[k]);
                }
            }
        }
    }
}
