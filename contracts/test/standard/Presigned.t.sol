// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {WETH9} from "../../src/standard/WETH9.sol";
import {Fixture} from "../base/Fixture.sol";

interface IMulticall3 {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory);
    function getChainId() external view returns (uint256);
}

/// @title The transactions that were signed once for all chains, proved from their bytes.
contract PresignedTest is Fixture {
    /// @dev The fields of a legacy transaction, and where the signature begins.
    struct Transaction {
        bytes[9] fields;
        bytes unsigned;
    }

    string private table;

    function setUp() public {
        table = vm.readFile("src/standard/presigned.json");
    }

    /// The hashes that explorers show for the same transaction and code on the public networks.
    function test_presigned_areThePublicOnes() public view {
        vm.assertEq(
            keccak256(_bytes(".create2Factory.transaction")),
            0xeddf9e61fb9d8f5111840daef55e5fde0041f5702856532cdbb5a02998033d26
        );
        vm.assertEq(
            keccak256(_bytes(".create2Factory.runtime")),
            0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989
        );
        vm.assertEq(
            keccak256(_bytes(".multicall3.transaction")),
            0x07471adfe8f4ec553c1199f495be97fc8be8e0626ae307281c22534460184ed1
        );
        vm.assertEq(
            keccak256(_bytes(".multicall3.runtime")),
            0xd5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891
        );
    }

    function test_create2Factory_isWhatItsTransactionMakes() public {
        _prove(".create2Factory");
    }

    function test_multicall3_isWhatItsTransactionMakes() public {
        _prove(".multicall3");
    }

    /// The transaction itself, as a node would take it.
    function test_presigned_areTakenByAChain() public {
        _publish(".create2Factory");
        _publish(".multicall3");
    }

    function test_create2Factory_makesContractsWhereTheyBelong() public {
        address factory = _publish(".create2Factory");
        bytes memory creation = type(WETH9).creationCode;
        bytes32 salt = keccak256("salt");
        address expected = address(
            uint160(uint256(keccak256(abi.encodePacked(hex"ff", factory, salt, keccak256(creation)))))
        );
        vm.assertEq(expected.code.length, 0);
        (bool made, bytes memory answer) = factory.call(bytes.concat(salt, creation));
        vm.assertTrue(made);
        vm.assertEq(answer, abi.encodePacked(expected));
        vm.assertEq(WETH9(payable(expected)).symbol(), "WETH");
        // Once.
        (made,) = factory.call(bytes.concat(salt, creation));
        vm.assertFalse(made);
    }

    function test_multicall3_calls() public {
        IMulticall3 multicall = IMulticall3(_publish(".multicall3"));
        vm.assertEq(multicall.getChainId(), block.chainid);
        IMulticall3.Call3[] memory calls = new IMulticall3.Call3[](2);
        calls[0] = IMulticall3.Call3(address(multicall), false, abi.encodeCall(IMulticall3.getChainId, ()));
        calls[1] = IMulticall3.Call3(address(multicall), true, hex"deadbeef");
        IMulticall3.Result[] memory results = multicall.aggregate3(calls);
        vm.assertTrue(results[0].success && !results[1].success);
        vm.assertEq(results[0].returnData, abi.encode(block.chainid));
    }

    /// @dev Signer, address, funds and code, each from the bytes of the transaction.
    function _prove(string memory name) private {
        Transaction memory transaction = _decode(_bytes(string.concat(name, ".transaction")));
        // A first transaction, to nobody, of no value: a creation.
        vm.assertEq(transaction.fields[0].length, 0);
        vm.assertEq(transaction.fields[3].length, 0);
        vm.assertEq(transaction.fields[4].length, 0);
        vm.assertEq(
            _number(transaction.fields[1]) * _number(transaction.fields[2]),
            vm.parseJsonUint(table, string.concat(name, ".funds"))
        );
        // Without a chain id in it: valid on every chain.
        address signer = ecrecover(
            keccak256(transaction.unsigned),
            uint8(_number(transaction.fields[6])),
            bytes32(_number(transaction.fields[7])),
            bytes32(_number(transaction.fields[8]))
        );
        vm.assertTrue(signer != address(0));
        vm.assertEq(signer, _address(string.concat(name, ".signer")));
        vm.assertEq(vm.computeCreateAddress(signer, 0), _address(string.concat(name, ".address")));
        bytes memory creation = transaction.fields[5];
        address made;
        assembly ("memory-safe") {
            made := create(0, add(creation, 0x20), mload(creation))
        }
        vm.assertEq(made.code, _bytes(string.concat(name, ".runtime")));
    }

    function _publish(string memory name) private returns (address place) {
        place = _address(string.concat(name, ".address"));
        if (place.code.length != 0) return place;
        vm.deal(
            _address(string.concat(name, ".signer")), vm.parseJsonUint(table, string.concat(name, ".funds"))
        );
        vm.broadcastRawTransaction(_bytes(string.concat(name, ".transaction")));
        vm.assertEq(place.code, _bytes(string.concat(name, ".runtime")));
    }

    /// @dev Nine strings in a list (RLP), and the list of the first six as it was signed.
    function _decode(bytes memory raw) private pure returns (Transaction memory transaction) {
        (uint256 place, uint256 length) = _item(raw, 0, 0xc0);
        vm.assertEq(place + length, raw.length);
        uint256 start = place;
        for (uint256 i = 0; i < 9; ++i) {
            if (i == 6) {
                bytes memory body = _slice(raw, start, place - start);
                transaction.unsigned = bytes.concat(_listHead(body.length), body);
            }
            (place, length) = _item(raw, place, 0x80);
            transaction.fields[i] = _slice(raw, place, length);
            place += length;
        }
        vm.assertEq(place, raw.length);
    }

    /// @dev Where the content of an item begins, and how long it is. `base` is 0x80 for a string, 0xc0 for a list.
    function _item(bytes memory raw, uint256 place, uint256 base) private pure returns (uint256, uint256) {
        uint256 head = uint8(raw[place]);
        if (head < base) return (place, 1);
        if (head < base + 56) return (place + 1, head - base);
        uint256 width = head - base - 55;
        return (place + 1 + width, _number(_slice(raw, place + 1, width)));
    }

    function _listHead(uint256 length) private pure returns (bytes memory) {
        if (length < 56) return abi.encodePacked(uint8(0xc0 + length));
        if (length < 256) return abi.encodePacked(uint8(0xf8), uint8(length));
        return abi.encodePacked(uint8(0xf9), uint16(length));
    }

    function _slice(bytes memory raw, uint256 place, uint256 length)
        private
        pure
        returns (bytes memory part)
    {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = raw[place + i];
        }
    }

    function _number(bytes memory bigEndian) private pure returns (uint256 number) {
        for (uint256 i = 0; i < bigEndian.length; ++i) {
            number = (number << 8) | uint8(bigEndian[i]);
        }
    }

    function _bytes(string memory key) private view returns (bytes memory) {
        return vm.parseJsonBytes(table, key);
    }

    function _address(string memory key) private view returns (address) {
        return vm.parseJsonAddress(table, key);
    }
}
